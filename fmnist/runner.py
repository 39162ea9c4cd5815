"""One run from its claim to its end: data in, events recorded, checkpoints committed, requests obeyed. Of several processes that train
together this is the first one; the others are `fmnist.companion`.

The worker process of the dashboard and the command line both call `train`. Whatever happens, the run ends in a named state with a
sentence, or, if the process is killed, is found and requeued by whoever supervises the store.
"""

import gc
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from fmnist import checkpoint, companion, data, device, disk, evaluation, files, history, memory, ranks, revision, sweeping
from fmnist.augment import normalised
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES, Split
from fmnist.errors import DiskError, DivergedError, FmnistError, RankLostError, StoreError
from fmnist.events import Done, Epoch, Step
from fmnist.pace import Pace, choose
from fmnist.run import Request, Run, Status
from fmnist.store import Store
from fmnist.train_state import TrainState
from fmnist.training import fit

log = logging.getLogger(__name__)
PREVIEW_SECONDS = 1.0  # how often the handful of pictures is classified
PREVIEW_PICTURES = 12


def train(
    store: Store,
    run: Run,
    interrupted: threading.Event,
    *,
    then: Status = Status.QUEUED,
    watch: Callable[[Step | Epoch | Done], None] = lambda event: None,
) -> Run:
    """Train a claimed run until it is done, or somebody wants it to stop.

    Args:
        run: claimed by this process, which holds its lock.
        interrupted: set when this process has to go; the run is kept to the step.
        then: its status after an interruption: queued to go on by itself, paused to wait for a person.
        watch: sees every event, after it was recorded.

    Returns:
        The run as it ended.

    Raises:
        RankLostError: another process of this training is gone; the run still counts as running, and is to be requeued.
    """
    with _named_end(store, run):
        _train(store, run, interrupted, then, watch)
    return store.get(run.id)


def _train(store: Store, run: Run, interrupted: threading.Event, then: Status, watch: Callable[[Step | Epoch | Done], None]) -> None:
    """From the first image to the last figure; what it holds of the device's memory is in this frame alone."""
    state, pace, train_split, monitor = _prepare(store, run)
    events = fit(state, train_split, monitor, pace)
    status, why = _follow(store, run, state, events, _Preview(state, monitor), interrupted, watch, then)
    if status in (Status.FINISHED, Status.STOPPED) and not why:
        _report(store, run, state, status)
    else:
        store.end(run.id, status, why)


_Ending = tuple[Status, str | None]  # and why, if nobody asked for it
_ENDINGS: dict[Request, _Ending] = {Request.PAUSE: (Status.PAUSED, None), Request.STOP: (Status.STOPPED, None)}
_INTERRUPTED = "Interrupted because its process had to go; everything up to that step is kept."


@contextmanager
def _named_end(store: Store, run: Run) -> Iterator[None]:
    """Every way in which a training can fail, as a status and a sentence."""
    sentence: tuple[Status, str]
    try:
        yield
        return
    except RankLostError:
        raise
    except DivergedError as error:
        sentence = Status.DIVERGED, str(error)
    except StoreError as error:
        sentence = Status.PAUSED, f"{error} Resume when that is mended."
    except DiskError as error:
        sentence = Status.PAUSED, str(error)
    except FmnistError as error:
        sentence = Status.FAILED, str(error)
    except OSError as error:
        sentence = Status.PAUSED, disk.sentence(error)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        traceback.clear_frames(error.__traceback__)  # an exception in flight keeps the tensors of its frames alive
        sentence = Status.FAILED, _out_of_memory(run)
    log.error("%s: %s", sentence[0].value, sentence[1])
    disk.with_reserve(lambda: store.end(run.id, *sentence))


def _out_of_memory(run: Run) -> str:
    """What to do about it, once the memory of the failed training is given back."""
    assert run.config is not None
    size, where = run.config.batch_size, device.resolve(run.device)
    gc.collect()
    if where == "cuda":
        torch.cuda.empty_cache()
    room, smaller = memory.free(where) / 2**20, memory.fitting_batch(run.config, where)
    advice = f"Try {smaller:,}: that should fit" if smaller else "Close other programs, or train a smaller network: no batch would fit"
    return f"Out of memory at batch size {size:,}. {advice} into the {room:,.0f} MB that are free."


def _prepare(store: Store, run: Run) -> tuple[TrainState, Pace, Split, Split]:
    """The state to go on from, how its steps are made, and the splits on its device."""
    if run.config is None or run.damage:
        raise StoreError(run.damage or "The config of this run is damaged.")
    disk.keep_reserve()
    for written in (checkpoint.checkpoints_folder(run.id), history.folder(run.id)):
        files.clear_torn(written)
    store.describe(run.id, message="Checking the images…")
    ranks.check(run.config, ranks.world())
    where = device.resolve(run.device)
    train_split, monitor = data.splits(run.config, say=log.info)
    ranks.agreed(companion.Task(run.config, where))
    device.prepare(where)
    state, pace = _state(store, run, run.config, where)
    disk.check_room(checkpoint.size(state))
    return state, pace, train_split.to(where), monitor.to(where)


def _state(store: Store, run: Run, config: TrainConfig, where: str) -> tuple[TrainState, Pace]:
    """Fresh, or from the newest checkpoint: then in the precision it was trained with, so that it goes on as if nothing had been."""
    before = checkpoint.newest_position(store, run.id)
    if before:
        precision = device.Precision(before["precision"], "as before the interruption")
    else:
        store.describe(run.id, message="Testing what is fastest on this machine…")
        precision = device.choose_precision(config.precision, config.network, config.batch_size // ranks.world(), where)
    state = TrainState(config, where, ranks.agreed(precision.name))
    checkpoint.restore(store, run.id, state, log.warning)
    pace = choose(state)
    log.info("training %s on %s in %s (%s), from step %d", run.name, where, precision.name, precision.reason, state.step)
    log.info("its steps are %s (%s)", pace.name, pace.reason)
    store.rewind(run.id, state.step, state.epoch, state.seconds)
    state.rate_changes = run.rate_changes
    if run.rate_request:
        _change_rate(store, run, state, run.rate_request)
    companion.share(state)
    if changed := store.settle(run.id, _environment(where, precision, pace)):
        log.warning("not exact: it goes on %s", changed)
    return state, pace


def _environment(where: str, precision: device.Precision, pace: Pace) -> dict[str, Any]:
    """All that the numbers of this sitting depend on, beside the config and the images."""
    chosen = {"precision": precision.name, "precision_reason": precision.reason, "steps": pace.name, "steps_reason": pace.reason}
    return {**device.describe(where), **chosen, **revision.describe(), "code": revision.code()}


def _change_rate(store: Store, run: Run, state: TrainState, factor: float) -> None:
    """From the next step on. The store knows it before the step is made: killed at any moment, the training does the same again."""
    state.rate_changes = store.change_rate(run.id, state.step, factor)
    log.info("the learning rate is the schedule times %g from step %d on", factor, state.step)


def _follow(
    store: Store,
    run: Run,
    state: TrainState,
    events: Iterator[Step | Epoch | Done],
    preview: "_Preview",
    interrupted: threading.Event,
    watch: Callable[[Step | Epoch | Done], None],
    then: Status,
) -> _Ending:
    """Record every event and obey, and tell the other processes; returns how it ended, with everything saved that has to be."""
    for event in events:
        if isinstance(event, Done):
            ending: _Ending | None = (Status.FINISHED, None)
        else:
            wish, verdict = _record(store, run, state, event, preview)
            watch(event)
            interruption = (then, _INTERRUPTED) if interrupted.is_set() else None
            ending = _obey(store, run, state, wish, verdict, interruption, judged=isinstance(event, Epoch))
        ranks.agreed(companion.Word(state.rate_changes, over=ending is not None))
        if ending:
            return ending
        if isinstance(event, Epoch) and state.step < state.config.total_steps:
            disk.check_room(checkpoint.size(state))
    raise AssertionError("fit ends with Done")


def _record(
    store: Store, run: Run, state: TrainState, event: Step | Epoch, preview: "_Preview"
) -> tuple[Request | float | None, str | None]:
    """Write an event down; returns what a person wishes, and why its sweep stops the run here, if either."""
    if isinstance(event, Step):
        return store.record(run.id, [event], preview=preview.when_due(event.step)), None
    if state.monitored is not None:
        history.record(run.id, event.epoch, state.monitored)
    verdict = sweeping.verdict(store, run, event)
    store.commit(run.id, checkpoint.save(run.id, state), event, verdict=verdict)
    checkpoint.clear_states(store, run.id)
    log.info("epoch %d: accuracy %.4f, loss %.4f", event.epoch, event.accuracy, event.loss)
    return store.record(run.id, [], preview=preview.now(event.step)), verdict


def _obey(
    store: Store,
    run: Run,
    state: TrainState,
    wish: Request | float | None,
    verdict: str | None,
    interruption: _Ending | None,
    *,
    judged: bool,
) -> _Ending | None:
    """How the training ends after an event, if it does.

    Args:
        judged: the event was the end of an epoch.
    """
    if isinstance(wish, float):
        _change_rate(store, run, state, wish)
    if wish == Request.CANCEL:
        return Status.CANCELLED, None
    if verdict:
        return Status.STOPPED, verdict
    between_epochs = state.step % state.config.steps_per_epoch == 0
    if between_epochs and (not judged or state.step == state.config.total_steps):
        return None  # the epoch is not judged yet, or nothing is left to do: the next event comes at once
    ending = _ENDINGS.get(wish) if isinstance(wish, Request) else interruption
    if ending and not between_epochs:
        store.commit(run.id, checkpoint.save(run.id, state), seconds=state.seconds)
    return ending


def _report(store: Store, run: Run, state: TrainState, status: Status) -> None:
    """The figures on the test split, once, for the model as it is now."""
    store.describe(run.id, message="Evaluating on the 10,000 test images…")
    test = data.load().test.to(state.device)
    report = evaluation.evaluate(state.evaluated, test)
    log.info("test accuracy %.4f, loss %.4f", report.accuracy, report.loss)
    store.end(run.id, status, accuracy=report.accuracy, loss=report.loss)


class _Preview:
    """How a fixed handful of pictures, one of each class and two more, is classified right now."""

    def __init__(self, state: TrainState, monitor: Split) -> None:
        self._state, self._due = state, time.monotonic()
        labels = monitor.labels.cpu()
        one_of_each = [int((labels == label).nonzero()[0]) for label in range(len(CLASS_NAMES)) if bool((labels == label).any())]
        others = [index for index in range(len(labels)) if index not in one_of_each]
        self._indices = (one_of_each + others)[:PREVIEW_PICTURES]
        self._images = normalised(monitor.images[torch.tensor(self._indices, device=monitor.images.device)])
        self._labels = labels[self._indices].tolist()

    def when_due(self, step: int) -> dict[str, Any] | None:
        return self.now(step) if time.monotonic() >= self._due else None

    def now(self, step: int) -> dict[str, Any]:
        model = self._state.evaluated
        was_training = model.training
        with torch.inference_mode():
            probabilities = model.eval()(self._images).float().softmax(1)
        model.train(was_training)
        self._due = time.monotonic() + PREVIEW_SECONDS
        rounded = [[round(value, 4) if value == value else 0.0 for value in row] for row in probabilities.cpu().tolist()]
        return {
            "step": step,
            "split": self._state.config.monitor,
            "images": self._indices,
            "labels": self._labels,
            "probabilities": rounded,
        }
