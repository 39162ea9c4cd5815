"""A training that does not fit into the memory: a real one, in a process that may not have more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fmnist.config import TrainConfig
from fmnist.memory import fitting_batch, free, kept_for_an_image

ROOT = Path(__file__).resolve().parents[2]
TOO_LARGE = 4096

RUNS = """
import json, re, resource, sys, threading
import psutil, torch
from fmnist import data, runner
from fmnist.config import TrainConfig
from fmnist.liveness import this_process
from fmnist.store import Store

torch.set_num_threads(1)
store, batch, said = Store(), int(sys.argv[1]), []
data.load()
limit = psutil.Process().memory_info().vms + 800 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
while batch and len(said) < 2:
    config = TrainConfig(network="small", epochs=1, batch_size=batch, train_size=4196, validation_size=100, precision="float32")
    store.create(config, device="cpu")
    run = runner.train(store, store.claim("cpu", this_process()), threading.Event())
    said.append((run.status.value, batch, run.step, run.message))
    batch = int(re.search(r"Try ([\\d,]+)", run.message or "Try 0")[1].replace(",", ""))
print(json.dumps(said))
"""


def test_out_of_memory_ends_with_a_batch_size_that_fits_and_the_next_run_trains_with_it(home: Path) -> None:
    """An allocation that the system really refuses; the batch size that the sentence names is then trained under the same limit."""
    done = subprocess.run([sys.executable, "-c", RUNS, str(TOO_LARGE)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (status, _, step, message), second = json.loads(done.stdout.splitlines()[-1])
    assert (status, step) == ("failed", 0)
    assert message.startswith("Out of memory at batch size 4,096. Try ")
    assert second[0] == "finished", second
    assert TOO_LARGE // 16 <= second[1] <= TOO_LARGE // 2
    assert second[2] == -(-TOO_LARGE // second[1])


def test_what_the_linear_network_keeps_is_its_picture() -> None:
    assert kept_for_an_image("linear") == 28 * 28 * 4


def test_the_batch_named_is_a_half_of_a_half_until_it_fits() -> None:
    """Of the largest batch and the largest network: less than what is free, and its double is more or is the batch that failed."""
    config = TrainConfig(network="resnet", batch_size=8192)
    size = fitting_batch(config, "cpu")
    assert size is not None
    assert 8192 % size == 0
    assert size <= 4096
    assert size * kept_for_an_image("resnet") < free("cpu")


def test_nothing_fits_into_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fmnist.memory.free", lambda where: 0.0)
    assert fitting_batch(TrainConfig(), "cpu") is None
