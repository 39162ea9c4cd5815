"""The merged step of the reference network against the ordinary one, in Triton's interpreter, in float32: no GPU is needed.

What a GPU makes of it (bfloat16, a CUDA graph) is in test_graphs.py.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fmnist import fused
from fmnist.config import TrainConfig
from fmnist.train_state import TrainState

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("fused_steps.py")
CLOSE = 2e-4  # of the largest number: float32, added up in another order
interpreted = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not made for this system")


def answer(what: str, folder: Path) -> Any:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(SCRIPT), what], capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@interpreted
def test_two_steps_of_sgd_give_what_the_ordinary_step_gives(home: Path, tmp_path: Path) -> None:
    """Weights, momentum, statistics, their averages and all sums, with weight decay, label smoothing and something that is no garment."""
    apart = answer("sgd", tmp_path)
    assert {"average.body.2.running_var", "optimizer.0.momentum_buffer", "epoch.right", "model.body.9.num_batches_tracked"} <= apart.keys()
    assert {name: value for name, value in apart.items() if value > CLOSE} == {}


@interpreted
def test_a_step_of_adamw_gives_what_the_ordinary_step_gives(home: Path, tmp_path: Path) -> None:
    apart = answer("adamw", tmp_path)
    moments = {name: value for name, value in apart.items() if name.startswith("optimizer.")}
    assert len(moments) == 3 * 20
    assert {name: value for name, value in moments.items() if value > CLOSE} == {}
    assert apart["moved"] < 0.01


@interpreted
def test_right_kernels_pass_the_test_at_the_start(home: Path, tmp_path: Path) -> None:
    assert answer("right", tmp_path) is None


@interpreted
def test_kernels_that_are_wrong_on_a_machine_are_not_used_there(home: Path, tmp_path: Path) -> None:
    assert "give another gradient of" in answer("wrong", tmp_path)


def test_other_networks_and_float32_are_not_for_these_kernels() -> None:
    assert "reference network alone" in str(fused.why_not(TrainState(TrainConfig(network="small"), precision="bfloat16")))
    assert "bfloat16" in str(fused.why_not(TrainState(TrainConfig())))
