"""The four files that Fashion-MNIST comes in: what each must hash to, and how it is read.

The archives are known by their MD5 (torchvision's, and Debian's, which compressed the same images again), the bytes in them by their
SHA-256. torchvision itself never looks at what it has unpacked, so a flipped bit would be trained on.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from fmnist import files
from fmnist.errors import DataError, reason

MOST_BYTES = 40_000_000  # the largest archive has 26 MB; more than this is something else and is not read

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
    def header(self) -> bytes:
        """How the IDX format begins: 0x08 = bytes, the number of dimensions, then their sizes, as big-endian 32-bit integers."""
        return b"".join(number.to_bytes(4, "big") for number in (0x0800 + len(self.shape), *self.shape))


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


def read_folder(folder: Path, tell: Tell) -> tuple[dict[str, np.ndarray], list[str]]:
    """What is whole in a folder, as uint8 arrays by the names of ARCHIVES, and a sentence about each file that is not."""
    try:
        present = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return {}, [f"{folder} does not exist."]
    except OSError as error:
        return {}, [f"{folder} cannot be read: {error.strerror}."]
    if present.isdisjoint(archive.name for archive in ARCHIVES.values()):
        return {}, [f"{folder} holds none of the four files."]
    arrays: dict[str, np.ndarray] = {}
    complaints = []
    for index, (what, archive) in enumerate(ARCHIVES.items()):
        tell(index / len(ARCHIVES), f"Verifying the {what}")
        try:
            if archive.name not in present:
                raise DataError(f"{folder / archive.name} is missing.")
            arrays[what] = read_archive(folder / archive.name, archive)
        except DataError as error:
            complaints.append(str(error))
    return arrays, complaints


def read_archive(path: Path, archive: Archive) -> np.ndarray:
    """One file as a writable uint8 array of the archive's shape, after both of its hashes were found right.

    Raises:
        DataError: which file, and what is wrong with it.
    """
    try:
        return verified(files.read(path, MOST_BYTES), archive, str(path))
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def verified(packed: bytes, archive: Archive, name: str) -> np.ndarray:
    """The content of an archive as a writable uint8 array of its shape, after both hashes were found right.

    Raises:
        DataError: what is wrong with what is called `name`.
    """
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() not in archive.md5:
        size = f"{len(packed):,} bytes" if packed else "it is empty"
        raise DataError(f"{name} is damaged: its MD5 is not that of the archive ({size}).")
    return decode(packed, archive, name)


def decode(packed: bytes, archive: Archive, name: str) -> np.ndarray:
    """A gzip-compressed IDX file as a writable uint8 array of the archive's shape.

    Raises:
        DataError: it cannot be unpacked, its header is wrong, or its content is not the dataset's.
    """
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged: it cannot be unpacked ({reason(error)}).") from error
    start = len(archive.header)
    if content[:start] != archive.header or len(content) != start + prod(archive.shape):
        raise DataError(f"{name} does not hold what it should: {archive.shape} bytes in IDX format.")
    if hashlib.sha256(memoryview(content)[start:]).hexdigest() != archive.sha256:
        raise DataError(f"{name} is damaged: the SHA-256 of its content is not that of Fashion-MNIST.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(archive.shape).copy()
