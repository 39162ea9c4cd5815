"""A process that has PyTorch loaded and the images read, and lives each case of a fault in a child of its own: a case costs the fork,
not the import. `Warm` is its handle; `python -m tests.faults.warm` is the process, which reads a line for each case and for its end.

A case is what a process of the studio does (`DEEDS`), and what befalls it at one operation on its disk (`Plan`).
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Plan:
    """What happens at an operation; nothing, by default."""

    after: str = ""  # operations count from the first one whose path has this in it
    until: str = ""  # and no more from the one whose path has this in it
    at: int = 0  # 1 = the first that counts; 0 = never
    refuse: int | None = None  # the errno to refuse it with; None: kill -9 before it is done
    forever: bool = False  # every later one is refused, too
    trace: str | None = None  # a file for all operations, a line of JSON each


@dataclass(frozen=True)
class Life:
    """How a case ended."""

    killed: bool
    struck: bool  # the planned operation came
    operations: int
    answer: Any  # what the deed returned
    error: str | None


class Warm:
    """A warm process; every case in it begins with the same memory."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def live(self, deed: str, home: Path, plan: Plan | None = None, **arguments: Any) -> Life:
        """Do a deed in a process of its own, on a home.

        Raises:
            AssertionError: it ended with an error that is none of the studio's.
        """
        return self.end(self.begin(deed, home, plan, **arguments))

    def begin(self, deed: str, home: Path, plan: Plan | None = None, **arguments: Any) -> int:
        """Begin a deed in a process of its own; its pid. `end` must follow, whatever befalls it."""
        return self._asked({"deed": deed, "home": str(home), "plan": asdict(plan or Plan()), "arguments": arguments})

    def end(self, pid: int) -> Life:
        """Wait for what was begun."""
        return Life(**self._asked({"end": pid}))

    def _asked(self, case: dict[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(case), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(300)
        assert self._process.stdout
        self._process.stdout.close()


# ---- what a process of the studio does ---------------------------------------------------------------------------------------------


def _create(config: dict[str, Any], token: str) -> str:
    from fmnist.config import TrainConfig
    from fmnist.store import Store

    return Store().create(TrainConfig(**config), device="cpu", token=token).id


def _claim() -> str | None:
    from fmnist.liveness import this_process
    from fmnist.store import Store

    run = Store().claim("cpu", this_process())
    return run.id if run else None


def _stop(run_id: str) -> str:
    from fmnist.run import Request
    from fmnist.store import Store

    return Store().ask(run_id, Request.STOP).status


def _remove(run_id: str) -> None:
    from fmnist.checkpoint import remove_run
    from fmnist.store import Store

    remove_run(Store(), run_id)


def _requeue() -> list[str]:
    from fmnist.engines.local import requeue_dead
    from fmnist.store import Store

    return [run.id for run in requeue_dead(Store())]


def _work() -> int:
    from fmnist import worker

    return worker.work("cpu", threading.Event())


def _recover() -> int:
    """What happens after a crash: a supervisor looks, then a worker takes what waits."""
    _requeue()
    return _work()


def _write(path: str, text: str) -> None:
    from fmnist.files import write_bytes
    from fmnist.home import home

    (home() / path).parent.mkdir(exist_ok=True)
    write_bytes(home() / path, text.encode())


DEEDS: dict[str, Callable[..., Any]] = {
    "create": _create,
    "claim": _claim,
    "stop": _stop,
    "remove": _remove,
    "requeue": _requeue,
    "work": _work,
    "recover": _recover,
    "write": _write,
}


# ---- the process -------------------------------------------------------------------------------------------------------------------


class _Fate:
    """Counts operations, and lets the plan happen."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._begun, self._over = plan, not plan.after, False
        self.count, self.struck = 0, False
        self._trace = Path(plan.trace).open("w") if plan.trace else None  # noqa: SIM115 - open as long as the process

    def __call__(self, operation: Any) -> None:
        plan = self._plan
        if self._trace:
            print(json.dumps({**asdict(operation), "content": operation.content.hex()}), file=self._trace, flush=True)
        self._begun = self._begun or plan.after in operation.path
        self._over = self._over or bool(self._begun and plan.until and plan.until in operation.path)
        if not self._begun or (self._over and not (self.struck and plan.forever)) or operation.kind == "unlock":
            return  # unlocking does nothing to the disk
        self.count += 1
        if plan.at and (self.count == plan.at or (plan.forever and self.count > plan.at)):
            self.struck = True
            if plan.refuse is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(plan.refuse, os.strerror(plan.refuse))


def _live(case: dict[str, Any], told: int) -> None:
    """In the child: the deed, with the disk watched."""
    from fmnist.errors import FmnistError
    from tests.faults import disk

    home, fate = Path(case["home"]), _Fate(Plan(**case["plan"]))
    os.environ["FMNIST_HOME"] = str(home)
    answer = error = None
    disk.watch(home, fate)
    try:
        answer = DEEDS[case["deed"]](**case["arguments"])
    except (FmnistError, OSError) as refused:
        error = f"{type(refused).__name__}: {refused}"
    finally:
        os.write(told, json.dumps({"struck": fate.struck, "operations": fate.count, "answer": answer, "error": error}).encode())


def _begin(case: dict[str, Any]) -> tuple[int, int]:
    """A child for a case: its pid, and where it tells how the case ended."""
    hears, tells = os.pipe()
    if (child := os.fork()) == 0:
        try:
            _live(case, tells)
        finally:
            os._exit(0)
    os.close(tells)
    return child, hears


def _end(child: int, hears: int) -> dict[str, Any]:
    """What a child told before it ended."""
    with os.fdopen(hears) as told:
        said = told.read()
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return {"killed": killed, **(json.loads(said) if said else {"struck": killed, "operations": 0, "answer": None, "error": None})}


def main() -> None:
    from fmnist import data, runner, worker  # noqa: F401 - with PyTorch, which every case needs
    from fmnist.config import TrainConfig
    from fmnist.train_state import TrainState

    images = data.load()
    data.load = lambda *_, **__: images  # read and verified once, for all cases
    TrainState(TrainConfig(network="linear"), "cpu", "float32")  # PyTorch imports another half of itself with the first optimizer
    gc.freeze()  # a child that looks through all of this for garbage would copy it: 0.3 s a case instead of 0.08
    begun = dict[int, int]()
    for line in sys.stdin:
        case = json.loads(line)
        if "end" in case:
            answer = _end(case["end"], begun.pop(case["end"]))
        else:
            answer, hears = _begin(case)
            begun[answer] = hears
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
