"""Run by test_fused.py in a process of its own: Triton's interpreter, which needs no GPU, has to be chosen before Triton is imported.

Prints a JSON object: how far merged steps are from ordinary ones, and what the test at the start of a training says of them.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from fmnist import checkpoint, fused
from fmnist.config import TrainConfig
from fmnist.fused import FusedStep
from fmnist.reel import Reel
from fmnist.step import learn
from fmnist.train_state import TrainState

BATCH, RATE = 3, 0.01
LARGE = {"PROGRAMS": 16, "PARTS": 4, "NUMBERS": 1 << 17, "PIXELS": 1024, "WEIGHTS": 1 << 18}  # few programs: each of them is interpreted
REFERENCE = TrainConfig(batch_size=BATCH, train_size=200, validation_size=100, seed=1)
ALL_AT_ONCE = {"optimizer": "sgd", "weight_decay": 5e-4, "ema": 0.9, "label_smoothing": 0.1, "outliers": 0.3}


def compare(config: TrainConfig, steps: int) -> dict[str, float]:
    """Tensor -> the largest difference after some steps, in parts of the largest number in it."""
    mine, exact = TrainState(config), TrainState(config)
    reel = _reel(mine)
    step = FusedStep(mine, reel, torch.float32)
    step.refresh()
    exact.model.train()
    for index in range(steps):
        step()
        learn(exact, reel.images[index], reel.labels[index], reel.rates[index], reel.shares[index])
    assert int(reel.place) == steps
    found, expected = mine.tensors(), exact.tensors()
    assert found.keys() == expected.keys()
    differences = {key: _apart(found[key], expected[key]) for key in expected if key != "random.cpu"}
    return {**differences, "recent": _apart(mine.recent_loss, exact.recent_loss), "reread": _reread(mine), "moved": _moved(mine, exact)}


def _reel(state: TrainState) -> Reel:
    """Two batches of noise; in the first, one may be none of the classes.

    Of garments on black, whole areas give one and the same number: where that lies at the edge of a ReLU, rounding decides over all of
    them at once, and PyTorch's own gradients in float32 and float64 are up to 15 % apart.
    """
    reel, dice = Reel.empty(state, 2), torch.Generator().manual_seed(0)
    reel.images.random_(256, generator=dice)
    reel.labels.random_(10, generator=dice)
    if state.config.outliers:
        reel.labels[0, 1] = -100
    reel.rates.fill_(RATE)
    reel.shares.copy_(torch.tensor([0.3, 0.2]))
    return reel


def _apart(mine: Tensor, exact: Tensor) -> float:
    return float((mine.double() - exact.double()).abs().max() / exact.double().abs().max().clamp(min=1e-12))


def _reread(state: TrainState) -> float:
    """How far what a checkpoint gives back is from what it was given, now that the weights lie in one piece of memory."""
    path = Path("state.safetensors")
    checkpoint.write_tensors(path, state.tensors(), {})
    fresh = TrainState(state.config)
    fresh.load(checkpoint.read_tensors(path)[0], state.position())
    return max(_apart(value, fresh.tensors()[name]) for name, value in state.tensors().items())


def _moved(mine: TrainState, exact: TrainState) -> float:
    """How far apart the weights are, in parts of the learning rate: 99 of 100. Where a gradient is nearly nothing, its sign decides
    over all of Adam's first step, so not the largest difference."""
    pairs = zip(mine.model.parameters(), exact.model.parameters(), strict=True)
    apart = torch.cat([(one - other).detach().abs().flatten() for one, other in pairs]).sort().values
    return float(apart[int(0.99 * len(apart))]) / RATE


def said(mean: float) -> str | None:
    """What the test at the start says, where the pictures of the merged steps are shifted by a wrong mean, or by the right one."""
    state = TrainState(REFERENCE, precision="bfloat16")
    before = {name: value.clone() for name, value in state.tensors().items()}
    right, fused.MEAN = fused.MEAN, mean
    found = fused.why_not(state, torch.float32)
    fused.MEAN = right
    assert all(torch.equal(value, before[name]) for name, value in state.tensors().items()), "it is to leave the state alone"
    return found


ASKED = {
    "sgd": lambda: compare(REFERENCE.model_copy(update=ALL_AT_ONCE), 2),
    "adamw": lambda: compare(REFERENCE.model_copy(update={"optimizer": "adamw", "weight_decay": 0.05}), 1),
    "right": lambda: said(fused.MEAN),
    "wrong": lambda: said(0.9),
}

if __name__ == "__main__":
    for name, value in LARGE.items():
        setattr(fused, name, value)
    sys.stdout.write(f"{json.dumps(ASKED[sys.argv[1]]())}\n")
