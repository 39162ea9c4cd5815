"""Stopped or paused at random instants, from the click on Train to the last epoch: nothing goes on running, nothing finished is lost."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fmnist.checkpoint import checkpoints_folder, read_tensors
from fmnist.engines.local import Supervisor
from fmnist.errors import StoreError
from fmnist.liveness import device_lock, find, is_held
from fmnist.run import Process, Request, Run, Status
from fmnist.store import Store
from tests.faults.conftest import Tally
from tests.faults.oracle import opened, result, said
from tests.faults.test_server_death import wait_for
from tests.faults.warm import Warm

CONFIG = {"network": "linear", "epochs": 20, "batch_size": 16, "train_size": 2_000, "validation_size": 200, "precision": "float32"}


@pytest.mark.timeout(0)
def test_stopped_at_random_instants_a_training_ends_and_can_go_on(home: Path, warm: Warm, size: Callable[[int, int], int], tally: Tally):
    """A real supervisor with real workers; what is left of the training is done in the warm process, and must be the same."""
    with opened(home) as store:
        whole = store.get(warm.live("create", home, config=CONFIG, token="undisturbed").answer)
        assert warm.live("work", home).error is None
        expected, chance, supervisor = (result(store, whole), said(store, whole)), random.Random(0), Supervisor(store)
        supervisor.start()
        for number in range(size(6, 100)):
            run = store.get(warm.live("create", home, config=CONFIG, token=f"{number}").answer)
            if number % 3:  # the others while their worker still begins
                wait_for(lambda run=run: store.get(run.id).step > 0 or store.get(run.id).status.ended, "training")
            time.sleep(chance.uniform(0, 2.0))
            tally.worst(seconds_to_stop=stop(store, run, chance.choice((Request.STOP, Request.PAUSE))))
            check_last_checkpoint(store, run)
            tally.note(stops=number + 1)
        supervisor.close()
        for run in store.runs():
            if run.status != Status.FINISHED:
                store.resume(run.id)
            while store.get(run.id).status != Status.FINISHED:
                warm.live("work", home)
            assert (result(store, run), said(store, run)) == expected


def stop(store: Store, run: Run, request: Request) -> float:
    """Ask, and wait until no process has the run or its device; returns how many seconds that took."""
    begun, process = time.monotonic(), store.get(run.id).process
    try:
        store.ask(run.id, request)
    except StoreError:  # it was done before
        assert store.get(run.id).status == Status.FINISHED
    wait_for(lambda: store.get(run.id).status not in (Status.QUEUED, Status.RUNNING), "the stop")
    wait_for(lambda: not is_held(device_lock("cpu")) and _is_gone(process), "the end of the worker")
    return time.monotonic() - begun


def _is_gone(process: Process | None) -> bool:
    return process is None or find(process) is None


def check_last_checkpoint(store: Store, run: Run) -> None:
    """It is whole, and at the step where the run stands; none if it was stopped before it trained."""
    now, checkpoints = store.get(run.id), store.checkpoints(run.id)
    if not checkpoints:
        assert now.step == 0 or now.status == Status.CANCELLED
        return
    newest = checkpoints[0]
    assert (newest.step, newest.epoch) == (now.step, now.epoch)
    read_tensors(checkpoints_folder(run.id) / newest.weights, newest.weights_sha256)
    assert newest.state
    read_tensors(checkpoints_folder(run.id) / newest.state, newest.state_sha256)
