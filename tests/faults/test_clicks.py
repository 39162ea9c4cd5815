"""Train clicked at once, in many tabs and on two servers of one home: one run for each click, one training at a time, in their order.

What a click does in a browser (the second half of a double click, two tabs) is tested in tests/e2e/test_train_live.py; here are the many.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fmnist.run import Kind, Request, Run, Status
from fmnist.store import Store
from tests.faults.conftest import Tally
from tests.faults.oracle import opened
from tests.faults.warm import Warm

CONFIG = {"network": "linear", "epochs": 1, "batch_size": 250, "train_size": 600, "validation_size": 100, "precision": "float32"}
SERVERS = 2


@pytest.fixture
def plain_store(home: Path) -> Iterator[Store]:
    with opened(home) as store:
        yield store


@pytest.fixture
def servers(warm: Warm) -> Iterator[list[Warm]]:
    """Two that can do things at the same moment."""
    second = Warm()
    yield [warm, second]
    second.close()


@pytest.mark.timeout(0)
def test_every_click_is_one_run_and_two_servers_train_one_at_a_time(
    home: Path, plain_store: Store, servers: list[Warm], size: Callable[[int, int], int], tally: Tally
):
    chance, clicks = random.Random(0), []
    with ThreadPoolExecutor(SERVERS) as both:
        for number in range(size(40, 470)):
            tokens = [f"{number}", f"{number}" if chance.random() < 0.5 else f"{number} in another tab"]  # a double click, or two tabs
            pairs = zip(servers, tokens, strict=True)
            lives = list(both.map(lambda pair: pair[0].live("create", home, config=CONFIG, token=pair[1]), pairs))
            assert (lives[0].answer == lives[1].answer) == (tokens[0] == tokens[1])
            clicks += set(tokens)
            assert len(plain_store.runs()) == len(clicks), "one run for each click"
            tally.note(clicks=2 * number + 2, runs=len(clicks))
        assert sorted(run.number for run in plain_store.runs()) == list(range(1, len(clicks) + 1))
        trained = cancel_all_but(size(8, 60), plain_store, chance)
        empty_the_queue(plain_store, home, servers, both)
    tally.note(trained=len(trained))
    assert {plain_store.get(run.id).status for run in trained} == {Status.FINISHED}
    check_order(plain_store, trained)


def cancel_all_but(count: int, store: Store, chance: random.Random) -> list[Run]:
    """Some runs that still wait, in the order of their clicks."""
    kept = chance.sample(store.queue(), count)
    for run in store.queue():
        if run not in kept:
            store.ask(run.id, Request.CANCEL)
    return sorted(kept, key=lambda run: run.number)


def empty_the_queue(store: Store, home: Path, servers: list[Warm], both: ThreadPoolExecutor) -> None:
    """Two workers at the same moment, again and again, until nothing waits."""
    while store.queue():
        lives = list(both.map(lambda server: server.live("work", home), servers))
        assert [(life.answer, life.error) for life in lives] == [(0, None)] * SERVERS


def check_order(store: Store, runs: list[Run]) -> None:
    """First in, first out, and each sitting over before the next one began."""
    sittings = []
    for run in runs:
        at = {happening.kind: happening.at for happening in store.happenings(run.id)}
        sittings.append((at[Kind.STARTED], at[Kind.FINISHED]))
    assert sittings == sorted(sittings)
    assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(sittings)), "two trained at once"
