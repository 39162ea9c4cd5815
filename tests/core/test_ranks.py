"""Several processes in one training: real ones, over gloo, started by torchrun. What they learn is what one process learns."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fmnist import ranks
from fmnist.batch_norm import SharedBatchNorm
from fmnist.config import TrainConfig
from fmnist.errors import ConfigError
from fmnist.schedule import learning_rate

SCRIPT = Path(__file__).with_name("one_rank.py")
LINEAR = TrainConfig(
    network="linear",
    epochs=3,
    batch_size=32,
    train_size=401,  # 301 are trained on: the last batch has 13, which no number of processes shares evenly
    validation_size=100,
    precision="float32",
    label_smoothing=0.1,
    flip=True,
    shift=1,
    erase=0.3,
    ema=0.9,
)
SMALL = LINEAR.model_copy(update={"network": "small", "epochs": 1})
OUTLIERS = LINEAR.model_copy(update={"views": 0.3, "outliers": 0.2, "epochs": 1})
RATES = [(4, 0.5), (13, 2.0)]


def _task(config: TrainConfig, after: str | None = None, stop: int | None = None, changes: Any = ()) -> dict[str, Any]:
    return {"config": config.model_dump(), "after": after, "stop": stop, "changes": changes}


TASKS = {
    "linear": _task(LINEAR),
    "small": _task(SMALL),
    "outliers": _task(OUTLIERS),
    "changed": _task(LINEAR, changes=RATES),
    "paused": _task(LINEAR, stop=3),
    "paused again": _task(LINEAR, after="paused", stop=17),
    "resumed": _task(LINEAR, after="paused again"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """For 1 and 2 processes: what each of them said of each task."""
    return {count: _trained_by(count, tmp_path_factory.mktemp("ranks")) for count in (1, 2)}


def _trained_by(count: int, folder: Path) -> list[dict[str, Any]]:
    tasks = folder / "tasks.json"
    tasks.write_text(json.dumps(TASKS))
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "--max-restarts=0"] if count > 1 else []
    path = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = [sys.executable, *launcher, str(SCRIPT), str(tasks), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"rank-{rank}.pt") for rank in range(count)]


def _losses(said: dict[str, Any]) -> list[float]:
    return [event["loss"] for event in said["events"] if event["kind"] == "Step"]


def _figures(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Every event without what a clock says, and without what is only of the part that a process has looked at."""
    return [{name: value for name, value in e.items() if name not in ("seconds", "images_per_second", "silent")} for e in said["events"]]


# ---- by law ----


@given(count=st.integers(0, 10_000), among=st.integers(1, 64))
def test_the_shares_of_all_processes_are_disjoint_and_together_everything(count: int, among: int):
    shares = [range(count)[ranks.share(count, of, among)] for of in range(among)]
    assert [image for share in shares for image in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_has_everything_and_asks_nobody():
    assert (ranks.world(), ranks.rank(), ranks.part(7), ranks.agreed("word")) == (1, 0, slice(0, 7), "word")
    rows = torch.rand(3, 10)
    assert ranks.whole(rows, 3) is rows


@pytest.mark.parametrize(
    ("batch", "workers", "advice"), [(64, 3, "63 or 66"), (2, 4, "Make it 4"), (100, 8, "96 or 104"), (3, 2, "2 or 4")]
)
def test_a_batch_that_cannot_be_shared_evenly_is_refused_with_the_nearest_that_can(batch: int, workers: int, advice: str):
    config = TrainConfig(batch_size=batch)
    with pytest.raises(ConfigError, match=f"{batch} images cannot be shared evenly by {workers} processes.*{advice}"):
        ranks.check(config, workers)
    for fitting in (workers, 2 * workers):
        ranks.check(TrainConfig(batch_size=max(2, fitting)), workers)


@pytest.fixture
def group_of_one() -> Iterator[None]:
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    yield
    dist.destroy_process_group()


def test_shared_batch_norm_is_that_of_torch(group_of_one: None):
    """Its output, its gradients and its running statistics, in double precision: the formula, apart from all rounding."""
    torch.manual_seed(0)
    theirs, ours = nn.BatchNorm2d(5).double(), SharedBatchNorm(5).double()
    with torch.no_grad():
        theirs.weight.uniform_(0.5, 2)
        theirs.bias.uniform_(-1, 1)
    ours.load_state_dict(theirs.state_dict())
    results = []
    for norm in (theirs, ours):
        pictures = torch.randn(4, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).mul(3).add(2).requires_grad_()
        answer = norm(pictures)
        (answer.pow(3) * torch.linspace(-1, 1, answer.numel(), dtype=torch.float64).view_as(answer)).sum().backward()
        results.append([answer, pictures.grad, norm.weight.grad, norm.bias.grad, *norm.buffers(), norm.eval()(pictures)])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


# ---- by processes ----


@pytest.mark.parametrize("task", TASKS)
def test_all_processes_end_with_the_same_bits_and_tell_the_same(task: str, trained: dict[int, list[dict[str, Any]]]):
    first, second = (said[task] for said in trained[2])
    assert _figures(first) == _figures(second)
    for name, value in first["tensors"].items():
        assert torch.equal(value, second["tensors"][name]), name


@pytest.mark.parametrize("task", ["linear", "outliers", "changed"])
def test_two_processes_learn_what_one_learns(task: str, trained: dict[int, list[dict[str, Any]]]):
    """Without batch norm to rounding: each loss to a millionth (measured: 2.3e-7), each weight to 1e-6, each accuracy the same."""
    (alone,), (first, _) = ([said[task] for said in trained[count]] for count in (1, 2))
    for mine, theirs in zip(_figures(first), _figures(alone), strict=True):
        assert mine.pop("kind") == theirs.pop("kind")
        assert mine == pytest.approx(theirs, rel=1e-6)
    for name, value in alone["tensors"].items():
        torch.testing.assert_close(first["tensors"][name], value, rtol=1e-5, atol=1e-6, msg=name)


def test_batch_norm_sees_the_whole_batch(trained: dict[int, list[dict[str, Any]]]):
    """The first loss, before any weight has moved, is that of one process; with statistics of the part it would be another.

    After that rounding grows: where a pool finds two pixels alike but for their last bit, another one gets the gradient.
    """
    (alone,), (first, _) = ([_losses(said["small"]) for said in trained[count]] for count in (1, 2))
    assert first[0] == pytest.approx(alone[0], rel=1e-5)
    assert first == pytest.approx(alone, rel=0.02)


def test_paused_twice_and_resumed_by_two_processes_is_never_paused_bit_for_bit(trained: dict[int, list[dict[str, Any]]]):
    whole, resumed = trained[2][0]["linear"], trained[2][0]["resumed"]
    assert _figures(resumed) == _figures(whole)
    for name, value in whole["tensors"].items():
        assert torch.equal(value, resumed["tensors"][name]), name


def test_a_change_of_the_learning_rate_reaches_all_processes_at_the_same_step(trained: dict[int, list[dict[str, Any]]]):
    for said in trained[2]:
        for event in (event for event in said["changed"]["events"] if event["kind"] == "Step"):
            assert event["learning_rate"] == learning_rate(LINEAR, event["step"] - 1, RATES)
