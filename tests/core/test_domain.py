"""The measure of drawings and photos on a folder of two pictures, whose shares are known by hand."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from bench import domain
from fmnist import data, pictures, prediction
from fmnist.store import Store

BOOT = 0  # the first test image is an ankle boot
HEADER = "file,kind,source_class,accept,family"


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """An ankle boot and an empty picture."""
    Image.fromarray(data.load().test.images[BOOT].numpy()).save(tmp_path / "boot.png")
    Image.new("L", (90, 90), 255).save(tmp_path / "white.png")
    return tmp_path


def labelled(folder: Path, *lines: str, header: str = HEADER) -> Path:
    (folder / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def shares(figures: dict[str, object]) -> Iterable[object]:
    return [figures[name] for name in ("pictures", "accepted", "family", "familiar")]


def test_the_shares_are_those_that_one_counts_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The boot counts as right, as wrong but of the right family, and as wrong; nothing in a picture is not familiar."""
    model = prediction.load("bundled", Store())
    [said] = prediction.classify(model, [pictures.to_image(pictures.read(folder / "boot.png"))])
    assert (said.label, said.familiar) == ("Ankle boot", True)
    right, family, wrong = (
        "boot.png,photo,boots,Sneaker|Ankle boot,footwear",
        "boot.png,photo,boots,Sandal,footwear",
        "boot.png,photo,bags,Bag,bag",
    )
    domain.main([str(labelled(folder, right, family, wrong, "white.png,photo,others,,", "boot.png,sketch,boots,Ankle boot,footwear"))])
    *table, last = capsys.readouterr().out.splitlines()
    measured = json.loads(last)
    assert list(measured) == ["photo", "sketch"]
    photo = measured["photo"]
    assert shares(photo) == pytest.approx([3, 1 / 3, 2 / 3, 1])
    assert photo["told"] == 1  # every boot is familiar, and the empty picture is not
    assert {name: shares(of_class) for name, of_class in photo["classes"].items()} == {
        "boots": [2, 0.5, 1, 1],
        "bags": [1, 0, 0, 1],
        "others": [1, None, None, 0],
    }
    assert shares(measured["sketch"]) == [1, 1, 1, 1]
    assert measured["sketch"]["told"] is None  # nothing to tell it from
    assert " ".join(table[0].split()) == "photo 3 accepted 33.3% family 66.7% familiar 100.0% clothes told from other things 100.0%"
    assert len(table) == 2 + 3 + 1


@pytest.mark.parametrize(
    ("lines", "header", "words"),
    [
        (["gone.png,photo,boots,Sandal,footwear"], HEADER, r"gone\.png: The file cannot be read"),
        (["boot.png,photo,boots,Sandal,shoes"], HEADER, "no family shoes. Known are: top, trouser"),
        (["boot.png,photo"], "file,kind", "has no source_class, accept, family"),
        ([], HEADER, "has no file, kind"),
    ],
)
def test_what_is_wrong_with_a_folder_is_a_sentence(folder: Path, lines: list[str], header: str, words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        domain.main([str(labelled(folder, *lines, header=header))])


def test_a_folder_without_labels_is_told_what_it_needs(folder: Path) -> None:
    with pytest.raises(SystemExit, match=r"No such file.*needs a file labels\.csv"):
        domain.main([str(folder)])


def test_labels_that_are_no_text_are_a_sentence(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"file,kind,source_class,accept,family\nboot.png,photo,\xff\xfe,,\n")
    with pytest.raises(SystemExit, match=r"labels\.csv is not a CSV file in UTF-8"):
        domain.main([str(folder)])


def test_each_class_belongs_to_one_family() -> None:
    assert sorted(name for names in domain.FAMILIES.values() for name in names) == sorted(data.CLASS_NAMES)
