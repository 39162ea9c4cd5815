"""How the cost of a training grows: with the batch, the network, the number of images; and what 6 million images do to its memory.

Each part runs the real trainer in a process of its own.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench import alone, scale_picture
from bench.arithmetic import forward_macs
from fmnist import augment, data, device, models
from fmnist.config import TrainConfig, preset
from fmnist.data import Split
from fmnist.evaluation import logits
from fmnist.models import Classifier
from fmnist.training import begin, fit

WARM_SECONDS, SECONDS = 0.5, 2.0  # of training: before a measurement, and of one
BATCH_SIZES = (2, 16, 32, 64, 128, 256, 512, 1024, 2048)  # with two images a step is almost nothing but its fixed cost
WIDTHS = (0.25, 0.5, 1.0, 2.0)  # of the reference network
COUNTS = (100, 1_000, 10_000, 60_000)
COPIES = 100  # of the training images: 6 million
STEPS = 200  # with them


def run() -> dict[str, Any]:
    result = {part.__name__: _told(part) for part in (batch_sizes, networks, image_counts)}
    result["memory"] = [alone.call(memory, str(copies)) for copies in (1, COPIES)]
    for row in result["memory"]:
        print(f"{row['images']:>9,} images mapped: {row['anonymous_mb']:>5} MB of its own, {row['images_per_second']:,} images/s")  # noqa: T201
    scale_picture.draw(result)
    return result


def _told(part: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = alone.call(part)
    for row in rows:
        print("  ".join(f"{name} {value:,}" if isinstance(value, int | float) else str(value) for name, value in row.items()))  # noqa: T201
    return rows


# ---- each part, in its own process ----


def batch_sizes() -> list[dict[str, Any]]:
    """Images a second of the reference network at each batch size."""
    train, rows = data.load().train, []
    for size in BATCH_SIZES:
        speed, precision = _measure(_config(batch_size=size), train)
        rows.append(
            {"batch_size": size, "precision": precision, "images_per_second": round(speed), "step_ms": round(1_000 * size / speed, 2)}
        )
    return rows


def networks() -> list[dict[str, Any]]:
    """Images a second of each network, and of the reference with more and fewer channels, at batch size 64."""
    train = data.load().train
    entries = {name: build for name, build in models.NETWORKS.items() if name != "reference"}
    entries |= {f"reference x {width:g}": partial(_reference, width) for width in WIDTHS}
    rows = []
    for name, build in entries.items():
        models.NETWORKS["reference"] = build  # in this process: what the trainer builds when it is asked for the reference
        speed, precision = _measure(_config(), train)
        cost = {"parameters": models.count_parameters("reference"), "macs": forward_macs("reference")}
        rows.append({"network": name, "precision": precision, **cost, "images_per_second": round(speed)})
    return rows


def _reference(width: float) -> Classifier:
    """The reference network with so many times its channels and features; 1.0 is the one of `fmnist.models`."""
    narrow, wide, features = (round(width * channels) for channels in (32, 64, 512))
    first, second = models._conv_block(1, narrow), models._conv_block(narrow, wide)
    return Classifier(nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(wide * 7 * 7, features), nn.ReLU(inplace=True)), features)


def image_counts() -> list[dict[str, Any]]:
    """What an epoch costs with so many training images: its steps, the drawing of its order, the evaluation on the test images."""
    dataset, where, rows = data.load(), device.resolve("auto"), []
    for count in COUNTS:
        config = _config(train_size=count)
        speed, precision = _measure(config, dataset.train.take(torch.arange(count)))
        begun = time.perf_counter()
        augment.plan(config, 0, count, where)
        planned = time.perf_counter() - begun
        rows.append({"images": count, "precision": precision, "images_per_second": round(speed), "plan_ms": round(1_000 * planned, 2)})
    model, begun = begin(_config(), where)[0].evaluated, time.perf_counter()
    logits(model, dataset.test.images.to(where)).sum().item()
    evaluated = time.perf_counter() - begun
    return [{**row, "evaluation_seconds": round(evaluated, 2)} for row in rows]


def memory(copies: str) -> dict[str, Any]:
    """Trains on so many copies of the training images in a file, and says how much memory of its own the process takes.

    What is mapped counts as memory only as long as nobody else needs it: the kernel drops and reads it anew as it likes.
    """
    dataset = data.load()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # on a disk; /tmp may be memory
        train = Split(*(_mapped(tensor, int(copies), Path(folder) / name) for name, tensor in vars(dataset.train).items()))
        monitor = dataset.test.take(torch.arange(100))
        del dataset
        config = _config()
        state, precision = begin(config, device.resolve("auto"))
        most = {"anonymous": 0, "mapped": 0}
        events = fit(state, train, monitor)
        while (last := next(events)).step < STEPS:
            most = {kind: max(most[kind], now) for kind, now in _resident_mb().items()}
    return {
        "images": len(train),
        "data_mb": round(train.images.nbytes / 1e6),
        "anonymous_mb": most["anonymous"],
        "mapped_mb": most["mapped"],
        "precision": precision.name,
        "images_per_second": round(_speed(config, last.step, last.seconds)),
    }


def _mapped(tensor: Tensor, copies: int, path: Path) -> Tensor:
    """A tensor repeated along its first dimension, in a file that is read as it is used."""
    with path.open("wb") as file:
        for _ in range(copies):
            tensor.numpy().tofile(file)
    shape = (copies * len(tensor), *tensor.shape[1:])
    return torch.from_numpy(np.memmap(path, tensor.numpy().dtype, "r+", shape=shape))


def _resident_mb() -> dict[str, int]:
    """Megabytes of this process in memory: its own ("anonymous"), and what is read from files ("mapped")."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {kind: int(lines[name].split()[0]) // 1_000 for kind, name in (("anonymous", "RssAnon"), ("mapped", "RssFile"))}


# ---- the real trainer, for some seconds ----


def _config(**changes: int) -> TrainConfig:
    """Preset `reference` without an end."""
    return preset("reference").model_copy(update={"epochs": 1_000, **changes})


def _measure(config: TrainConfig, train: Split) -> tuple[float, str]:
    """Images a second in training steps after a warm-up, and the precision of the computation."""
    where = device.resolve("auto")
    state, precision = begin(config, where)
    events = fit(state, train.to(where), train.take(torch.arange(2)).to(where))
    warm = next(event for event in events if event.seconds >= WARM_SECONDS)
    last = next(event for event in events if event.seconds >= warm.seconds + SECONDS)
    return _speed(config, last.step - warm.step, last.seconds - warm.seconds), precision.name


def _speed(config: TrainConfig, steps: int, seconds: float) -> float:
    """Images a second; the last step of an epoch may have fewer than a whole batch."""
    return steps * config.train_images / config.steps_per_epoch / seconds
