"""Killed, and refused, at every single operation on the disk: what is found afterwards is the old state or the new one, never a third.

In the manner of SQLite's own tests (https://sqlite.org/testing.html): the first operation, the second, the third... until one is beyond the
end. `tests/faults/disk.py` tells the operations, SQLite's own among them; every case is a process of its own.
"""

import errno
import itertools
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fmnist.run import Run, Status, folder
from tests.faults.conftest import Tally
from tests.faults.oracle import check_is_whole, contents, epochs, opened, result, said
from tests.faults.warm import Plan, Warm

CONFIG = {"network": "linear", "epochs": 2, "batch_size": 250, "train_size": 600, "validation_size": 100, "precision": "float32"}
COMMIT = "epoch-0002"  # the first file of the commit of the second epoch is that of its history
GO_ON_EVERY = 4  # cases, in the short tier, from which the training is brought to its end; the others are looked at
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE, errno.EACCES)


class Rewindable:
    """A home that is brought back to how it was once."""

    def __init__(self, home: Path, kept: Path) -> None:
        self.home, self._kept = home, kept

    def keep(self) -> None:
        """This is how it shall be."""
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.home / "runs", self._kept)

    def again(self) -> Path:
        """The home, as it was."""
        shutil.rmtree(self.home / "runs")
        shutil.copytree(self._kept, self.home / "runs")
        return self.home


@pytest.fixture
def waiting(home: Path, warm: Warm) -> str:
    """The id of a run that waits."""
    return warm.live("create", home, config=CONFIG, token="first").answer


@pytest.fixture
def homes(home: Path, tmp_path: Path, waiting: str) -> Rewindable:
    """A home in which one run waits."""
    homes = Rewindable(home, tmp_path / "kept")
    homes.keep()
    return homes


class Undisturbed:
    """The training as it is when nothing happens."""

    def __init__(self, homes: Rewindable, warm: Warm, run_id: str) -> None:
        home = homes.again()
        assert warm.live("work", home).error is None
        with opened(home) as store:
            self.run = store.get(run_id)
            self.epochs, self.result, self.said = epochs(store, self.run), result(store, self.run), said(store, self.run)
        assert self.run.status == Status.FINISHED


@pytest.fixture
def undisturbed(homes: Rewindable, warm: Warm, waiting: str) -> Undisturbed:
    return Undisturbed(homes, warm, waiting)


def check_whole(home: Path, undisturbed: Undisturbed) -> None:
    """Nothing of the run is lost or damaged."""
    with opened(home) as store:
        check_is_whole(store, undisturbed.run, undisturbed.epochs, finished=1)


def check_and_go_on(home: Path, warm: Warm, undisturbed: Undisturbed, *, with_history: bool = True) -> None:
    """The run is whole; from there it comes to the result that it would have had."""
    check_whole(home, undisturbed)
    with opened(home) as store:
        if store.get(undisturbed.run.id).status in (Status.PAUSED, Status.FAILED):
            store.resume(undisturbed.run.id)
    life = warm.live("recover", home)
    with opened(home) as store:
        now = store.get(undisturbed.run.id)
        assert now.status == Status.FINISHED, (life, now.message)
        assert result(store, now) == undisturbed.result
        assert not with_history or said(store, now) == undisturbed.said
    left = [path.name for path in (folder(now) / "checkpoints").iterdir() if path.name.endswith(".tmp")]
    assert not left, f"left behind: {left}"


@pytest.mark.timeout(0)
def test_killed_at_any_operation_of_the_last_epochs_commit_a_training_ends_as_if_nothing_had_been(
    homes: Rewindable, warm: Warm, undisturbed: Undisturbed, size: Callable[[int, int], int], tally: Tally
):
    for at in itertools.count(1):
        home = homes.again()
        if not warm.live("work", home, Plan(after=COMMIT, at=at)).killed:
            break
        tally.note(kills=at)
        if at % size(GO_ON_EVERY, 1):
            check_whole(home, undisturbed)
        else:
            check_and_go_on(home, warm, undisturbed)
    assert at > 80, "the commit of an epoch and the end of the run have more operations than that"


@pytest.mark.timeout(0)
def test_killed_twice_in_the_commit_and_in_the_recovery_from_that(
    homes: Rewindable, warm: Warm, undisturbed: Undisturbed, size: Callable[[int, int], int], tally: Tally
):
    """Pairs of operations at random: a recovery has some 290 of its own, among them the rollback of a journal that was left behind."""
    chance, twice = random.Random(0), 0
    pairs = size(12, 600)
    for pair in range(1, pairs + 1):
        home = homes.again()
        warm.live("work", home, Plan(after=COMMIT, at=chance.randint(1, 132)))
        twice += warm.live("recover", home, Plan(at=chance.randint(1, 290))).killed
        check_and_go_on(home, warm, undisturbed)
        tally.note(pairs=pair, killed_twice=twice)
    assert twice > pairs / 2


# ---- errors ------------------------------------------------------------------------------------------------------------------------


def refusals(size: Callable[[int, int], int], operations: int) -> Iterator[tuple[int, int, bool]]:
    """(operation, errno, forever): all of them in the long tier; in the short one each operation once, with one error after the other."""
    every = list(itertools.product(ERRORS, (False, True)))
    for at in range(1, operations + 1):
        for error, forever in every if size(0, 1) else [every[at % len(every)]]:
            yield at, error, forever


@pytest.mark.timeout(0)
def test_refused_at_any_operation_of_an_epochs_commit_the_run_says_so_and_goes_on_as_if_nothing_had_been(
    homes: Rewindable, warm: Warm, undisturbed: Undisturbed, size: Callable[[int, int], int], tally: Tally
):
    """A run that cannot even write that it is paused stays "running" with a dead process, until a supervisor finds it."""
    home = homes.again()
    operations = warm.live("work", home, Plan(after=COMMIT)).operations
    for number, (at, error, forever) in enumerate(refusals(size, operations), 1):
        tally.note(operations=operations, refusals=number)
        home = homes.again()
        life = warm.live("work", home, Plan(after=COMMIT, at=at, refuse=error, forever=forever))
        what = f"operation {at}, {errno.errorcode[error]}, {'forever' if forever else 'once'}: {life}"
        assert not life.killed, what
        with opened(home) as store:
            check_ended_in_words(store.get(undisturbed.run.id), what)
        if at % size(GO_ON_EVERY, 1):
            check_whole(home, undisturbed)
        else:
            check_and_go_on(home, warm, undisturbed, with_history=False)  # the history is a cache: a refused file costs that epoch's


@pytest.mark.timeout(0)
def test_refused_at_any_operation_of_the_recovery_from_a_crash_the_run_waits_for_the_next_one(
    homes: Rewindable, warm: Warm, undisturbed: Undisturbed, size: Callable[[int, int], int], tally: Tally
):
    """Killed in the middle of a commit, and whoever finds that is refused: a supervisor says so and looks again, a worker keeps the run."""
    home = homes.again()
    warm.live("work", home, Plan(after=COMMIT, at=66))
    homes.keep()
    operations, every = warm.live("recover", home).operations, size(12, 1)
    for number, at in enumerate(range(1, operations + 1, every), 1):
        tally.note(operations=operations, refusals=number)
        home, error = homes.again(), ERRORS[at % len(ERRORS)]
        life = warm.live("recover", home, Plan(at=at, refuse=error, forever=number % 2 == 0))
        what = f"operation {at}, {errno.errorcode[error]}: {life}"
        assert not life.killed, what
        with opened(home) as store:
            check_ended_in_words(store.get(undisturbed.run.id), what)
        check_and_go_on(home, warm, undisturbed, with_history=False)


def check_ended_in_words(run: Run, what: str) -> None:
    """The run is in a state that a person understands, and nothing in its log looks like a bug."""
    expected = (Status.PAUSED, Status.RUNNING, Status.QUEUED, Status.FINISHED)
    assert run.status in expected, f"{run.status}: {run.message}; {what}"
    if run.status == Status.PAUSED:
        assert run.message, what
        assert run.message.endswith((".", ".)")), what
        assert "esume" in run.message, f"{run.message}; {what}"
    assert "Traceback" not in (folder(run) / "worker.log").read_text(), what


# ---- what else is written ----------------------------------------------------------------------------------------------------------


class Deed:
    """Something that is done to the runs of a home: how the home is before, and what is done."""

    def __init__(self, name: str, before: list[tuple[str, dict[str, Any]]], **arguments: Any) -> None:
        self.name, self.before, self.arguments = name, before, arguments


def deed(name: str, run_id: str) -> Deed:
    return {
        "create": Deed("create", [], config=CONFIG, token="second"),
        "claim": Deed("claim", []),
        "stop": Deed("stop", [], run_id=run_id),
        "remove": Deed("remove", [("work", {})], run_id=run_id),
        "requeue": Deed("requeue", [("claim", {})]),
    }[name]


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ["create", "claim", "stop", "remove", "requeue"])
def test_whatever_is_written_is_there_as_a_whole_or_not_at_all(
    name: str, home: Path, homes: Rewindable, warm: Warm, waiting: str, size: Callable[[int, int], int], tally: Tally
):
    """Killed and refused at each operation; then done once more, which gives what it gives when nothing happens."""
    what = deed(name, waiting)
    for before, arguments in what.before:
        assert warm.live(before, home, None, **arguments).error is None
    homes.keep()
    old, life = contents(home), warm.live(name, home, None, **what.arguments)
    assert life.error is None
    new = contents(home)
    assert new != old
    kills = [Plan(at=at) for at in range(1, life.operations + 1)]
    errors = [Plan(at=at, refuse=error, forever=forever) for at, error, forever in refusals(size, life.operations)]
    tally.note(operations=life.operations, kills=len(kills), refusals=len(errors))
    for plan in kills + errors:
        homes.again()
        hit = warm.live(name, home, plan, **what.arguments)
        assert hit.killed == (plan.refuse is None), plan
        if hit.error:
            assert re.match("StoreError: The (run|disk) .*[.]$", hit.error), hit.error
        now = contents(home)
        assert now in (old, new), plan
        if now == old:
            check_old_files(name, home, waiting)
            assert warm.live(name, home, None, **what.arguments).error is None
        assert contents(home) == new, plan
        with opened(home) as store:
            assert not [run.damage for run in store.runs() if run.damage], plan


def check_old_files(name: str, home: Path, run_id: str) -> None:
    """A run that is not removed has all its files."""
    if name == "remove":
        with opened(home) as store:
            run = store.get(run_id)
            check_is_whole(store, run, epochs(store, run), finished=2)
