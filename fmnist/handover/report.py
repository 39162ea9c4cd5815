"""A run as one HTML page that needs nothing else: no network, no script, no studio. For a colleague, a printer, a mail.

Every text of a person is escaped, and the page forbids itself to fetch anything (its Content-Security-Policy), so that what a run is called
can do nothing in the browser of whoever opens it. Why it is made so: docs/decisions/0018.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from fmnist import __version__, evaluation, judgements, outputs
from fmnist.archives import ARCHIVES
from fmnist.checkpoint import fingerprint
from fmnist.config import FIELDS, TrainConfig, in_words, nearest_preset
from fmnist.data import CLASS_NAMES, Dataset
from fmnist.errors import ReportError
from fmnist.evaluation import Report
from fmnist.events import Epoch, Step
from fmnist.handover import reproduction, script, svg
from fmnist.judgements import Judgements
from fmnist.prediction import Model, load
from fmnist.run import Run
from fmnist.store import Store

STYLE = Path(__file__).parent.parent / "assets" / "report.css"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
WORST = 24  # mistakes that are shown
DEEP = 0.55  # from this opacity on a cell is dark enough for white letters


def write(store: Store, run: Run, dataset: Dataset) -> bytes:
    """The report of a run, as it is now: of a run that goes on, of its newest checkpoint.

    Raises:
        ReportError: its settings cannot be read.
        CheckpointError: it has no checkpoint yet, or a damaged one.
    """
    if run.config is None:
        raise ReportError(f"The settings of {run.name} cannot be read, so there is no report of it.")
    model = load(run.id, store)
    said = outputs.get(model, "test", dataset)
    figures = evaluation.report(said.logits, said.labels)
    judged = judgements.judge(said.logits, said.labels, said.indices)
    parts = [
        _head(run, store.checkpoints(run.id)[0].epoch),
        _figures(run, figures),
        _curves(store.steps(run.id), store.epochs(run.id), run.config),
        _matrix(figures.confusion),
        _classes(figures),
        _mistakes(judged, dataset),
        f'<div class="two"><section>{_settings(run.config)}</section><section>{_environment(run)}</section></div>',
        _repeat(run, model),
    ]
    return _page(run.name, "\n".join(parts)).encode()


def _page(name: str, body: str) -> str:
    style = STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} – Fashion-MNIST studio</title><style>\n{style}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(run: Run, epoch: int) -> str:
    assert run.config is not None
    made = datetime.fromtimestamp(run.ended or run.created, UTC)
    line = f"{run.config.network} network, {epoch} of {run.config.epochs} epochs, {run.status.value}, {made:%Y-%m-%d %H:%M} UTC"
    note = f'<div class="note">{escape(run.note)}</div>' if run.note else ""
    return f'<header><h1>{escape(run.name)}</h1><p class="faint">{escape(line)}</p>{note}</header>'


def _figures(run: Run, figures: Report) -> str:
    low, high = figures.accuracy_interval
    shown = (
        ("Test accuracy", f"{figures.accuracy:.2%}", f"95 %: {low:.2%} to {high:.2%}"),
        ("Test loss", f"{figures.loss:.4f}", "mean cross-entropy"),
        ("Macro F1", f"{figures.macro_f1:.4f}", "mean of the classes"),
        ("Calibration error", f"{figures.ece:.2%}", "ECE, 15 bins"),
        ("Training time", _duration(run.seconds), f"{run.step:,} steps"),
    )
    cells = "".join(f"<div><dt>{title}</dt><dd>{value}<small>{words}</small></dd></div>" for title, value, words in shown)
    return f'<dl class="figures">{cells}</dl><p class="faint">On the 10,000 test images, which select nothing.</p>'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _curves(steps: Sequence[Step], epochs: Sequence[Epoch], config: TrainConfig) -> str:
    monitor = "test (monitor only)" if config.monitor == "test" else "validation"
    along = [float(epoch.epoch) for epoch in epochs]
    inside = [step.epoch for step in steps]
    charts = (
        svg.chart(
            "Loss",
            [
                svg.Series("steps", inside, [step.loss for step in steps], "first thin"),
                svg.Series("training", along, [epoch.train_loss for epoch in epochs], "first", marked=True),
                svg.Series(monitor, along, [epoch.loss for epoch in epochs], "second", marked=True),
            ],
        ),
        svg.chart(
            "Accuracy",
            [
                svg.Series("training", along, [epoch.train_accuracy for epoch in epochs], "first", marked=True),
                svg.Series(monitor, along, [epoch.accuracy for epoch in epochs], "second", marked=True),
            ],
            share=True,
        ),
        svg.chart("Learning rate", [svg.Series("", inside, [step.learning_rate for step in steps], "first")]),
    )
    return f'<h2>How it learnt</h2><div class="charts">{"".join(charts)}</div>' if any(charts) else ""


def _matrix(confusion: list[list[int]]) -> str:
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in CLASS_NAMES)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cell(counts, column, column == row) for column in range(len(counts)))}</tr>'
        for row, (name, counts) in enumerate(zip(CLASS_NAMES, confusion, strict=True))
    )
    return (
        '<h2>What it takes for what</h2><p class="faint">A row is what an image shows, a column what the network says.</p>'
        f'<div class="wide"><table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(counts: Sequence[int], column: int, own: bool) -> str:
    count, share = counts[column], counts[column] / max(1, sum(counts))
    kinds = ["own"] * own + ["deep"] * (share * (1 if own else 3) > DEEP) + ["none"] * (not count)
    return f'<td class="{" ".join(kinds)}" style="--share:{share:.3f}">{count or "·"}</td>'


def _classes(figures: Report) -> str:
    rows = [
        (
            name,
            *(f"{value:.1%}" for value in (each.precision, each.recall, each.f1)),
            ", ".join(f"{other} ({count})" for other, count in each.confused_with) or "nothing",
        )
        for name, each in figures.per_class.items()
    ]
    return "<h2>Class by class</h2>" + _table(("Class", "Precision", "Recall", "F1", "Most often taken for"), rows, numbers=(1, 2, 3))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), changed: Sequence[int] = ()) -> str:
    """Args: numbers: columns at the right. changed: rows that are marked."""
    kinds = ["number" if column in numbers else "" for column in range(len(head))]
    top = "".join(f'<th scope="col" class="{kind}">{escape(title)}</th>' for title, kind in zip(head, kinds, strict=True))
    body = "".join(
        f'<tr class="{"changed" if index in changed else ""}">'
        + "".join(f'<td class="{kind}">{escape(value)}</td>' for value, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for index, row in enumerate(rows)
    )
    return f'<div class="wide"><table class="list"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _mistakes(judged: Judgements, dataset: Dataset) -> str:
    wrong = judgements.choose(judged, "errors")
    figures = []
    for row in judgements.rows(judged, wrong[:WORST]):
        words = f"{row['true']}, taken for {row['predicted']} at {row['confidence']:.1%}"
        source = _png(dataset.test.images[row["index"]].numpy())
        figures.append(f'<figure><img src="{source}" alt="Test image {row["index"]}"><figcaption>{escape(words)}</figcaption></figure>')
    count = f"{len(wrong):,} of {len(judged):,} test images are wrong; these are the ones it was surest of."
    return f'<h2>Worst mistakes</h2><p class="faint">{count}</p><div class="images">{"".join(figures)}</div>' if figures else ""


def _png(pixels: Any) -> str:
    """uint8 (28, 28) as a data address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _settings(config: TrainConfig) -> str:
    name, changed = nearest_preset(config)
    rows = [(field.title or key, in_words(getattr(config, key))) for key, field in FIELDS.items()]
    marked = [index for index, key in enumerate(FIELDS) if key in changed]
    words = f"Nearest preset: {name}; what differs from it is marked." if changed else f"Preset {name}."
    return f'<h2>Settings</h2><p class="faint">{escape(words)}</p>{_table(("Setting", "Value"), rows, changed=marked)}'


def _environment(run: Run) -> str:
    facts: Mapping[str, Any] = {"run": run.id, **run.environment, "studio": __version__}
    rows = [(key.replace("_", " ").capitalize(), str(value)) for key, value in facts.items()]
    return f'<h2>Environment</h2><p class="faint">What the figures were computed with.</p>{_table(("What", "Value"), rows)}'


def _repeat(run: Run, model: Model) -> str:
    sums = [("Weights, SHA-256 of their numbers", fingerprint(model.network.state_dict()))]
    sums += [(f"Dataset, {what}", archive.sha256) for what, archive in ARCHIVES.items()]
    script_words = script.refusal(run) or "Without the studio, with PyTorch alone: the training script of this run, from its page."
    again = reproduction.refusal(run) or (
        "In the studio, on the same machine with the same versions, the result is the same, bit for bit on a CPU."
    )
    command = "" if reproduction.refusal(run) else f"<pre><code>{escape(reproduction.command(run))}</code></pre>"
    return (
        f'<h2>How to repeat it</h2><p class="faint">{escape(again)}</p>{command}'
        f'<p class="faint">{escape(script_words)}</p>{_table(("What", "SHA-256"), sums)}'
    )
