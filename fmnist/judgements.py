"""What a model says of each image of a split: which to look at, in which order, and as a table."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TextIO

import torch
from torch import Tensor

from fmnist.data import CLASS_NAMES

KINDS = ("errors", "unsure", "right", "all")
ORDERS = ("confidence", "loss", "margin", "index")
COLUMNS = ("index", "true", "predicted", "confidence", "loss", "margin", "probability_of_true")


@dataclass(frozen=True)
class Judgements:
    """One row for each image, in columns of N."""

    index: Tensor  # int64, the place of the image in its split of the dataset
    truth: Tensor  # int64, 0-9
    guess: Tensor  # int64, 0-9
    confidence: Tensor  # float32, the probability of the guess
    own: Tensor  # float32, the probability of the true class
    loss: Tensor  # float32, nats
    margin: Tensor  # float32, the probability of the guess less that of the second best

    def __len__(self) -> int:
        return len(self.index)


def judge(logits: Tensor, labels: Tensor, index: Tensor | None = None) -> Judgements:
    """What logits say of each image, on the CPU.

    Args:
        logits: float32 (N, 10).
        labels: int64 (N,).
        index: int64 (N,), the place of each image in its split of the dataset; 0 to N - 1 if None.
    """
    index = torch.arange(len(labels)) if index is None else index.cpu()
    if not len(logits) == len(labels) == len(index):
        raise ValueError(f"{len(logits)} logits, {len(labels)} labels and {len(index)} places: there must be as many of each.")
    logits, truth = logits.cpu(), labels.cpu()
    log_probabilities = logits.double().log_softmax(1)  # in float32 a sure model's losses would all be 0
    own = log_probabilities.gather(1, truth[:, None]).squeeze(1)
    best, second = log_probabilities.exp().topk(2).values.unbind(1)
    columns = (best, own.exp(), own.neg() + 0.0, best - second)  # + 0.0: a loss of -0 would be shown with its sign
    return Judgements(index, truth, logits.argmax(1), *(column.float() for column in columns))


def choose(
    judgements: Judgements, kind: str, truth: int | None = None, guess: int | None = None, order: str = "confidence", seed: int = 0
) -> Tensor:
    """The rows of one kind of image, in the order in which they are shown: int64 (M,); equals come by their index.

    Args:
        kind: "errors"; "unsure": right, the least sure first; "right": a random order of them; or "all".
        truth: only images of this class, 0-9.
        guess: only images that are taken for this class, 0-9.
        order: "confidence" (highest first, but lowest first if unsure), "loss" (highest first), "margin" (smallest first) or "index".
        seed: of the random order; with another filter the images come in the same order.
    """
    if kind not in KINDS or order not in ORDERS:
        raise ValueError(f"'{kind}' by '{order}' is not known. Kinds are {', '.join(KINDS)}; orders are {', '.join(ORDERS)}.")
    ordered = _shuffled(judgements, seed) if kind == "right" else _ordered(judgements, order, kind == "unsure")
    wanted = _of_kind(judgements, kind)
    if truth is not None:
        wanted = wanted & (judgements.truth == truth)
    if guess is not None:
        wanted = wanted & (judgements.guess == guess)
    return ordered[wanted[ordered]]


def _of_kind(judgements: Judgements, kind: str) -> Tensor:
    right = judgements.guess == judgements.truth
    return {"errors": ~right, "unsure": right, "right": right, "all": torch.ones_like(right)}[kind]


def _ordered(judgements: Judgements, order: str, least_sure_first: bool) -> Tensor:
    by_index = judgements.index.argsort(stable=True)
    if order == "index":
        return by_index
    falling = order == "loss" or (order == "confidence" and not least_sure_first)
    return by_index[getattr(judgements, order)[by_index].argsort(stable=True, descending=falling)]


def _shuffled(judgements: Judgements, seed: int) -> Tensor:
    by_index = judgements.index.argsort(stable=True)
    return by_index[torch.randperm(len(judgements), generator=torch.Generator().manual_seed(seed))]


def rows(judgements: Judgements, positions: Tensor) -> list[dict[str, Any]]:
    """The rows at these positions, in words and plain numbers, for a table: the keys are `COLUMNS`."""
    chosen = (getattr(judgements, name)[positions].tolist() for name in ("index", "truth", "guess", "confidence", "loss", "margin", "own"))
    return [
        dict(zip(COLUMNS, (index, CLASS_NAMES[truth], CLASS_NAMES[guess], *numbers), strict=True))
        for index, truth, guess, *numbers in zip(*chosen, strict=True)
    ]


def write_csv(judgements: Judgements, positions: Tensor, file: TextIO) -> None:
    """Write the rows at these positions as CSV with a header.

    Every cell is a class name or a number of 0 or more, so that none begins with a sign that a spreadsheet takes for a formula.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row.values()) for row in rows(judgements, positions))


def _cells(values: Iterable[Any]) -> list[str]:
    return [f"{value:.6f}" if isinstance(value, float) else str(value) for value in values]
