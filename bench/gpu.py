"""What an NVIDIA GPU makes of the presets of the reference network: seconds of training, figures of the final epoch, time to start.

`python -m bench training-speed` sets the same trainer against the textbook loop there. A minute and a half; only when it is named.
"""

import sys
import time
from statistics import mean, stdev
from typing import Any

import torch

from bench import alone
from bench.time_to_accuracy import GOAL
from fmnist import data, device
from fmnist.config import preset
from fmnist.events import Done, Epoch
from fmnist.training import begin, fit

SEEDS = {"reference": 3, "best": 5, "fast": 25}


def train(name: str, seed: int, dataset: data.Dataset) -> dict[str, Any]:
    """One training: its seconds in steps and altogether, and what the test images say at its end."""
    start = time.perf_counter()
    config = preset(name).model_copy(update={"seed": seed})
    split, _ = data.hold_out(dataset.train, config)
    state, precision = begin(config, "cuda")
    *_, last, done = fit(state, split, dataset.test)
    assert isinstance(last, Epoch)
    assert isinstance(done, Done)
    return {
        "preset": name,
        "seed": seed,
        "seconds": done.seconds,
        "whole": time.perf_counter() - start,  # precision, kernels, capture and evaluation among it
        "accuracy": last.accuracy,
        "loss": last.loss,
        "precision": precision.name,
    }


def trainings() -> list[dict[str, Any]]:
    """All of them, in one process; the first one is not counted: libraries load their kernels in it."""
    dataset = _on_the_gpu()
    train("fast", 0, dataset)
    return [train(name, seed, dataset) for name, seeds in SEEDS.items() for seed in range(seeds)]


def one() -> dict[str, Any]:
    """What a process does whose time from its start counts."""
    return train("fast", 0, _on_the_gpu())


def _on_the_gpu() -> data.Dataset:
    found = data.load()
    return data.Dataset(found.train.to("cuda"), found.test.to("cuda"), found.source)


def run() -> dict[str, Any]:
    if device.resolve("auto") != "cuda":
        sys.exit("There is no NVIDIA GPU here.")
    rows = alone.call(trainings)
    begun = time.perf_counter()
    alone.call(one)
    cold = time.perf_counter() - begun
    for name in SEEDS:
        these = [row for row in rows if row["preset"] == name]
        seconds, accuracies = [row["seconds"] for row in these], [row["accuracy"] for row in these]
        loss = mean(row["loss"] for row in these)
        print(f"{name:<12}{mean(seconds):>8.2f} s  {mean(accuracies):.2%} ± {stdev(accuracies):.2%}  loss {loss:.4f}")  # noqa: T201
    print(f"a process that trains `fast`, from its start: {cold:.1f} s")  # noqa: T201
    return {"goal": GOAL, "trainings": rows, "cold_seconds": cold, "cuda": torch.version.cuda}
