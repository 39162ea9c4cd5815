"""How familiar a picture is: whether it shows something of the kind that the networks here are trained on.

Confidence does not tell it: a network is sure of a hat, which it calls a bag. So a small network of its own is taught to tell the dataset's
images, as they are and as somebody may have drawn or photographed them (`fmnist.views`), from things that are no clothes
(`fmnist.outliers`). It looks at the image itself: what a classifier keeps of an image is what tells classes apart, and a cat has
nothing of that. No picture from elsewhere is used. One serves every model.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist import checkpoint, evaluation, outliers, poses, shipped, views
from fmnist.augment import normalised
from fmnist.data import Split
from fmnist.errors import CheckpointError

FILE = shipped.FAMILIARITY
WIDTHS = (32, 64, 128)  # filters of the three convolutions, each followed by a pool
BATCH = 128
PLAIN, VIEWS, TEXTURES = 3 / 16, 6 / 16, 1 / 32  # shares of a batch; what is left are outliers, so that half of it is familiar
STEPS = 5_000
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 3e-3, 0.05, 0.3
SAY_EVERY = 250  # steps


class Familiarity(nn.Module):
    """From images to how familiar they are."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, filters in zip((1, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(filters), nn.MaxPool2d(2)]
        head = [nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(WIDTHS[-1] * 3 * 3, 64), nn.ReLU(), nn.Linear(64, 1)]
        self.layers = nn.Sequential(*layers, *head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (N, 28, 28) -> float32 (N,): the logarithm of the odds that an image is familiar; above 0 it is."""
        return self.layers(normalised(images))[:, 0]


@torch.no_grad()
def judge(images: Tensor) -> Tensor:
    """How familiar images are to the judge that comes with the studio: uint8 (N, 28, 28) -> float32 (N,), above 0 if they are.

    Raises:
        CheckpointError: its file is missing or damaged.
    """
    network = load()
    return torch.cat([network(some) for some in images.split(evaluation.BATCH)])


def learn(train: Split, steps: int = STEPS, seed: int = 0, say: Callable[[str], None] = lambda _: None) -> Familiarity:
    """A judge of familiarity, taught anew: about a quarter of an hour on one core.

    Args:
        train: the images that are familiar, and that views and outliers are made from.
        say: is told how it goes.
    """
    generator = torch.Generator().manual_seed(seed)
    masks = poses.silhouettes(train.images, train.labels)
    with torch.random.fork_rng(devices=[]):  # first weights and dropout have no generator of their own
        torch.manual_seed(seed)
        network = Familiarity().train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.1)
        total = torch.zeros(())
        for step in range(1, steps + 1):
            images, familiar = _examples(train, masks, BATCH, generator)
            loss = F.binary_cross_entropy_with_logits(network(images), familiar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
            if step % SAY_EVERY == 0:
                say(f"step {step:,} of {steps:,}: loss {float(total) / SAY_EVERY:.3f}")
                total.zero_()
    return network.eval()


@torch.no_grad()
def shares(network: Familiarity, held_back: Split, seed: int = 1) -> dict[str, float]:
    """How often a judge is right about images that it was not taught with, their views, and outliers made from them: 0-1."""
    generator = torch.Generator().manual_seed(seed)
    masks = poses.silhouettes(held_back.images, held_back.labels)
    right: dict[str, list[Tensor]] = {"images": [], "views": [], "outliers": []}
    for rows in torch.arange(len(held_back)).split(500):
        images, labels = held_back.images[rows], held_back.labels[rows]
        right["images"].append(network(images) > 0)
        right["views"].append(network(views.make(images, masks[rows], labels, generator)) > 0)
        right["outliers"].append(network(outliers.make(images, masks[rows], labels, generator)) <= 0)
    return {name: float(torch.cat(found).float().mean()) for name, found in right.items()}


def _examples(split: Split, masks: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images and views, outliers and textures, some of them mirrored: uint8 (count, 28, 28); 1 for the familiar ones: float32 (count,)."""
    plain, viewed, textured = round(PLAIN * count), round(VIEWS * count), round(TEXTURES * count)
    rows = torch.randint(len(split), (count - textured,), generator=generator)
    first, seen, strange = rows.split([plain, viewed, len(rows) - plain - viewed])
    images = torch.cat(
        [
            split.images[first],
            views.make(split.images[seen], masks[seen], split.labels[seen], generator),
            outliers.make(split.images[strange], masks[strange], split.labels[strange], generator),
            outliers.textures(textured, generator),
        ]
    )
    mirrored = torch.rand(count, generator=generator) < 0.5
    return torch.where(mirrored[:, None, None], images.flip(2), images), (torch.arange(count) < plain + viewed).float()


def save(network: Familiarity, path: Path = FILE) -> None:
    """Write a judge in float16, atomically."""
    checkpoint.write_tensors(path, {name: value.half() for name, value in _numbers(network).items()}, {})


@lru_cache(maxsize=1)
def load(path: Path = FILE) -> Familiarity:
    """The judge that comes with the studio, read once.

    Raises:
        CheckpointError: its file is missing or damaged.
    """
    network = Familiarity()
    tensors, _ = checkpoint.read_tensors(path, shipped.sha256(FILE) if path == FILE else None)
    if {name: value.shape for name, value in tensors.items()} != {name: value.shape for name, value in _numbers(network).items()}:
        raise CheckpointError(f"The file {path} is not a judge of familiarity. Run `make studio`, or get the file anew.")
    network.load_state_dict(tensors, strict=False)
    return network.eval()


def _numbers(network: Familiarity) -> dict[str, Tensor]:
    """What is learnt: all but the counters of the batch norms."""
    return {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
