"""What the benchmarks count, and that the documents say what was measured."""

import json
from pathlib import Path

import pytest

from bench import arithmetic, figures


def test_the_arithmetic_of_the_reference_is_what_one_counts_by_hand() -> None:
    convolutions = [1 * 9 * 32 * 28 * 28, 32 * 9 * 32 * 28 * 28, 32 * 9 * 64 * 14 * 14, 64 * 9 * 64 * 14 * 14]
    linear = [64 * 7 * 7 * 512, 512 * 10]
    macs = sum(convolutions) + sum(linear)
    assert arithmetic.forward_macs("reference") == macs == 19_899_904
    # Backward is twice the forward, the gradient of the weights and that of the input; pictures need none.
    assert sum(arithmetic.training_flop("reference").values()) == 2 * (3 * macs - convolutions[0]) == pytest.approx(118.9e6, rel=1e-3)


# ---- documents say what was measured ----

MACHINE = {"device": "cpu", "name": "Abacus", "threads": 2, "torch": "2.1", "python": "3.11.2", "system": "Linux"}
MEASURED = {
    "date": "2026-01-02",
    "machine": MACHINE,
    "images_per_second": {"ours": 2_000, "textbook": 800, "limit float32": 2_500, "limit bfloat16": 5_000},
    "precision": {"name": "bfloat16", "reason": "faster"},
    "ratio": 2.5,
    "ratios": [2.4, 2.5, 2.6],
    "share_of_the_limit": 0.4,
}
PLACE = "Before.\n<!-- figures: training-speed -->\n{}<!-- end of figures -->\nAfter.\n"
TABLE = """\
|  | images a second | times the textbook | ours is so much of it |
| --- | --- | --- | --- |
| ours, in bfloat16 | 2,000 | **2.50** (2.40 to 2.60) |  |
| the textbook loop, in float32 | 800 | 1 |  |
| the limit in float32 | 2,500 |  |  |
| the limit in bfloat16 | 5,000 |  | 40 % |

*2026-01-02, 2 threads of Abacus, PyTorch 2.1, Python 3.11.2: `python -m bench training-speed`.*
"""


@pytest.mark.parametrize("document", figures.DOCUMENTS, ids=lambda path: path.name)
def test_a_document_has_the_figures_that_were_measured(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert figures.filled(text, figures.RESULTS) == text, "run `python -m bench`, or the benchmark that this table names"


def test_a_table_is_made_from_its_file_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "training-speed.json").write_text(json.dumps(MEASURED))
    assert figures.filled(PLACE.format("old\n"), tmp_path) == PLACE.format(TABLE)
    assert figures.filled(PLACE.format(TABLE), tmp_path) == PLACE.format(TABLE)


def test_what_was_not_measured_is_said_so(tmp_path: Path) -> None:
    assert "Not measured yet: `python -m bench training-speed`" in figures.filled(PLACE.format("old\n"), tmp_path)


def test_every_table_stands_in_a_document() -> None:
    texts = [document.read_text(encoding="utf-8") for document in figures.DOCUMENTS]
    assert [name for name in figures.TABLES if not any(f"<!-- figures: {name} -->" in text for text in texts)] == []
