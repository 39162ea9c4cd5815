"""Results on the disk: what was kept comes back, anything else is computed again."""

from pathlib import Path

import pytest
import torch

from fmnist import cache

RESULT = {"numbers": torch.arange(12.0).view(3, 4), "bytes": torch.tensor([1, 2, 255], dtype=torch.uint8)}
ABOUT = {"model": "abc", "split": "test"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    kept = tmp_path / "deep" / "result.safetensors"
    cache.keep(kept, RESULT, ABOUT)
    return kept


def test_what_was_kept_comes_back_as_it_was(path: Path):
    found = cache.find(path, ABOUT)
    assert found is not None
    assert {name: (value.dtype, value.tolist()) for name, value in found.items()} == {
        name: (value.dtype, value.tolist()) for name, value in RESULT.items()
    }


@pytest.mark.parametrize("about", [{"model": "abd", "split": "test"}, {"model": "abc"}, {**ABOUT, "more": "x"}])
def test_a_result_about_something_else_is_not_there(path: Path, about: dict[str, str]):
    assert cache.find(path, about) is None


def test_nothing_is_found_where_nothing_was_kept(tmp_path: Path):
    assert cache.find(tmp_path / "nothing.safetensors", ABOUT) is None


def test_every_flipped_bit_is_seen(path: Path):
    whole = path.read_bytes()
    for position in range(0, 8 * len(whole), 7):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        found = cache.find(path, ABOUT)
        assert found is None or all(torch.equal(found[name], RESULT[name]) for name in RESULT)  # a space in the header may change


@pytest.mark.parametrize("length", [0, 1, 8, 100])
def test_a_torn_file_is_not_there(path: Path, length: int):
    path.write_bytes(path.read_bytes()[:length])
    assert cache.find(path, ABOUT) is None


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    cache.keep(tmp_path / "file" / "result.safetensors", RESULT, ABOUT)
    assert cache.find(tmp_path / "file" / "result.safetensors", ABOUT) is None
