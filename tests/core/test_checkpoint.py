"""Checkpoints: what was saved is what is loaded, and nothing else ever is."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from fmnist import checkpoint, disk, files, runner
from fmnist.config import TrainConfig
from fmnist.errors import CheckpointError, StoreError
from fmnist.liveness import this_process
from fmnist.models import build
from fmnist.run import Run, Status, folder
from fmnist.store import Store
from fmnist.train_state import TrainState

CONFIG = TrainConfig(network="small", ema=0.9)


@pytest.fixture
def run(plain_store: Store) -> Run:
    return plain_store.create(CONFIG, device="cpu")


def _state(step: int, seed: int = 0) -> TrainState:
    """A state after one real step of the optimizer, so that there are moments to save."""
    state = TrainState(CONFIG.model_copy(update={"seed": seed}))
    state.model(torch.randn(4, 1, 28, 28)).sum().backward()
    state.optimizer.step()
    state.step = step
    return state


def _save(store: Store, run: Run, step: int) -> TrainState:
    state = _state(step)
    store.commit(run.id, checkpoint.save(run.id, state))
    return state


def test_saved_is_loaded(plain_store: Store, run: Run):
    saved, loaded = _save(plain_store, run, 5), TrainState(CONFIG.model_copy(update={"seed": 9}))
    assert checkpoint.restore(plain_store, run.id, loaded, print) is not None
    assert loaded.position() == saved.position()
    for name, value in saved.tensors().items():
        if name != "random.cpu":
            assert torch.equal(value, loaded.tensors()[name]), name


def test_moments_come_back_in_the_memory_layout_of_their_weights(plain_store: Store, run: Run):
    _save(plain_store, run, 5)
    loaded = TrainState(CONFIG)
    checkpoint.restore(plain_store, run.id, loaded, print)
    for parameter, values in loaded.optimizer.state.items():
        assert values["exp_avg"].stride() == parameter.stride()


def test_a_run_without_checkpoint_starts_from_the_beginning(plain_store: Store, run: Run):
    assert checkpoint.restore(plain_store, run.id, TrainState(CONFIG), print) is None


@pytest.mark.parametrize("which", ["weights", "state"])
@pytest.mark.parametrize("damage", ["one bit", "truncated", "empty", "missing", "a folder", "swapped"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(which: str, damage: str, plain_store: Store, run: Run):
    _save(plain_store, run, 5)
    _save(plain_store, run, 9)
    newest = checkpoint.checkpoints_folder(run.id) / f"step-00000009.{which}.safetensors"
    older = newest.with_name(f"step-00000005.{which}.safetensors")
    content = bytearray(newest.read_bytes())
    newest.unlink()
    if damage == "one bit":
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
    elif damage == "truncated":
        newest.write_bytes(content[:-100])
    elif damage == "empty":
        newest.write_bytes(b"")
    elif damage == "a folder":
        newest.mkdir()
    elif damage == "swapped":
        newest.write_bytes(older.read_bytes() + b" ")
    said: list[str] = []
    state = TrainState(CONFIG)
    found = checkpoint.restore(plain_store, run.id, state, said.append)
    assert found is not None
    assert found.step == state.step == 5
    assert len(said) == 1
    assert newest.name in said[0]


def test_a_run_whose_checkpoints_are_all_damaged_says_so(plain_store: Store, run: Run):
    _save(plain_store, run, 5)
    for path in checkpoint.checkpoints_folder(run.id).iterdir():
        path.write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match="Train it again"):
        checkpoint.restore(plain_store, run.id, TrainState(CONFIG), print)


def test_only_the_newest_resume_states_are_kept_and_all_weights(plain_store: Store, run: Run):
    for step in (1, 2, 3, 4):
        _save(plain_store, run, step)
        checkpoint.clear_states(plain_store, run.id)
    names = sorted(path.name for path in checkpoint.checkpoints_folder(run.id).iterdir())
    assert [name for name in names if "state" in name] == ["step-00000003.state.safetensors", "step-00000004.state.safetensors"]
    assert len([name for name in names if "weights" in name]) == 4
    assert [found.state is not None for found in plain_store.checkpoints(run.id)] == [True, True, False, False]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    files.write_bytes(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_weights_say_their_network_and_predict_the_same(plain_store: Store, run: Run):
    state = _save(plain_store, run, 5)
    path = checkpoint.checkpoints_folder(run.id) / "step-00000005.weights.safetensors"
    network, config = checkpoint.load_weights(path)
    assert config == CONFIG
    pictures = torch.randn(4, 1, 28, 28)
    assert torch.equal(network(pictures), state.evaluated.eval()(pictures))


def test_weights_that_do_not_fit_are_refused_in_a_sentence(tmp_path: Path):
    good = build("small").state_dict()
    cases = {
        "not finite": {**good, "head.bias": torch.full((10,), float("nan"))},
        "head.bias is missing": {name: value for name, value in good.items() if name != "head.bias"},
        "another shape": {**good, "head.bias": torch.zeros(11)},
        "extra is missing, unknown": {**good, "extra": torch.zeros(1)},
    }
    for words, tensors in cases.items():
        path = tmp_path / "weights.safetensors"
        checkpoint.write_tensors(path, tensors, checkpoint.card(CONFIG))
        with pytest.raises(CheckpointError, match=words):
            checkpoint.load_weights(path)
    checkpoint.write_tensors(path, good, {"card": '{"network": "../../etc"}'})
    with pytest.raises(CheckpointError, match="not known here"):
        checkpoint.load_weights(path)


def test_the_same_weights_are_always_the_same_bytes(tmp_path: Path):
    """In other processes too, whose hash seeds differ."""
    code = (
        "import sys, torch; from pathlib import Path; from fmnist import checkpoint; from fmnist.config import TrainConfig;"
        "from fmnist.models import build; torch.manual_seed(0);"
        "print(checkpoint.write_tensors(Path(sys.argv[1]), build('small').state_dict(), checkpoint.card(TrainConfig(network='small'))))"
    )
    hashes = {subprocess.run([sys.executable, "-c", code, tmp_path / "w"], check=True, capture_output=True).stdout for _ in range(3)}
    assert len(hashes) == 1


def test_files_that_are_not_safetensors_are_refused(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    for content in (path.read_bytes(), b"", b"\xff" * 100, (2**62).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            checkpoint.load_weights(path)


def test_deleting_a_run_removes_its_folder_but_never_a_running_one(plain_store: Store, run: Run):
    _save(plain_store, run, 5)
    plain_store.claim("cpu", this_process())
    with pytest.raises(StoreError, match="being trained"):
        checkpoint.remove_run(plain_store, run.id)
    assert folder(run).exists()
    plain_store.end(run.id, Status.STOPPED)
    checkpoint.remove_run(plain_store, run.id)
    assert not folder(run).exists()
    assert plain_store.runs() == []


def test_the_metadata_of_a_resume_state_is_plain_json(plain_store: Store, run: Run):
    _save(plain_store, run, 5)
    found = plain_store.checkpoints(run.id)[0]
    position = checkpoint.position_of(run.id, found)
    assert position == {"step": 5, "seconds": 0.0, "precision": "float32", "device": "cpu"}
    assert json.dumps(position)


def test_a_training_waits_for_room_on_the_disk(plain_store: Store, tiny_config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plain_store.create(tiny_config, device="cpu")
    with monkeypatch.context() as changed:
        changed.setattr(disk, "CHECKPOINTS", 10**12)  # more than any disk has
        claimed = plain_store.claim("cpu", this_process(), made.id)
        assert claimed
        paused = runner.train(plain_store, claimed, threading.Event())
    assert paused.status == Status.PAUSED
    assert re.search(r"[\d.]+ MB are free in .*this training needs [\d.]+ MB.*Make room, then resume", paused.message or "")
    plain_store.resume(made.id)
    claimed = plain_store.claim("cpu", this_process(), made.id)
    assert claimed
    assert runner.train(plain_store, claimed, threading.Event()).status == Status.FINISHED
