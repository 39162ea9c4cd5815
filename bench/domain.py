"""`python -m bench.domain FOLDER [MODEL]`: how often a model is right on a folder of drawings and photos that are not Fashion-MNIST.

The folder holds pictures and `labels.csv` with the columns file, kind (such as sketch or photo), source_class, accept (the class names that
count as right, `|` between them; none: it is no clothes) and family (top, trouser, dress, footwear, bag; `|` between them). Printed for
each kind and each of its classes: the share whose answer is accepted, whose answer is of the right family, and that is said to be familiar;
the last line has the same as JSON. Such pictures are for measuring alone: what is trained or tuned on them is not measured by them.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist.errors import FmnistError, PictureError
from fmnist.store import Store

if TYPE_CHECKING:
    from fmnist.prediction import Model, Prediction

FAMILIES = {
    "top": {"T-shirt/top", "Pullover", "Coat", "Shirt"},
    "trouser": {"Trouser"},
    "dress": {"Dress"},
    "footwear": {"Sandal", "Sneaker", "Ankle boot"},
    "bag": {"Bag"},
}
COLUMNS = ("file", "kind", "source_class", "accept", "family")
AT_ONCE = 32


@dataclass(frozen=True)
class Labelled:
    """A picture and what counts as right."""

    file: Path
    kind: str
    source_class: str
    accept: frozenset[str]  # names of classes; empty: it is no clothes, and no answer is right
    family: frozenset[str]  # names of classes


@dataclass(frozen=True)
class Answer:
    """A picture with what a model says of it."""

    about: Labelled
    said: "Prediction"

    @property
    def accepted(self) -> bool:
        return self.said.label in self.about.accept

    @property
    def of_the_family(self) -> bool:
        return self.said.label in self.about.family


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.domain", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "model", nargs="?", default="bundled", help="as `python -m fmnist predict` has it; the bundled one if none is named"
    )
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.folder, options.model)
    except FmnistError as error:
        sys.exit(str(error))
    for kind, figures in measured.items():
        print(_line(kind, figures))  # noqa: T201 - the output of a command
        for name, of_class in figures["classes"].items():
            print(_line(f"  {name}", of_class))  # noqa: T201
    print(json.dumps(measured))  # noqa: T201


def measure(folder: Path, word: str) -> dict[str, Any]:
    """Kind -> its figures, and those of its classes.

    Raises:
        FmnistError: there is no such model, or the folder is not as it should be, or a picture in it cannot be read.
    """
    from fmnist import prediction

    answers = _ask(prediction.load(word, Store()), _labelled(folder))
    return {
        kind: _of_kind([answer for answer in answers if answer.about.kind == kind])
        for kind in _names(answer.about.kind for answer in answers)
    }


def _labelled(folder: Path) -> list[Labelled]:
    try:
        with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, restval=""))
    except OSError as error:
        raise PictureError(f"The labels of {folder} cannot be read: {error.strerror}. The folder needs a file labels.csv.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PictureError(f"{folder / 'labels.csv'} is not a CSV file in UTF-8: {error}.") from error
    if missing := [name for name in COLUMNS if not rows or name not in rows[0]]:
        raise PictureError(f"{folder / 'labels.csv'} has no {', '.join(missing)}; a line of names and a line for each picture are needed.")
    return [
        Labelled(folder / row["file"], row["kind"], row["source_class"], _split(row["accept"]), _of_families(_split(row["family"])))
        for row in rows
    ]


def _split(words: str) -> frozenset[str]:
    return frozenset(word for word in words.split("|") if word)


def _of_families(words: frozenset[str]) -> frozenset[str]:
    """The classes of some families.

    Raises:
        PictureError: there is no such family.
    """
    if unknown := words - FAMILIES.keys():
        raise PictureError(f"There is no family {', '.join(sorted(unknown))}. Known are: {', '.join(FAMILIES)}.")
    return frozenset().union(*(FAMILIES[word] for word in words))


def _ask(model: "Model", pictures: list[Labelled]) -> list[Answer]:
    """Each picture prepared and answered as `python -m fmnist predict` does it."""
    from fmnist.pictures import read, to_image
    from fmnist.prediction import classify

    answers = []
    for start in range(0, len(pictures), AT_ONCE):
        some = pictures[start : start + AT_ONCE]
        prepared = []
        for picture in some:
            try:
                prepared.append(to_image(read(picture.file)))
            except PictureError as error:
                raise PictureError(f"{picture.file}: {error}") from error
        answers += [Answer(picture, said) for picture, said in zip(some, classify(model, prepared), strict=True)]
    return answers


def _names(words: Iterable[str]) -> list[str]:
    """Each once, in the order in which they come."""
    return list(dict.fromkeys(words))


def _of_kind(answers: list[Answer]) -> dict[str, Any]:
    """The figures of one kind. `told`: how well what is said to be familiar tells clothes from other things, as a balanced accuracy."""
    clothes = [answer for answer in answers if answer.about.accept]
    others = [answer for answer in answers if not answer.about.accept]
    told = None
    if clothes and others:
        told = (_share(answer.said.familiar for answer in clothes) + _share(not answer.said.familiar for answer in others)) / 2
    classes = {
        name: _figures([answer for answer in answers if answer.about.source_class == name])
        for name in _names(answer.about.source_class for answer in answers)
    }
    return {**_figures(clothes), "told": told, "classes": classes}


def _figures(answers: list[Answer]) -> dict[str, Any]:
    """How many pictures, and shares of them, 0-1; None where no answer could be right."""
    known = [answer for answer in answers if answer.about.accept]
    return {
        "pictures": len(answers),
        "accepted": _share(answer.accepted for answer in known) if known else None,
        "family": _share(answer.of_the_family for answer in known) if known else None,
        "familiar": _share(answer.said.familiar for answer in answers) if answers else None,
    }


def _share(hits: Iterable[bool]) -> float:
    every = list(hits)
    return sum(every) / len(every)


def _line(name: str, figures: dict[str, Any]) -> str:
    shares = [f"{what} {'-' if figures[what] is None else f'{figures[what]:.1%}':>6}" for what in ("accepted", "family", "familiar")]
    told = f"  clothes told from other things {figures['told']:.1%}" if figures.get("told") is not None else ""
    return f"{name:<16}{figures['pictures']:>5}  {'  '.join(shares)}{told}"


if __name__ == "__main__":
    main()
