"""The dataset: whole, or one sentence that says which file is not. Every test reads the real archives or damaged copies of them."""

import gzip
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fmnist import archives, data
from fmnist.config import TrainConfig
from fmnist.errors import DataError
from fmnist.models import MEAN, STD


def test_the_dataset_has_70_000_images_of_ten_classes():
    dataset = data.load()
    assert (len(dataset.train), len(dataset.test)) == (60_000, 10_000)
    for split, count in ((dataset.train, 6_000), (dataset.test, 1_000)):
        assert split.images.shape == (len(split), 28, 28)
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.bincount(split.labels).tolist() == [count] * 10
    assert dataset.train.labels[:4].tolist() == [9, 0, 0, 3]  # the first training image is an ankle boot


def test_the_normalisation_constants_are_those_of_the_training_images():
    pixels = data.load().train.images.double() / 255
    assert float(pixels.mean()) == pytest.approx(MEAN, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(STD, abs=5e-5)


def test_the_labels_agree_with_torchvision(whole: Path, tmp_path: Path):
    """torchvision's own reader, on the same files unpacked, gives the same images and labels."""
    from torchvision.datasets import FashionMNIST

    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in data.ARCHIVES.values():
        (raw / archive.name.removesuffix(".gz")).write_bytes(gzip.decompress((whole / archive.name).read_bytes()))
    theirs, mine = FashionMNIST(str(tmp_path), train=False), data.load().test
    assert torch.equal(theirs.data, mine.images)
    assert torch.equal(theirs.targets, mine.labels)
    assert tuple(theirs.classes) == data.CLASS_NAMES


def test_a_flipped_bit_anywhere_in_an_archive_is_seen(whole: Path):
    """A hundred single bits all over the smallest archive: header, names, compressed content and checksum of gzip."""
    archive = data.ARCHIVES["test labels"]
    packed = (whole / archive.name).read_bytes()
    for place in {*range(20), *range(20, len(packed), len(packed) // 80), *range(len(packed) - 8, len(packed))}:
        flipped = packed[:place] + bytes([packed[place] ^ 1 << place % 8]) + packed[place + 1 :]
        with pytest.raises(DataError, match="labels is damaged"):
            archives.verified(flipped, archive, "labels")


def test_a_copy_in_the_data_folder_is_used_first(copies: Path):
    assert data.load().source == str(copies)


DAMAGES = ("one byte", "half", "last byte gone", "one byte more", "empty", "missing", "a folder", "a pipe", "another file", "not gzip")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", list(data.ARCHIVES))
def test_a_damaged_file_is_named_and_never_used(what: str, damage: str, copies: Path):
    path = copies / data.ARCHIVES[what].name
    content = path.read_bytes()
    path.unlink()
    if damage == "one byte":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "last byte gone":
        path.write_bytes(content[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "a folder":
        path.mkdir()
    elif damage == "one byte more":
        path.write_bytes(content + b"\0")
    elif damage == "a pipe":
        os.mkfifo(path)
    elif damage == "another file":
        other = "test images" if what != "test images" else "train labels"
        shutil.copy(copies / data.ARCHIVES[other].name, path)
    elif damage == "not gzip":
        path.write_bytes(b"x" * len(content))
    with pytest.raises(DataError) as caught:
        data.load()
    assert str(path) in str(caught.value)
    assert "Connect to the internet" in str(caught.value)


def _packed(array: np.ndarray, magic: int) -> bytes:
    header = b"".join(number.to_bytes(4, "big") for number in (magic, *array.shape))
    return gzip.compress(header + array.tobytes(), compresslevel=1)


def test_content_that_is_not_fashion_mnist_is_refused_even_in_a_proper_archive(whole: Path):
    """What the MD5 cannot see, if somebody packs again: one pixel, the header, the size."""
    archive = data.ARCHIVES["test labels"]
    array = archives.read_archive(whole / archive.name, archive)
    assert np.array_equal(archives.decode(_packed(array, 0x0801), archive, "labels"), array)
    changed = array.copy()
    changed[5_000] ^= 1
    cases = {
        "SHA-256": _packed(changed, 0x0801),
        "IDX format": _packed(array, 0x0803),
        "does not hold": _packed(array[:-1], 0x0801),
        "unpacked": _packed(array, 0x0801)[:-9],
    }
    for words, packed in cases.items():
        with pytest.raises(DataError, match=words):
            archives.decode(packed, archive, "labels")


def test_a_missing_folder_and_no_network_give_one_sentence_that_says_what_to_do(copies: Path):
    shutil.rmtree(copies)
    said: list[str] = []
    with pytest.raises(DataError, match="cannot be had") as caught:
        data.load(say=said.append)
    for words in ("does not exist", "did not give", "no apt-get", "put the four files", str(copies)):
        assert words in str(caught.value)
    assert any("Fetching" in words for words in said)


def test_a_whole_copy_is_not_touched(copies: Path):
    before = {path.name: path.stat().st_mtime_ns for path in copies.iterdir()}
    data.load()
    assert {path.name: path.stat().st_mtime_ns for path in copies.iterdir()} == before


def test_a_damaged_copy_is_told_of_while_the_systems_whole_one_is_used(copies: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    path = copies / data.ARCHIVES["test labels"].name
    path.write_bytes(b"damaged")
    monkeypatch.setattr(data, "SYSTEM_FOLDER", whole)
    said: list[str] = []
    assert data.load(say=said.append).source == str(whole)
    assert f"{path} is damaged" in said[0]
    assert path.read_bytes() == b"damaged", "the system's copy is used where it is; nobody asked for another one"


@pytest.mark.parametrize("place", ["home", "data", "data/fashion-mnist"])
def test_a_file_in_the_place_of_a_folder_is_a_sentence(place: str, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" if place == "home" else tmp_path / "home" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    with pytest.raises(DataError, match="Not a directory"):
        data.load()
    assert path.read_text() == "in the way"


def test_held_out_images_are_the_same_for_every_seed_and_in_no_training():
    train = data.load().train
    config = TrainConfig(validation_size=5_000)
    mine, held = data.hold_out(train, config)
    _, again = data.hold_out(train, config.model_copy(update={"seed": 7}))
    assert (len(mine), len(held)) == (55_000, 5_000)
    assert torch.equal(held.images, again.images)
    everything = torch.cat([mine.labels, held.labels])
    assert torch.bincount(everything).tolist() == [6_000] * 10


def test_fewer_training_images_keep_the_validation_images_of_the_full_run():
    """So that runs on 2,000 and on 60,000 images are judged alike, and none has seen what it is judged on."""
    marked = data.Split(torch.zeros(60_000, 1, 1, dtype=torch.uint8), torch.arange(60_000))
    few, held = data.hold_out(marked, TrainConfig(train_size=7_000, validation_size=5_000))
    _, held_of_all = data.hold_out(marked, TrainConfig(validation_size=5_000))
    assert len(few) == 2_000
    assert torch.equal(held.labels, held_of_all.labels)
    assert not set(few.labels.tolist()) & set(held.labels.tolist())


def test_the_description_has_the_counts_of_every_class():
    description = data.describe(data.load())
    assert description["splits"]["test"]["per_class"] == [1_000] * 10
    assert description["splits"]["train"]["mean"] == MEAN
    assert description["splits"]["train"]["std"] == STD
    assert description["sha256"]["train labels"] == hashlib.sha256(bytes(data.load().train.labels.to(torch.uint8).tolist())).hexdigest()
