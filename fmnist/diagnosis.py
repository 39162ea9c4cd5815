"""What is going on in a training, in plain words: read from its figures, with the numbers behind it and the run that would answer it.

(Whether the installation is well is another matter: `fmnist.doctor`.) A finding is a rule of thumb with its reason beside it, not a proof.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

from fmnist.config import TRAIN_IMAGES, TrainConfig, bounds
from fmnist.events import Epoch, Step
from fmnist.run import Status

GUESSING = math.log(10)  # nats: the loss of a network that finds all ten classes equally likely
WORSE = 1.25 * GUESSING  # fresh weights begin at up to 2.42; an epoch above this was spent being surely wrong
JUMP, JUMP_NATS = 0.10, 0.05  # a rise of the training loss from one epoch to the next; the latter, because a tiny loss may double by chance
COLLAPSE = 0.20  # of accuracy: more than an unlucky epoch ever costs
KNOWS = 0.75  # accuracy that the simplest network has after one pass over 3,000 images at a rate that suits it (measured: 77 %)
SLOW = 0.10  # an epoch that lowers the training loss by less, while so little is known, could go faster
SILENT = 0.25  # share of ReLU channels: at rates that suit 0 to 6 % are silent, at rates too high 50 to 75 % (measured, mlp and small)
RISE, RISE_EPOCHS = 0.05, 3  # Prechelt's generalisation loss, alpha = 5, held for three epochs
GAP = 0.05  # of accuracy, between training and monitor images
FLAT_EPOCHS, FLAT = 5, 0.03  # the mean loss of so many epochs is lower than that of as many before by less than this share
SWING = 0.05  # share by which the monitor loss changes from epoch to epoch; half of it is usual where the rate suits (measured, linear)
CLOSE, STRONG = 0.02, 0.90  # of accuracy: what is no gap yet; what the larger networks reach
IMPROVING = 0.02  # share by which the monitor loss still falls in an epoch
LARGER = {"linear": "small", "mlp": "reference", "small": "reference", "reference": "resnet", "resnet": "wide-resnet"}

Kind = Literal["rate too high", "rate too low", "dead", "overfitting", "gap", "underfitting", "plateau", "improving"]


@dataclass(frozen=True)
class Finding:
    """One thing that is going on."""

    kind: Kind
    title: str
    reason: str  # the numbers behind it
    advice: str
    changes: dict[str, Any] = field(default_factory=dict)  # of the config, for the run that would answer it; empty: no such run


def diagnose(config: TrainConfig, status: Status, steps: Sequence[Step], epochs: Sequence[Epoch]) -> list[Finding]:
    """What stands out, the most urgent first; nothing for a training that is well, or that is too young to tell.

    Where the learning rate is wrong, the rest of the figures follow from that, so nothing else is said but dead ReLUs.

    Source: generalisation loss of Prechelt, Early Stopping - But When? (1998); the other thresholds are measured where they are defined,
        and each finding is tested on a training made to have it (tests/core/test_diagnosis.py).
    """
    look = _Look(config, status, steps, epochs)
    wrong_rate = _first(look, _rate_too_high, _rate_too_low)
    rest = [] if wrong_rate else _first(look, _overfitting, _gap, _underfitting, _plateau, _improving)
    return [*wrong_rate, *_first(look, _dead), *rest]


@dataclass(frozen=True)
class _Look:
    config: TrainConfig
    status: Status
    steps: Sequence[Step]
    epochs: Sequence[Epoch]

    @property
    def judged(self) -> str:
        """What the split that judges is called."""
        return self.config.monitor

    @property
    def best(self) -> Epoch:
        """The epoch with the lowest monitor loss."""
        return min(self.epochs, key=lambda epoch: epoch.loss)

    @property
    def gap(self) -> float:
        """By how much the last epoch was more right on training images than on those that judge."""
        return self.epochs[-1].train_accuracy - self.epochs[-1].accuracy

    @property
    def steady(self) -> bool:
        """Whether the learning rate stays as it is: a schedule that falls has its own end."""
        return self.config.schedule == "constant"

    def divided(self, by: float) -> dict[str, Any]:
        """The learning rate, in a number that a person would write."""
        highest = bounds("learning_rate").high or math.inf
        return {"learning_rate": float(f"{min(highest, self.config.learning_rate / by):.2g}")}


Rule = Callable[[_Look], Finding | None]


def _first(look: _Look, *rules: Rule) -> list[Finding]:
    """The finding of the first rule that has one."""
    return [found for rule in rules if (found := rule(look))][:1]


def _rate_too_high(look: _Look) -> Finding | None:
    reason = _explosion(look) or _jump(look.epochs) or _collapse(look.epochs)
    if not reason:
        return None
    advice = "Each step goes too far and lands on a worse place. A tenth of the learning rate is the usual next try."
    return Finding("rate too high", "The learning rate is too high", reason, advice, look.divided(10))


def _explosion(look: _Look) -> str | None:
    """The loss is no number any more, or far worse than guessing."""
    guessing = f"guessing costs {GUESSING:.2f}"
    if look.status == Status.DIVERGED:
        return "The loss grew beyond every number" + (f" after step {look.steps[-1].step:,}." if look.steps else " at once.")
    worst = max(look.epochs, key=lambda epoch: epoch.train_loss, default=None)
    if worst and worst.train_loss > WORSE:
        return f"The training loss was {worst.train_loss:.4g} on average in epoch {worst.epoch}; {guessing}."
    high = next((step for step in look.steps if step.loss > 2 * GUESSING), None)
    return f"The training loss was {high.loss:.4g} at step {high.step:,}; {guessing}." if high else None


def _jump(epochs: Sequence[Epoch]) -> str | None:
    for before, after in pairwise(epochs):
        if after.train_loss > before.train_loss * (1 + JUMP) and after.train_loss > before.train_loss + JUMP_NATS:
            return f"The training loss jumped from {before.train_loss:.3f} to {after.train_loss:.3f} in epoch {after.epoch}."
    return None


def _collapse(epochs: Sequence[Epoch]) -> str | None:
    best = max(epochs, key=lambda epoch: epoch.train_accuracy, default=None)
    if best is None or best.train_accuracy - epochs[-1].train_accuracy < COLLAPSE:
        return None
    now = epochs[-1].train_accuracy
    return f"It was right on {best.train_accuracy:.0%} of the training images in epoch {best.epoch}, and is on {now:.0%} now."


def _rate_too_low(look: _Look) -> Finding | None:
    if len(look.epochs) < 2 or max(look.epochs[-1].accuracy, look.epochs[-1].train_accuracy) >= KNOWS:
        return None
    *_, before, last = look.epochs
    fell = 1 - last.train_loss / before.train_loss
    smooth = all(after.train_loss < earlier.train_loss for earlier, after in pairwise(look.epochs))
    if not smooth or fell > SLOW:
        return None
    reason = (
        f"After {last.epoch} epochs it is right on {last.accuracy:.0%} of the {look.judged} images, and the last epoch lowered the "
        f"training loss by {fell:.1%}, from {before.train_loss:.3f} to {last.train_loss:.3f}."
    )
    advice = "It learns, but each step is tiny. Ten times the learning rate gets there sooner."
    return Finding("rate too low", "The learning rate is too low", reason, advice, look.divided(0.1))


def _dead(look: _Look) -> Finding | None:
    silent = look.epochs[-1].silent if look.epochs else None
    if silent is None or silent < SILENT:
        return None
    reason = f"{silent:.0%} of the ReLU channels are zero on every one of the {look.judged} images that were looked at."
    advice = (
        "What is always zero has no gradient and learns nothing any more; steps too large early on do that. "
        "Try a third of the learning rate, with a warm-up."
    )
    return Finding("dead", "Dead ReLUs", reason, advice, {**look.divided(3), "warmup": max(look.config.warmup, 0.1)})


def _overfitting(look: _Look) -> Finding | None:
    best, last = look.best if look.epochs else None, look.epochs[-RISE_EPOCHS:]
    if best is None or len(last) < RISE_EPOCHS or any(epoch.loss < best.loss * (1 + RISE) for epoch in last):
        return None
    if look.gap < CLOSE or last[-1].train_loss > best.train_loss * (1 - JUMP):
        return None  # it jitters, but learns nothing by heart
    reason = (
        f"The {look.judged} loss was best in epoch {best.epoch} ({best.loss:.3f}) and is {last[-1].loss:.3f} now, while the training loss "
        f"went on falling, from {best.train_loss:.3f} to {last[-1].train_loss:.3f}. It is right on {last[-1].train_accuracy:.1%} of the "
        f"training images and on {last[-1].accuracy:.1%} of the others."
    )
    return Finding("overfitting", f"Overfitting since epoch {best.epoch}", reason, *_against_memory(look, best.epoch))


def _gap(look: _Look) -> Finding | None:
    if not look.epochs:
        return None
    last = look.epochs[-1]
    images = look.config.validation_size or 10_000
    doubt = 2 * math.sqrt(last.accuracy * (1 - last.accuracy) / images)  # two standard errors of the monitor accuracy
    if look.gap < max(GAP, doubt):
        return None
    reason = (
        f"It is right on {last.train_accuracy:.1%} of the training images and on {last.accuracy:.1%} of the {look.judged} images: "
        f"{100 * look.gap:.1f} points less. The {look.judged} loss has not risen for long yet."
    )
    return Finding("gap", "It begins to learn by heart", reason, *_against_memory(look, None))


def _against_memory(look: _Look, best: int | None) -> tuple[str, dict[str, Any]]:
    """What keeps a network from learning by heart, the surest remedy that is not in use yet.

    Args:
        best: the epoch after which it became worse, if it did.
    """
    config = look.config
    if config.train_size < TRAIN_IMAGES:
        more = min(TRAIN_IMAGES, 4 * config.train_size)
        return "More images are the surest remedy.", {"train_size": more}
    if not (config.flip or config.shift):
        return "Show each image a little differently every time: it can then not be learnt by heart.", {"flip": True, "shift": 2}
    if not config.weight_decay:
        return "Weight decay keeps the network simple.", {"optimizer": "adamw", "weight_decay": 0.05}
    if best:
        return "What came after its best epoch made it worse: stop there.", {"epochs": best, "clean_epochs": min(config.clean_epochs, best)}
    return "It is regularised in every way that this studio has; a smaller network may do as well.", {}


def _is_flat(look: _Look, losses: Sequence[float]) -> bool:
    """Whether a loss has not got better for a while, at a learning rate that stays. A mean of epochs, because one alone may be lucky."""
    if not look.steady or len(losses) < 2 * FLAT_EPOCHS:
        return False
    return fmean(losses[-FLAT_EPOCHS:]) > fmean(losses[-2 * FLAT_EPOCHS : -FLAT_EPOCHS]) * (1 - FLAT)


def _underfitting(look: _Look) -> Finding | None:
    larger, losses = LARGER.get(look.config.network), [epoch.loss for epoch in look.epochs]
    if not larger or not _is_flat(look, losses) or look.gap > GAP or look.epochs[-1].accuracy > STRONG:
        return None
    if fmean(abs(after - before) for before, after in pairwise(losses[-FLAT_EPOCHS:])) > SWING * losses[-1]:
        return None  # it jitters: perhaps it is the learning rate
    last = look.epochs[-1]
    reason = (
        f"It is right on {last.train_accuracy:.1%} of the very images it learns from and on {last.accuracy:.1%} of the {look.judged} "
        f"images, and the {look.judged} loss has become no better in {2 * FLAT_EPOCHS} epochs."
    )
    advice = f"The network '{look.config.network}' cannot tell more apart, however long it is trained. Take a stronger one."
    return Finding("underfitting", "Underfitting", reason, advice, {"network": larger})


def _plateau(look: _Look) -> Finding | None:
    if not _is_flat(look, [epoch.train_loss for epoch in look.epochs]):
        return None
    recent = look.epochs[-FLAT_EPOCHS:]
    low, high = min(epoch.loss for epoch in recent), max(epoch.loss for epoch in recent)
    reason = (
        f"The training loss stands at about {fmean(epoch.train_loss for epoch in recent):.3f} since {2 * FLAT_EPOCHS} epochs, and the "
        f"{look.judged} loss goes up and down between {low:.3f} and {high:.3f}."
    )
    advice = "At a learning rate that stays, the weights jitter around a good place. A schedule that falls lets them settle."
    return Finding("plateau", "A plateau", reason, advice, {"schedule": "cosine"})


def _improving(look: _Look) -> Finding | None:
    losses = [epoch.loss for epoch in look.epochs]
    if look.status != Status.FINISHED or not look.steady or len(losses) < 3 or look.config.epochs == bounds("epochs").high:
        return None
    falls = [1 - losses[index] / min(losses[:index]) for index in (-2, -1)]
    if min(falls) < IMPROVING:
        return None
    reason = (
        f"The {look.judged} loss was still falling at the end: each of the last two epochs was the best so far, by {falls[0]:.1%} and "
        f"{falls[1]:.1%}, down to {losses[-1]:.3f}."
    )
    longer = min(2 * look.config.epochs, int(bounds("epochs").high or 1000))
    return Finding("improving", "It was still getting better", reason, "Train longer.", {"epochs": longer})


def all_well(config: TrainConfig, epochs: Sequence[Epoch]) -> str:
    """What to say of a training in which nothing stands out."""
    if len(epochs) < 2:
        return "Too early to say anything: two epochs are needed."
    best, last = min(epochs, key=lambda epoch: epoch.loss), epochs[-1]
    return (
        f"Nothing stands out. The {config.monitor} loss is {last.loss:.3f}, at its best in epoch {best.epoch} ({best.loss:.3f}); "
        f"accuracy {last.train_accuracy:.1%} on training images, {last.accuracy:.1%} on {config.monitor} images."
    )
