"""The tables of measured figures in the documents, made from bench/results and from nothing else.

A table stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`. `python -m bench` writes them all anew at its end; a test
holds that documents and files agree.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "performance.md")
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def write() -> None:
    """Bring every document up to date."""
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")


def filled(text: str, results: Path) -> str:
    """A document with each of its tables as the files in this folder have it.

    Raises:
        KeyError: a table has an unknown name.
    """
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], results)}\n{found[3]}", text)


def _block(name: str, results: Path) -> str:
    benchmark, table = TABLES[name]
    path = results / f"{benchmark}.json"
    if not path.exists():
        return f"*Not measured yet: `python -m bench {benchmark}`.*"
    result = json.loads(path.read_text(encoding="utf-8"))
    return f"{table(result)}\n\n{_source(benchmark, result)}"


def _source(benchmark: str, result: dict[str, Any]) -> str:
    machine = result["machine"]
    where = f"{machine['threads']} threads of {machine['name']}" if machine["device"] == "cpu" else machine["name"]
    return f"*{result['date']}, {where}, PyTorch {machine['torch']}, Python {machine['python']}: `python -m bench {benchmark}`.*"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _columns(columns: dict[str, str], rows: Iterable[dict[str, Any]]) -> str:
    """A table of one line a row; each column has a head and a pattern that the row fills."""
    return _table(columns, ([pattern.format_map(row) for pattern in columns.values()] for row in rows))


def _percent(share: float, places: int = 0) -> str:
    return f"{100 * share:.{places}f} %"


def speed(result: dict[str, Any]) -> str:
    """Ours, the textbook loop, and the limit of the machine in each precision that is used."""
    rates, precision = result["images_per_second"], result["precision"]["name"]
    words = {
        "ours": f"ours, in {precision}",
        "textbook": "the textbook loop, in float32",
        "limit float32": "the limit in float32",
        "limit bfloat16": "the limit in bfloat16",
    }
    head = ("", "images a second", "times the textbook", "ours is so much of it")
    ratio = {"textbook": "1", "ours": f"**{result['ratio']:.2f}** ({result['ratios'][0]:.2f} to {result['ratios'][-1]:.2f})"}
    share = {f"limit {precision}": _percent(result["share_of_the_limit"])}
    return _table(head, ((words[name], f"{rate:,}", ratio.get(name, ""), share.get(name, "")) for name, rate in rates.items()))


def profile(result: dict[str, Any]) -> str:
    """What a step is made of."""
    rows = [
        (row["group"], f"{row['ms']:.1f}", _percent(row["share"]), f"{row['at_limit_ms']:.1f}" if row["at_limit_ms"] else "")
        for row in result["groups"]
    ]
    rows.append(("the whole step", f"{result['profiled_step_ms']:.1f}", "100 %", ""))
    head = (f"batch size {result['batch_size']}, {result['precision']}", "ms", "share", "ms at the limit")
    return f"{_table(head, rows)}\n\nWithout the profiler a step takes {result['step_ms']:.1f} ms."


def batch_sizes(result: dict[str, Any]) -> str:
    columns = {
        "images a step": "{batch_size:,}",
        "precision": "{precision}",
        "images a second": "{images_per_second:,}",
        "ms a step": "{step_ms:,.1f}",
    }
    return _columns(columns, result["batch_sizes"])


def networks(result: dict[str, Any]) -> str:
    columns = {
        "network": "{network}",
        "parameters": "{parameters:,}",
        "multiplications an image": "{macs:,}",
        "precision": "{precision}",
        "images a second": "{images_per_second:,}",
    }
    return _columns(columns, sorted(result["networks"], key=lambda row: row["macs"]))


def image_counts(result: dict[str, Any]) -> str:
    columns = {
        "training images": "{images:,}",
        "images a second": "{images_per_second:,}",
        "an epoch's steps": "{epoch_seconds:.1f} s",
        "its order": "{plan_ms:.1f} ms",
        "its evaluation on 10,000 images": "{evaluation_seconds:.1f} s",
    }
    return _columns(columns, (row | {"epoch_seconds": row["images"] / row["images_per_second"]} for row in result["image_counts"]))


def memory(result: dict[str, Any]) -> str:
    columns = {
        "training images, mapped": "{images:,}",
        "they take": "{data_mb:,} MB",
        "the process's own memory": "**{anonymous_mb:,} MB**",
        "of files in memory": "{mapped_mb:,} MB",
        "images a second": "{images_per_second:,}",
    }
    return _columns(columns, result["memory"])


def picture(_: dict[str, Any]) -> str:
    return "![Images a second by batch size and by network, seconds an epoch and memory by number of images](pictures/scale.svg)"


def pages(result: dict[str, Any]) -> str:
    seconds, speeds = result["seconds"], result["images_per_second"]
    head = ("while a training takes all cores", "")
    return _table(
        head,
        (
            (f"a page action, 95 of 100 (of {result['actions']})", f"**{seconds['p95']:.2f} s**"),
            ("in the median", f"{seconds['median']:.2f} s"),
            ("the slowest", f"{seconds['slowest']:.2f} s ({seconds['slowest_action']})"),
            ("the training, nobody clicks", f"{speeds['quiet']:,} images a second"),
            (f"the training, a click {result['pause_seconds']:g} s after each answer", f"{speeds['clicking']:,} images a second"),
            (
                "what it loses",
                f"**{_percent(result['loss'], 1)}** ({_percent(min(result['losses']), 1)} to {_percent(max(result['losses']), 1)})",
            ),
        ),
    )


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "training-speed": ("training-speed", speed),
    "step-profile": ("step-profile", profile),
    "scale-picture": ("scale", picture),
    "scale-batch-sizes": ("scale", batch_sizes),
    "scale-networks": ("scale", networks),
    "scale-image-counts": ("scale", image_counts),
    "scale-memory": ("scale", memory),
    "training-and-pages": ("training-and-pages", pages),
}
