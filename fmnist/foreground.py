"""A training in the foreground of a terminal. It is a run like any other: a dashboard on the same store shows it live."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fmnist import relay_run, torchrun
from fmnist.events import Done, Epoch, Step
from fmnist.liveness import device_lock, hold, run_lock, this_process
from fmnist.run import Run, Status
from fmnist.store import Store

POLL_SECONDS = 0.5


def train_here(store: Store, run: Run, console: Console, *, each_epoch: bool = True) -> Run:
    """Train a waiting run in this process as soon as its device is free; if a dashboard takes it first, watch it there.

    Ctrl-C keeps the run to the step, as paused.

    Args:
        each_epoch: leave a line for each epoch on the console.
    """
    assert run.config is not None
    with _bar(console, run, each_epoch) as bar, until_interrupted() as interrupted:
        while True:
            if run.status == Status.QUEUED:
                claimed = _try_here(store, run, bar, interrupted)
                if claimed and claimed.status != Status.QUEUED:  # one of several processes was killed: all of them begin again
                    return claimed
                bar.say(run, "waiting for its turn" if len(store.queue()) > 1 else f"waiting: the {run.device} is taken")
            elif run.status != Status.RUNNING:
                return run
            if interrupted.wait(POLL_SECONDS):
                console.print(f"{run.name} goes on in the dashboard; stop it there.", highlight=False)
                return store.get(run.id)
            run = store.get(run.id)
            if run.status == Status.RUNNING:
                bar.say(run, "trained by the dashboard")


def _try_here(store: Store, run: Run, bar: "_Bar", interrupted: threading.Event) -> Run | None:
    """The run as it ended, if its device is free and this process gets it; on a cluster it need not be free."""
    if run.placement.is_remote:
        followed = relay_run.follow(store, run, interrupted, then=Status.PAUSED, watch=bar.show)
        return None if followed.status == Status.RUNNING else followed
    with hold(device_lock(run.device), wait=0) as mine:
        claimed = store.claim(run.device, this_process(), run.id) if mine else None
        if claimed is None:
            return None
        if claimed.placement.workers > 1:
            bar.say(claimed, f"starting {claimed.placement.workers} processes")
            return torchrun.train(store, claimed, interrupted, then=Status.PAUSED, watch=lambda: bar.follow(store, claimed.id))
        with hold(run_lock(run.id)):
            from fmnist import runner

            return runner.train(store, claimed, interrupted, then=Status.PAUSED, watch=bar.show)


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C is the usual one."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """A line of progress on standard error, and perhaps a line for each epoch."""

    def __init__(self, progress: Progress, run: Run, each_epoch: bool) -> None:
        assert run.config is not None
        self._progress, self._config, self._each_epoch = progress, run.config, each_epoch
        self._task = progress.add_task(run.name, total=run.total_steps, words="starting", start=False)
        self._told = run.epoch  # epochs

    def show(self, event: Step | Epoch | Done) -> None:
        if isinstance(event, Step):
            self._update(event.step, f"loss {event.loss:.4f}  {event.images_per_second:,.0f} images/s")
        elif isinstance(event, Epoch) and self._each_epoch:
            self._progress.console.print(
                f"epoch {event.epoch:>3}/{self._config.epochs}  train loss {event.train_loss:.4f}  accuracy {event.train_accuracy:.2%}"
                f"   {self._config.monitor} loss {event.loss:.4f}  accuracy {event.accuracy:.2%}",
                highlight=False,
            )

    def follow(self, store: Store, run_id: str) -> None:
        """Show what other processes have written since the last look."""
        run, epochs = store.get(run_id), store.epochs(run_id)
        for epoch in epochs[self._told :]:
            self.show(epoch)
        self._told = len(epochs)
        self.say(run, f"{run.images_per_second or 0:,.0f} images/s")

    def say(self, run: Run, words: str) -> None:
        self._update(run.step, run.message or words)

    def _update(self, step: int, words: str) -> None:
        if step:
            self._progress.start_task(self._task)
        self._progress.update(self._task, completed=step, words=words)


@contextmanager
def _bar(console: Console, run: Run, each_epoch: bool) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:  # a pipe would get empty lines
        yield _Bar(progress, run, each_epoch)
