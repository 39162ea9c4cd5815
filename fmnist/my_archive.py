"""A person's pictures as one ZIP file to take along: the pictures, and labels.csv, which says what each shows."""

import csv
import io
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from fmnist import my_pictures, pictures
from fmnist.data import CLASS_NAMES
from fmnist.errors import PictureError, reason
from fmnist.my_pictures import MOST

TABLE = "labels.csv"
COLUMNS = ("file", "label", "class", "kind", "created")
MOST_TABLE = 1_000_000  # bytes of a table that is read


@dataclass
class Taken:
    """What came out of an archive."""

    added: list[str] = field(default_factory=list)  # ids
    known: int = 0  # were there already, and keep the label that they have here
    refused: list[str] = field(default_factory=list)  # a sentence each


def write(file: BinaryIO) -> int:
    """Write every picture that is whole; returns how many."""
    found = [picture for picture in my_pictures.listed() if picture.words]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # a PNG does not get smaller
        for picture in found:
            archive.write(picture.path, f"{picture.id}.png")
        archive.writestr(TABLE, _table(found))
    return len(found)


def _table(found: list[my_pictures.Picture]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for picture in found:
        assert picture.words
        words = picture.words
        when = datetime.fromtimestamp(words.created, UTC).isoformat()
        writer.writerow([f"{picture.id}.png", words.label, CLASS_NAMES[words.label], words.kind, when])
    return text.getvalue()


def take(file: BinaryIO) -> Taken:
    """Keep the pictures of an archive: one of ours, or any ZIP with pictures and a labels.csv of the columns file and label (or class).

    Names in the archive are never used as paths. What cannot be kept is refused with a sentence, and the rest is taken.

    Raises:
        PictureError: it is no ZIP file, or has no such table.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            rows, taken = _rows(archive), Taken()
            for row in rows:
                _take_one(archive, row, taken)
            return taken
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:  # encrypted, or packed in a way that is not known
        raise PictureError(f"This is not a ZIP file that can be read: {reason(error)}. Choose one that was exported here.") from error


def _rows(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    try:
        text = _content(archive, TABLE, MOST_TABLE).decode("utf-8-sig")
    except (KeyError, UnicodeDecodeError) as error:
        raise PictureError(f"The ZIP file has no table {TABLE} that can be read. It needs one with the columns file and label.") from error
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and ("file" not in rows[0] or not {"label", "class"} & rows[0].keys()):
        raise PictureError(
            f"The table {TABLE} in the ZIP file needs the columns file and label; it has {', '.join(map(str, rows[0]))[:100]}."
        )
    if len(rows) > MOST:
        raise PictureError(f"The ZIP file lists {len(rows):,} pictures; at most {MOST:,} are kept. Make two of it.")
    return rows


def _take_one(archive: zipfile.ZipFile, row: dict[str, str], taken: Taken) -> None:
    name = str(row["file"])[:60]
    try:
        label = _label(row)
        picture = pictures.read(_content(archive, row["file"], pictures.MOST_BYTES))
        before = my_pictures.known(picture)
        if before and before.words:
            taken.known += 1
            return
        taken.added.append(my_pictures.save(picture, label, my_pictures.kind_of(row.get("kind") or ""), _moment(row.get("created"))).id)
    except KeyError:
        taken.refused.append(f"{name}: it is not in the ZIP file.")
    except PictureError as error:
        taken.refused.append(f"{name}: {error}")


def _label(row: dict[str, str]) -> int:
    said = [row[name] for name in ("label", "class") if row.get(name)]
    found = [label for label in map(my_pictures.class_of, said) if label is not None]
    if not found:
        raise PictureError(f"'{' '.join(said)[:40]}' is no class. Classes are {', '.join(CLASS_NAMES)}, or 0 to 9.")
    return found[0]


def _moment(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _content(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file of the archive.

    Raises:
        KeyError: it is not there.
        PictureError: it is larger than `most`, whatever the archive says of its size.
    """
    with archive.open(name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise PictureError(f"It has more than {most / 1e6:.0f} MB, which is the most that is read.")
    return content
