"""What a person does to many runs at once: tags, archive, bin; on SQLite and on PostgreSQL."""

import time

import pytest
import sqlalchemy as sa

from fmnist.bin import clear, last_deletion
from fmnist.config import TrainConfig
from fmnist.errors import StoreError
from fmnist.events import Epoch
from fmnist.run import Checkpoint, Process, Run, Status, clean_tag, folder
from fmnist.store import Store

ME = Process(pid=4321, started=1_700_000_000.0)
DAY = 86_400.0


@pytest.fixture
def three(store: Store, tiny_config: TrainConfig) -> list[Run]:
    """Three waiting runs, the first one first."""
    return [store.create(tiny_config, device="cpu") for _ in range(3)]


def numbers(runs: list[Run]) -> list[int]:
    return [run.number for run in runs]


def lie_in_the_bin_since(store: Store, run: Run, days: float) -> None:
    store.bin([run.id])
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET binned = :when WHERE id = :id"), {"when": time.time() - days * DAY, "id": run.id})
    engine.dispose()


# ---- tags and archive ----


def test_tags_are_given_and_taken_without_a_word_about_the_others(store: Store, three: list[Run]) -> None:
    one, two, three_ = (run.id for run in three)
    store.tag([one, two], add=["lunch", "slow"])
    store.tag([two, three_], add=["lunch", "größer"], remove=["slow"])
    assert [store.get(each).tags for each in (one, two, three_)] == [("lunch", "slow"), ("lunch", "größer"), ("lunch", "größer")]


def test_a_tag_is_one_printable_line_without_what_separates_tags() -> None:
    assert clean_tag('  for\nthe "talk", ') == "for the talk"
    assert len(clean_tag("x" * 99)) == 32
    with pytest.raises(StoreError, match="at least one letter"):
        clean_tag(' ",\n')


def test_an_archived_run_is_out_of_the_way_and_still_found(store: Store, three: list[Run]) -> None:
    store.archive([three[1].id])
    since = store.get(three[1].id).archived
    assert since
    assert numbers(store.runs(archived=False)) == [3, 1]
    assert numbers(store.runs()) == [3, 2, 1]
    assert store.find("2").id == three[1].id
    store.archive([run.id for run in three])
    assert store.get(three[1].id).archived == since  # it was archived then, not now
    store.unarchive([run.id for run in three])
    assert numbers(store.runs(archived=False)) == [3, 2, 1]


def test_the_best_run_is_none_that_was_put_aside(store: Store, three: list[Run]) -> None:
    for run, accuracy in zip(three, (0.8, 0.9, 0.7), strict=True):
        store.claim("cpu", ME, run.id)
        store.end(run.id, Status.FINISHED, accuracy=accuracy, loss=1.0)
    store.archive([three[1].id])
    assert store.find("best").number == 1
    assert store.find("latest").number == 3


# ---- the bin ----


def test_what_is_in_the_bin_is_gone_everywhere_and_comes_back_as_it_was(store: Store, three: list[Run]) -> None:
    one, two, _ = three
    assert set(store.bin([one.id, two.id])) == {one.id, two.id}
    assert store.bin([one.id, two.id]) == []
    assert (numbers(store.runs()), numbers(store.queue())) == ([3], [3])
    assert {run.id for run in store.binned()} == {one.id, two.id}
    assert store.get(one.id).binned == store.get(two.id).binned is not None
    for word in ("1", one.id):
        with pytest.raises(StoreError, match="is in the bin"):
            store.find(word)
    store.restore([one.id, two.id])
    assert store.get(one.id) == one
    assert numbers(store.queue()) == [1, 2, 3]
    assert store.binned() == []


def test_nobody_trains_what_is_in_the_bin(store: Store, three: list[Run]) -> None:
    store.bin([three[0].id])
    assert store.claim("cpu", ME, three[0].id) is None
    claimed = store.claim("cpu", ME)
    assert claimed
    assert claimed.number == 2
    store.end(claimed.id, Status.STOPPED)
    store.bin([claimed.id])
    with pytest.raises(StoreError, match="is in the bin"):
        store.resume(claimed.id)


def test_what_is_being_trained_stays_out_of_the_bin(store: Store, three: list[Run]) -> None:
    store.claim("cpu", ME, three[0].id)
    assert store.bin([run.id for run in three[:2]]) == [three[1].id]
    assert store.get(three[0].id).binned is None


def test_the_last_deletion_can_be_undone_for_a_day(store: Store, three: list[Run]) -> None:
    one, two, three_ = three
    store.bin([one.id])
    store.bin([two.id, three_.id])
    assert {run.number for run in last_deletion(store.binned())} == {2, 3}
    store.restore([two.id, three_.id])
    assert numbers(last_deletion(store.binned())) == [1]  # the deletion before it, now that this one is undone
    lie_in_the_bin_since(store, one, 1.1)
    assert last_deletion(store.binned()) == []
    assert last_deletion([]) == []


def test_the_bin_is_cleared_of_what_lies_there_for_more_than_thirty_days(store: Store, three: list[Run]) -> None:
    old, young, kept = three
    for run in three:
        folder(run).mkdir(parents=True)
        (folder(run) / "worker.log").write_text("nothing happened")
    lie_in_the_bin_since(store, old, 30.1)
    lie_in_the_bin_since(store, young, 29.9)
    clear(store)
    assert numbers(store.binned()) == [young.number]
    assert [folder(run).exists() for run in three] == [False, True, True]
    assert numbers(store.runs()) == [kept.number]
    with pytest.raises(StoreError, match="There is no run"):
        store.get(old.id)


# ---- figures ----


def test_the_best_epoch_is_the_first_with_the_highest_accuracy(store: Store, three: list[Run]) -> None:
    for run, accuracies in zip(three, ([0.7, 0.9, 0.9, 0.8], [0.5], []), strict=True):
        store.claim("cpu", ME, run.id)
        for epoch, accuracy in enumerate(accuracies, 1):
            point = Checkpoint(8 * epoch, epoch, f"{epoch}.safetensors", "a" * 64, None, None)
            store.commit(run.id, point, Epoch(epoch, 8 * epoch, 4.0 * epoch, 0.4, 0.9, 0.5, accuracy, 1e-3, 130.0))
    best, last = store.best_epochs(), store.last_epochs()
    assert {run: (each.epoch, each.accuracy) for run, each in best.items()} == {three[0].id: (2, 0.9), three[1].id: (1, 0.5)}
    assert {run: (each.epoch, each.accuracy) for run, each in last.items()} == {three[0].id: (4, 0.8), three[1].id: (1, 0.5)}
