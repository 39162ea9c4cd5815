"""Weights and resume states on the disk: atomic, hashed, without pickle.

A checkpoint is two files in `runs/<id>/checkpoints/`: `step-00000938.weights.safetensors`, which is what predicts, and
`step-00000938.state.safetensors`, which is what a resumed training needs besides. Both are written to a temporary name, synced and
renamed, then the folders are synced (fmnist.files); only then does the store say that they exist, with their SHA-256. A file whose hash is
not the stored one is never loaded: safetensors itself has no checksum.
"""

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from fmnist import disk, files
from fmnist.config import TrainConfig, parse
from fmnist.errors import CheckpointError, ConfigError, DiskError, DivergedError, StoreError, reason
from fmnist.home import run_folder
from fmnist.models import NETWORKS, Classifier, build
from fmnist.run import Checkpoint
from fmnist.store import Store
from fmnist.train_state import TrainState

KEPT_STATES = 2  # resume states kept for each run; weights are kept for every epoch
FORMAT = "fmnist-1"
MOST_BYTES = 1_000_000_000  # of a file of tensors: what a model says of all training images has 70 MB
_NOT_A_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EFBIG, errno.ELOOP, errno.ENXIO)  # something else is there
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def checkpoints_folder(run_id: str) -> Path:
    return run_folder(run_id) / "checkpoints"


def save(run_id: str, state: TrainState) -> Checkpoint:
    """Write a checkpoint of a training; it counts only when `Store.commit` has been told.

    Raises:
        DivergedError: the weights are not finite; nobody could predict or go on with them.
        OSError: the disk is full or read-only; what was there before is untouched.
    """
    made, contents = pack(state)
    folder = checkpoints_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    return made


def pack(state: TrainState) -> tuple[Checkpoint, dict[str, bytes]]:
    """A checkpoint of a training as the names and the contents of its two files, for whoever keeps them.

    Raises:
        DivergedError: the weights are not finite; nobody could predict or go on with them.
    """
    predicting = state.evaluated.state_dict()
    if not all(bool(value.isfinite().all()) for value in predicting.values()):
        raise DivergedError((state.step - 1) // state.config.steps_per_epoch + 1, state.step)
    names = (f"step-{state.step:08d}.weights.safetensors", f"step-{state.step:08d}.state.safetensors")
    # Without an average the weights that predict are the ones that are trained: they need not be stored twice.
    rest = {key: value for key, value in state.tensors().items() if state.average or not key.startswith("model.")}
    encoded = _encode(predicting, card(state.config)), _encode(rest, {"position": json.dumps(state.position())})
    contents = dict(zip(names, encoded, strict=True))
    hashes = [hashlib.sha256(content).hexdigest() for content in contents.values()]
    return Checkpoint(state.step, state.epoch, names[0], hashes[0], names[1], hashes[1]), contents


def size(state: TrainState) -> int:
    """Bytes that a checkpoint of a training takes, to within its headers."""
    return sum(value.nbytes for value in (*state.tensors().values(), *(state.evaluated.state_dict().values() if state.average else ())))


def card(config: TrainConfig) -> dict[str, str]:
    """What a weights file says of itself, under one key: safetensors writes several in a random order, and the same weights
    shall always be the same bytes."""
    return {"card": json.dumps({"format": FORMAT, "network": config.network, "config": config.model_dump()})}


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """Write a safetensors file so that there is either the old file or the whole new one; returns its SHA-256."""
    content = _encode(tensors, metadata)
    files.write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _encode(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> bytes:
    return safetensors.torch.save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, metadata)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        with files.opened(path, MOST_BYTES) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"The file {path} cannot be read: {error.strerror}.") from error


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the numbers of some weights, in the order of their names: that of the weights, whatever file they come in."""
    found = hashlib.sha256()
    for _, tensor in sorted(weights.items()):
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def clear_states(store: Store, run_id: str) -> None:
    """Remove the resume states of all but the newest checkpoints; the weights stay."""
    checkpoints = store.checkpoints(run_id)
    if len(checkpoints) <= KEPT_STATES:
        return
    for name in store.drop_states(run_id, before=checkpoints[KEPT_STATES - 1].step):
        (checkpoints_folder(run_id) / name).unlink(missing_ok=True)


def restore(store: Store, run_id: str, state: TrainState, say: Callable[[str], None]) -> Checkpoint | None:
    """Bring a fresh state to the newest checkpoint that is whole; None when the run has none and starts from the beginning.

    Args:
        say: is told of every checkpoint that is damaged and passed over.

    Raises:
        CheckpointError: there are checkpoints, but all of them are damaged.
        DiskError: one cannot be read now, and may be as whole as ever: an earlier one in its place would undo finished epochs.
    """
    checkpoints = [checkpoint for checkpoint in store.checkpoints(run_id) if checkpoint.state]
    refused: OSError | None = None
    for checkpoint in checkpoints:
        try:
            _load_state(run_id, checkpoint, state)
        except CheckpointError as error:
            say(str(error))
            if isinstance(error.__cause__, OSError) and error.__cause__.errno not in _NOT_A_FILE:
                refused = error.__cause__
                if refused.errno != errno.EIO:  # a sector may be bad for good; then the checkpoint before it is what there is
                    break
        else:
            return checkpoint
    if refused:
        raise DiskError(disk.sentence(refused))
    if checkpoints:
        raise CheckpointError("No checkpoint of this run can be read any more, so it cannot go on. Train it again from the start.")
    return None


def newest_position(store: Store, run_id: str) -> dict[str, Any] | None:
    """Step, seconds, precision and device of the newest checkpoint that is whole; None when there is none."""
    for checkpoint in store.checkpoints(run_id):
        with contextlib.suppress(CheckpointError):  # `restore` says what is wrong with it
            if checkpoint.state:
                return position_of(run_id, checkpoint)
    return None


def position_of(run_id: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Step, seconds, precision and device of a checkpoint with a resume state.

    Raises:
        CheckpointError: one of its files is damaged.
    """
    _, (_, metadata) = _read(run_id, checkpoint)
    return json.loads(metadata["position"])


def _read(run_id: str, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], tuple[dict[str, Tensor], dict[str, str]]]:
    """Weights of a checkpoint, and its resume state with metadata, after both hashes were found right."""
    folder = checkpoints_folder(run_id)
    assert checkpoint.state is not None
    weights, _ = read_tensors(folder / checkpoint.weights, checkpoint.weights_sha256)
    return weights, read_tensors(folder / checkpoint.state, checkpoint.state_sha256)


def _load_state(run_id: str, checkpoint: Checkpoint, state: TrainState) -> None:
    unpack(state, checkpoint, *_read(run_id, checkpoint))


def unpack(state: TrainState, checkpoint: Checkpoint, weights: dict[str, Tensor], rest: tuple[dict[str, Tensor], dict[str, str]]) -> None:
    """Bring a fresh state to a checkpoint whose files are read already.

    Args:
        weights: what predicts.
        rest: what a resumed training needs besides, and its metadata.

    Raises:
        CheckpointError: it is one of another network or optimizer.
    """
    tensors, metadata = rest
    if not state.average:
        tensors |= {f"model.{name}": value for name, value in weights.items()}
    try:
        state.load(tensors, json.loads(metadata["position"]))
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"The checkpoint {checkpoint.state} does not fit this run: {reason(error)}.") from error


def read_tensors(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Args:
        sha256: what the file must hash to; not checked if None.

    Raises:
        CheckpointError: the file is missing, is not safetensors, or is not the file that was stored.
    """
    try:
        content = files.read(path, MOST_BYTES)
    except OSError as error:
        raise CheckpointError(f"The file {path} cannot be read: {error.strerror}.") from error
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"The file {path} is damaged: its SHA-256 is not the one that was stored.")
    return decode_tensors(content, path)


def decode_tensors(content: bytes, name: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata in the bytes of a safetensors file; errors as in `read_tensors`."""
    try:
        tensors = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"The file {name} is not a safetensors file that can be read: {reason(error)}.") from error
    return tensors, header.get("__metadata__", {})


def load_weights(path: Path, sha256: str | None = None) -> tuple[Classifier, TrainConfig | None]:
    """A network with the weights of a file, in evaluation mode, on the CPU; and the config it was trained with, if the file says.

    Raises:
        CheckpointError: the file is damaged, of an unknown network, or its tensors do not fit.
    """
    tensors, metadata = read_tensors(path, sha256)
    said = _read_card(path, metadata)
    network = str(said.get("network", "reference"))
    if network not in NETWORKS:
        raise CheckpointError(
            f"The file {path} is of the network '{network[:40]}', which is not known here. Known are: {', '.join(NETWORKS)}."
        )
    model = build(network)
    check_tensors(path, tensors, model)
    model.load_state_dict(tensors)
    return model.eval(), _config(said.get("config"))


def check_tensors(path: Path | str, tensors: dict[str, Tensor], model: Classifier) -> None:
    """Exactly the names, the shapes and the kinds of number of the network, all of them finite as it will hold them.

    Raises:
        CheckpointError: what is wrong with the tensors of the file that is called `path`.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if wrong := sorted({*expected.items()} ^ {*found.items()}):
        raise CheckpointError(f"The file {path} does not fit its network: {wrong[0][0][:60]} is missing, unknown or of another shape.")
    for name, mine in model.state_dict().items():
        if tensors[name].dtype not in (_FLOATS if mine.is_floating_point() else (mine.dtype,)):
            raise CheckpointError(f"The file {path} has numbers of another kind than its network, in {name}.")
        if not bool(tensors[name].to(mine.dtype).isfinite().all()):
            raise CheckpointError(f"The file {path} holds numbers that are not finite, in {name}.")


def _read_card(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """The card of a weights file; empty for a file that somebody else wrote."""
    try:
        said = json.loads(metadata.get("card", "{}"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The file {path} has a card that cannot be read: {reason(error)}.") from error
    return said if isinstance(said, dict) else {}


def _config(values: Any) -> TrainConfig | None:
    try:
        return parse(values) if isinstance(values, dict) else None
    except ConfigError:
        return None


def remove_run(store: Store, run_id: str) -> None:
    """Delete a run for good: its line, its figures, its folder.

    Raises:
        StoreError: it is being trained, or its folder cannot be removed.
    """
    folder = run_folder(run_id)
    disk.with_reserve(lambda: store.delete(run_id))
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise StoreError(f"The run is deleted, but its folder {folder} could not be removed: {error.strerror}.") from error
