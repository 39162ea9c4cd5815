"""Training a run again: the command says the same settings, and the result is the same bit for bit, or what differs is named."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from fmnist import checkpoint, cli
from fmnist.config import PRESETS, TrainConfig
from fmnist.errors import ReportError
from fmnist.foreground import train_here
from fmnist.handover import reproduction, script
from fmnist.run import Run
from fmnist.store import Store

Train = Callable[..., Run]
ROOT = Path(__file__).resolve().parents[2]


def with_config(run: Run, config: TrainConfig, **environment: object) -> Run:
    return replace(run, config=config, environment=environment)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TrainConfig(), "python -m fmnist train"),
        (TrainConfig(validation_size=0, seed=3), "python -m fmnist train --preset reference --seed 3"),
        (TrainConfig(network="mlp", flip=True), "python -m fmnist train --network mlp --flip true"),
        (PRESETS["best"][1], "python -m fmnist train --preset best"),
        (PRESETS["studio"][1].model_copy(update={"flip": False}), "python -m fmnist train --preset studio --flip false"),
        (TrainConfig(learning_rate=1e-5, weight_decay=0.1 + 0.2), None),
    ],
)
def test_the_command_means_the_settings_of_the_run(config: TrainConfig, words: str | None, plain_store: Store) -> None:
    run = with_config(plain_store.create(TrainConfig(), device="cpu"), config)
    said = reproduction.command(run)
    assert words in (None, said)
    options = cli.parser().parse_args(shlex.split(said)[3:])
    assert cli.chosen_config(options) == config


def test_the_command_names_the_precision_that_auto_became(plain_store: Store) -> None:
    run = with_config(plain_store.create(TrainConfig(), device="cpu"), TrainConfig(), precision="bfloat16")
    assert reproduction.command(run) == "python -m fmnist train --precision bfloat16"


def test_reproduce_gives_the_same_run_bit_for_bit_on_this_machine(train: Train, plain_store: Store, tiny_config: TrainConfig) -> None:
    """In a process of its own, as a person calls it; the oracle compares the files of the weights itself."""
    first = train(tiny_config.model_copy(update={"network": "small", "flip": True, "precision": "auto"}), "The first")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # the run's own number is used
    command = [sys.executable, "-m", "fmnist", "reproduce", first.id[:10], "--json"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    told = json.loads(said.stdout.splitlines()[-1])
    assert (said.returncode, told["same"], told["weights"], told["figures"], told["conditions"]) == (0, True, 0.0, [], {})
    again = plain_store.get(told["again"])
    assert (again.name, again.origin) == ("The first again", first.id)
    assert (again.accuracy, again.loss) == (first.accuracy, first.loss)
    weights = [
        checkpoint.read_tensors(checkpoint.checkpoints_folder(run.id) / plain_store.checkpoints(run.id)[0].weights)[0]
        for run in (first, again)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_run_whose_learning_rate_was_changed_is_repeated_with_the_changes(
    train: Train, plain_store: Store, tiny_config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = train(tiny_config, "Unchanged")
    first = plain_store.create(tiny_config, device="cpu", name="Changed")
    plain_store.change_rate(first.id, 3, 0.25)
    first = train_here(plain_store, first, Console(quiet=True))
    assert plain_store.epochs(first.id)[-1].loss != plain_store.epochs(plain.id)[-1].loss
    assert reproduction.command(first) == f"python -m fmnist reproduce {first.id[:12]}"
    assert cli.main(["reproduce", first.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert plain_store.get(told["again"]).rate_changes == first.rate_changes == ((3, 0.25),)
    assert script.refusal(first)


def test_a_run_that_goes_on_from_another_is_not_made_by_its_settings(plain_store: Store, train: Train, tiny_config: TrainConfig) -> None:
    run = replace(train(tiny_config, "The first"), continues=8)
    with pytest.raises(ReportError, match="goes on from another run, from step 8"):
        reproduction.check(plain_store, run)
    assert script.refusal(run)


def test_another_result_is_said_with_what_differs_and_by_how_much(train: Train, plain_store: Store, tiny_config: TrainConfig) -> None:
    first, other = train(tiny_config, "The first"), train(tiny_config.model_copy(update={"seed": 1}))
    plain_store.describe(other.id, environment={**other.environment, "threads": 64, "torch": "2.0.0"})
    found = reproduction.compare(plain_store, first, plain_store.get(other.id))
    weights = [
        checkpoint.read_tensors(checkpoint.checkpoints_folder(run.id) / plain_store.checkpoints(run.id)[0].weights)[0]
        for run in (first, other)
    ]
    assert not found.same
    assert found.weights == max(float((weights[0][name].double() - weights[1][name].double()).abs().max()) for name in weights[0])
    assert found.conditions == {"threads": (1, 64), "torch": (first.environment["torch"], "2.0.0")}
    assert {figure.what for figure in found.figures} >= {"epoch 1, loss", "epoch 2, train_loss", "test loss"}
    assert "threads was 1, is 64; torch was" in found.words


def test_of_a_run_that_was_stopped_what_both_have_is_compared(train: Train, plain_store: Store, tiny_config: TrainConfig) -> None:
    whole, stopped = train(tiny_config), train(tiny_config)
    plain_store.rewind(stopped.id, 8, 1, 0.1)
    found = reproduction.compare(plain_store, plain_store.get(stopped.id), whole)
    assert (found.same, found.step) == (True, 8)


def test_what_cannot_be_compared_is_said_before_anything_is_trained(plain_store: Store) -> None:
    run = plain_store.create(TrainConfig(), device="cpu", name="Empty")
    with pytest.raises(ReportError, match="Empty has no checkpoint"):
        reproduction.check(plain_store, run)
    with pytest.raises(ReportError, match="cannot be read, so it cannot be trained again"):
        reproduction.check(plain_store, replace(run, config=None, damage="Its config is broken."))
