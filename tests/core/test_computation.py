"""A computation in a process of its own, whatever happens to it: t-SNE is the one that is tried here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from fmnist.computation import Computation
from fmnist.liveness import hold

ABOUT = {"of": "a test"}
LONG, SHORT = 4_000, 60  # images: many seconds of t-SNE, and under one
PATIENCE = 60.0


def features(count: int) -> dict[str, torch.Tensor]:
    return {"features": torch.randn(count, 8, generator=torch.Generator().manual_seed(0)).half()}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the results of a test go; nothing that works on one outlives the test."""
    yield tmp_path
    for process in psutil.process_iter(["cmdline"]):
        if any(str(tmp_path) in word for word in process.info["cmdline"] or []):
            process.kill()


def computation(folder: Path) -> Computation:
    return Computation("fmnist.maps", folder / "map.safetensors", ABOUT)


def wait_for(what: object, reason: str = "it took too long") -> None:
    give_up = time.monotonic() + PATIENCE
    while not what():  # type: ignore[operator]
        assert time.monotonic() < give_up, reason
        time.sleep(0.05)


def is_at_work(one: Computation) -> bool:
    """Whether the process has begun to iterate."""
    said = one.progress()
    return said is not None and said.share > 0


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"map.lock", "map.log"}


def test_a_result_is_computed_kept_and_found_by_who_asks_for_the_same(folder: Path) -> None:
    one = computation(folder)
    assert one.result() is None
    assert one.progress() is None
    one.cancel()  # nothing to cancel is no trouble
    one.begin(features(SHORT))
    assert one.progress() is not None
    wait_for(lambda: one.progress() is None)
    assert one.error is None
    kept = one.result()
    assert kept is not None
    assert kept["coordinates"].shape == (SHORT, 2)
    assert names(folder) == {"map.safetensors"}
    again = computation(folder)
    assert torch.equal((again.result() or {})["coordinates"], kept["coordinates"])
    assert Computation("fmnist.maps", one.path, {"of": "another test"}).result() is None


def test_a_second_one_joins_and_either_can_cancel(folder: Path) -> None:
    one, other = computation(folder), computation(folder)
    one.begin(features(LONG))
    wait_for(lambda: is_at_work(one))
    other.begin(features(LONG))
    said = other.progress()
    assert said is not None
    assert said.process is not None
    assert said.process.pid == one._process.pid  # type: ignore[union-attr]
    assert said.left is None or said.left > 0
    assert {name for name in names(folder) if not name.endswith(".tmp")} == {"map.progress"}  # the input is read and gone
    other.cancel()
    wait_for(lambda: one.progress() is None)
    assert (other.progress(), one.result(), one.error) == (None, None, None)
    assert names(folder) == set()


def test_a_killed_process_leaves_no_result_and_a_sentence_and_can_be_begun_again(folder: Path) -> None:
    one = computation(folder)
    one.begin(features(LONG))
    wait_for(lambda: is_at_work(one))
    os.kill(one._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
    wait_for(lambda: one.progress() is None)
    assert one.result() is None
    assert one.error == "The computation was ended from outside (signal 9). Begin it again."
    one.begin(features(LONG))
    one.cancel()
    assert (one.progress(), one.result(), one.error) == (None, None, None)
    assert names(folder) == set()
    (folder / ".map.safetensors.1.tmp").write_bytes(b"half a result")
    one.begin(features(SHORT))
    wait_for(lambda: one.progress() is None)
    assert one.error is None
    assert one.result() is not None
    assert names(folder) == {"map.safetensors"}


def test_what_went_wrong_is_said(folder: Path) -> None:
    one = computation(folder)
    one.begin({"no features": torch.zeros(1)})
    wait_for(lambda: one.progress() is None)
    assert one.result() is None
    assert one.error == "The computation failed: KeyError: 'features'"


def test_a_process_that_finds_the_lock_taken_goes_away(folder: Path) -> None:
    with hold(folder / "map.lock"):
        done = subprocess.run([sys.executable, "-m", "fmnist.maps", folder / "map.safetensors"], stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert done.returncode == 0
    assert names(folder) == set()


def test_it_dies_with_the_process_that_began_it(folder: Path) -> None:
    code = f"""
import time, torch
from pathlib import Path
from fmnist.computation import Computation
one = Computation("fmnist.maps", Path({str(folder / "map.safetensors")!r}), {ABOUT!r})
one.begin({{"features": torch.randn({LONG}, 8)}})
while not (said := one.progress()) or not said.share:
    time.sleep(0.05)
print(one._process.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(PATIENCE)
    one = computation(folder)
    assert one.progress() is None
    assert (one.result(), one.error) == (None, None)
    assert not one.path.exists()
