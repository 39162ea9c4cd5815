"""Fashion-MNIST: found or fetched, verified at every load, and handed out as tensors.

Sources, in this order: the data folder, the system's package, torchvision's mirrors, Debian's package fetched without root. The
archives are known by their MD5 (torchvision's, and Debian's, which compressed the same images again), the images in them
by their SHA-256. torchvision itself never looks at what it has unpacked, so a flipped bit would be trained on.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmnist.config import TrainConfig
from fmnist.errors import DataError
from fmnist.home import data_folder

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts it
DEBIAN_PACKAGE = "dataset-fashion-mnist"
CONNECT_SECONDS = 10
CHUNK_BYTES = 1 << 18
HOLD_OUT_SEED = 20170825  # every run is judged on the same validation images, whatever its own seed

Say = Callable[[str], None]
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Archive:
    """One of the four files: what it must hash to, packed and unpacked."""

    name: str
    md5: tuple[str, ...]  # torchvision's, Debian's
    sha256: str  # of the decoded array, without the header
    shape: tuple[int, ...]

    @property
    def magic(self) -> int:
        """The IDX format: 0x08 = bytes, then the number of dimensions."""
        return 0x0800 + len(self.shape)


ARCHIVES = {
    "train images": Archive(
        "train-images-idx3-ubyte.gz",
        ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "cf8536b0aa1a6ac5fa3f23001093305c"),
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        (60_000, 28, 28),
    ),
    "train labels": Archive(
        "train-labels-idx1-ubyte.gz",
        ("25c81989df183df01b3e8a0aad5dffbe", "10bea18fdb374794d4bb42e356e600c9"),
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        (60_000,),
    ),
    "test images": Archive(
        "t10k-images-idx3-ubyte.gz",
        ("bef4ecab320f06d8554ea6380940ec79", "f78720b4224f21cce2f2ccf2d7a94c9a"),
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        (10_000, 28, 28),
    ),
    "test labels": Archive(
        "t10k-labels-idx1-ubyte.gz",
        ("bb300cfdad3c16e7a12a480ee83cd310", "0d30e22e447f3c33dab9ed536400ac01"),
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        (10_000,),
    ),
}


@dataclass(frozen=True)
class Split:
    """Images and their labels, side by side on one device."""

    images: Tensor  # uint8 (N, 28, 28)
    labels: Tensor  # int64 (N,), 0-9

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: str | torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))

    def take(self, indices: Tensor | list[int]) -> "Split":
        """The images at M indices (int64 if a tensor), in their order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """All 70,000 images, verified."""

    train: Split
    test: Split
    source: str  # the folder they were read from


def _ignore(*_: object) -> None:
    """Nobody listens."""


def load(say: Say = _ignore, progress: Tell = _ignore) -> Dataset:
    """Find or fetch the dataset, verify every byte of it, and decode it; half a second when it is there.

    Args:
        say: is told each step in words.
        progress: is told the share that is done, 0-1, and what is being done.

    Raises:
        DataError: no source has a whole copy.
    """
    folder, arrays = _locate(say, progress)
    splits = (
        Split(torch.from_numpy(arrays[f"{name} images"]), torch.from_numpy(arrays[f"{name} labels"]).long()) for name in ("train", "test")
    )
    return Dataset(*splits, source=str(folder))


def locate(say: Say = _ignore, progress: Tell = _ignore) -> Path:
    """The folder with a whole, verified copy; fetched if there is none. Arguments and errors as in `load`."""
    return _locate(say, progress)[0]


def _locate(say: Say, progress: Tell) -> tuple[Path, dict[str, np.ndarray]]:
    """The first source that is whole, and its arrays."""
    complaints: list[str] = []
    mine = data_folder() / "fashion-mnist"
    for folder in (mine, SYSTEM_FOLDER):
        if not folder.is_dir():
            complaints.append(f"{folder} does not exist")
            continue
        try:
            arrays = _read_all(folder, progress)
        except DataError as error:
            say(f"{error}")
            complaints.append(str(error))
        else:
            say(f"The images in {folder} are whole: every hash is right.")
            return folder, arrays
    for fetch in (_fetch_from_mirrors, _fetch_from_debian):
        try:
            return mine, _fetch_into(mine, fetch, say, progress)
        except (DataError, OSError, subprocess.SubprocessError) as error:
            say(str(error))
            complaints.append(str(error))
    raise DataError(
        "The dataset cannot be had: " + "; ".join(complaint.rstrip(".") for complaint in complaints) + ". "
        f"Connect to the internet, install Debian's package {DEBIAN_PACKAGE}, or put the four files "
        f"({', '.join(archive.name for archive in ARCHIVES.values())}) into {mine}."
    )


# ---- reading -----------------------------------------------------------------------------------------------------------------------


def _read_all(folder: Path, progress: Tell) -> dict[str, np.ndarray]:
    """The four arrays of a folder, each verified: uint8."""
    arrays = {}
    for index, (what, archive) in enumerate(ARCHIVES.items()):
        progress(index / len(ARCHIVES), f"Verifying the {what}")
        arrays[what] = read_archive(folder / archive.name, archive)
    progress(1.0, "The images are whole")
    return arrays


def read_archive(path: Path, archive: Archive) -> np.ndarray:
    """One file as a writable uint8 array, after both of its hashes were found right.

    Raises:
        DataError: which file, what is wrong with it, and what to do.
    """
    advice = f"Delete {path} and start again: a whole copy is fetched then."
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {advice}") from error
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() not in archive.md5:
        raise DataError(f"{path} is damaged: its MD5 is not that of the archive. {advice}")
    return decode(packed, archive, str(path), advice)


def decode(packed: bytes, archive: Archive, name: str, advice: str = "") -> np.ndarray:
    """A gzip-compressed IDX file as a writable uint8 array of the archive's shape.

    Raises:
        DataError: it cannot be unpacked, its header is wrong, or its content is not the dataset's.

    Source: the IDX format as described beside the first MNIST files; magic number and sizes are big-endian 32-bit integers.
    """
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged: it cannot be unpacked ({error}). {advice}") from error
    header = 4 * (1 + len(archive.shape))
    numbers = tuple(int.from_bytes(content[start : start + 4], "big") for start in range(0, header, 4))
    if numbers != (archive.magic, *archive.shape) or len(content) != header + int(np.prod(archive.shape)):
        raise DataError(f"{name} does not hold what it should: {archive.shape} bytes in IDX format. {advice}")
    if hashlib.sha256(memoryview(content)[header:]).hexdigest() != archive.sha256:
        raise DataError(f"{name} is damaged: the SHA-256 of its content is not that of Fashion-MNIST. {advice}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(archive.shape).copy()


# ---- fetching ----------------------------------------------------------------------------------------------------------------------


def _fetch_into(folder: Path, fetch: Callable[[Path, Say, Tell], None], say: Say, progress: Tell) -> dict[str, np.ndarray]:
    """Fetch to a temporary folder, verify there, and only then move each file over what was there before."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
            fetched = Path(temporary)
            fetch(fetched, say, progress)
            arrays = _read_all(fetched, progress)
            for archive in ARCHIVES.values():
                _move(fetched / archive.name, folder / archive.name)
    except PermissionError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}. Set FMNIST_HOME to a folder that can.") from error
    say(f"Fetched into {folder}, every hash is right.")
    return arrays


def _move(source: Path, target: Path) -> None:
    """Durably put a file in the place of another, or of a folder of that name."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    source.replace(target)


def _fetch_from_mirrors(folder: Path, say: Say, progress: Tell) -> None:
    from torchvision.datasets import FashionMNIST  # only here: it takes seconds to import

    for index, archive in enumerate(ARCHIVES.values()):
        failures = []
        for mirror in FashionMNIST.mirrors:
            say(f"Fetching {archive.name} from {mirror} …")
            try:
                _download(
                    mirror + archive.name, folder / archive.name, lambda share, i=index: progress((i + share) / 4, "Fetching the images")
                )
                break
            except OSError as error:
                failures.append(f"{mirror} did not give {archive.name} ({error})")
        else:
            raise DataError("; ".join(failures))


def _download(url: str, path: Path, progress: Callable[[float], None]) -> None:
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response, path.open("wb") as file:
        total, done = int(response.headers.get("Content-Length") or 0), 0
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            progress(done / total if total else 0.5)


def _fetch_from_debian(folder: Path, say: Say, progress: Tell) -> None:
    """`apt-get download` and `dpkg-deb -x`, neither of which needs root."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise DataError("this system has no apt-get to fetch Debian's package with")
    say(f"Fetching Debian's package {DEBIAN_PACKAGE} …")
    progress(0.1, "Fetching Debian's package")
    fetched = subprocess.run(["apt-get", "download", DEBIAN_PACKAGE], cwd=folder, capture_output=True, text=True, timeout=300)
    packages = list(folder.glob("*.deb"))
    if fetched.returncode or not packages:
        reason = fetched.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise DataError(f"apt-get download {DEBIAN_PACKAGE} failed ({reason[0]})")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder / "unpacked"], check=True, capture_output=True, timeout=120)
    for archive in ARCHIVES.values():
        next((folder / "unpacked").rglob(archive.name)).replace(folder / archive.name)


# ---- using -------------------------------------------------------------------------------------------------------------------------


def hold_out(train: Split, config: TrainConfig) -> tuple[Split, Split]:
    """What a run trains on, and what it is judged on: no image is in both.

    The order that both are taken from is the same for every seed, so all runs with as many validation images share them.

    Args:
        train: the whole training split, 60,000 images.
    """
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(HOLD_OUT_SEED))
    return train.take(order[config.validation_size : config.train_size]), train.take(order[: config.validation_size])


def describe(dataset: Dataset) -> Mapping[str, Any]:
    """What `fmnist data` says: sizes, images a class, mean and spread of the pixels (0-1), hashes, source."""
    return {
        "source": dataset.source,
        "classes": list(CLASS_NAMES),
        "splits": {name: _describe(split) for name, split in (("train", dataset.train), ("test", dataset.test))},
        "sha256": {what: archive.sha256 for what, archive in ARCHIVES.items()},
    }


def _describe(split: Split) -> dict[str, Any]:
    pixels = split.images.double() / 255
    return {
        "images": len(split),
        "per_class": torch.bincount(split.labels, minlength=len(CLASS_NAMES)).tolist(),
        "mean": round(float(pixels.mean()), 4),
        "std": round(float(pixels.std()), 4),
    }
