"""Images a second of our trainer against the textbook loop, and against the limit of the machine: in turns, in one run.

Trainer and textbook have the same network, batch size and optimizer. The limit is how many images a second it would be if everything ran
as fast as one large matrix product on the same threads.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from bench import alone
from bench.arithmetic import training_flop
from fmnist import data, device
from fmnist.config import TrainConfig, preset
from fmnist.events import Step
from fmnist.models import MEAN, STD, build
from fmnist.training import begin, fit

ROUNDS = 5
SECONDS_A_TURN = 3.0
SIDE = 2_048  # of the matrices whose product is the limit: 17 billion operations, out of any cache but the last


class PictureDataset(TorchDataset):
    """The dataset as textbooks have it, item by item what torchvision's FashionMNIST does: tensor, PIL picture, transform."""

    def __init__(self, split: data.Split) -> None:
        self._images, self._labels = split.images, split.labels
        self._transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image: torch.Tensor = self._transform(Image.fromarray(self._images[index].numpy()))  # type: ignore[assignment]
        return image, int(self._labels[index])


def textbook(split: data.Split, config: TrainConfig, where: str, model: nn.Module | None = None) -> Iterator[float]:
    """The textbook loop: yields the number of images of each step; NCHW, float32, plain Adam, one loss read a step."""
    model = model or build(config.network).to(memory_format=torch.contiguous_format).to(where)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    criterion = nn.CrossEntropyLoss()
    model.train()
    while True:
        for pictures, labels in DataLoader(PictureDataset(split), batch_size=config.batch_size, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(pictures.to(where)), labels.to(where))
            loss.backward()
            optimizer.step()
            loss.item()
            yield len(labels)


def ours(split: data.Split, config: TrainConfig, where: str) -> Iterator[float]:
    """The studio's trainer: yields the number of images since the last event."""
    state, _ = begin(config, where)
    done = 0
    for event in fit(state, split.to(where), split.to(where).take(torch.arange(1000))):
        if isinstance(event, Step):
            yield (event.step - done) * config.batch_size
            done = event.step


def limit(split: data.Split, config: TrainConfig, where: str) -> Iterator[float]:
    """Matrix products in the config's precision: yields how many images the arithmetic of each is worth."""
    device.prepare(where)
    left, right = torch.randn(2, SIDE, SIDE, device=where, dtype=getattr(torch, config.precision))
    images = 2 * SIDE**3 / sum(training_flop(config.network).values())
    while True:
        float((left @ right)[0, 0])  # waits for the device
        yield images


def turn(loop: Iterator[float]) -> float:
    """Images a second over one turn."""
    start, images = time.perf_counter(), 0.0
    while time.perf_counter() - start < SECONDS_A_TURN:
        images += next(loop)
    return images / (time.perf_counter() - start)


LOOPS: dict[str, Callable[[data.Split, TrainConfig, str], Iterator[float]]] = {"ours": ours, "textbook": textbook, "limit": limit}


def choose() -> dict[str, str]:
    """The precision that a training takes here, and why."""
    where, config = device.resolve("auto"), preset("reference")
    device.prepare(where)
    return asdict(device.choose_precision(config.precision, config.network, config.batch_size, where))


def serve(name: str, precision: str) -> None:
    """One loop in a process of its own, which sleeps between its turns: a turn for each line on standard input."""
    config = preset("reference").model_copy(update={"precision": precision})
    loop = LOOPS[name](data.load().train, config, device.resolve("auto"))
    turn(loop)  # warm up
    for _ in sys.stdin:
        print(turn(loop), flush=True)  # noqa: T201


class Competitor:
    """A loop in its own process, so that none has the settings of another."""

    def __init__(self, name: str, precision: str) -> None:
        untuned = [sys.executable, "-m", "bench.training_speed", name, precision]
        command = untuned if name == "textbook" else alone.command(serve, name, precision)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self) -> float:
        """Images a second over one turn."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("turn\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def run() -> dict[str, Any]:
    precision = alone.call(choose)
    print(f"ours computes in {precision['name']}: {precision['reason']}", file=sys.stderr)  # noqa: T201
    rates = _race(precision["name"])
    result = {name: round(median(values)) for name, values in rates.items()}
    for name, rate in result.items():
        print(f"{name:<18}{rate:>8,} images/s")  # noqa: T201
    ratios = _shares(rates["ours"], rates["textbook"])
    share = median(_shares(rates["ours"], rates[f"limit {precision['name']}"]))
    print(f"ratio             {median(ratios):>8.2f} (median of {ROUNDS} turns each; from {min(ratios):.2f} to {max(ratios):.2f})")  # noqa: T201
    print(f"share of the limit{share:>8.0%}")  # noqa: T201
    return {
        "images_per_second": result,
        "precision": precision,
        "ratio": round(median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "share_of_the_limit": round(share, 3),
        "flop_per_image": sum(training_flop("reference").values()),
        "config": preset("reference").model_dump(),
    }


def _race(precision: str) -> dict[str, list[float]]:
    """Images a second of each competitor in each round, in turns."""
    entries = {"ours": ("ours", precision), "textbook": ("textbook", "float32")}
    entries |= {f"limit {each}": ("limit", each) for each in dict.fromkeys(("float32", precision))}
    competitors = {label: Competitor(*entry) for label, entry in entries.items()}
    for competitor in competitors.values():
        competitor.turn()  # all are warm after it
    rates: dict[str, list[float]] = {label: [] for label in competitors}
    for _ in range(ROUNDS):
        for label, competitor in competitors.items():
            rates[label].append(competitor.turn())
    for competitor in competitors.values():
        competitor.close()
    return rates


def _shares(mine: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(mine, theirs, strict=True)]


if __name__ == "__main__":
    serve(*sys.argv[1:])
