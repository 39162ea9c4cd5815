"""A garment is told from its background, also where it reaches the border, and nothing is made up where it cannot be told."""

import cv2
import numpy as np
import pytest

from fmnist import segmentation

HEIGHT, WIDTH = 128, 100
BLUE, PAPER = (50, 70, 150), (200, 195, 185)


def shirt(top: int = 20, bottom: int = 110, half: int = 22) -> np.ndarray:
    """A T-shirt: bool (128, 100)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, 50 - half : 50 + half] = 1
    mask[top : top + 25, 50 - half - 14 : 50 + half + 14] = 1
    return mask.astype(bool)


def photographed(
    mask: np.ndarray, cloth: tuple[int, int, int] = BLUE, ground: tuple[int, int, int] = PAPER, grain: float = 8
) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, grain, (*mask.shape, 3))
    return np.clip(np.where(mask[..., None], cloth, ground) + noise, 0, 255).astype(np.uint8)


def overlap(found: segmentation.Garment | None, wanted: np.ndarray) -> float:
    """Intersection over union."""
    assert found is not None
    return float((found.mask & wanted).sum() / (found.mask | wanted).sum())


@pytest.mark.parametrize("ground", [PAPER, (180, 30, 40), (30, 90, 40)])
def test_a_garment_is_found_on_grounds_of_any_colour(ground: tuple[int, int, int]) -> None:
    assert overlap(segmentation.garment(photographed(shirt(), ground=ground)), shirt()) > 0.9


@pytest.mark.parametrize("mask", [shirt(top=0), shirt(bottom=HEIGHT), shirt(half=35), shirt(0, HEIGHT, 30)])
def test_a_garment_that_reaches_the_border_is_kept_whole(mask: np.ndarray) -> None:
    assert overlap(segmentation.garment(photographed(mask)), mask) > 0.9


def test_a_striped_carpet_is_background() -> None:
    picture = photographed(shirt())
    stripes = (np.arange(HEIGHT) // 6 % 2).astype(bool)[:, None] & ~shirt()
    picture[stripes] = (140, 60, 50)
    assert overlap(segmentation.garment(picture), shirt()) > 0.85


def test_a_shadow_beside_a_garment_is_background() -> None:
    shadow = np.roll(shirt(), (4, 6), (0, 1)) & ~shirt()
    picture = photographed(shirt(), cloth=(190, 40, 50))
    picture[shadow] = (picture[shadow] * 0.75).astype(np.uint8)
    assert overlap(segmentation.garment(picture), shirt()) > 0.85


def test_a_print_belongs_to_its_garment() -> None:
    picture = photographed(shirt())
    picture[50:80, 40:60] = (250, 220, 40)
    assert overlap(segmentation.garment(picture), shirt()) > 0.9


def test_a_hangers_hook_is_taken_out() -> None:
    picture = photographed(shirt())
    cv2.line(picture, (50, 0), (50, 20), (20, 20, 20), 2)
    found = segmentation.garment(picture)
    assert found is not None
    assert not found.mask[:14].any()


def test_both_shoes_are_kept() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for middle in (30, 70):
        cv2.ellipse(mask, (middle, 64), (13, 40), 0, 0, 360, (1,), -1)
    found = segmentation.garment(photographed(mask.astype(bool)))
    assert overlap(found, mask.astype(bool)) > 0.85
    assert found is not None
    assert segmentation.is_pair(found.mask)
    assert not segmentation.is_pair(shirt())


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (HEIGHT, WIDTH)])
def test_one_plain_colour_holds_no_garment(size: tuple[int, int]) -> None:
    assert segmentation.garment(np.full((*size, 3), 120, np.uint8)) is None


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (shirt(), True),
        (np.ones((HEIGHT, WIDTH), bool), False),
        (np.zeros((HEIGHT, WIDTH), bool), False),
        (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) < 300, False),
        (np.hypot(*(np.indices((HEIGHT, WIDTH)) - 60)).astype(int) // 4 == 10, False),
    ],
    ids=["shirt", "everything", "nothing", "speck", "shred"],
)
def test_a_mask_that_cannot_be_a_garment_is_known(mask: np.ndarray, expected: bool) -> None:
    assert segmentation.is_plausible(mask) == expected


def test_a_higher_threshold_leaves_less() -> None:
    picture = photographed(shirt(), grain=25)
    low, high = (segmentation.garment(picture, threshold=level) for level in (0.2, 0.9))
    assert low is not None
    assert high is None or low.mask.sum() > high.mask.sum()


def test_the_same_picture_gives_the_same_mask() -> None:
    picture = photographed(shirt(), grain=20)
    first = segmentation.garment(picture)
    segmentation.garment(photographed(shirt(half=30)))
    second = segmentation.garment(picture)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.mask, second.mask)


def test_how_much_of_a_side_is_touched() -> None:
    assert segmentation.at_the_edge(shirt()) == 0
    assert segmentation.at_the_edge(shirt(bottom=HEIGHT)) == pytest.approx(0.44)
