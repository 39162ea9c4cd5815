"""What the other processes of a training do: the same steps as the first one, and what it says. They know no store and write no file."""

from dataclasses import dataclass

from fmnist import data, device, ranks
from fmnist.config import TrainConfig
from fmnist.errors import DivergedError
from fmnist.pace import choose
from fmnist.train_state import TrainState
from fmnist.training import fit


@dataclass(frozen=True)
class Task:
    """What the first process says before the training begins."""

    config: TrainConfig
    where: str  # cpu or cuda


@dataclass(frozen=True)
class Word:
    """What it says after each event."""

    rate_changes: tuple[tuple[int, float], ...] = ()
    over: bool = False  # no further step


def accompany() -> None:
    """Train with the first process until it says that it is over.

    Raises:
        RankLostError: one of the others is gone.
    """
    task: Task | None = ranks.agreed(None)  # it has fetched the images by then, if they were not there
    if task is None:
        return
    train, monitor = data.splits(task.config)
    device.prepare(task.where)
    precision: str | None = ranks.agreed(None)
    assert precision
    state = TrainState(task.config, task.where, precision)
    share(state)
    try:
        for _ in fit(state, train.to(task.where), monitor.to(task.where), choose(state)):
            word = ranks.agreed(Word())
            state.rate_changes = word.rate_changes
            if word.over:
                return
    except DivergedError:
        return  # the same loss everywhere: the first process says it


def share(state: TrainState) -> None:
    """Bring the state of every process to where the first one's is: weights, moments, counters, random numbers, changes of the rate."""
    if ranks.world() == 1:
        return
    kept = {name: value.cpu() for name, value in state.tensors().items()} if ranks.rank() == 0 else {}
    tensors, position, changes = ranks.agreed((kept, state.position(), state.rate_changes))
    state.load(tensors, position)
    state.rate_changes = changes
