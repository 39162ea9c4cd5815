"""The run store under several real processes, kill -9 and a full disk, on SQLite and on PostgreSQL.

Every child is a Python process of its own; what it has printed is what the store has acknowledged, and the judge is that list.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from fmnist.config import TrainConfig
from fmnist.events import Step
from fmnist.run import Process, Run
from fmnist.store import Store

PATIENCE = 120  # seconds for everything that a group of processes does

OPEN = """
import os, sys
from fmnist.config import TrainConfig
from fmnist.errors import StoreError
from fmnist.events import Step
from fmnist.run import Process, Status
from fmnist.store import Store
me = Process(os.getpid(), 1.0)
print("ready", flush=True)
sys.stdin.readline()
store = Store()
"""
CLAIM_ALL = """
while run := store.claim("cpu", me):
    print(run.number, flush=True)
"""
CREATE_150 = """
for _ in range(150):
    print(store.create(TrainConfig(), device="cpu").number, flush=True)
"""
CREATE_FOR_ONE_CLICK = """
print(store.create(TrainConfig(), device="cpu", token="click").number, flush=True)
"""
RESTART_30_TIMES = """
done = 0
while done < 30:
    if run := store.claim("cpu", me):
        store.end(run.id, Status.QUEUED)
        done += 1
"""
MOVE_60_TIMES = """
for _ in range(20):
    for run in store.queue()[::3]:
        store.move(run.id, -2)
"""
RECORD_FOR_EVER = """
run, step = sys.argv[1], int(sys.argv[2])
try:
    while True:
        step += 1
        store.record(run, [Step(step, step / 8, step * 0.5, 1.0, 0.001, 100.0)])
        print(step, flush=True)
except StoreError as error:
    print(error, flush=True)
"""
FILL_THE_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))  # no file may grow beyond
"""
READ_AGAIN = """
print(len(Store().steps(run)))
"""


def begin(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that imports the store and waits for `release` before it opens it."""
    return subprocess.Popen([sys.executable, "-c", OPEN + code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def release(*children: subprocess.Popen[str]) -> None:
    """Set processes off at the same moment."""
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()


def together(code: str, count: int) -> list[list[int]]:
    """What each of several processes printed."""
    children = [begin(code) for _ in range(count)]
    release(*children)
    printed = [child.communicate(timeout=PATIENCE)[0] for child in children]
    assert [child.returncode for child in children] == [0] * count
    return [[int(line) for line in text.split()] for text in printed]


def forget_tables(store: Store) -> None:
    """An empty database: as on the very first start."""
    engine, tables = sa.create_engine(store.url), sa.MetaData()
    tables.reflect(engine)
    assert tables.tables
    tables.drop_all(engine)
    engine.dispose()


def running(store: Store) -> Run:
    store.create(TrainConfig(), device="cpu")
    run = store.claim("cpu", Process(os.getpid(), 1.0))
    assert run
    return run


def test_eight_processes_claim_300_jobs_each_exactly_once(store: Store) -> None:
    for _ in range(300):
        store.create(TrainConfig(), device="cpu")
    claimed = together(CLAIM_ALL, 8)
    assert sorted(number for numbers in claimed for number in numbers) == list(range(1, 301))
    assert all(numbers == sorted(numbers) for numbers in claimed)
    assert sum(1 for numbers in claimed if numbers) > 1, "one process did everything: nothing was tested"
    assert store.queue() == []


def test_four_processes_number_600_runs_without_a_gap_or_a_twin(store: Store) -> None:
    created = together(CREATE_150, 4)
    assert sorted(number for numbers in created for number in numbers) == list(range(1, 601))
    assert len({run.position for run in store.queue()}) == 600


def test_120_restarts_by_four_processes_are_counted_120_times(store: Store) -> None:
    run = store.create(TrainConfig(), device="cpu")
    together(RESTART_30_TIMES, 4)
    assert store.get(run.id).restarts == 120


def test_runs_that_three_processes_move_at_once_keep_a_place_each(store: Store) -> None:
    runs = [store.create(TrainConfig(), device="cpu") for _ in range(7)]
    together(MOVE_60_TIMES, 3)
    assert sorted(run.number for run in store.queue()) == [run.number for run in runs]
    assert sorted(run.position for run in store.queue()) == [run.position for run in runs]


def test_one_click_that_arrives_at_eight_processes_with_a_new_database_makes_one_run(store: Store) -> None:
    forget_tables(store)
    assert together(CREATE_FOR_ONE_CLICK, 8) == [[1]] * 8
    assert len(store.runs()) == 1


def test_a_writer_killed_at_any_moment_loses_nothing_that_was_acknowledged(store: Store) -> None:
    run, chance = running(store), random.Random(0)
    for _ in range(6):
        start = store.get(run.id).step
        writer = begin(RECORD_FOR_EVER, run.id, str(start))
        acknowledged = _kill_while_it_writes(writer, chance)
        steps = [point.step for point in store.steps(run.id)]
        assert acknowledged > start
        assert steps == list(range(1, len(steps) + 1)), "a gap, or a twin"
        assert len(steps) in (acknowledged, acknowledged + 1), "the last one may have been written and not yet said"
        assert store.get(run.id).step == len(steps), "half of a transaction"
    _check_integrity(store)


def _kill_while_it_writes(writer: subprocess.Popen[str], chance: random.Random) -> int:
    """Kill -9 after some acknowledgements, at a random instant of the next writes; returns the last acknowledged step."""
    release(writer)
    assert writer.stdout
    said = "".join(writer.stdout.readline() for _ in range(chance.randint(3, 20)))
    time.sleep(chance.uniform(0, 0.02))
    writer.send_signal(signal.SIGKILL)
    with writer:
        said += writer.stdout.read()
    assert writer.returncode == -signal.SIGKILL
    return int(said.rpartition("\n")[0].split()[-1])  # a line without its end was not said


def _check_integrity(store: Store) -> None:
    if store.url.startswith("sqlite"):
        with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_a_full_disk_is_a_sentence_loses_nothing_and_leaves_the_history_readable(home: Path) -> None:
    store = Store()
    run, file = running(store), home / "runs" / "studio.db"
    writer = begin(FILL_THE_DISK.format(limit=file.stat().st_size + 20_000) + RECORD_FOR_EVER + READ_AGAIN, run.id, "0")
    release(writer)
    said = writer.communicate(timeout=PATIENCE)[0].splitlines()
    *acknowledged, complaint, still_readable = said
    assert "Check that the disk has space" in complaint
    assert len(acknowledged) > 100
    assert [point.step for point in store.steps(run.id)] == [int(step) for step in acknowledged] == list(range(1, int(still_readable) + 1))
    store.record(run.id, [Step(9999, 1.0, 1.0, 1.0, 0.1, 1.0)])  # there is space again
    _check_integrity(store)
    store.close()
