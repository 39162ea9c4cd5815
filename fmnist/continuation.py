"""Train a run longer: a new run that goes on where another one ended."""

import shutil
import uuid
from pathlib import Path

from fmnist import files, history
from fmnist.checkpoint import MOST_BYTES, checkpoints_folder, hash_file
from fmnist.config import TrainConfig, parse
from fmnist.errors import CheckpointError, StoreError
from fmnist.home import run_folder
from fmnist.run import Checkpoint, Run
from fmnist.store import Store


def train_longer(store: Store, run: Run, epochs: int, *, token: str | None = None) -> Run:
    """A new run, at the end of the queue, that enters the plan of a longer training at the step at which another run ended.

    It begins with the weights, the averages, the optimizer's memory and the random numbers of the origin's last checkpoint, and has its
    curve up to there. The learning rate of each step is that of the longer plan. With a constant one and no clean epochs the result is
    that of a training planned so from the start, bit for bit; a falling one has fallen, goes up to where the longer plan has it, and
    falls again: a warm restart.

    Args:
        run: that ended or is paused; it stays as it is.
        epochs: more than it has finished, counted on top of them.
        token: names one click; a second call with the same token returns the run of the first.

    Raises:
        ConfigError: the plan would be too long, or the clean epochs at its end do not fit.
        CheckpointError: the origin has no checkpoint that is whole.
        StoreError: the origin is damaged.
    """
    config, start = longer_config(run, epochs), _last_whole(store, run)
    new = uuid.uuid4().hex
    for name in (start.weights, start.state or ""):
        checkpoints_folder(new).mkdir(parents=True, exist_ok=True)
        files.write_bytes(checkpoints_folder(new) / name, files.read(checkpoints_folder(run.id) / name, MOST_BYTES))
    history.take_along(run.id, new)
    made = store.create(config, device=run.device, token=token, origin=run.id, run_id=new, start=start)
    if made.id != new:  # the second half of a double click
        shutil.rmtree(run_folder(new))
    return made


def longer_config(run: Run, epochs: int) -> TrainConfig:
    """The config of a run that is trained for some epochs more.

    Raises:
        ConfigError, StoreError: as `train_longer`.
    """
    if run.config is None:
        raise StoreError("The settings of this run cannot be read, so it cannot be trained longer.")
    return parse({"epochs": run.epoch + epochs}, run.config)


def _last_whole(store: Store, run: Run) -> Checkpoint:
    """The newest checkpoint that a training can go on from."""
    for point in store.checkpoints(run.id):
        files = ((point.weights, point.weights_sha256), (point.state, point.state_sha256))
        if point.state and all(_is_whole(checkpoints_folder(run.id) / name, sha256) for name, sha256 in files if name):
            return point
    raise CheckpointError("No checkpoint of this run can be read here, so it cannot be trained longer. Train it again instead.")


def _is_whole(path: Path, sha256: str | None) -> bool:
    try:
        return hash_file(path) == sha256
    except CheckpointError:
        return False
