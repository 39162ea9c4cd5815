"""A run that goes on from another: against a training that was planned for that long from the start."""

import threading
from dataclasses import replace

import pytest

from fmnist import history, runner, training
from fmnist.checkpoint import checkpoints_folder, remove_run
from fmnist.config import TrainConfig
from fmnist.continuation import train_longer
from fmnist.errors import CheckpointError, ConfigError
from fmnist.home import runs_folder
from fmnist.liveness import this_process
from fmnist.run import Request, Run, Status, folder
from fmnist.schedule import learning_rate
from fmnist.store import Store

CONFIG = TrainConfig(
    network="small", epochs=2, batch_size=64, train_size=700, validation_size=100, ema=0.9, flip=True, device="cpu", precision="float32"
)


def trained(store: Store, run: Run) -> Run:
    """The run, trained here to its end."""
    claimed = store.claim("cpu", this_process(), run.id)
    assert claimed
    return runner.train(store, claimed, threading.Event())


def figures(store: Store, run: Run) -> list[object]:
    return [replace(epoch, seconds=0.0, images_per_second=0.0) for epoch in store.epochs(run.id)]


def weights(store: Store, run: Run) -> str:
    return store.checkpoints(run.id)[0].weights_sha256


def test_at_a_constant_rate_it_is_the_run_that_was_planned_so_long_bit_for_bit(plain_store: Store) -> None:
    whole = trained(plain_store, plain_store.create(CONFIG.model_copy(update={"epochs": 5}), device="cpu"))
    origin = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    before = (plain_store.get(origin.id), weights(plain_store, origin))
    longer = trained(plain_store, train_longer(plain_store, origin, 3))
    assert (longer.status, longer.origin, longer.continues) == (Status.FINISHED, origin.id, origin.step)
    assert longer.config == whole.config
    assert figures(plain_store, longer) == figures(plain_store, whole)
    assert weights(plain_store, longer) == weights(plain_store, whole)
    assert (longer.accuracy, longer.loss) == (whole.accuracy, whole.loss)
    assert (plain_store.get(origin.id), weights(plain_store, origin)) == before
    said, expected = (history.read(run.id, range(1, 6)) for run in (longer, whole))
    assert said
    assert expected
    assert said.epochs == expected.epochs
    assert said.guesses.equal(expected.guesses)


def test_with_a_falling_rate_it_enters_the_longer_plan_where_the_origin_ended(plain_store: Store) -> None:
    origin = trained(plain_store, plain_store.create(CONFIG.model_copy(update={"schedule": "cosine"}), device="cpu"))
    longer = trained(plain_store, train_longer(plain_store, origin, 2))
    assert longer.config
    third = plain_store.epochs(longer.id)[2]
    assert third.learning_rate == learning_rate(longer.config, third.step - 1)
    assert third.learning_rate > plain_store.epochs(origin.id)[-1].learning_rate


def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_from_that_step(plain_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)
    whole = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    origin = plain_store.create(CONFIG.model_copy(update={"epochs": 9}), device="cpu")
    claimed = plain_store.claim("cpu", this_process(), origin.id)
    assert claimed

    def stop(event: object) -> None:
        if getattr(event, "step", 0) == 13:  # the third of ten in the second epoch
            plain_store.ask(origin.id, Request.STOP)

    stopped = runner.train(plain_store, claimed, threading.Event(), watch=stop)
    assert (stopped.status, stopped.step, stopped.epoch) == (Status.STOPPED, 14, 1)
    longer = trained(plain_store, train_longer(plain_store, stopped, 1))
    assert (longer.continues, longer.step) == (14, whole.step)
    assert figures(plain_store, longer) == figures(plain_store, whole)
    assert weights(plain_store, longer) == weights(plain_store, whole)


def test_a_second_click_is_the_same_run_and_leaves_no_files(plain_store: Store) -> None:
    origin = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    first, second = (train_longer(plain_store, origin, 1, token="click") for _ in range(2))
    assert first == second
    assert {path.name for path in runs_folder().iterdir() if path.is_dir()} == {origin.id, first.id}


def test_it_outlives_its_origin(plain_store: Store) -> None:
    origin = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    longer = train_longer(plain_store, origin, 1)
    remove_run(plain_store, origin.id)
    assert trained(plain_store, longer).status == Status.FINISHED


def test_of_two_checkpoints_the_newest_that_is_whole_is_taken_and_without_one_nothing_is_made(plain_store: Store) -> None:
    origin = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    newest, older = plain_store.checkpoints(origin.id)
    damaged = checkpoints_folder(origin.id) / (newest.state or "")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    longer = train_longer(plain_store, origin, 1)
    assert (longer.continues, longer.epoch) == (older.step, 1)
    assert trained(plain_store, longer).status == Status.FINISHED
    (checkpoints_folder(origin.id) / older.weights).unlink()
    with pytest.raises(CheckpointError, match="Train it again"):
        train_longer(plain_store, origin, 1)
    assert len(plain_store.runs()) == 2


def test_too_many_epochs_are_a_sentence(plain_store: Store) -> None:
    origin = trained(plain_store, plain_store.create(CONFIG, device="cpu"))
    with pytest.raises(ConfigError, match="from 1 to 1,000"):
        train_longer(plain_store, origin, 999)
    assert not [path for path in runs_folder().iterdir() if path.is_dir() and path != folder(origin)]
