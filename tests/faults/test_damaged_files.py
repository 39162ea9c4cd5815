"""Every kind of file that a studio keeps, damaged in every way that a disk, a crash or a person can damage it.

The oracle: what is read is what was written, or it is said in a sentence that it is not, and the rest stays readable. Nothing is deleted.
"""

import os
import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from fmnist import archives, cache, checkpoint, data, history, my_pictures, outputs, prediction, runner, shipped, strays
from fmnist.config import TrainConfig
from fmnist.errors import CheckpointError, FmnistError, StoreError
from fmnist.liveness import this_process
from fmnist.run import Run, folder
from fmnist.store import Store
from fmnist.train_state import TrainState

TINY = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")
NOBODY = 65_534  # Debian's user nobody: root himself may read everything

SAID = "a sentence stands in its place"
Found = dict[str, object]
Damage = tuple[str, Callable[[Path], None]]


@dataclass(frozen=True)
class Studio:
    """A home with two trained runs and everything else that is kept."""

    home: Path
    store: Store
    run: Run
    other: Run


@dataclass(frozen=True)
class Kept:
    """A file, and what a reader gets out of it: what was written, a part of that, or a sentence."""

    path: Path
    read: Callable[[], Found]
    older: bytes  # as another version, or another program, may have written it
    complains: Callable[[], bool] | None = None  # whether it is said somewhere that something is missing or wrong; None: it shows
    slack: bool = False  # whether it has bytes that say nothing


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    home = Path(tempfile.mkdtemp(prefix="fmnist-damaged-"))
    home.chmod(0o755)  # so that nobody can look for a file that only root may read
    with pytest.MonkeyPatch.context() as patch:
        whole = data.locate()
        patch.setenv("FMNIST_HOME", str(home))
        patch.delenv("FMNIST_DB", raising=False)
        shutil.copytree(whole, home / "data" / "fashion-mnist")
        store = Store()
        run, other = (_trained(store, TINY.model_copy(update={"seed": seed})) for seed in (0, 1))
        my_pictures.save(Image.radial_gradient("L"), 8, "drawing")
        outputs.get(prediction.load(run.id, store), "test", data.load())
        for made in (run, other):
            os.utime(folder(made), (1, 1))  # not made a moment ago
        yield Studio(home, store, run, other)
        store.close()
    shutil.rmtree(home)


def _trained(store: Store, config: TrainConfig) -> Run:
    claimed = store.claim("cpu", this_process(), store.create(config, device="cpu").id)
    assert claimed
    return runner.train(store, claimed, threading.Event())


# ---- the files ---------------------------------------------------------------------------------------------------------------------------


def _archive(studio: Studio, what: str) -> Kept:
    path = studio.home / "data" / "fashion-mnist" / archives.ARCHIVES[what].name
    return Kept(path, lambda: {what: archives.read_archive(path, archives.ARCHIVES[what]).tobytes()}, b"\x1f\x8b\x08\x00another dataset")


def _weights(studio: Studio) -> Kept:
    """Nothing is predicted with damaged ones, and a training goes on from the checkpoint before."""
    newest = studio.store.checkpoints(studio.run.id)[0]
    path = checkpoint.checkpoints_folder(studio.run.id) / newest.weights

    def read() -> Found:
        went_on = _resumed(studio)
        try:
            model = prediction.load(studio.run.id, studio.store)
        except CheckpointError:
            assert not went_on, "what cannot predict was trained on"
            raise
        return {"weights": checkpoint.fingerprint(model.network.state_dict()), **went_on}

    return Kept(path, read, _of_the_other(studio, newest.weights))


def _state(studio: Studio) -> Kept:
    newest = studio.store.checkpoints(studio.run.id)[0]
    assert newest.state
    path = checkpoint.checkpoints_folder(studio.run.id) / newest.state
    return Kept(path, lambda: _resumed(studio), _of_the_other(studio, newest.state))


def _of_the_other(studio: Studio, name: str) -> bytes:
    """The file of the same name of another run: whole, but not the one that was stored."""
    return (checkpoint.checkpoints_folder(studio.other.id) / name).read_bytes()


def _resumed(studio: Studio) -> Found:
    """The step that a training would go on from; nothing if the newest checkpoint was passed over for the one before, and that was said."""
    said: list[str] = []
    state = TrainState(TINY)
    found = checkpoint.restore(studio.store, studio.run.id, state, said.append)
    position = checkpoint.newest_position(studio.store, studio.run.id)
    assert found
    assert position
    newest, before = studio.store.checkpoints(studio.run.id)[:2]
    assert found.step == state.step == position["step"] == (before.step if said else newest.step)
    return {} if said else {"resumed": found.step}


def _history(studio: Studio) -> Kept:
    path = folder(studio.run) / "history" / "epoch-0002.safetensors"

    def read() -> Found:
        found = history.read(studio.run.id, [1, 2, 3])
        assert found
        assert {1, 3} <= set(found.epochs)
        return {f"epoch {epoch}": tuple(guesses.tolist()) for epoch, guesses in zip(found.epochs, found.guesses, strict=True)}

    return Kept(path, read, (folder(studio.run) / "history" / "epoch-0001.safetensors").read_bytes())


def _computed(studio: Studio) -> Kept:
    model = prediction.load(studio.run.id, studio.store)
    path, about = outputs.kept_in(model, "test"), outputs.about(model, "test")

    def read() -> Found:
        return {name: tensor.numpy().tobytes() for name, tensor in (cache.find(path, about) or {}).items()}

    return Kept(path, read, b"\x10\0\0\0\0\0\0\0" + b'{"version": 2}  ')


def _picture(studio: Studio) -> Kept:
    [kept] = my_pictures.listed()

    def read() -> Found:
        [found] = my_pictures.listed() or [None]
        return {"picture": my_pictures.opened(found).tobytes(), "words": found.words} if found and found.words else {}

    file = BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return Kept(kept.path, read, file.getvalue())


def _bundled(studio: Studio) -> Kept:
    """The model that comes with the studio, beside its card."""
    path = studio.home / "assets" / shipped.BUNDLED.name
    path.parent.mkdir(exist_ok=True)
    for each in (shipped.BUNDLED, shipped.CARD):
        shutil.copy(each, path.parent)

    def read() -> Found:
        tensors, _ = checkpoint.read_tensors(path, shipped.sha256(shipped.BUNDLED))
        return {"weights": checkpoint.fingerprint(tensors)}

    return Kept(path, read, shipped.FAMILIARITY.read_bytes())


def _database(studio: Studio) -> Kept:
    """What is known of every run: a run that is damaged, and figures that are refused, are not there."""

    def read() -> Found:
        with closing(Store()) as store:
            return dict(_facts(store))

    def complains() -> bool:
        with closing(Store()) as store:
            return bool(strays.find(store)) or any(run.damage for run in store.runs()) or _is_refused(store.database.check)

    return Kept(studio.home / "runs" / "studio.db", read, _of_another_program(), complains, slack=True)


def _facts(store: Store) -> Iterator[tuple[str, object]]:
    for run in store.runs():
        facts = (run.config, run.device, run.created, run.accuracy, run.loss)
        yield f"{run.id} settings and result", SAID if run.damage else facts
        for what, ask in (("steps", store.steps), ("epochs", store.epochs)):
            try:
                yield f"{run.id} {what}", ask(run.id)
            except StoreError as error:
                _check_sentence(error)
                yield f"{run.id} {what}", SAID
        for point in store.checkpoints(run.id):
            path = checkpoint.checkpoints_folder(run.id) / point.weights
            try:
                yield f"{run.id} weights {point.epoch}", checkpoint.read_tensors(path, point.weights_sha256)[0]["head.bias"].tolist()
            except CheckpointError as error:
                _check_sentence(error)
                yield f"{run.id} weights {point.epoch}", SAID


def _is_refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except StoreError as error:
        _check_sentence(error)
        return True
    return False


def _of_another_program() -> bytes:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "other.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE runs (title TEXT)")
            connection.commit()
        return path.read_bytes()


FILES: dict[str, Callable[[Studio], Kept]] = {
    **{what: lambda studio, what=what: _archive(studio, what) for what in archives.ARCHIVES},
    "weights of a checkpoint": _weights,
    "state of a checkpoint": _state,
    "history": _history,
    "what was computed": _computed,
    "a picture": _picture,
    "the bundled model": _bundled,
    "the database": _database,
}


# ---- the damages -------------------------------------------------------------------------------------------------------------------------


def _damages(content: bytes, older: bytes, truncations: int, flips: int, chance: random.Random) -> Iterator[Damage]:
    """Ways to put something else in the place of a file, which is gone by then, each with its name."""
    for length in sorted(chance.sample(range(1, len(content)), truncations)):
        yield f"{length} of {len(content)} bytes", lambda path, length=length: _write(path, content[:length])
    for _ in range(flips):
        place, bit = chance.randrange(len(content)), chance.randrange(8)
        flipped = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
        yield f"bit {bit} of byte {place}", lambda path, flipped=flipped: _write(path, flipped)
    yield "empty", lambda path: _write(path, b"")
    yield "random bytes", lambda path: _write(path, chance.randbytes(len(content)))
    yield "missing", lambda path: None
    yield "a folder", Path.mkdir
    yield "a pipe", os.mkfifo
    yield "a link to another file", lambda path: path.symlink_to(__file__)
    yield "a link to nowhere", lambda path: path.symlink_to("/nowhere")
    yield "a link to a device", lambda path: path.symlink_to("/dev/zero")
    yield "huge", _huge
    yield "not to be read", lambda path: _write(path, content, 0o000)
    yield "another version", lambda path: _write(path, older)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


@contextmanager
def _as_nobody(needed: bool) -> Iterator[None]:
    """Root may read everything, so that a file that nobody may read is looked at by nobody."""
    if not needed or os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _put_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _names(studio: Studio) -> set[Path]:
    """Everything that lies in the home, but for what SQLite keeps beside its file while it writes."""
    return {path for path in studio.home.rglob("*") if not path.name.startswith("studio.db")}


def _check_sentence(error: FmnistError) -> None:
    said = str(error)
    assert "\n" not in said
    assert 20 < len(said) < 900
    assert said.endswith((".", ")")), said


def _is_noticed(kept: Kept, expected: Found) -> bool:
    """Whether the damage is said, or costs what was damaged; False if what is read is all that was written."""
    try:
        found = kept.read()
    except FmnistError as error:
        _check_sentence(error)
        return True
    if found == expected:
        return False
    wrong = {name for name in found if found[name] not in (expected.get(name), SAID)}
    lost = expected.keys() - found.keys() if kept.complains else set()
    assert not wrong | lost or (kept.complains and kept.complains()), f"silently accepted: {wrong}, silently lost: {lost}"
    return True


# ---- the tests ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FILES)
def test_whatever_happens_to_a_file_is_noticed_and_nothing_is_deleted(
    name: str, studio: Studio, size: Callable[[int, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    kept = FILES[name](studio)
    content, names, expected = kept.path.read_bytes(), _names(studio), kept.read()
    assert expected
    unnoticed = []
    for how, damage in _damages(content, kept.older, size(6, 20), size(11, 197), random.Random(name)):
        _put_away(kept.path)
        try:
            damage(kept.path)
            there = os.path.lexists(kept.path)
            with _as_nobody(how == "not to be read"):
                if not _is_noticed(kept, expected):
                    unnoticed.append(how)
            assert there == os.path.lexists(kept.path) or kept.slack, f"{how}: somebody has removed or made the file"
            assert _names(studio) - {kept.path} == names - {kept.path}, how
        finally:
            _put_away(kept.path)
            _write(kept.path, content)
    assert kept.read() == expected
    assert kept.slack or not unnoticed
    assert not [record for record in caplog.records if record.exc_info], "a traceback in the log"
