"""Whatever is uploaded is answered or refused in one sentence, by the very functions that the page and `predict` call."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from fmnist import pictures, prediction
from fmnist.data import CLASS_NAMES
from fmnist.errors import PictureError
from fmnist.prediction import Model
from fmnist.store import Store
from tests.faults import upload_corpus
from tests.faults.upload_corpus import CLASSES, corpus, garment, mutated, png, saved

MOST_SECONDS, MOST_MEMORY = 2.0, 200_000_000  # of the processor, and bytes, for one file
READ = {"plain", "sixteen bits", "palette", "for print", "profile", "noise", "polyglot"}  # all of these are pictures
REFUSED = {"nothing", "no picture", "unread format", "large header"}  # none of these is one, or is too large
TO_THE_END = 50  # every so manyth changed file is prepared and classified, too
ROUND = 1_000  # mutations between two notes of how far it is


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return prediction.load("bundled", Store(f"sqlite:///{tmp_path_factory.mktemp('store')}/runs.db"))


def answer(model: Model, content: bytes) -> prediction.Prediction | str:
    """What a person is told of a file: an answer, or a sentence."""
    try:
        prepared = pictures.to_image(pictures.read(content))
    except PictureError as error:
        return str(error)
    return prediction.classify(model, [prepared])[0]


def check(said: prediction.Prediction | str) -> None:
    if isinstance(said, str):
        assert "\n" not in said
        assert 20 < len(said) < 300
        assert said.endswith(".")
    else:
        assert sum(said.probabilities) == pytest.approx(1, abs=1e-4)


def memory(what: str) -> int:
    """Bytes of this process: VmRSS, what it has now; VmHWM, the most since the peak was begun anew."""
    [kibibytes] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return 1024 * int(kibibytes)


@pytest.mark.timeout(3_600)
def test_every_file_is_answered_or_refused_in_a_sentence_within_two_seconds_and_200_mb(
    model: Model, size: Callable[[int, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    told: dict[str, Counter[str]] = {what: Counter() for what in CLASSES}
    slow, large = {}, {}
    begun = 0
    for number, (what, content) in enumerate(corpus(size(300, 2_000))):
        if number == 2 * len(CLASSES):  # everything that is made once was made
            gc.collect()
            begun = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        before, started = memory("VmRSS"), time.process_time()
        said = answer(model, content)
        if (seconds := time.process_time() - started) > MOST_SECONDS:
            slow[number, what] = seconds
        if (more := memory("VmHWM") - before) > MOST_MEMORY:
            large[number, what] = more
        check(said)
        told[what]["refused" if isinstance(said, str) else "answered"] += 1
    gc.collect()
    assert not slow
    assert not large
    assert {what for what in READ if told[what]["refused"]} == set()
    assert {what for what in REFUSED if told[what]["answered"]} == set()
    assert memory("VmRSS") < 1.1 * begun
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.timeout(0)
def test_a_changed_file_is_answered_or_refused_in_a_sentence(
    model: Model, size: Callable[[int, int], int], request: pytest.FixtureRequest
) -> None:
    """So many, each made from its number: the long tier goes on where it was interrupted. All are decoded; what is decoded is all that
    the rest of the way sees of a file, so that only some go to its end, which costs a hundred times as much."""
    wanted, note = size(4_000, 1_000_000), Path(request.config.rootpath) / ".pytest_cache" / "upload-mutations"
    begin = int(note.read_text()) if request.config.getoption("--torture") and note.exists() else 0
    for number in range(begin, wanted):
        content = mutated(number)
        if number % TO_THE_END == 0:
            check(answer(model, content))
        else:
            with refusing_in_a_sentence():
                pictures.read(content)
        if number % ROUND == ROUND - 1 and wanted > ROUND * 100:
            note.parent.mkdir(exist_ok=True)
            note.write_text(str(number + 1))
    note.unlink(missing_ok=True)


@contextmanager
def refusing_in_a_sentence() -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        check(str(error))


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA", "PCX"])
def test_formats_that_are_not_read_are_refused(kind: str) -> None:
    content = saved(garment((64, 64)), kind)
    with Image.open(BytesIO(content)) as opened:
        opened.load()  # it is whole: Pillow would read it if it were let
    with pytest.raises(PictureError, match="PNG, JPEG, WebP, GIF and BMP are"):
        pictures.read(content)


def test_a_small_file_of_very_many_pixels_is_refused_by_its_header() -> None:
    side = 5_100
    with pytest.raises(PictureError, match="5100 x 5100 pixels; at most 24 million are read"):
        pictures.read(png(side, side, bits=1, rows=bytes(side * (1 + -(-side // 8)))))


VARIANTS: dict[str, Callable[[], bytes]] = {
    **{kind: lambda kind=kind: saved(garment((120, 160)), kind) for kind in upload_corpus.KINDS},
    "WebP, lossless": lambda: saved(garment((120, 160)), "WEBP", lossless=True),
    "progressive": lambda: saved(garment((120, 160)), "JPEG", progressive=True),
    "for print": lambda: saved(garment((120, 160), "CMYK"), "JPEG"),
    "palette": lambda: saved(garment((120, 160)).quantize(16), "PNG"),
    "16 bits": lambda: saved(upload_corpus._deep(garment((120, 160))), "PNG"),
    "transparent ground": lambda: saved(_cut_out(), "PNG"),
    "several pictures": lambda: saved(garment((120, 160)), "MPO", save_all=True, append_images=[Image.new("RGB", (90, 90))]),
    "a ZIP file behind it": lambda: saved(garment((120, 160)), "PNG") + b"PK\x03\x04rest",
    "with a broken profile": lambda: saved(garment((120, 160)), "JPEG", icc_profile=b"broken"),
}


def _cut_out() -> Image.Image:
    picture = garment((120, 160), "RGBA")
    pixels = [(*colour[:3], 0) if colour[:3] == (244, 240, 235) else colour for colour in picture.get_flattened_data()]
    picture.putdata(pixels)
    return picture


@pytest.mark.parametrize("name", VARIANTS)
def test_one_garment_has_one_answer_in_every_kind_of_file(name: str, model: Model) -> None:
    said = answer(model, VARIANTS[name]())
    assert isinstance(said, prediction.Prediction)
    assert CLASS_NAMES[said.index] == "Trouser"
