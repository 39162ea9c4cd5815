"""A person's drawings and photos, kept with what they show, and how many of them each model is right on. Nothing trains on them.

One picture is one PNG file in `my_pictures/`, which holds its label too, as a text chunk: one rename makes both appear, so that a picture
without its label cannot be. Its name comes from its pixels, so that the same picture kept twice is one picture. A file that is damaged is
listed as damaged; nothing but a person deletes it.
"""

import contextlib
import hashlib
import json
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fmnist import files
from fmnist.data import CLASS_NAMES
from fmnist.errors import PictureError
from fmnist.home import my_pictures_folder

MOST = 2_000  # pictures
SIDE = 1_024  # pixels of the longer side, at most
MOST_BYTES = 8_000_000  # of a file: noise of SIDE x SIDE in colour has 3 MB
OLD = 60.0  # seconds after which a temporary file is one that somebody was killed over

Kind = Literal["drawing", "photo"]
_SIGNATURE, _CHUNK = b"\x89PNG\r\n\x1a\n", "fmnist"


@dataclass(frozen=True)
class Words:
    """What is said of a picture in its file."""

    label: int  # what it shows, 0-9
    kind: Kind
    created: float  # seconds since 1970


@dataclass(frozen=True)
class Picture:
    """One picture of a person."""

    id: str  # 16 hexadecimal digits, of its pixels
    words: Words | None  # None: it is damaged
    damage: str | None = None  # why it cannot be used, as a sentence

    @property
    def path(self) -> Path:
        return _path(self.id)


@dataclass(frozen=True)
class Removed:
    """What puts a picture back."""

    id: str
    content: bytes


def save(picture: Image.Image, label: int, kind: Kind = "photo", created: float | None = None) -> Picture:
    """Keep a picture; one that is there already gets this label.

    Args:
        picture: mode L or RGB, as `pictures.read` gives it; kept with at most SIDE pixels on its longer side.
        label: what it shows, 0-9.
        created: seconds since 1970; now, or when it was first kept, if None.

    Raises:
        PictureError: there are MOST pictures already, or the disk refuses; what was there before is untouched.
    """
    small = _small(picture)
    before = find(identity := _identity(small))
    if before is None and len(_files()) >= MOST:
        raise PictureError(f"You have kept {MOST:,} pictures, which is the most. Delete some that you no longer need, then save this one.")
    first = before.words.created if before and before.words else time.time()
    return _write(identity, small, Words(_class(label), kind, first if created is None else created))


def known(picture: Image.Image) -> Picture | None:
    """The same picture, if it is kept already."""
    return find(_identity(_small(picture)))


def relabel(identity: str, label: int) -> Picture:
    """Say anew what a picture shows.

    Raises:
        PictureError: there is no such picture, it is damaged, or the disk refuses.
    """
    picture = get(identity)
    return _write(identity, opened(picture), replace(_words(picture), label=_class(label)))


def delete(identity: str) -> Removed:
    """Take a picture away, a damaged one too; what is returned puts it back.

    Raises:
        PictureError: there is no such picture, or the disk refuses.
    """
    path = get(identity).path
    try:
        content = files.read(path, MOST_BYTES)
        path.unlink()
    except OSError as error:
        raise PictureError(f"The picture {path} cannot be deleted: {error.strerror}.") from error
    return Removed(identity, content)


def put_back(removed: Removed) -> Picture:
    """The reverse of `delete`.

    Raises:
        PictureError: the disk refuses.
    """
    _put(removed.id, removed.content)
    return get(removed.id)


def listed() -> list[Picture]:
    """Every picture, the newest first, then the damaged ones."""
    return sorted(
        map(_seen, _files()), key=lambda picture: (picture.words is None, -picture.words.created if picture.words else 0.0, picture.id)
    )


def find(identity: str) -> Picture | None:
    """The picture of this id, or None.

    Raises:
        PictureError: this is no id.
    """
    path = _path(identity)
    return _seen(path) if path.exists() else None


def get(identity: str) -> Picture:
    """The picture of this id.

    Raises:
        PictureError: there is none.
    """
    found = find(identity)
    if found is None:
        raise PictureError(f"The picture {identity} is not among yours; somebody may have deleted it.")
    return found


def opened(picture: Picture) -> Image.Image:
    """Its pixels: mode L or RGB.

    Raises:
        PictureError: it is damaged, or gone.
    """
    _words(picture)
    try:
        with Image.open(picture.path, formats=("PNG",)) as file:
            file.load()
            return file.copy() if file.mode in ("L", "RGB") else file.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"The picture {picture.id} cannot be read: {error}.") from error


def class_of(word: str) -> int | None:
    """The class that a word names, by its name or its number; None if it names none."""
    names = [name.casefold() for name in CLASS_NAMES]
    said = word.strip().casefold()
    if said in names:
        return names.index(said)
    return int(said) if re.fullmatch(r"[0-9]", said) else None


def kind_of(word: str) -> Kind:
    """A kind by its name; whatever is no drawing is a photo."""
    return next((kind for kind in get_args(Kind) if kind == word), "photo")


# ---- files -------------------------------------------------------------------------------------------------------------------------------


def _path(identity: str) -> Path:
    """Where a picture is; only ids of our own form become a path."""
    if not re.fullmatch(r"[0-9a-f]{16}", identity):
        raise PictureError(f"'{identity[:40]}' is not the id of a picture.")
    return my_pictures_folder() / f"{identity}.png"


def _files() -> list[Path]:
    folder = my_pictures_folder()
    return [path for path in folder.glob("*.png") if re.fullmatch(r"[0-9a-f]{16}", path.stem)] if folder.exists() else []


def _small(picture: Image.Image) -> Image.Image:
    """A picture as it is kept."""
    small = picture.convert("L" if picture.mode == "L" else "RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def _identity(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.mode} {picture.size}".encode() + picture.tobytes()).hexdigest()[:16]


def _write(identity: str, picture: Image.Image, words: Words) -> Picture:
    said, file = PngInfo(), BytesIO()
    said.add_text(_CHUNK, json.dumps(asdict(words)))
    picture.save(file, format="PNG", pnginfo=said)
    _put(identity, file.getvalue())
    return Picture(identity, words)


def _put(identity: str, content: bytes) -> None:
    """Write a file so that there is either what was there before or all of the new one."""
    path = _path(identity)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        files.write_bytes(path, content)
    except OSError as error:
        raise PictureError(f"The picture cannot be kept in {path.parent}: {error.strerror}.") from error


def _sweep(folder: Path) -> None:
    """Remove what somebody left who was killed while writing."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > OLD:
                path.unlink()


def _class(label: int) -> int:
    if label not in range(len(CLASS_NAMES)):
        raise PictureError(f"{label} is not a class: 0 to {len(CLASS_NAMES) - 1} are.")
    return int(label)


def _words(picture: Picture) -> Words:
    if picture.words is None:
        raise PictureError(picture.damage or "The picture is damaged.")
    return picture.words


def _seen(path: Path) -> Picture:
    """A picture as its file is now."""
    try:
        state = path.stat()
    except OSError as error:
        return Picture(path.stem, None, f"The picture {path.stem} cannot be read: {error.strerror}.")
    return _inspected(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2 * MOST)
def _inspected(path: Path, modified: int, size: int) -> Picture:
    """A picture, looked through once for each version of its file: every chunk has its checksum, and one says what it shows."""
    try:
        chunks = _chunks(files.read(path, MOST_BYTES))
        text = next(data for kind, data in chunks if kind == b"tEXt" and data.startswith(_CHUNK.encode() + b"\0"))
        said = json.loads(text.partition(b"\0")[2])
        return Picture(path.stem, Words(_class(said["label"]), kind_of(said["kind"]), float(said["created"])))
    except StopIteration:
        reason = "it does not say what it shows"
    except OSError as error:
        reason = str(error.strerror).lower()
    except (RecursionError, ValueError, KeyError, TypeError) as error:  # a PictureError too
        reason = str(error)
    return Picture(path.stem, None, f"The picture {path.stem} is damaged: {reason}.")


def _chunks(content: bytes) -> Sequence[tuple[bytes, bytes]]:
    """The chunks of a PNG file.

    Raises:
        ValueError: it is no PNG, a checksum is wrong, or its end is missing.
    """
    found, at = [], len(_SIGNATURE)
    if not content.startswith(_SIGNATURE):
        raise ValueError("it is no PNG file")
    while not found or found[-1][0] != b"IEND":
        length = int.from_bytes(content[at : at + 4])
        if len(content) < at + 12 + length:
            raise ValueError("its end is missing")
        kind, data, checksum = content[at + 4 : at + 8], content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if int.from_bytes(checksum) != zlib.crc32(kind + data):
            raise ValueError("a part of it has another checksum than when it was kept")
        found.append((kind, data))
        at += 12 + length
    return found
