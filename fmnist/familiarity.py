"""Whether an answer is to be believed: how much a picture resembles what a model was trained on, and how sure the model may be.

Confidence does not tell it: a network is sure of a hat, which it calls a bag. So a second, small network is taught to tell the features of
the training images, as they are and as somebody may have drawn or photographed them (`fmnist.views`), from those of things that are no
clothes (`fmnist.outliers`). No picture from elsewhere is used, neither for it nor for its threshold.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist import checkpoint, outliers, poses, views
from fmnist.augment import normalised
from fmnist.calibration import fit_temperature
from fmnist.data import Split
from fmnist.errors import CheckpointError
from fmnist.models import NUM_CLASSES, Classifier

HIDDEN = 64
BATCH = 500
KEPT = 0.95  # the share of held-back images and views that the threshold lets pass
ROUNDS = 6  # over everything that it is taught with


class Familiarity(nn.Module):
    """From what a network makes of images to how familiar they are."""

    mean: Tensor
    spread: Tensor
    threshold: Tensor
    temperature: Tensor  # what the network's logits are divided by

    def __init__(self, feature_size: int) -> None:
        super().__init__()
        size = feature_size + NUM_CLASSES
        for name in ("mean", "spread"):
            self.register_buffer(name, torch.zeros(size))
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("temperature", torch.ones(()))
        self.layers = nn.Sequential(nn.Linear(size, HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, 1))

    def forward(self, seen: Tensor) -> Tensor:
        """float (N, feature_size + 10), features and logits -> float (N,): above `threshold` is familiar."""
        return self.layers((seen - self.mean) / self.spread)[:, 0]


@torch.no_grad()
def seen(network: Classifier, images: Tensor) -> Tensor:
    """What a network in evaluation mode makes of images: uint8 (N, 28, 28) -> float32 (N, feature_size + 10), features and logits."""
    found = []
    for some in images.split(BATCH):
        features = network.features(normalised(some))
        found.append(torch.cat([features, network.head(features)], 1).float())
    return torch.cat(found)


def learn(network: Classifier, train: Split, held_back: Split, seed: int = 0, say: Callable[[str], None] = lambda _: None) -> Familiarity:
    """A judge of familiarity for a network; about two minutes on two cores for 20,000 images.

    Args:
        train: what the network was trained on, or a part of it.
        held_back: images that it was not trained on, for the threshold and the temperature.
    """
    generator = torch.Generator().manual_seed(seed)
    say("looking at images, views and outliers")
    known, unknown = _examples(network, train, generator)
    with torch.random.fork_rng(devices=[]):  # its first weights and its dropout have no generator of their own
        torch.manual_seed(seed)
        judge = Familiarity(known.shape[1] - NUM_CLASSES)
        _teach(judge, known, unknown, generator, say)
    familiar, strange = _examples(network, held_back, generator)
    judge.temperature.fill_(fit_temperature(familiar[:, -NUM_CLASSES:], held_back.labels.repeat(3)))
    with torch.no_grad():
        scores = judge(familiar)
        judge.threshold.copy_(scores.quantile(1 - KEPT))
        passed, caught = float((scores >= judge.threshold).float().mean()), float((judge(strange) < judge.threshold).float().mean())
    say(f"held back: {passed:.1%} of images and views are familiar, {caught:.1%} of outliers are not; temperature {judge.temperature:.3f}")
    return judge


def _examples(network: Classifier, split: Split, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the network makes of images and two views of each, and of two outliers for each and some textures."""
    masks = poses.silhouettes(split.images, split.labels)

    def made(make: Callable[[Tensor, Tensor, Tensor, torch.Generator], Tensor]) -> Tensor:
        places = torch.arange(len(split)).split(BATCH)
        return torch.cat([make(split.images[some], masks[some], split.labels[some], generator) for some in places])

    known = torch.cat([split.images, made(views.make), made(views.make)])
    unknown = torch.cat([made(outliers.make), made(outliers.make), outliers.textures(len(split) // 5, generator)])
    return seen(network, known), seen(network, unknown)


def _teach(judge: Familiarity, known: Tensor, unknown: Tensor, generator: torch.Generator, say: Callable[[str], None]) -> None:
    """Train the judge to tell the known from the unknown; both weigh the same."""
    examples = torch.cat([known, unknown])
    wanted = torch.cat([torch.ones(len(known)), torch.zeros(len(unknown))])
    judge.mean.copy_(examples.mean(0))
    judge.spread.copy_(examples.std(0).clamp(min=1e-3))
    weight = torch.tensor(len(unknown) / len(known))
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    judge.train()
    for number in range(ROUNDS):
        total = 0.0
        for rows in torch.randperm(len(examples), generator=generator).split(256):
            loss = F.binary_cross_entropy_with_logits(judge(examples[rows]), wanted[rows], pos_weight=weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        say(f"round {number + 1} of {ROUNDS}: loss {total / len(examples):.3f}")
    judge.eval()


def beside(weights: Path) -> Path:
    """Where the judge of a weights file lies."""
    return weights.with_name(weights.name.removesuffix(".safetensors") + ".familiarity.safetensors")


def save(judge: Familiarity, weights: Path, sha256: str) -> None:
    """Write a judge beside the weights that it belongs to, in float16, atomically.

    Args:
        sha256: of the weights file.
    """
    tensors = {name: value.half() for name, value in judge.state_dict().items()}
    checkpoint.write_tensors(beside(weights), tensors, {"card": f'{{"weights": "{sha256}"}}'})


def load(weights: Path, sha256: str) -> Familiarity | None:
    """The judge beside a weights file; None if there is none, or if it is of other weights.

    Raises:
        CheckpointError: it is damaged.
    """
    if not beside(weights).exists():
        return None
    tensors, metadata = checkpoint.read_tensors(beside(weights))
    if sha256 not in metadata.get("card", ""):
        return None
    judge = Familiarity(len(tensors.get("mean", torch.zeros(NUM_CLASSES))) - NUM_CLASSES)
    try:
        judge.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"The file {beside(weights)} does not fit its weights. Run `make studio`, or get the file anew.") from error
    return judge.eval()
