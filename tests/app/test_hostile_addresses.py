"""Every page with an address that somebody made up: it shows itself or a sentence, and opens nothing that is not its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.config import FIELDS
from tests.faults.conftest import size  # noqa: F401 - a fixture
from tests.faults.test_ids import HOSTILE, listening, outside

pytestmark = pytest.mark.timeout(3_600)
PAGES = ["overview", "try_it", "train", "runs", "compare", "sweep", "evaluate", "explore"]
KEYS = ["run", "runs", "bin", "model", "models", "other", "section", "base", "sweep", "preset", "from", "drawing", "image", "split", "true"]
KEYS += ["predicted", "page", "kind", "who", "order", "search", "sort", "group", "columns", "class", "epoch", "finder", "x", *FIELDS]
KEYS += ["baseline", "by", "colour", "labels", "method", "seen", "where", "seeds", "show", "images", "archived"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_hostile_address_shows_itself_or_a_sentence_and_opens_nothing_of_others(
    page: str,
    visit: Callable[..., AppTest],
    home: Path,
    size: Callable[[int, int], int],  # noqa: F811
) -> None:
    at = visit(page)
    short = ["../../etc/passwd", "/etc/hosts.safetensors", "%2e%2e%5c", "0" * 32 + "\n", "\x00", "a" * 10_000, "ıİ" * 16, ""]
    for word in short if size(0, 1) == 0 else HOSTILE:
        if "\ud800" in word:
            continue  # no browser can send it
        for keys in (KEYS, KEYS[:1], KEYS[3:5]):  # all of them; a run; models
            at.query_params.clear()
            for key in keys:
                at.query_params[key] = word
            with listening() as heard:
                at.run()
            assert not at.exception, (word, keys)
            assert "logged as error" not in " ".join(error.value for error in at.error), (word, keys)
            homes = home.parents[1].glob("*/home")  # a thread of the page before may still write into the home before
            assert outside(heard, *homes) == [], (word, keys)
