"""A run as one Python file that needs PyTorch alone: what a colleague trains who has nothing of this studio.

The text stands in assets/script.txt with all that a config can ask for. A line that ends in `  #: word` belongs to a part that not every
run has, and is left out where this one has not; `$name` is a value. That the file computes what the studio does, bit for bit, is tested.
Why it is made so: docs/decisions/0018.
"""

import json
from pathlib import Path
from string import Template
from typing import Any

from fmnist.archives import ARCHIVES
from fmnist.checkpoint import fingerprint
from fmnist.config import TrainConfig
from fmnist.data import HOLD_OUT_SEED
from fmnist.errors import ReportError
from fmnist.evaluation import BATCH, GPU_BATCH
from fmnist.models import MEAN, RESNET_WIDTHS, STD
from fmnist.prediction import load
from fmnist.run import Run, Status
from fmnist.store import Store

TEXT = Path(__file__).parent.parent / "assets" / "script.txt"
MARK = "  #: "


def refusal(run: Run) -> str | None:
    """Why there is no script of a run; None if there is one."""
    if run.config is None:
        return "The settings of this run cannot be read, so there is no script of it."
    if run.continues:
        return "There is no script of a run that goes on from another one: it does not begin with fresh weights."
    if run.rate_changes:
        return "There is no script of a run whose learning rate was changed by hand. `python -m fmnist reproduce` trains it again."
    if run.config.views or run.config.outliers:
        return (
            "There is no script of a run with drawn and photographed views or with things that are no clothes: what makes them is many "
            "times longer than a page. `python -m fmnist reproduce` trains it again."
        )
    return None


def write(store: Store, run: Run, file: str = "train.py") -> bytes:
    """The script of a run.

    Args:
        file: what it will be called; it says so itself.

    Raises:
        ReportError: there is none of such a config.
    """
    if sentence := refusal(run):
        raise ReportError(sentence)
    assert run.config is not None
    finished = run.status == Status.FINISHED and run.accuracy is not None
    weights = fingerprint(load(run.id, store).network.state_dict()) if finished else ""
    values = {**_values(run.config, run), "weights": weights, "file": file}
    return Template(_chosen(_parts(run.config, values, finished))).substitute(values).encode(errors="backslashreplace")


def _chosen(parts: set[str]) -> str:
    """The lines that every script has, and those of some parts."""
    kept = []
    for line in TEXT.read_text(encoding="utf-8").splitlines():
        words, _, needed = line.partition(MARK)
        if set(needed.split()) <= parts:
            kept.append(words.rstrip())
    return "\n".join(kept) + "\n"


def _parts(config: TrainConfig, values: dict[str, Any], finished: bool) -> set[str]:
    """What of the text a config needs, by the words at the ends of the lines."""
    augmented = config.flip or config.shift > 0 or config.erase > 0
    conv = config.network not in ("linear", "mlp")
    asked = {
        "resnet" if config.network in RESNET_WIDTHS else config.network: True,
        "conv": conv,
        config.optimizer: True,
        config.schedule: True,
        "rising": config.warmup > 0 and config.schedule != "one-cycle",
        "curve": config.schedule != "constant" or config.warmup > 0,
        "cosines": config.schedule != "constant",
        "flip": config.flip,
        "shift": config.shift > 0,
        "erase": config.erase > 0,
        "clean": augmented and config.clean_epochs > 0,
        "ema": config.ema > 0,
        "latest": not config.ema,
        values["precision"]: True,
        config.monitor: True,
        "classes": config.network in RESNET_WIDTHS or (conv and values["precision"] == "bfloat16"),
        "finished": finished,
        "threads": isinstance(values["threads"], int),
    }
    return {part for part, wanted in asked.items() if wanted}


def _values(config: TrainConfig, run: Run) -> dict[str, Any]:
    """What the text names, as Python writes it. What a run was computed with is in its environment."""
    there = run.environment
    device = there.get("device") if there.get("device") in ("cpu", "cuda", "mps") else run.device
    precision = "bfloat16" if there.get("precision", config.precision) == "bfloat16" else "float32"
    threads = there.get("threads", "any number of")
    made_with = f"PyTorch {there.get('torch', 'of any version')}, {device}, {threads} thread{'s' * (threads != 1)}, {precision}"
    return {
        **config.model_dump(),
        "name": _literal(run.name),
        "made_with": _literal(made_with),
        "device": device,
        "precision": precision,
        "threads": threads,
        "fused": device != "mps",
        "accuracy": run.accuracy,
        "loss": run.loss,
        **{f"sha_{what.replace(' ', '_')}": archive.sha256 for what, archive in ARCHIVES.items()},
        "hold_out_seed": HOLD_OUT_SEED,
        "shift_places": 2 * config.shift + 1,
        "first_conv": _first_conv(config, precision),
        **{f"width_{times}": times * RESNET_WIDTHS.get(config.network, 0) for times in (1, 2, 4)},
        "mean": MEAN,
        "std": STD,
        "judged_at_once": BATCH if device == "cpu" else GPU_BATCH,
        "nesterov": config.momentum > 0,
        "warm": "warm" if config.warmup else "0.0",
        "smoothing": f", label_smoothing={config.label_smoothing}" if config.label_smoothing else "",
        "monitor": config.monitor,
    }


def _literal(text: str) -> str:
    """A text as Python writes it; JSON writes it alike, always with double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _first_conv(config: TrainConfig, precision: str) -> str:
    """The convolution that begins a block, the very first of which computes in float32."""
    kind = "FirstConv" if precision == "bfloat16" else "nn.Conv2d"
    if config.network in RESNET_WIDTHS:
        return f"{kind}(1, {RESNET_WIDTHS[config.network]}, 3, padding=1, bias=False)"
    if precision == "bfloat16":
        kind = "(FirstConv if before == 1 else nn.Conv2d)"
    return f"{kind}(before, after, 3, padding=1{', bias=False' if config.network == 'small' else ''})"
