"""The dataset: whole, or one sentence that says which file is not. Every test reads the real archives or damaged copies of them."""

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fmnist import data
from fmnist.config import TrainConfig
from fmnist.errors import DataError
from fmnist.home import data_folder
from fmnist.models import MEAN, STD

IMAGES = data.ARCHIVES["train images"]


@pytest.fixture(scope="session")
def whole() -> Path:
    """A folder with a whole copy."""
    return data.locate()


@pytest.fixture
def copies(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of an installation whose only source is a copy of the four files, free to be damaged; no network."""
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path))
    monkeypatch.setattr(data, "SYSTEM_FOLDER", tmp_path / "system")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens on the discard port
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no apt-get
    folder = tmp_path / "data" / "fashion-mnist"
    shutil.copytree(whole, folder)
    return folder


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


def test_a_copy_in_the_data_folder_is_used_first(copies: Path):
    assert data.load().source == str(copies)


@pytest.mark.parametrize("damage", ["one byte", "half", "last byte gone", "empty", "missing", "a folder", "another file", "not gzip"])
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
    array = data.read_archive(whole / data.ARCHIVES["test labels"].name, data.ARCHIVES["test labels"])
    archive = data.ARCHIVES["test labels"]
    assert np.array_equal(data.decode(_packed(array, 0x0801), archive, "labels"), array)
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
            data.decode(packed, archive, "labels")


def test_a_missing_folder_and_no_network_give_one_sentence_that_says_what_to_do(copies: Path):
    shutil.rmtree(copies)
    said: list[str] = []
    with pytest.raises(DataError, match="cannot be had") as caught:
        data.load(say=said.append)
    for words in ("does not exist", "did not give", "no apt-get", "put the four files", str(copies)):
        assert words in str(caught.value)
    assert any("Fetching" in words for words in said)


@pytest.fixture
def mirror(copies: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A mirror, by file: URL, that serves what lies in its folder."""
    from torchvision.datasets import FashionMNIST

    folder = tmp_path / "mirror"
    shutil.copytree(whole, folder)
    monkeypatch.setattr(FashionMNIST, "mirrors", [folder.as_uri() + "/"])
    return folder


def test_a_damaged_file_is_replaced_from_the_next_source(copies: Path, mirror: Path):
    path = copies / IMAGES.name
    path.write_bytes(b"damaged")
    shares: list[float] = []
    assert data.load(progress=lambda share, _: shares.append(share)).source == str(copies)
    assert path.read_bytes() == (mirror / IMAGES.name).read_bytes()
    assert 0 <= min(shares) <= max(shares) <= 1
    assert not [found for found in copies.iterdir() if found.name.startswith(".")]


def test_a_good_file_is_never_overwritten_by_a_bad_one(copies: Path, mirror: Path):
    """One file is missing here, and the mirror's copy of another one is damaged: nothing here changes."""
    (copies / data.ARCHIVES["test labels"].name).unlink()
    (mirror / IMAGES.name).write_bytes(b"damaged")
    before = {path.name: path.read_bytes() for path in copies.iterdir()}
    with pytest.raises(DataError):
        data.load()
    assert {path.name: path.read_bytes() for path in copies.iterdir()} == before


def test_a_whole_copy_is_not_touched(copies: Path, mirror: Path):
    before = {path.name: path.stat().st_mtime_ns for path in copies.iterdir()}
    data.load()
    assert {path.name: path.stat().st_mtime_ns for path in copies.iterdir()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_says_so(copies: Path, mirror: Path):
    (copies / IMAGES.name).unlink()
    copies.chmod(0o500)
    with pytest.raises(DataError, match="cannot be written"):
        data.load()


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
    assert data_folder().name == "data"
