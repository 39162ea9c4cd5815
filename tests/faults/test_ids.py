"""No word of a person becomes a path: ids, numbers and names that climb, hide or overflow find nothing, or say so in a sentence."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fmnist import my_pictures, prediction
from fmnist.errors import FmnistError
from fmnist.home import run_folder, runs_folder
from fmnist.run import clean_name, clean_tag
from fmnist.store import Store
from fmnist.sweep import Sweeps

HOSTILE = [
    "..",
    "../../etc/passwd",
    "..\\..\\etc",
    "/etc/passwd",
    "/etc/hosts.safetensors",
    "%2e%2e%5c",
    "%252e%252e%252f",
    "....//....//",
    "a" * 10_000,
    "0" * 32 + "\n",
    "0" * 32 + "\x00.png",
    "\x00",
    "ıİ" * 16,  # letters whose lower case is another length
    "٠" * 32,  # digits, but not ours
    "0" * 31 + "Ａ",
    "CON",
    "nul.safetensors",
    "~root",
    "$HOME",
    "{0.__class__}",
    "%s%n",
    "' OR 1=1 --",
    '"; DROP TABLE runs; --',
    "\ud800",
    "\u202e../",
    "-1",
    "1e9",
    "NaN",
    "",
    " ",
]
_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "shutil.rmtree"):
        _opened.extend(os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes | os.PathLike) and str(each))


sys.addaudithook(_hear)  # there is no way to take one away: it hears only inside `listening`


@contextmanager
def listening() -> Iterator[list[str]]:
    """What files and folders this process opens, makes or removes meanwhile."""
    global _opened
    _opened = heard = []
    try:
        yield heard
    finally:
        _opened = None


def outside(paths: list[str], *homes: Path) -> list[str]:
    """Those that are neither in one of the homes nor in what is installed."""
    allowed = [
        *(home.resolve() for home in homes),
        Path(__file__).resolve().parents[2],
        Path(sys.prefix).resolve(),
        Path(sys.base_prefix).resolve(),
    ]
    allowed += [Path(place) for place in ("/proc", "/sys", "/dev", "/usr/share/zoneinfo", "/usr/lib")]
    found = [path for path in paths if path.startswith("/") or ".." in path]
    return [path for path in found if not any(Path(os.path.realpath(path)).is_relative_to(place) for place in allowed)]


words = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=80),
    st.text(st.sampled_from("./\\%2e05f0123456789abcdef\x00\n"), max_size=40),
    st.from_regex(r"\A[0-9a-f]{30,34}\n?\Z"),
)


@pytest.fixture
def opened(home: Path) -> Iterator[Store]:
    store = Store()
    store.runs()  # the tables are made
    yield store
    store.close()


def test_no_word_finds_a_run_a_sweep_a_picture_or_a_model_that_is_not_there(
    opened: Store, home: Path, size: Callable[[int, int], int]
) -> None:
    from ui.trying import drawing_files

    looks: list[Callable[[str], object]] = [
        opened.get,
        opened.find,
        run_folder,
        my_pictures.get,
        Sweeps(opened).find,
        lambda word: prediction.stored(word, opened),
        lambda word: drawing_files.find(word) and pytest.fail("there is no drawing"),
    ]

    @settings(max_examples=size(100, 10_000), deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(words)
    def look(word: str) -> None:
        for each in looks:
            found, sentence = None, ""
            try:
                found = each(word)
            except FmnistError as error:
                sentence = str(error)
            assert len(sentence) < 400, "a sentence, not the whole word back"
            assert found is None or (each is run_folder and found.parent == runs_folder())  # type: ignore[union-attr]

    with listening() as heard:
        look()
        for word in HOSTILE:
            look.hypothesis.inner_test(word)  # type: ignore[attr-defined]
    assert heard
    assert outside(heard, home) == []


def test_the_hook_hears_what_is_opened_outside(home: Path) -> None:
    with listening() as heard:
        Path("/etc/hostname").exists()
        with Path("/etc/passwd").open():
            pass
    assert outside(heard, home) == ["/etc/passwd"]


@given(st.text(max_size=200))
@example("\u202eevil\u2066\x00\n\t<b>")
def test_a_name_and_a_tag_are_one_printable_line_of_bounded_length(text: str) -> None:
    for clean, most in ((clean_name, 64), (clean_tag, 32)):
        try:
            kept = clean(text)
        except FmnistError:
            continue
        assert kept.isprintable()
        assert 0 < len(kept) <= most
        assert clean(kept) == kept
