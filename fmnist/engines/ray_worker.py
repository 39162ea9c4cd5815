"""One training in a process of a cluster: `fit`, told as dispatches, kept in the storage. It knows no store; nothing here is Ray's.

Killed at any moment and started again anywhere, it goes on from the newest checkpoint in the storage, with the result it would have had.
"""

from collections.abc import Callable, Sequence

from fmnist import checkpoint, companion, data, device, evaluation, ranks, revision
from fmnist.config import TrainConfig
from fmnist.dispatches import Begun, Ended, Event, Kept, Thinner
from fmnist.errors import DivergedError, FmnistError, RankLostError
from fmnist.events import Epoch, Step
from fmnist.pace import choose
from fmnist.run import Checkpoint, Status
from fmnist.storage import Position, Storage
from fmnist.train_state import TrainState
from fmnist.training import fit

KEPT_STATES = 2  # resume states kept in the storage; the one before the newest, should that be damaged
Tell = Callable[[Sequence[Event]], None]


def learn(
    config: TrainConfig, storage: Storage, tell: Tell, *, all_weights: bool, after: Callable[[Epoch], None] = lambda epoch: None
) -> None:
    """Train to the end, from wherever the storage says that it is.

    Args:
        storage: the folder of this training alone.
        tell: is called by the first process of the training only; it returns when it is sure that what was said is not lost.
        all_weights: keep those of every epoch; else of the newest alone.
        after: is called after each epoch, once it is told and kept.
    """
    where = device.resolve("auto")
    try:
        with ranks.joined(where):
            ranks.check(config, ranks.world())
            _Sitting(config, storage, tell if ranks.rank() == 0 else _in_silence, where, all_weights).train(after)
    except RankLostError:
        raise  # another process of it is gone: Ray starts all of them again
    except DivergedError as error:
        tell([Ended(Status.DIVERGED, str(error))])
    except FmnistError as error:
        tell([Ended(Status.FAILED, str(error))])


def _in_silence(events: Sequence[Event]) -> None:
    """The first process says it for all."""


class _Sitting:
    """What a training does in one process, from its start until it is over or killed."""

    def __init__(self, config: TrainConfig, storage: Storage, tell: Tell, where: str, all_weights: bool) -> None:
        self._config, self._storage, self._tell, self._where, self._all_weights = config, storage, tell, where, all_weights
        self._kept: list[Checkpoint] = []
        self._epochs: list[Epoch] = []

    def train(self, after: Callable[[Epoch], None]) -> None:
        train, monitor = data.splits(self._config)
        state = self._begin()
        points, over = Thinner(state.step), state.step == self._config.total_steps
        for event in fit(state, train.to(self._where), monitor.to(self._where), choose(state)):
            if isinstance(event, Step):
                self._say(points.add(event))
            elif isinstance(event, Epoch):
                self._say(points.flush())
                self._keep(state, event)
                if state.step == self._config.total_steps:
                    self._judge(state)
                after(event)
            elif over:  # all was done before this process began
                self._judge(state)

    def _say(self, point: Step | None) -> None:
        if point:
            self._tell([point])

    def _begin(self) -> TrainState:
        """The state to go on from, the same in every process."""
        device.prepare(self._where)
        position = self._storage.newest() if ranks.rank() == 0 else None
        chosen = self._precision(position)
        state = TrainState(self._config, self._where, ranks.agreed(chosen.name))
        if position:
            self._restore(state, position)
        companion.share(state)
        environment = {"precision": chosen.name, "precision_reason": chosen.reason, "workers": ranks.world(), **revision.describe()}
        self._tell([Begun(state.step, state.epoch, state.seconds, {**device.describe(self._where), **environment}, tuple(self._epochs))])
        return state

    def _precision(self, position: Position | None) -> device.Precision:
        if position:
            return device.Precision(position.place["precision"], "as before the interruption")
        share = self._config.batch_size // ranks.world()
        return device.choose_precision(self._config.precision, self._config.network, share, self._where)

    def _restore(self, state: TrainState, position: Position) -> None:
        found = position.checkpoint
        assert found.state is not None
        weights, rest = (
            checkpoint.decode_tensors(self._storage.read(name, sha256), name)
            for name, sha256 in ((found.weights, found.weights_sha256), (found.state, found.state_sha256))
        )
        checkpoint.unpack(state, found, weights[0], rest)
        self._kept, self._epochs = [found], list(position.epochs)

    def _keep(self, state: TrainState, epoch: Epoch) -> None:
        """Files first, then the word, then the pointer: whoever is killed in between makes the epoch again and takes its word back."""
        if ranks.rank() > 0:
            return
        made, files = checkpoint.pack(state)
        for name, content in files.items():
            self._storage.write(name, content)
        self._tell([epoch, Kept(made)])
        self._kept.append(made)
        self._epochs.append(epoch)
        self._storage.point(Position(made, state.position(), tuple(self._epochs)))
        self._storage.remove(self._superfluous())

    def _superfluous(self) -> list[str]:
        """Files of earlier checkpoints that nobody needs any more."""
        names: list[str] = []
        while len(self._kept) > KEPT_STATES:
            old = self._kept.pop(0)
            names += [old.state or ""] if self._all_weights else [old.state or "", old.weights]
        return [name for name in names if name]

    def _judge(self, state: TrainState) -> None:
        """The figures on the test split, once, for the model as it is at the end."""
        if ranks.rank() == 0:
            report = evaluation.evaluate(state.evaluated, data.load().test.to(self._where))
            self._tell([Ended(Status.FINISHED, None, report.accuracy, report.loss)])
