"""A sweep whose driver is killed goes on with the same trials; real worker processes, real (tiny) trainings, the real command line."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fmnist import runner, search_space, sweeping
from fmnist.config import TrainConfig
from fmnist.liveness import hold, run_lock, this_process
from fmnist.run import Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, parse_spec

ROOT = Path(__file__).resolve().parents[2]
BASE = TrainConfig(network="linear", epochs=9, batch_size=64, train_size=600, validation_size=300, device="cpu", precision="float32")
SPACE = {"learning_rate": "1e-4..1e-1:log", "optimizer": "adam,sgd"}
TRIALS = 12  # TPE proposes at random until ten have ended
PATIENCE = 240.0
SUPERVISE = """
import time
from fmnist.engines.local import Supervisor
from fmnist.store import Store
Supervisor(Store()).start()
time.sleep(900)
"""


def spec() -> Spec:
    space = {name: search_space.parse_domain(name, text) for name, text in SPACE.items()}
    return parse_spec({"base": BASE, "space": space, "trials": TRIALS, "sampler": "tpe", "seed": 1})


def undisturbed(store: Store) -> Sweep:
    """A whole sweep in this process."""
    sweep = sweeping.begin(store, spec(), device="cpu")
    while (sweep := sweeping.advance(store, sweep)).status == SweepStatus.RUNNING:
        run = store.claim("cpu", this_process())
        assert run
        with hold(run_lock(run.id)):
            runner.train(store, run, threading.Event())
    return sweep


def told(store: Store, sweep: Sweep) -> list[object]:
    """Everything about the trials that must not depend on who was killed when."""
    return [
        (
            trial.number,
            trial.run.config,
            trial.run.status,
            trial.run.accuracy,
            [(epoch.epoch, epoch.train_loss, epoch.loss, epoch.accuracy) for epoch in trial.epochs],
            (trial.run.message or "").partition(":")[0],
        )
        for trial in Sweeps(store).trials(sweep.id)
    ]


def wait_for(condition: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen within {PATIENCE:.0f} s"
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of a process and its workers at the same moment."""
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for each in everyone:
        os.kill(each.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(everyone[1:], timeout=30)


@pytest.mark.timeout(900)
def test_a_sweep_killed_five_times_ends_with_the_same_trials(plain_store: Store) -> None:
    """Supervisor and worker are killed at a random moment of trials 2, 4, 6... The sixth supervisor brings the sweep to its end."""
    expected = told(plain_store, undisturbed(plain_store))
    statuses = [each[2] for each in expected]  # type: ignore[index]
    assert {Status.FINISHED, Status.STOPPED} <= set(statuses), "halving has something to do"

    sweep, chance = sweeping.begin(plain_store, spec(), device="cpu"), random.Random(0)
    for kills in range(6):
        supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISE], cwd=ROOT)
        try:
            if kills < 5:
                trial = 2 * kills + 2
                wait_for(lambda trial=trial: Sweeps(plain_store).get(sweep.id).proposed >= trial, f"trial {trial}")
                time.sleep(chance.uniform(0, 4))
            else:
                wait_for(lambda: Sweeps(plain_store).get(sweep.id).status == SweepStatus.FINISHED, "the end of the sweep")
        finally:
            kill(supervisor)
    assert told(plain_store, sweep) == expected


@pytest.mark.timeout(300)
def test_the_command_searches_and_goes_on_after_it_was_killed(plain_store: Store) -> None:
    fields = ["--network", "linear", "--epochs", "3", "--train-size", "600", "--validation-size", "300", "--device", "cpu"]
    words = [*fields, "--search", "learning_rate=1e-4..1e-1:log", "--search", "flip", "--trials", "4", "--name", "On the command line"]
    command = [sys.executable, "-m", "fmnist", "sweep", "--json"]
    first = subprocess.Popen([*command, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: any(sweep.proposed >= 2 for sweep in Sweeps(plain_store).all()), "the second trial")
    kill(first)

    done = subprocess.run([*command, "--resume", "1"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    sweep = Sweeps(plain_store).find("1")
    assert (said["sweep"], said["status"], said["trials"]) == (sweep.id, "finished", 4)
    trials = Sweeps(plain_store).trials(sweep.id)
    assert [trial.run.name for trial in trials] == [f"On the command line #{number}" for number in range(1, 5)]
    finished = [trial for trial in trials if trial.complete]
    assert said["best"]["validation"] == max(trial.accuracy or 0 for trial in finished)
    assert plain_store.get(said["best"]["run"]).config == TrainConfig(**said["best"]["config"])
    assert "trial   4/4" in done.stderr

    again = subprocess.run([*command, "--resume", "1"], cwd=ROOT, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is finished" in again.stderr


@pytest.mark.timeout(300)
def test_ctrl_c_keeps_a_sweep_and_its_trial(plain_store: Store) -> None:
    words = ["--network", "linear", "--epochs", "900", "--train-size", "600", "--validation-size", "300", "--device", "cpu"]
    command = [sys.executable, "-m", "fmnist", "sweep", *words, "--search", "learning_rate", "--trials", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(run.step > 5 for run in plain_store.runs()), "a training")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Go on with: python -m fmnist sweep --resume 1" in said
    assert Sweeps(plain_store).find("1").status == SweepStatus.PAUSED
    assert [run.status for run in plain_store.runs()] == [Status.PAUSED]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--search", "learning_rate", "--validation-size", "0"], "The test images never choose"),
        (["--search", "learning_rate=5..1"], "a range goes up"),
        (["--trials", "3"], "at least one field"),
        (["--search", "momentum", "--search", "momentum=0.1..0.2"], "names momentum twice"),
        (["--search", "learning_rate", "--trials", "0"], "not allowed"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_sentence(home: Path, words: list[str], says: str) -> None:
    done = subprocess.run([sys.executable, "-m", "fmnist", "sweep", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
