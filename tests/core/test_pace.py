"""Steps from a reel, as a CUDA graph makes them, against steps that the host makes one by one; on the CPU, played by hand."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fmnist import data, pace, training
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.events import Done, Epoch, Step
from fmnist.pace import Eager, Reeled
from fmnist.train_state import TrainState
from fmnist.training import fit

PLAIN = TrainConfig(network="small", epochs=2, batch_size=32, train_size=300, validation_size=100)  # 6 full batches and one of 8
AUGMENTED = {"ema": 0.9, "flip": True, "shift": 2, "erase": 0.3, "weight_decay": 0.01, "warmup": 0.3, "label_smoothing": 0.1}
CONFIGS = {
    "adam": PLAIN,
    "adamw": PLAIN.model_copy(update={**AUGMENTED, "optimizer": "adamw", "schedule": "cosine"}),
    "sgd": PLAIN.model_copy(update={**AUGMENTED, "optimizer": "sgd", "schedule": "one-cycle", "learning_rate": 0.05}),
    "views and outliers": PLAIN.model_copy(update={"views": 0.4, "outliers": 0.2, "epochs": 1}),
}


@pytest.fixture(autouse=True)
def _short_reels_and_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two reels of four and two steps in each epoch, so that one begins in the middle of it."""
    monkeypatch.setattr(pace, "REEL_IMAGES", 4 * 32)
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    train = data.load().train
    return train.take(torch.arange(100, 300)), train.take(torch.arange(100))


def _by_hand(state: TrainState, rewind: Callable[[], None], step: Callable[[], None]) -> Callable[[int], None]:
    """What a graph does, without one."""

    def play(count: int) -> None:
        for _ in range(count):
            step()

    return play


def _reeled(state: TrainState) -> Reeled:
    return Reeled(state, "for the test", _by_hand)


def _figures(events: list[Any]) -> list[object]:
    """Epochs without what a clock says."""
    return [replace(event, seconds=0.0, images_per_second=0.0) for event in events if isinstance(event, Epoch)]


def _same(mine: TrainState, theirs: TrainState) -> None:
    expected = theirs.tensors()
    for name, value in mine.tensors().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("config", list(CONFIGS.values()), ids=list(CONFIGS))
def test_steps_from_a_reel_are_those_of_the_host_bit_for_bit(config: TrainConfig, splits: tuple[Split, Split]) -> None:
    """Weights, averages, moments, batch-norm statistics and the figures of each epoch, the smaller last batch included."""
    host, reel = TrainState(config), TrainState(config)
    expected = list(fit(host, *splits, Eager(host, "for the test")))
    found = list(fit(reel, *splits, _reeled(reel)))
    _same(reel, host)
    assert _figures(found) == _figures(expected)
    assert reel.step == config.total_steps


@pytest.mark.parametrize("stop_after", [4, 6, 11])
def test_a_training_stopped_between_two_reels_goes_on_as_if_nothing_had_been(stop_after: int, splits: tuple[Split, Split]) -> None:
    """In the first epoch, before its last batch, in the second; on with a host that knows no reel, and with another reel."""
    config = CONFIGS["adamw"]
    undisturbed = TrainState(config)
    list(fit(undisturbed, *splits, _reeled(undisturbed)))
    for go_on in (_reeled, lambda state: Eager(state, "for the test")):
        stopped = TrainState(config)
        next(event for event in fit(stopped, *splits, _reeled(stopped)) if stopped.step >= stop_after)
        assert stopped.step < stop_after + 4, "a reel is the most that it goes on"
        fresh = TrainState(config)
        fresh.load({name: value.clone() for name, value in stopped.tensors().items()}, stopped.position())
        list(fit(fresh, *splits, go_on(fresh)))
        _same(fresh, undisturbed)


@pytest.mark.parametrize("after", [4, 6, 11])
def test_a_changed_learning_rate_is_that_of_the_next_step_in_every_pace(after: int, splits: tuple[Split, Split]) -> None:
    """In the middle of an epoch, at its end, in the second: the same as a training that knew of the change from the start."""
    config = CONFIGS["adamw"]
    for make in (_reeled, lambda state: Eager(state, "for the test")):
        state = TrainState(config)
        for _ in fit(state, *splits, make(state)):
            if state.step >= after and not state.rate_changes:
                state.rate_changes = ((state.step, 0.1),)
        knowing = TrainState(config)
        knowing.rate_changes = state.rate_changes
        plain = TrainState(config)
        list(fit(knowing, *splits, Eager(knowing, "for the test")))
        list(fit(plain, *splits, Eager(plain, "for the test")))
        _same(state, knowing)
        assert not torch.equal(state.model.head.weight, plain.model.head.weight)


def test_every_step_is_in_one_point_also_when_the_device_is_ahead(splits: tuple[Split, Split]) -> None:
    """The mean of an epoch is that of its points, each weighed by its steps: without augmentation and with full batches alone."""
    config = PLAIN.model_copy(update={"train_size": 292})  # 6 batches
    state = TrainState(config)
    ahead, events = [], []
    for event in fit(state, splits[0].take(torch.arange(192)), splits[1], _reeled(state)):
        events.append(event)
        ahead.append(state.step - event.step)
    assert [(type(event), event.step) for event in events[:3]] == [(Step, 4), (Step, 6), (Epoch, 6)]
    assert [type(event) for event in events] == [Step, Step, Epoch, Step, Step, Epoch, Done]
    assert ahead == [2, 0, 0, 2, 0, 0, 0], "the second reel is being played when the first is told"
    assert all(earlier.seconds <= later.seconds for earlier, later in pairwise(events))
    assert (4 * events[0].loss + 2 * events[1].loss) / 6 == pytest.approx(events[2].train_loss, rel=1e-5)


def test_nothing_moves_in_memory_from_the_first_step_to_the_last(splits: tuple[Split, Split]) -> None:
    """A graph knows its operands by their address: neither a step, nor an evaluation, nor a loaded checkpoint may replace one."""
    for config in (CONFIGS["adamw"], CONFIGS["sgd"]):
        state = TrainState(config)

        def addresses(state: TrainState = state) -> dict[str, int]:
            tensors = {name: value for name, value in state.tensors().items() if not name.startswith("random")}
            tensors |= {"rate": state.rate, "recent": state.recent_loss, "lr": state.optimizer.param_groups[0]["lr"]}
            return {name: value.data_ptr() for name, value in tensors.items()}

        before = addresses()
        list(fit(state, *splits))
        state.load({name: value.clone() for name, value in state.tensors().items()}, state.position())
        assert addresses() == before


class _Waits(TorchDispatchMode):
    """Collects the operations that make a GPU tell the host something, or whose result has a size that depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asks = func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "_unique2")
        indices = args[1] if func.overloadpacket.__name__ in ("index", "index_put", "index_put_", "_index_put_impl_") else ()
        if asks or any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices):
            self.found.append(str(func))
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("config", list(CONFIGS.values()), ids=list(CONFIGS))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_asks_the_device_for_nothing(config: TrainConfig, precision: str) -> None:
    steps = []
    Reeled(
        TrainState(config, precision=precision),
        "for the test",
        lambda state, rewind, step: steps.append(step) or _by_hand(state, rewind, step),
    )
    with _Waits() as waits:
        steps[0]()
    assert waits.found == []


def test_the_collector_of_waits_sees_them() -> None:
    values = torch.arange(4.0)
    with _Waits() as waits:
        float(values[0])
        values[values > 1].sum()
        values.nonzero()
    assert len(waits.found) == 3


def test_on_a_cpu_steps_are_made_by_the_host_and_the_reason_says_so() -> None:
    chosen = pace.choose(TrainState(PLAIN))
    assert (chosen.name, chosen.ahead) == ("eager", False)
    assert "cpu" in chosen.reason
