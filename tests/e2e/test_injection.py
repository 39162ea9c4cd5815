"""Texts that try to be more than texts, wherever a person or a file can put one: no script runs, no request leaves the machine, nothing
of them becomes an element of the page. On every page, at a desk and on a phone.
"""

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from fmnist import data, runner
from fmnist.config import TrainConfig
from fmnist.handover import bundle, report
from fmnist.home import run_folder
from fmnist.liveness import this_process
from fmnist.run import Request, Run
from fmnist.search_space import Range
from fmnist.store import Store
from fmnist.sweep import Spec, Sweeps
from tests.e2e.conftest import PATIENCE, Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(3_600)]
CONFIG = TrainConfig(network="linear", epochs=1, batch_size=64, train_size=128, validation_size=64, device="cpu", precision="float32")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TRAINED = 3  # runs with weights, which can be evaluated and compared; the others wait for a device that is not here

FIRST = [
    "<script>window.canary=1</script>",
    "<img src=x onerror=window.canary=1>",
    "<img src=http://evil.example/a.png>",
    "![x](http://evil.example/b.png)",
    "[x](http://evil.example)",
    "[x](javascript:window.canary=1)",
    "http://evil.example/c",
    "www.evil.example",
    "<http://evil.example>",
    "who@evil.example",
    "[x]: http://evil.example",
    '"><img src=x onerror=window.canary=1>',
    "'><svg/onload=window.canary=1>",
    "</title><script>window.canary=1</script>",
    "<iframe src=http://evil.example></iframe>",
    "<a href=javascript:window.canary=1>a</a>",
    '<a href="http://evil.example">a</a>',
    '<b style="background:url(http://evil.example/d.png)">b</b>',
    "$\\href{http://evil.example}{x}$",
    "`![x](http://evil.example/e.png)",
    "\\![x](http://evil.example/f.png)",
    ":red[canary] :material/warning: [x][http://evil.example]",
    "${window.canary=1} {{window.canary=1}}",
    "&lt;img src=x onerror=window.canary=1&gt; %3Cscript%3E",
    "<svg><style>@import 'http://evil.example/g.css'</style></svg>",
]
AROUND = [
    "**{}**",
    "# {}",
    "> {}",
    "- {}",
    "| a |\n|---|\n| {} |",
    "\n\n{}\n",
    "~~{}~~",
    "]({})",
    "<!-- --> {}",
    "&#x3c;{}",
    "*{}",
    "1. {}",
]
PAYLOADS = FIRST + [frame.format(payload) for frame, payload in itertools.product(AROUND, FIRST)]

# What a payload would have made: elements with its address, with a handler, or of a kind that no page has.
FOREIGN = r"""() => {
  const everywhere = root => [...root.querySelectorAll("*")].flatMap(e => [e, ...(e.shadowRoot ? everywhere(e.shadowRoot) : [])])
  const leads = /^(href|src|srcset|xlink:href|action|formaction|data|style|poster)$/i
  const evil = ({ name, value }) => /^on/i.test(name) || (leads.test(name) && /evil\.example|javascript:/i.test(value))
  const foreign = e => [...e.attributes].some(evil)
    || /^(iframe|object|embed|base|marquee)$/i.test(e.tagName)
    || (/^(script|style)$/i.test(e.tagName) && /canary|evil\.example/.test(e.textContent))
    || (e.matches(".katex") && /evil|canary/.test(e.textContent))
    || (e.matches("[class*=stMarkdownColored]") && e.textContent === "canary")
  return everywhere(document).filter(foreign).map(e => e.outerHTML.slice(0, 300))
}"""


@pytest.fixture
def payloads(size: Callable[[int, int], int]) -> list[str]:
    return PAYLOADS[: size(len(FIRST), 200)]


@pytest.fixture
def runs(home: Path, payloads: list[str]) -> list[Run]:
    """A run for each payload, with it as name, note, tag, message, fact of the environment and log; a sweep for each that is called so."""
    store = Store()
    made = [trained(store, CONFIG.model_copy(update={"seed": seed})) for seed in range(TRAINED)]
    made += [store.create(CONFIG, device="mps") for _ in payloads[TRAINED:-1]]
    made += [store.create(CONFIG, device="mps", origin=made[0].id)]
    for number, (run, payload) in enumerate(zip(made, payloads, strict=True)):
        store.rename(run.id, payload)
        store.annotate(run.id, "\n".join([payload, *payloads])[:10_000])
        store.tag([run.id], add=[tag for tag in (payload, payloads[-number]) if tag.strip(' ,"')])
        run_folder(run.id).mkdir(parents=True, exist_ok=True)
        (run_folder(run.id) / "worker.log").write_text("\n".join(payloads))
    # what only a foreign file or a hand in the database can say
    facts = json.dumps({"name": payloads[1], "host": payloads[2], payloads[3]: payloads[0], "torch": payloads[9], "imported": payloads[5]})
    with store.database.writing() as connection:
        connection.execute(sa.text("UPDATE runs SET environment = :facts, message = name"), {"facts": facts})
    for run in made[TRAINED::2]:
        store.ask(run.id, Request.CANCEL)
    store.bin([made[TRAINED].id, made[TRAINED + 2].id])
    with store.database.writing() as connection:
        for run, status in zip(made[TRAINED + 4 :: 2], itertools.cycle(("failed", "diverged", "stopped")), strict=False):
            connection.execute(
                sa.text("UPDATE runs SET status = :status, message = :words WHERE id = :id"),
                {"status": status, "words": run.name, "id": run.id},
            )
    for payload in payloads:
        spec = Spec(base=CONFIG, space={"learning_rate": Range(low=1e-4, high=1e-1, log=True)}, trials=1)
        Sweeps(store).create(spec, device="mps", name=payload)
    found = sorted((*store.runs(), *store.binned()), key=lambda run: run.number)
    store.close()
    return found


def trained(store: Store, config: TrainConfig) -> Run:
    run = store.claim("cpu", this_process(), store.create(config, device="cpu").id)
    assert run
    return runner.train(store, run, threading.Event())


def visit(page: Page, address: str) -> None:
    page.goto(address)
    look(page, address)


def look(page: Page, where: str) -> None:
    """Nothing has come of any payload so far."""
    at_rest = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(at_rest).to_be_visible(timeout=3_000 * PATIENCE)  # dozens of lines, drawn anew each second, on a machine that does other things
    assert page.get_by_test_id("stException").all() == []
    assert page.evaluate("window.canary") is None, f"a script ran on {where}"
    assert page.evaluate(FOREIGN) == [], where


def addresses(runs: list[Run]) -> list[str]:
    numbers = ",".join(str(run.number) for run in runs if run.binned is None)
    first, second = runs[0], runs[1]
    return [
        "/",
        "/train",
        f"/train?from={runs[-1].id}",
        "/runs",
        "/runs?bin=1",
        f"/compare?runs={numbers}",
        f"/evaluate?model={first.number}",
        f"/evaluate?model={first.number}&section=two&other={second.number}",
        "/sweep",
        "/sweep?sweep=1",
        f"/sweep?base={second.number}",
        f"/explore?model={second.number}",
        f"/try_it?from=samples&models={first.number},{second.number}",
        "/try_it?from=mine",
    ]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_no_name_note_tag_message_or_fact_is_more_than_text_on_any_page(
    runs: list[Run],
    server: Server,
    new_page: Callable[..., Page],
    viewport: dict[str, int],
    payloads: list[str],
    size: Callable[[int, int], int],
) -> None:
    page = new_page(viewport=viewport)
    for address in addresses(runs):
        visit(page, address)
    icon = next(run for run in runs if ":material/" in run.name)
    for run in [*runs[:2], icon, *runs[TRAINED : TRAINED + size(3, len(runs))], runs[-1]]:
        visit(page, f"/runs?run={run.id}")
        heading = page.get_by_role("heading", level=3).first.inner_text()
        assert heading.replace("\N{WORD JOINER}", "").startswith(run.name), "a name is shown as it is"
    for tab in page.get_by_role("tab").all():  # of the last run
        tab.click()
        look(page, f"the tab {tab.inner_text()}")


def test_the_name_of_a_file_is_no_more_than_text(runs: list[Run], server: Server, page: Page, payloads: list[str]) -> None:
    names = [payload.replace("/", "\N{FRACTION SLASH}").replace("\n", " ")[:100] for payload in payloads]
    files = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": b"no picture"} for name in names]
    page.goto("/try_it?from=upload")
    page.locator("input[type=file]").set_input_files(files[:1])  # type: ignore[arg-type]
    look(page, "one file")
    page.reload()
    page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.get_by_text(f"{len(files)} cannot be read")).to_be_visible(timeout=3_000 * PATIENCE)
    look(page, "many files")


def test_a_bundle_of_somebody_else_brings_no_more_than_text(runs: list[Run], server: Server, page: Page) -> None:
    store = server.store()
    content = bundle.write(store, store.get(runs[0].id))
    with store.database.writing() as connection:
        connection.execute(sa.text("DELETE FROM runs WHERE id = :id"), {"id": runs[0].id})
    page.goto("/runs")
    settle(page)
    page.get_by_role("button", name="Import").first.click()
    page.locator("input[type=file]").set_input_files(
        {
            "name": "<img src=x onerror=window.canary=1>![x](http:\N{FRACTION SLASH}\N{FRACTION SLASH}evil.example).zip",
            "mimeType": "application/zip",
            "buffer": content,
        }
    )
    look(page, "the file that was chosen")
    page.get_by_role("button", name="Import it").click()
    expect(page.get_by_text("is imported as run").first).to_be_visible()
    look(page, "the toast")
    imported = next(run for run in store.runs() if "imported" in run.tags)
    assert imported.name == runs[0].name
    visit(page, f"/runs?run={imported.id}")


def test_a_report_holds_no_more_than_text(runs: list[Run], home: Path, browser: Browser, size: Callable[[int, int], int]) -> None:
    store = Store()
    context = browser.new_context(offline=True)
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    for run in runs[: size(2, TRAINED)]:
        file = home / "report.html"
        file.write_bytes(report.write(store, run, data.load()))
        page.goto(file.as_uri())
        expect(page.get_by_role("heading", level=1)).to_have_text(run.name)
        assert page.evaluate(FOREIGN) == []
        assert page.evaluate("window.canary") is None
    assert heard == []
    context.close()
    store.close()
