"""Whatever a person, a crash or a disk does to a studio, in any order: the store says what a model of it says, and every page opens.

Hypothesis chooses the steps. The trainings are real and tiny, the killed ones are processes of their own, the full disk is one.
"""

import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import streamlit as st
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from streamlit.testing.v1 import AppTest

from fmnist import checkpoint, data, runner
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.errors import FmnistError, StoreError
from fmnist.handover import arrival
from fmnist.liveness import this_process
from fmnist.run import Request, Run, Status, clean_name, clean_tag, folder
from fmnist.store import Store
from tests.faults.test_imports import sealed
from ui import state

MAIN = Path(__file__).parents[2] / "ui" / "main.py"
TINY = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=400, validation_size=100, device="cpu", precision="float32")
PAGES = ("overview", "train", "runs", "a run", "bin", "compare", "evaluate", "sweep", "try_it", "explore")
DISK = "200m"
EACH_TIME = 1  # pages that are opened after a step; all of them in the long tier
NAMES = some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=90)
ASKED: list[Request | str | None] = [None, None, *Request, "kill"]
CHANGES = ("config = '{broken'", "accuracy = 'high', status = 'exploded'", "note = x'ff', seconds = 'long'")
ENDED = (Status.STOPPED, Status.CANCELLED, Status.FINISHED, Status.FAILED, Status.DIVERGED)


@dataclass
class Known:
    """What must be true of a run."""

    name: str
    status: Status = Status.QUEUED
    tags: list[str] = field(default_factory=list)
    archived: bool = False
    binned: bool = False
    damaged: bool = False  # its line in the database
    torn: bool = False  # a file of its checkpoints
    imported: bool = False
    saved: bool = False  # has a checkpoint


def _possible(known: Known, asked: Request | str | None) -> set[Status]:
    """How a training may end."""
    found = {Status.FINISHED}
    if isinstance(asked, Request):
        found |= {{Request.PAUSE: Status.PAUSED, Request.STOP: Status.STOPPED, Request.CANCEL: Status.CANCELLED}[asked]}
    if asked == "kill":
        found |= {Status.QUEUED}
    if known.torn:  # perhaps nothing of it can be read any more
        found |= {Status.FAILED}
    return found


class Studio(RuleBasedStateMachine):
    """One home; every rule does one thing to it and to the model."""

    base = Path()  # where homes are made
    pages_at_once = EACH_TIME
    done: ClassVar[Counter[str]] = Counter()  # pages that were opened, and how trainings ended

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.home = Path(tempfile.mkdtemp(dir=self.base))
        self.is_disk = _mount(self.home)
        (self.home / "data").symlink_to(data.locate().parent)
        self.patch.setenv("FMNIST_HOME", str(self.home))
        self.patch.delenv("FMNIST_DB", raising=False)
        state.store.clear()
        st.cache_data.clear()
        state.dataset_preparation().wait(300)
        self.store = state.store()
        self.test: Split = state.dataset().test.take(torch.arange(100))
        self.known: dict[str, Known] = {}
        self.chance = random.Random(0)
        self.visitor = AppTest.from_file(str(MAIN), default_timeout=300).run()
        self.complaints = _Complaints()
        logging.getLogger().addHandler(self.complaints)

    def teardown(self) -> None:
        logging.getLogger().removeHandler(self.complaints)
        self.store.close()
        state.store.clear()
        self.patch.undo()
        if self.is_disk:
            subprocess.run(["umount", "--lazy", self.home], check=True)
        shutil.rmtree(self.home)

    # ---- who is there --------------------------------------------------------------------------------------------------------------

    def _ids(self, fits: Callable[[Known], bool]) -> list[str]:
        return [run_id for run_id, known in self.known.items() if fits(known)]

    def _pick(self, chosen: int, fits: Callable[[Known], bool]) -> str | None:
        """One of the runs that fit; the rule does nothing where none does."""
        found = self._ids(fits)
        return found[chosen % len(found)] if found else None

    # ---- what a person does --------------------------------------------------------------------------------------------------------

    @initialize(asked=some.sampled_from(ASKED), at=some.integers(1, 4))
    def begin(self, asked: Request | str | None, at: int) -> None:
        """A studio with something in it: a run that was trained to its end, asked for something or killed, and one that waits."""
        self.create(at)
        self.train(0, asked, at)
        self.create(at)

    @rule(seed=some.integers(0, 15))
    def create(self, seed: int) -> None:
        if len(self.known) < 8:
            run = self.store.create(TINY.model_copy(update={"seed": seed}), device="cpu")
            self.known[run.id] = Known(run.name)

    @rule(
        chosen=some.integers(0, 7),
        asked=some.sampled_from(ASKED),
        at=some.integers(1, 4),
    )
    def train(self, chosen: int, asked: Request | str | None, at: int) -> None:
        """A waiting run, to its end, until somebody asks for something, or until its process is killed."""
        if not (run_id := self._pick(chosen, lambda known: known.status == Status.QUEUED and not known.binned and not known.damaged)):
            return self.create(at)  # for the next time
        known = self.known[run_id]
        claimed = self.store.claim("cpu", this_process(), run_id)
        assert claimed
        if asked == "kill":
            ended = self._killed(claimed, at)
        else:
            ended = runner.train(self.store, claimed, threading.Event(), watch=self._asking(run_id, asked, at))
        known.saved |= bool(self.store.checkpoints(run_id))
        assert ended.status in _possible(known, asked)
        if ended.status == Status.FINISHED:
            assert ended.epoch == TINY.epochs
            assert len(self.store.epochs(run_id)) == TINY.epochs
            assert ended.accuracy is not None
        known.status = ended.status
        self.done[f"{asked}: {ended.status}"] += 1

    def _asking(self, run_id: str, asked: Request | str | None, at: int) -> Callable[[object], None]:
        left = [at]

        def watch(_: object) -> None:
            left[0] -= 1
            if left[0] == 0 and isinstance(asked, Request):
                self.store.ask(run_id, asked)

        return watch

    def _killed(self, claimed: Run, at: int) -> Run:
        """A process of its own trains, and is killed by SIGKILL after so many steps; what is left is found by whoever looks."""
        self.store.close()  # no connection is shared with a child
        child = os.fork()
        if child == 0:
            left = [at]

            def watch(_: object) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                runner.train(Store(), claimed, threading.Event(), watch=watch)
            finally:
                os._exit(0)
        give_up = time.monotonic() + 120
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)
        if self.store.get(claimed.id).status == Status.RUNNING:
            self.store.requeue_crashed(claimed.id, claimed.process)
        return self.store.get(claimed.id)

    @rule(chosen=some.integers(0, 7))
    def resume(self, chosen: int) -> None:
        open_ = (Status.PAUSED, Status.STOPPED, Status.CANCELLED, Status.FAILED)
        if run_id := self._pick(
            chosen, lambda known: known.status in open_ and not known.binned and not known.imported and not known.damaged
        ):
            self.store.resume(run_id)
            self.known[run_id].status = Status.QUEUED

    @rule(chosen=some.integers(0, 7), asked=some.sampled_from(list(Request)))
    def ask_of_a_waiting_run(self, chosen: int, asked: Request) -> None:
        if run_id := self._pick(chosen, lambda known: known.status == Status.QUEUED):
            known = self.known[run_id]
            self.store.ask(run_id, asked)
            kept = Status.STOPPED if known.saved else Status.CANCELLED
            known.status = {Request.PAUSE: Status.PAUSED, Request.STOP: kept, Request.CANCEL: Status.CANCELLED}[asked]

    @rule(chosen=some.integers(0, 7), name=NAMES)
    def rename(self, chosen: int, name: str) -> None:
        if not (run_id := self._pick(chosen, lambda known: True)):
            return
        try:
            self.store.rename(run_id, name)
        except StoreError:
            assert not any(letter.isprintable() and not letter.isspace() for letter in name)
        else:
            self.known[run_id].name = clean_name(name)

    @rule(chosen=some.integers(0, 7), word=some.sampled_from(["lunch", "<b>x</b>", "![a](b)", "überlang" * 9]))
    def tag(self, chosen: int, word: str) -> None:
        if run_id := self._pick(chosen, lambda known: True):
            self.store.tag([run_id], add=[word])
            self.known[run_id].tags = list(dict.fromkeys([*self.known[run_id].tags, clean_tag(word)]))

    @rule(chosen=some.integers(0, 7))
    def archive(self, chosen: int) -> None:
        if run_id := self._pick(chosen, lambda known: not known.binned):
            known = self.known[run_id]
            (self.store.unarchive if known.archived else self.store.archive)([run_id])
            known.archived = not known.archived

    @rule(chosen=some.integers(0, 7))
    def delete(self, chosen: int) -> None:
        if run_id := self._pick(chosen, lambda known: not known.binned):
            assert self.store.bin([run_id]) == [run_id]
            self.known[run_id].binned = True

    @rule(chosen=some.integers(0, 7))
    def restore(self, chosen: int) -> None:
        if run_id := self._pick(chosen, lambda known: known.binned):
            self.store.restore([run_id])
            self.known[run_id].binned = False

    @rule(chosen=some.integers(0, 7))
    def delete_for_good(self, chosen: int) -> None:
        if run_id := self._pick(chosen, lambda known: known.binned):
            checkpoint.remove_run(self.store, run_id)
            assert not folder(run_id).exists()
            del self.known[run_id]

    @rule(seed=some.integers(0, 1), good=some.booleans())
    def take_in(self, seed: int, good: bool) -> None:
        content = sealed({"name": f"theirs {seed}", "config": {**TINY.model_dump(), "seed": seed}})
        try:
            arrived = arrival.take_in(self.store, content if good else content[:-3], "theirs.safetensors", self.test)
        except FmnistError:
            assert not good
            return
        assert good
        assert arrived.known == (arrived.run.id in self.known)
        if not arrived.known:
            tags = {"tags": list(arrived.run.tags), "imported": True, "saved": True}
            self.known[arrived.run.id] = Known(f"theirs {seed}", Status.FINISHED, **tags)  # type: ignore[arg-type]

    # ---- what a disk does ----------------------------------------------------------------------------------------------------------

    @rule(chosen=some.integers(0, 7), what=some.sampled_from(["checkpoints", "history", "evaluation"]), seed=some.integers(0, 1_000))
    def damage_a_file(self, chosen: int, what: str, seed: int) -> None:
        if not (run_id := self._pick(chosen, lambda known: known.saved)):
            return
        files = sorted(path for path in (folder(run_id) / what).glob("*.safetensors") if path.is_file())
        if not files:
            return
        path, chance = files[seed % len(files)], random.Random(seed)
        content, way = path.read_bytes(), chance.randrange(4)
        path.unlink()
        if way == 0:
            path.write_bytes(content[: chance.randrange(len(content) + 1)])
        elif way == 1:
            path.write_bytes(chance.randbytes(len(content)))
        elif way == 2:
            os.mkfifo(path)
        self.known[run_id].torn |= what == "checkpoints"

    @rule(
        chosen=some.integers(0, 7),
        change=some.sampled_from(["config = '{broken'", "accuracy = 'high', status = 'exploded'", "note = x'ff', seconds = 'long'"]),
    )
    def damage_a_line(self, chosen: int, change: str) -> None:
        """Of a run that has ended, so that nobody waits for it."""
        if not (run_id := self._pick(chosen, lambda known: known.status in ENDED and not known.damaged)):
            return
        with sqlite3.connect(self.home / "runs" / "studio.db", timeout=30) as connection:
            connection.execute(f"UPDATE runs SET {change} WHERE id = ?", (run_id,))
        connection.close()
        self.known[run_id].damaged = True

    @precondition(lambda self: self.is_disk)
    @rule(seed=some.integers(0, 5))
    def fill_the_disk(self, seed: int) -> None:
        """Nothing new can be kept, and what is there stays readable; then somebody makes room."""
        filler = self.home / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        with suppress(StoreError):  # the last bytes of the disk may be enough for a line
            run = self.store.create(TINY.model_copy(update={"seed": seed}), device="cpu")
            self.known[run.id] = Known(run.name)
        self.the_store_says_what_the_model_says()
        self._open(self.chance.choice(PAGES))
        filler.unlink()

    # ---- what must hold ------------------------------------------------------------------------------------------------------------

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        there = {run.id: run for run in (*self.store.runs(), *self.store.binned())}
        assert there.keys() == self.known.keys() == self.store.ids()
        for run_id, known in self.known.items():
            run = there[run_id]
            assert bool(run.damage) == known.damaged, run.damage
            assert (run.archived is not None, run.binned is not None) == (known.archived, known.binned)
            if not known.damaged:
                assert (run.name, run.status, list(run.tags)) == (known.name, known.status, known.tags)
        missing = {run_id for run_id, known in self.known.items() if known.saved and not folder(run_id).exists()}
        assert not missing

    @invariant()
    def pages_open(self) -> None:
        pages = PAGES if self.pages_at_once == len(PAGES) else self.chance.sample(PAGES, self.pages_at_once)
        for page in pages:
            self._open(page)

    def _open(self, page: str) -> None:
        """A visitor goes to a page, whose address names some of the runs that there are."""
        ids = list(self.known) or ["0" * 32]
        address = {
            "a run": {"run": self.chance.choice(ids)},
            "bin": {"bin": ""},
            "compare": {"runs": ",".join(ids[:3])},
            "evaluate": {"model": self.chance.choice([*ids, "bundled"])},
        }.get(page, {})
        self.visitor.query_params.clear()
        self.visitor.switch_page(f"../pages/{ {'a run': 'runs', 'bin': 'runs'}.get(page, page) }.py")
        for key, value in address.items():
            self.visitor.query_params[key] = value
        self.visitor.run()
        self.done[page] += 1
        assert not self.visitor.exception, (page, address, [each.value for each in self.visitor.exception])
        assert not self.complaints.found, (page, address, self.complaints.found)


class _Complaints(logging.Handler):
    """Tracebacks in the log: what a page shows as a friendly card is a bug all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


def _mount(path: Path) -> bool:
    """Make a folder a small disk of its own; only root can."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return False
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", path], capture_output=True).returncode == 0


@pytest.mark.timeout(0)
def test_in_any_order_the_store_is_what_the_model_says_and_every_page_opens(
    size: Callable[[int, int], int], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    Studio.base = tmp_path  # which outlives a home: a page's evaluation may be kept a moment after it has gone
    long = bool(request.config.getoption("--torture"))
    Studio.pages_at_once, Studio.done = len(PAGES) if long else EACH_TIME, Counter()
    steps = 50
    run_state_machine_as_test(
        Studio,
        settings=settings(
            max_examples=size(6, 100),
            stateful_step_count=steps,
            deadline=None,
            derandomize=not long,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    print(dict(Studio.done))  # noqa: T201 - pytest shows it with -rP
    assert all(Studio.done[page] for page in PAGES)
    assert Studio.done["None: finished"]
    assert Studio.done["kill: queued"]
