"""Images a second of our trainer against the textbook loop: the same network, batch size and optimizer, in turns, in one run."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from fmnist import data, device, tuning
from fmnist.config import TrainConfig, preset
from fmnist.events import Step
from fmnist.models import MEAN, STD, build
from fmnist.training import begin, fit

ROUNDS = 5
SECONDS_A_TURN = 6.0


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


def textbook(split: data.Split, config: TrainConfig, where: str) -> Iterator[int]:
    """The textbook loop: yields the number of images of each step; NCHW, float32, plain Adam, one loss read a step."""
    model = build(config.network).to(memory_format=torch.contiguous_format).to(where)  # type: ignore[call-overload]
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


def ours(split: data.Split, config: TrainConfig, where: str) -> Iterator[int]:
    """The studio's trainer: yields the number of images since the last event."""
    state, precision = begin(config, where)
    print(f"ours computes in {precision.name}: {precision.reason}", file=sys.stderr)  # noqa: T201
    done = 0
    for event in fit(state, split.to(where), split.to(where).take(torch.arange(1000))):
        if isinstance(event, Step):
            yield (event.step - done) * config.batch_size
            done = event.step


def turn(loop: Iterator[int]) -> float:
    """Images a second over one turn."""
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS_A_TURN:
        images += next(loop)
    return images / (time.perf_counter() - start)


def serve(name: str) -> None:
    """One loop in a process of its own, which sleeps between its turns: a turn for each line on standard input."""
    if name == "ours":
        tuning.tune()
    where, config = device.resolve("auto"), preset("reference")
    loop = LOOPS[name](data.load().train, config, where)
    turn(loop)  # warm up
    for _ in sys.stdin:
        print(turn(loop), flush=True)  # noqa: T201


class Competitor:
    """A loop in its own process, so that neither has the settings of the other."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "bench.training_speed", name]
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


LOOPS: dict[str, Callable[[data.Split, TrainConfig, str], Iterator[int]]] = {"ours": ours, "textbook": textbook}


def run() -> dict[str, Any]:
    competitors = {name: Competitor(name) for name in LOOPS}
    for competitor in competitors.values():
        competitor.turn()  # both are warm after it
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    for _ in range(ROUNDS):
        for name, competitor in competitors.items():
            rates[name].append(competitor.turn())
    for competitor in competitors.values():
        competitor.close()
    ratios = sorted(mine / theirs for mine, theirs in zip(rates["ours"], rates["textbook"], strict=True))
    result = {name: round(median(values)) for name, values in rates.items()} | {"ratio": round(median(ratios), 2)}
    print(f"ours      {result['ours']:>8,} images/s")  # noqa: T201
    print(f"textbook  {result['textbook']:>8,} images/s")  # noqa: T201
    print(f"ratio     {result['ratio']:>8} (median of {ROUNDS} turns each; from {ratios[0]:.2f} to {ratios[-1]:.2f})")  # noqa: T201
    return result | {"ratios": [round(ratio, 2) for ratio in ratios], "config": preset("reference").model_dump()}


if __name__ == "__main__":
    serve(sys.argv[1])
