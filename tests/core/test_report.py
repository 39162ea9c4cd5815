"""The report of a run as a file: what it says, and that nothing in it can do anything. A browser opens it in tests/e2e/test_report.py."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from fmnist import data, evaluation, outputs, prediction
from fmnist.config import TrainConfig
from fmnist.errors import CheckpointError
from fmnist.handover import report, svg
from fmnist.run import Run
from fmnist.store import Store

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'


class Page(HTMLParser):
    """Elements and texts of a page; complains about elements that are closed wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


@pytest.fixture
def run(train: Callable[..., Run], tiny_config: TrainConfig, plain_store: Store) -> Run:
    made = train(tiny_config, EVIL[:60])
    plain_store.annotate(made.id, EVIL)
    return plain_store.get(made.id)


def test_a_report_has_the_figures_of_the_run_and_nothing_that_acts(run: Run, plain_store: Store) -> None:
    content = report.write(plain_store, run, data.load())
    page = Page(content.decode())
    model = prediction.load(run.id, plain_store)
    figures = evaluation.evaluate(model.network, data.load().test)
    for words in (f"{run.accuracy:.2%}", f"{figures.loss:.4f}", f"{figures.macro_f1:.4f}", EVIL[:60], EVIL, run.id, "Ankle boot"):
        assert words in page.text, words
    cells = re.findall(r'<td class="[^"]*" style="--share:[\d.]+">([\d·]+)</td>', content.decode())
    assert [0 if cell == "·" else int(cell) for cell in cells] == [count for row in figures.confusion for count in row]
    images = [attributes["src"] or "" for tag, attributes in page.elements if tag == "img"]
    assert len(images) == report.WORST
    assert all(source.startswith("data:image/png;base64,") for source in images)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "form", "a", "base"}
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") or name == "href" for name in attributes)]
    assert ("default-src 'none'" in (page.elements[3][1].get("content") or ""), len(content) < 150_000) == (True, True)


def test_a_run_without_a_checkpoint_has_no_report(plain_store: Store) -> None:
    with pytest.raises(CheckpointError, match="has no checkpoint yet"):
        report.write(plain_store, plain_store.create(TrainConfig(), device="cpu"), data.load())


def test_what_was_computed_for_a_report_is_there_for_the_pages(run: Run, plain_store: Store) -> None:
    report.write(plain_store, run, data.load())
    assert outputs.kept_in(prediction.load(run.id, plain_store), "test").exists()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.31, 2.29, [0, 0.5, 1, 1.5, 2, 2.5]),
        (88.1, 93.4, [88, 90, 92, 94]),
        (5.0, 5.0, [5, 6]),
        (0.0, 0.0, [0, 0.2]),
        (0.0, 0.004, [0, 0.001, 0.002, 0.003, 0.004]),
    ],
)
def test_axes_go_from_a_round_number_to_a_round_number(low: float, high: float, expected: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_a_point_lies_where_its_numbers_say() -> None:
    """Ticks 0 to 1 and epochs 0 to 2: the point (1, 0.5) is in the middle of the frame."""
    drawn = svg.chart("Loss", [svg.Series("training", [1, 2], [0.5, 1.0], "first", marked=True), svg.Series("", [2], [0.0], "second")])
    middle = svg.LEFT + (svg.WIDTH - svg.LEFT - svg.RIGHT) / 2, svg.TOP + (svg.HEIGHT - svg.TOP - svg.BOTTOM) / 2
    assert f'cx="{middle[0]:.1f}" cy="{middle[1]:.1f}"' in drawn
    assert "<title>training, epoch 1: 0.5</title>" in drawn
    assert svg.chart("Loss", [svg.Series("training", [], [], "first")]) == ""
