"""A person's own pictures: kept whole or not at all, taken along and brought back, and scored by each model."""

import csv
import io
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fmnist import my_archive, my_pictures, my_score, pictures, prediction
from fmnist.checkpoint import card, write_tensors
from fmnist.config import TrainConfig
from fmnist.errors import PictureError
from fmnist.home import my_pictures_folder
from fmnist.models import build
from fmnist.prediction import Model, Source

SHIRT, BAG = 6, 8
CONFIG = TrainConfig(network="linear")

pytestmark = pytest.mark.usefixtures("home")


def picture(seed: int, size: tuple[int, int] = (60, 80), mode: str = "RGB") -> Image.Image:
    """Noise with a dark block on a bright ground."""
    pixels = np.random.default_rng(seed).integers(200, 256, (size[1], size[0], 3), dtype=np.uint8)
    pixels[size[1] // 4 : -size[1] // 4, size[0] // 3 : -size[0] // 3] = (seed * 37) % 120
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A network that has learnt nothing, but always answers the same."""
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    sha256 = write_tensors(path, build("linear").state_dict(), card(CONFIG))
    return prediction.read(Source("untrained", path, sha256, tmp_path / "computed", CONFIG))


# ---- keeping -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_comes_back_as_it_was_with_its_label(mode: str) -> None:
    kept = my_pictures.save(picture(1, mode=mode), SHIRT, "drawing")
    (found,) = my_pictures.listed()
    assert found == kept
    assert found.words
    assert (found.words.label, found.words.kind) == (SHIRT, "drawing")
    assert time.time() - found.words.created < 60
    assert my_pictures.opened(found).mode == mode
    assert my_pictures.opened(found).tobytes() == picture(1, mode=mode).tobytes()
    assert pictures.read(found.path).tobytes() == picture(1, mode=mode).tobytes()  # an ordinary picture for everybody else


def test_a_large_picture_is_kept_smaller_and_the_one_that_was_given_stays_as_it_is() -> None:
    large = picture(1, (3000, 1500))
    found = my_pictures.opened(my_pictures.save(large, SHIRT))
    assert found.size == (1024, 512)
    assert large.size == (3000, 1500)


def test_the_same_picture_twice_is_one_with_the_last_label_and_the_first_moment() -> None:
    first = my_pictures.save(picture(1), SHIRT, created=1_000.0)
    my_pictures.save(picture(1), BAG)
    (found,) = my_pictures.listed()
    assert found.id == first.id == my_pictures.known(picture(1)).id  # type: ignore[union-attr]
    assert found.words == my_pictures.Words(BAG, "photo", 1_000.0)
    assert my_pictures.known(picture(2)) is None


def test_another_label_changes_nothing_else() -> None:
    kept = my_pictures.save(picture(1), SHIRT, "drawing", created=5.0)
    assert my_pictures.relabel(kept.id, BAG).words == my_pictures.Words(BAG, "drawing", 5.0)
    (found,) = my_pictures.listed()
    assert found.words == my_pictures.Words(BAG, "drawing", 5.0)
    assert my_pictures.opened(found).tobytes() == picture(1).tobytes()
    with pytest.raises(PictureError, match="10 is not a class: 0 to 9 are"):
        my_pictures.relabel(kept.id, 10)


def test_the_newest_come_first_and_what_is_deleted_can_be_put_back() -> None:
    old, new = my_pictures.save(picture(1), SHIRT, created=1.0), my_pictures.save(picture(2), BAG, created=2.0)
    assert my_pictures.listed() == [new, old]
    removed = my_pictures.delete(old.id)
    assert my_pictures.listed() == [new]
    with pytest.raises(PictureError, match="not among yours"):
        my_pictures.delete(old.id)
    assert my_pictures.put_back(removed) == old
    assert my_pictures.listed() == [new, old]


def test_no_picture_is_no_error() -> None:
    assert my_pictures.listed() == []
    assert not my_pictures_folder().exists()


def test_beyond_the_most_a_sentence_says_so_and_a_new_label_is_still_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(my_pictures, "MOST", 2)
    for seed in (1, 2):
        my_pictures.save(picture(seed), SHIRT)
    with pytest.raises(PictureError, match=r"2 pictures, which is the most\. Delete some"):
        my_pictures.save(picture(3), SHIRT)
    my_pictures.save(picture(2), BAG)
    assert len(my_pictures.listed()) == 2


@pytest.mark.parametrize("identity", ["../../etc/passwd", "..", "", "a" * 15, "a" * 17, "A" * 16, "a" * 16 + "\n", "a" * 15 + "/"])
def test_only_our_own_ids_become_a_path(identity: str) -> None:
    for use in (my_pictures.find, my_pictures.delete, lambda said: my_pictures.relabel(said, SHIRT)):
        with pytest.raises(PictureError, match="is not the id of a picture"):
            use(identity)
    with pytest.raises(PictureError, match="is not the id of a picture"):
        my_pictures.put_back(my_pictures.Removed(identity, b"anything"))


# ---- damage ------------------------------------------------------------------------------------------------------------------------------


def test_every_byte_that_changes_and_every_end_that_is_missing_is_damage() -> None:
    kept = my_pictures.save(picture(1, (12, 12)), SHIRT)
    whole = kept.path.read_bytes()
    chance = random.Random(0)
    for at in chance.sample(range(len(whole)), 60):
        kept.path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        (found,) = my_pictures.listed()
        assert found.words is None, f"byte {at}"
    for length in (0, 5, 40, len(whole) // 2, len(whole) - 1):
        kept.path.write_bytes(whole[:length])
        (found,) = my_pictures.listed()
        assert found.words is None, f"{length} bytes"
        assert found.damage
        assert found.damage.startswith(f"The picture {kept.id} is damaged: ")
    kept.path.write_bytes(whole)
    assert my_pictures.listed() == [kept]


def test_a_damaged_picture_is_listed_last_stays_where_it_is_counts_for_nothing_and_can_be_deleted(model: Model) -> None:
    damaged, whole = my_pictures.save(picture(1), SHIRT, created=2.0), my_pictures.save(picture(2), SHIRT, created=1.0)
    damaged.path.write_bytes(damaged.path.read_bytes()[:-20])
    found = my_pictures.listed()
    assert [each.id for each in found] == [whole.id, damaged.id]
    assert my_score.score(model, found).total == 1
    assert my_archive.write(io.BytesIO()) == 1
    with pytest.raises(PictureError, match="is damaged: its end is missing"):
        my_pictures.relabel(damaged.id, BAG)
    assert damaged.path.exists()
    my_pictures.delete(damaged.id)
    assert my_pictures.listed() == [whole]


def test_a_strangers_files_in_the_folder_are_damaged_or_no_pictures_of_ours() -> None:
    my_pictures_folder().mkdir()
    picture(1).save(my_pictures_folder() / f"{'a' * 16}.png")
    picture(1).save(my_pictures_folder() / "holiday.png")
    (found,) = my_pictures.listed()
    assert found.damage == f"The picture {'a' * 16} is damaged: it does not say what it shows."


_KILLED_AT_A_SYNC = """
import os, signal, sys
from fmnist import my_pictures
calls, sync = 0, os.fsync
def fsync(number):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    sync(number)
os.fsync = fsync
my_pictures.relabel(sys.argv[1], 8)
"""


@pytest.mark.parametrize(("moment", "label"), [(1, SHIRT), (2, BAG)], ids=["before the rename", "after the rename"])
def test_kill_9_in_the_middle_of_a_save_leaves_the_old_or_the_new_one(moment: int, label: int) -> None:
    kept = my_pictures.save(picture(1), SHIRT)
    ended = subprocess.run([sys.executable, "-c", _KILLED_AT_A_SYNC, kept.id, str(moment)], env=dict(os.environ), check=False)
    assert ended.returncode == -signal.SIGKILL
    (found,) = my_pictures.listed()
    assert found.words
    assert found.words.label == label
    assert my_pictures.opened(found).tobytes() == picture(1).tobytes()
    left = list(my_pictures_folder().glob(".*.tmp"))
    assert len(left) == (1 if moment == 1 else 0)
    for path in left:
        my_pictures.save(picture(2), SHIRT)
        assert path.exists()  # somebody may be writing it
        os.utime(path, (0, 0))
        my_pictures.save(picture(3), SHIRT)
        assert not path.exists()


def test_a_disk_that_refuses_is_a_sentence() -> None:
    my_pictures_folder().write_text("a file where the folder should be")
    with pytest.raises(PictureError, match=r"The picture cannot be kept in .*my_pictures"):
        my_pictures.save(picture(1), SHIRT)


# ---- taking along ------------------------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes | str]) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, format=form)
    return content.getvalue()


def test_what_is_exported_comes_back_the_same_and_only_once() -> None:
    kept = [my_pictures.save(picture(1), SHIRT, "drawing", created=7.0), my_pictures.save(picture(2, (2000, 900)), BAG, created=9.5)]
    file = io.BytesIO()
    assert my_archive.write(file) == 2
    with zipfile.ZipFile(file) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [(row["file"], row["label"], row["class"]) for row in rows] == [
        (f"{kept[1].id}.png", "8", "Bag"),
        (f"{kept[0].id}.png", "6", "Shirt"),
    ]
    for each in kept:
        my_pictures.delete(each.id)
    assert set(my_archive.take(file).added) == {each.id for each in kept}
    assert my_pictures.listed() == kept[::-1]
    my_pictures.relabel(kept[0].id, BAG)
    again = my_archive.take(file)
    assert (again.added, again.known, again.refused) == ([], 2, [])
    assert my_pictures.get(kept[0].id).words.label == BAG  # type: ignore[union-attr]


def test_pictures_of_somebody_else_are_taken_and_what_cannot_be_is_refused_with_a_sentence() -> None:
    table = "file,class\na.jpg,Shirt\n../b.png,ankle boot\nc.png,Hat\nmissing.png,Bag\nbroken.png,Bag\n"
    files = {"labels.csv": table, "a.jpg": encoded(picture(1), "JPEG"), "../b.png": encoded(picture(2)), "c.png": encoded(picture(3))}
    taken = my_archive.take(zipped({**files, "broken.png": b"no picture"}))
    labels = {found.words.label for found in my_pictures.listed() if found.words}
    assert (len(taken.added), labels) == (2, {SHIRT, 9})
    hat, missing, broken = taken.refused
    assert hat.startswith("c.png: 'Hat' is no class")
    assert missing == "missing.png: it is not in the ZIP file."
    assert broken.startswith("broken.png: This file is not a picture")
    assert sorted(path.parent for path in my_pictures_folder().parent.rglob("*.png")) == [my_pictures_folder()] * 2  # no name became a path


def test_a_file_that_is_larger_than_it_may_be_is_not_unpacked_to_its_end() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.csv", "file,label\nbomb.png,1\n")
        archive.writestr("bomb.png", bytes(80_000_000))
    tracemalloc.start()
    (said,) = my_archive.take(content).refused
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said == "bomb.png: It has more than 8 MB, which is the most that is read."
    assert most < 40_000_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (io.BytesIO(b"no archive"), "not a ZIP file that can be read"),
        (zipped({"a.png": b""}), "no table labels.csv"),
        (zipped({"labels.csv": b"\xff\xfe\x00"}), "no table labels.csv that can be read"),
        (zipped({"labels.csv": "name,what\na,b\n"}), "needs the columns file and label; it has name, what"),
        (zipped({"labels.csv": "file,label\n" + "a.png,1\n" * 2001}), "lists 2,001 pictures; at most 2,000"),
    ],
)
def test_what_is_no_archive_of_pictures_is_a_sentence(content: io.BytesIO, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        my_archive.take(content)


# ---- the score ---------------------------------------------------------------------------------------------------------------------------


def test_the_score_counts_what_the_model_says_of_each_picture(model: Model) -> None:
    kept = [my_pictures.save(picture(seed), SHIRT) for seed in range(6)]
    said = prediction.classify(model, [pictures.to_image(my_pictures.opened(each)) for each in kept])
    for each, answer in list(zip(kept, said, strict=True))[:4]:
        my_pictures.relabel(each.id, answer.index)
    for each, answer in list(zip(kept, said, strict=True))[4:]:
        my_pictures.relabel(each.id, (answer.index + 1) % 10)
    found = my_score.score(model, my_pictures.listed())
    assert (found.right, found.total) == (4, 6)
    assert found.guesses == {each.id: answer.index for each, answer in zip(kept, said, strict=True)}


def test_a_picture_in_which_nothing_is_found_is_wrong_whatever_its_label(model: Model) -> None:
    for label in range(10):
        blank = my_pictures.save(Image.new("RGB", (90, 90), "white"), label)
        found = my_score.score(model, [blank])
        assert (found.right, found.total, found.guesses) == (0, 1, {blank.id: None})


def test_no_pictures_are_no_score(model: Model) -> None:
    assert my_score.score(model, []) == my_score.Score(0, 0, {})


def test_pictures_are_prepared_and_asked_about_once_and_a_new_one_alone(model: Model) -> None:
    for seed in range(3):
        my_pictures.save(picture(seed), SHIRT)
    before = my_score.score(model, my_pictures.listed())
    cached = (my_pictures_folder() / ".prepared.safetensors", model.folder / f"{model.sha256[:16]}-mine.safetensors")
    written = [path.stat().st_mtime_ns for path in cached]
    my_pictures.relabel(my_pictures.listed()[0].id, BAG)  # asks nobody again
    assert my_score.score(model, my_pictures.listed()).guesses == before.guesses
    assert [path.stat().st_mtime_ns for path in cached] == written
    new = my_pictures.save(picture(9), SHIRT)
    assert my_score.score(model, my_pictures.listed()).guesses.keys() == before.guesses.keys() | {new.id}
    for path in cached:
        path.write_bytes(b"damaged")
    assert my_score.score(model, my_pictures.listed()).guesses.items() >= before.guesses.items()


def test_a_deleted_picture_leaves_nothing_of_itself_with_the_next_one_that_is_prepared(model: Model) -> None:
    first, second = my_pictures.save(picture(1), SHIRT), my_pictures.save(picture(2), SHIRT)
    my_score.score(model, [first, second])
    my_pictures.delete(first.id)
    my_pictures.save(picture(3), SHIRT)
    my_score.score(model, my_pictures.listed())
    assert first.id.encode() not in (my_pictures_folder() / ".prepared.safetensors").read_bytes()
