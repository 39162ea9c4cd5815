"""Runs that differ in their seed alone."""

from statistics import stdev

import pytest

from fmnist.config import TrainConfig
from fmnist.run import Process, Run, Status
from fmnist.seeds import further, groups, pooled, recipe, spread
from fmnist.store import Store

NOBODY = Process(pid=4321, started=1_700_000_000.0)
LINEAR, SMALL = TrainConfig(network="linear"), TrainConfig(network="small")


def finished(store: Store, config: TrainConfig, accuracy: float, status: Status = Status.FINISHED) -> Run:
    run = store.claim("cpu", NOBODY, store.create(config, device="cpu").id)
    assert run
    store.end(run.id, status, accuracy=accuracy, loss=0.3)
    return store.get(run.id)


def seeded(store: Store, config: TrainConfig, *accuracies: float) -> list[Run]:
    return [finished(store, config.model_copy(update={"seed": seed}), accuracy) for seed, accuracy in enumerate(accuracies)]


@pytest.fixture
def one_store(home: object) -> Store:
    return Store()


def test_only_finished_runs_of_the_same_settings_belong_together(one_store: Store):
    three = seeded(one_store, LINEAR, 0.84, 0.85, 0.83)
    faster = finished(one_store, LINEAR.model_copy(update={"learning_rate": 0.01}), 0.8)
    stopped = finished(one_store, LINEAR.model_copy(update={"seed": 9}), 0.7, Status.STOPPED)
    assert groups([three[2], faster, three[0], stopped, three[1]]) == [[three[2], three[0], three[1]], [faster], [stopped]]


def test_further_seeds_are_those_that_were_not_tried_with_the_recipe(one_store: Store):
    runs = [*seeded(one_store, LINEAR, 0.84, 0.85), *seeded(one_store, SMALL, 0.9, 0.9, 0.9, 0.9)]
    one_store.create(LINEAR.model_copy(update={"seed": 4}), device="cpu")  # waits already
    configs = further(runs[0], one_store.runs(), 2)
    assert [config.seed for config in configs] == [5, 6]
    assert {recipe(config) for config in configs} == {LINEAR}


def test_the_spread_is_pooled_within_the_groups():
    assert pooled([[0.90, 0.92, 0.94]]).deviation == pytest.approx(stdev([0.90, 0.92, 0.94]))
    found = pooled([[0.90, 0.92], [0.5, 0.6, 0.7]])  # squares 0.0002 + 0.02, over 1 + 2 degrees
    assert (found.freedom, found.runs) == (3, 5)
    assert found.deviation == pytest.approx((0.0202 / 3) ** 0.5)


def test_the_spread_of_other_recipes_stands_in_only_where_there_is_none_of_its_own(one_store: Store):
    seeded(one_store, LINEAR, 0.84, 0.86)
    seeded(one_store, SMALL, 0.90, 0.90, 0.93)
    alone = LINEAR.model_copy(update={"batch_size": 128})
    own, other = (spread(one_store.runs(), [recipe(config)]) for config in (LINEAR, alone))
    assert own
    assert other
    assert (own.own, own.runs, own.deviation) == (True, 2, pytest.approx(stdev([0.84, 0.86])))
    assert (other.own, other.deviation) == (False, own.deviation)


def test_nothing_is_known_from_networks_of_another_kind_or_size(one_store: Store):
    seeded(one_store, LINEAR, 0.84, 0.86)
    assert spread(one_store.runs(), [recipe(SMALL)]) is None
    assert spread(one_store.runs(), [recipe(LINEAR.model_copy(update={"train_size": 6_000}))]) is None
    assert spread([], [LINEAR]) is None
