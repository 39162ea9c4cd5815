"""CUDA graphs on a real GPU: the same weights, memory given back, stopped and resumed. Without a GPU every test here is skipped."""

import gc
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fmnist import data, memory, pace, runner, training
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.events import Epoch
from fmnist.graphs import Graphs
from fmnist.liveness import this_process
from fmnist.pace import Eager, Reeled
from fmnist.run import Run, Status
from fmnist.store import Store
from fmnist.train_state import TrainState
from fmnist.training import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU, and there is none here")

PLAIN = TrainConfig(network="small", epochs=2, batch_size=32, train_size=1_300, validation_size=100)  # 37 full batches and one of 16
AUGMENTED = {"ema": 0.9, "flip": True, "shift": 2, "erase": 0.3, "weight_decay": 0.01, "warmup": 0.3, "label_smoothing": 0.1}
CONFIGS = {
    "adam": PLAIN.model_copy(update={"network": "reference"}),
    "adamw": PLAIN.model_copy(update={**AUGMENTED, "optimizer": "adamw", "schedule": "cosine"}),
    "sgd": PLAIN.model_copy(update={**AUGMENTED, "optimizer": "sgd", "schedule": "one-cycle", "learning_rate": 0.05}),
    "views and outliers": PLAIN.model_copy(update={"views": 0.4, "outliers": 0.2, "epochs": 1}),
}
TOLERANCE = 1e-3  # of the largest weight: kernels that add in any order, over 76 steps in float32


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    train = data.load().train.to("cuda")
    return train.take(list(range(100, 1_300))), train.take(list(range(100)))


@pytest.fixture(autouse=True)
def _short_reels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three reels of an epoch, so that both graphs are used and one reel begins in its middle."""
    monkeypatch.setattr(pace, "REEL_IMAGES", 15 * 32)
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)  # or two trainings in one and the same way drift apart, too


def _graphed(state: TrainState) -> Reeled:
    return Reeled(state, "for the test", Graphs)


def _weights(state: TrainState) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in state.evaluated.state_dict().values()]).cpu()


def _trained(config: TrainConfig, splits: tuple[Split, Split], make: Callable[[TrainState], Any], precision: str = "float32") -> TrainState:
    state = TrainState(config, "cuda", precision)
    for _ in fit(state, *splits, make(state)):
        pass
    return state


def _alike(mine: torch.Tensor, theirs: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    assert float((mine - theirs).abs().max()) <= tolerance * float(theirs.abs().max())


@pytest.mark.parametrize("config", list(CONFIGS.values()), ids=list(CONFIGS))
def test_the_graphed_and_the_eager_way_give_the_same_weights(config: TrainConfig, splits: tuple[Split, Split]) -> None:
    eager = _trained(config, splits, lambda state: Eager(state, "for the test"))
    _alike(_weights(_trained(config, splits, _graphed)), _weights(eager))


def test_in_bfloat16_too(splits: tuple[Split, Split]) -> None:
    config = CONFIGS["adam"].model_copy(update={"epochs": 1})
    eager = _trained(config, splits, lambda state: Eager(state, "for the test"), "bfloat16")
    _alike(_weights(_trained(config, splits, _graphed, "bfloat16")), _weights(eager), 0.05)


def test_the_capture_leaves_the_state_as_it_was() -> None:
    """Weights, statistics, moments, sums and the random numbers, although the warm-up has trained."""
    state = TrainState(CONFIGS["sgd"], "cuda")
    before = {name: value.clone() for name, value in state.tensors().items()}
    assert pace.choose(state).name == "graphed"
    for name, value in state.tensors().items():
        assert torch.equal(value, before[name]), name


def test_the_reference_network_in_bfloat16_has_kernels_of_its_own_and_stays_as_it_was() -> None:
    state = TrainState(CONFIGS["adam"].model_copy(update={"ema": 0.9}), "cuda", "bfloat16")
    before = {name: value.clone() for name, value in state.tensors().items()}
    assert "kernels made for this network" in pace.choose(state).reason
    for name, value in state.tensors().items():
        assert torch.equal(value, before[name]), name


def test_a_training_cancelled_in_the_middle_of_an_epoch_goes_on_from_there(splits: tuple[Split, Split]) -> None:
    config = CONFIGS["adamw"]
    undisturbed = _trained(config, splits, _graphed)
    stopped = TrainState(config, "cuda")
    next(iter(fit(stopped, *splits, _graphed(stopped))))
    assert 0 < stopped.step < config.steps_per_epoch
    fresh = TrainState(config, "cuda")
    fresh.load({name: value.cpu() for name, value in stopped.tensors().items()}, stopped.position())
    for _ in fit(fresh, *splits, _graphed(fresh)):
        pass
    _alike(_weights(fresh), _weights(undisturbed))


def test_trainings_one_after_another_give_their_memory_back(splits: tuple[Split, Split]) -> None:
    config, reserved = CONFIGS["adam"].model_copy(update={"epochs": 1}), []
    for _ in range(4):
        _trained(config, splits, _graphed)
        torch.cuda.synchronize()
        gc.collect()  # an optimizer refers to itself
        torch.cuda.empty_cache()
        reserved.append(torch.cuda.memory_reserved())
    assert reserved[-1] <= reserved[1], "the first training makes what libraries keep"


def test_what_cannot_be_captured_is_trained_eagerly_and_the_reason_is_said(
    splits: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that reads a number on the host."""
    learn = pace.learn

    def curious(state: TrainState, *batch: torch.Tensor) -> None:
        learn(state, *batch)
        float(state.recent_loss)

    config = CONFIGS["adam"].model_copy(update={"epochs": 1})
    expected = _trained(config, splits, lambda state: Eager(state, "for the test"))
    monkeypatch.setattr(pace, "learn", curious)
    state = TrainState(config, "cuda")
    chosen = pace.choose(state)
    assert chosen.name == "eager"
    assert "no CUDA graph could be made" in chosen.reason
    accuracies = [event.accuracy for event in fit(state, *splits, chosen) if isinstance(event, Epoch)]
    assert len(accuracies) == 1
    _alike(_weights(state), _weights(expected))


def test_a_capture_without_memory_falls_back_and_frees_what_it_took(splits: tuple[Split, Split]) -> None:
    """The memory is limited to what is in use and 300 MB: 8,192 images do not fit into it, 32 do."""
    torch.cuda.empty_cache()
    config = CONFIGS["adam"].model_copy(update={"batch_size": 8_192, "train_size": 9_000})
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 300 * 2**20) / total)
    try:
        chosen = pace.choose(TrainState(config, "cuda"))
        assert chosen.name == "eager"
        assert "memory" in chosen.reason
        del chosen
        _trained(CONFIGS["adam"].model_copy(update={"epochs": 1}), splits, _graphed)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_out_of_memory_names_a_batch_size_that_fits_and_the_next_run_trains_with_it(home: Path) -> None:
    """Something else holds the GPU's memory but for two gigabytes; 8,192 images of `resnet` do not fit into them."""
    torch.cuda.empty_cache()
    ballast = torch.empty(int(memory.free("cuda") - 2 * 2**30), dtype=torch.uint8, device="cuda")
    try:
        too_large = _run(8_192)
        assert (too_large.status, too_large.step) == (Status.FAILED, 0)
        named = re.search(r"^Out of memory at batch size 8,192. Try ([\d,]+): that should fit into the [\d,]+ MB", too_large.message or "")
        assert named, too_large.message
        fitting = _run(int(named[1].replace(",", "")))
        assert fitting.status is Status.FINISHED, fitting.message
    finally:
        del ballast
        torch.cuda.empty_cache()


def _run(batch_size: int) -> Run:
    store = Store()
    config = TrainConfig(
        network="resnet", epochs=1, batch_size=batch_size, train_size=8_292, validation_size=100, precision="float32", device="cuda"
    )
    store.create(config, device="cuda")
    run = store.claim("cuda", this_process())
    assert run
    return runner.train(store, run, threading.Event())
