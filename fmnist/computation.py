"""A long computation in a process of its own: begun once, watched by everybody, cancelled by anybody, ended with the dashboard.

Its result is one file of `fmnist.cache`. Beside it lie, as long as they are needed: NAME.input, which the process reads and removes;
NAME.progress, how far it is; NAME.lock, held by the process, so that a second one joins instead of computing the same; NAME.log.
The result is written at the end and renamed into place, so whatever ends the process leaves the old state or the whole new one.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from fmnist import cache, files, tuning
from fmnist.checkpoint import read_tensors, write_tensors
from fmnist.errors import FmnistError
from fmnist.home import home
from fmnist.liveness import find, hold, is_held, this_process
from fmnist.run import Process

Tell = Callable[[float, str], None]  # the share that is done, 0-1, and what is being done
Compute = Callable[[dict[str, Tensor], Tell], Mapping[str, Tensor]]
MOST_NOTE = 64_000  # bytes of what a process says of itself that are read
WRITE_SECONDS = 0.2  # between two notes of the progress
NICE = 5  # the pages and a training come first
PATIENCE = 5.0  # seconds that a cancelled process has to go


@dataclass(frozen=True)
class Progress:
    """How far a computation is."""

    share: float  # 0-1
    step: str  # what is being done, in words
    seconds: float  # since it began
    process: Process | None = None

    @property
    def left(self) -> float | None:
        """Seconds, at the speed so far; None before there is one."""
        return self.seconds * (1 - self.share) / self.share if self.share > 0.05 else None


class Computation:
    """One result, and the process that makes it.

    Args:
        module: what is run, `python -m module`; its last lines call `main`.
        path: where the result is kept.
        about: what it is computed from, as in `fmnist.cache`.
    """

    def __init__(self, module: str, path: Path, about: Mapping[str, str]) -> None:
        self.module, self.path, self.about = module, path, about
        self.error: str | None = None  # why the last attempt ended without a result, as a sentence
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()

    def result(self) -> dict[str, Tensor] | None:
        """What was computed; None when it was not yet."""
        return cache.find(self.path, self.about)

    def begin(self, inputs: Mapping[str, Tensor]) -> None:
        """Start, unless a process is at it already, here or in another dashboard.

        Raises:
            OSError: the disk refuses.
        """
        with self._guard:
            if self._alive():
                return
            self.error = None
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _beside(self.path, "progress").unlink(missing_ok=True)
            write_tensors(_beside(self.path, "input"), dict(inputs), {"about": json.dumps(dict(self.about))})
            self._process = self._start()

    def progress(self) -> Progress | None:
        """How far it is; None when nobody is at it: then there is a result, an `error`, or neither because it was cancelled."""
        with self._guard:
            if not self._alive():
                return None
        return _read_progress(self.path) or Progress(0.0, "Starting", 0.0)

    def cancel(self) -> None:
        """End the process, whoever started it; nothing of it stays."""
        with self._guard:
            if self._process:
                self._process.terminate()
                self._process.wait(PATIENCE)
                self._forget()
            elif (said := _read_progress(self.path)) and said.process and (found := find(said.process)):
                found.terminate()
                found.wait(PATIENCE)
            for what in ("progress", "input"):
                _beside(self.path, what).unlink(missing_ok=True)

    def _alive(self) -> bool:
        """Whether a process is at it. One of ours that has ended is buried here."""
        if self._process and self._process.poll() is None:
            return True
        if self._process:
            status = self._process.returncode
            self._forget()
            if status not in (0, -signal.SIGTERM) and self.result() is None:  # SIGTERM is how another dashboard cancels
                self.error = self._reason(status)
        return is_held(_beside(self.path, "lock"))

    def _forget(self) -> None:
        assert self._process is not None
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None

    def _reason(self, status: int) -> str:
        if status < 0:
            return f"The computation was ended from outside (signal {-status}). Begin it again."
        lines = files.read_end(_beside(self.path, "log"), MOST_NOTE)[0].decode(errors="replace").strip().splitlines()
        return f"The computation failed: {lines[-1] if lines else f'exit status {status}'}"

    def _start(self) -> subprocess.Popen[bytes]:
        """A process in its own session, with a lifeline: see docs/decisions/0006."""
        with _beside(self.path, "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self.module, str(self.path), "--lifeline"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                cwd=Path(__file__).resolve().parents[1],
                env={"GOMP_SPINCOUNT": str(tuning.SPINS), **os.environ, "FMNIST_HOME": str(home())},
            )


def main(compute: Compute) -> int:
    """The process: read the input, compute, keep the result. Exit status 0 also when somebody else is at it."""
    parser = argparse.ArgumentParser(description="Compute one result of fmnist.computation.")
    parser.add_argument("path", type=Path, help="where the result is kept; its input lies beside it")
    parser.add_argument("--lifeline", action="store_true", help="stop at once when standard input ends")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    if options.lifeline:
        threading.Thread(target=_watch_lifeline, daemon=True).start()
    with hold(_beside(options.path, "lock")) as mine:
        return _work(options.path, compute) if mine else 0


def _work(path: Path, compute: Compute) -> int:
    for left in path.parent.glob(f".{path.name}*.tmp"):  # of a process that was killed while it wrote
        left.unlink(missing_ok=True)
    try:
        inputs, metadata = read_tensors(_beside(path, "input"))
        _beside(path, "input").unlink(missing_ok=True)
        about = json.loads(metadata["about"])
        cache.keep(path, compute(inputs, _Teller(path)), about)
    except FmnistError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        _beside(path, "progress").unlink(missing_ok=True)
    return 0 if cache.find(path, about) else 1  # the log has the reason of a disk that refused


class _Teller:
    """Notes the progress where others can read it, a few times a second at most."""

    def __init__(self, path: Path) -> None:
        self._path, self._began, self._noted = path, time.monotonic(), 0.0
        self._process = this_process()
        self(0.0, "Starting")

    def __call__(self, share: float, step: str) -> None:
        now = time.monotonic()
        if now - self._noted < WRITE_SECONDS:
            return
        self._noted = now
        said = Progress(share, step, now - self._began, self._process)
        with contextlib.suppress(OSError):  # a full disk: the work goes on unseen
            files.write_bytes(_beside(self._path, "progress"), json.dumps(asdict(said)).encode())


def _read_progress(path: Path) -> Progress | None:
    try:
        said = json.loads(files.read(_beside(path, "progress"), MOST_NOTE))
        return Progress(**{**said, "process": Process(**said["process"])})
    except (OSError, ValueError, TypeError, KeyError):  # damaged: how far it is is not known
        return None


def _watch_lifeline() -> None:
    """The dashboard is gone: so is this process, at once. There is nothing to save."""
    os.read(0, 1)
    os._exit(0)


def _beside(path: Path, what: str) -> Path:
    return path.with_suffix(f".{what}")
