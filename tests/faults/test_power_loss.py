"""The power is cut at random moments of real trainings, and what was not synced is lost, torn or kept: no finished epoch is lost."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fmnist.run import Run, Status
from fmnist.store import Store
from tests.faults.conftest import Tally
from tests.faults.oracle import check_is_whole, database_of, epochs, opened, result
from tests.faults.power import Disk, lay_out, read_trace
from tests.faults.warm import Plan, Warm

CONFIG = {"network": "linear", "epochs": 3, "batch_size": 250, "train_size": 600, "validation_size": 100, "precision": "float32"}
GO_ON_EVERY = 50  # states from which the training is brought to its end; the others are looked at


def power_cut(home: Path, disk: Disk, after: int, chance: random.Random | None) -> None:
    """Make the home what is left of it."""
    shutil.rmtree(home / "runs", ignore_errors=True)
    lay_out(home, *disk.left(after, chance))


class Seen:
    """What a reader of the living machine has seen: runs, and finished epochs, from the end of their transaction on."""

    def __init__(self, home: Path, disk: Disk, unlocks: list[int], run: Run) -> None:
        self._home, self._disk, self._unlocks, self._run = home, disk, unlocks, run
        self._known: dict[int, int | None] = {}

    def epochs(self, after: int) -> int | None:
        """How many epochs were seen after so many operations; None when there was no run yet."""
        last = max((unlock for unlock in self._unlocks if unlock <= after), default=0)
        if last not in self._known:
            self._known[last] = self._look(last) if last else None
        return self._known[last]

    def _look(self, after: int) -> int | None:
        power_cut(self._home, self._disk, after, None)
        with opened(self._home) as store:
            there = [run.id for run in store.runs()] == [self._run.id]
            return len(store.epochs(self._run.id)) if there else None


@pytest.mark.timeout(0)
def test_after_a_power_loss_every_epoch_that_anybody_saw_finished_is_there(
    home: Path, warm: Warm, tmp_path: Path, size: Callable[[int, int], int], tally: Tally
):
    traces = [tmp_path / "create", tmp_path / "work"]
    run_id = warm.live("create", home, Plan(trace=str(traces[0])), config=CONFIG, token="click").answer
    assert warm.live("work", home, Plan(trace=str(traces[1]))).error is None
    store = Store(database_of(home))
    run = store.get(run_id)
    expected, whole = epochs(store, run), result(store, run)
    store.close()
    assert run.status == Status.FINISHED
    operations = read_trace(*traces)
    disk, chance = Disk(operations), random.Random(0)
    seen = Seen(home, disk, [number for number, operation in enumerate(operations, 1) if operation.kind == "unlock"], run)

    for number in range(size(500, 10_000)):
        after = chance.randint(0, len(operations))
        finished = seen.epochs(after)
        power_cut(home, disk, after, chance)
        if finished is None:
            with opened(home) as fresh:
                assert [each.damage for each in fresh.runs()] in ([], [None])
        else:
            check_is_whole(store, run, expected, finished)
            if number % GO_ON_EVERY == 0:
                life = warm.live("recover", home)
                now = store.get(run_id)
                assert now.status == Status.FINISHED, (life, now.message)
                assert result(store, run) == whole
        store.close()  # the next power cut replaces its files
        tally.note(operations=len(operations), power_cuts=number + 1)


def test_a_file_that_is_written_again_is_the_old_one_or_the_new_one(home: Path, warm: Warm, tmp_path: Path):
    """The power is cut after each operation, many times over; at the end it is the new one."""
    old, new, traces = "old" * 2_000, "new" * 3_000, [tmp_path / "old", tmp_path / "new"]
    for text, trace in zip((old, new), traces, strict=True):
        assert warm.live("write", home, Plan(trace=str(trace)), path="runs/note", text=text).error is None
    first, both = (len(read_trace(*paths)) for paths in (traces[:1], traces))
    disk, chance = Disk(read_trace(*traces)), random.Random(0)
    for after in range(first, both + 1):
        for _ in range(20):
            power_cut(home, disk, after, chance)
            assert (home / "runs" / "note").read_text() in ((new,) if after == both else (old, new))
