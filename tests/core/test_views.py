"""Drawn and photographed views of images, and things that are no clothes: what makes a class is kept, and nothing is left to chance."""

from dataclasses import replace

import pytest
import torch

from fmnist import augment, data, icons, morphology, outliers, poses, views
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES, Split
from fmnist.dice import Dice
from fmnist.poses import BAG, BOOT, FINE, GARMENT, PULLOVER, SANDAL, SNEAKER, T_SHIRT, TROUSER


@pytest.fixture(scope="module")
def images() -> Split:
    """The first training images."""
    return data.load().train.take(list(range(3000)))


def dice(size: int, seed: int = 0) -> Dice:
    return Dice(size, torch.Generator().manual_seed(seed))


def box(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[top:bottom, left:right] = 200
    return image


def frame() -> torch.Tensor:
    """A box with a hole."""
    image = box(6, 22, 6, 22)
    image[10:18, 10:18] = 0
    return image


def test_a_silhouette_holds_what_a_garment_encloses_but_not_the_inside_of_a_handle() -> None:
    filled, open_work = poses.silhouettes(torch.stack([frame(), frame()]), torch.tensor([PULLOVER, BAG]))
    assert torch.equal(filled > 0, box(6, 22, 6, 22) > 0)
    assert torch.equal(open_work > 0, frame() > 0)


def test_a_silhouette_stops_at_a_gap_that_leads_outside() -> None:
    image = frame()
    image[6:10, 13:15] = 0
    assert torch.equal(poses.silhouettes(image[None], torch.tensor([PULLOVER]))[0] > 0, image > 0)


def test_the_largest_value_of_a_square_is_found_as_by_looking_at_every_pixel() -> None:
    values = torch.randn(3, 12, 15, generator=torch.Generator().manual_seed(0))
    for side in (1, 3, 5, 9):
        by_hand = torch.nn.functional.max_pool2d(values[:, None], side, 1, side // 2)[:, 0]
        assert torch.equal(morphology.largest(values, side), by_hand)


def unbent(size: int) -> poses.Pose:
    """Garments that lie as they are in the image."""
    zero, one, never = torch.zeros(size), torch.ones(size), torch.zeros(size, dtype=torch.bool)
    return poses.Pose(
        turn=zero, lean=zero, width=one, taper=zero, mirror=one, body=0.5 * one, shoulder=-0.7 * one, bare=never, arms=zero, uneven=zero,
        legs=zero, pair=never, behind=never, offset=torch.zeros(size, 2), alone=never, apart=1.15 * one, toes_out=zero, narrow=0.4 * one,
        height=one, bend=torch.zeros(size, 2, 5, 5),
    )  # fmt: skip


def width_of_rows(mask: torch.Tensor) -> list[int]:
    return mask.sum(1).int().tolist()


def laid(image: torch.Tensor, pose: poses.Pose) -> poses.Laid:
    source = torch.stack([image, image])[None].float() / 200
    return poses.lay(dice(1), source, pose)


def test_a_garment_that_is_not_bent_fills_the_frame_as_it_is() -> None:
    found = laid(box(4, 24, 9, 19), unbent(1)).mask[0]
    rows, columns = found.any(1).sum(), found.any(0).sum()
    assert 50 <= int(rows) <= FINE
    assert int(columns) / int(rows) == pytest.approx(10 / 20, abs=0.08)


def test_raised_sleeves_stand_out_from_the_body_and_leave_the_hem_as_wide_as_it_was() -> None:
    image = box(4, 26, 4, 24)  # a pullover whose sleeves hang beside the body
    pose = replace(unbent(1), body=torch.tensor([0.35]))
    hanging, raised = laid(image, pose), laid(image, replace(pose, arms=torch.tensor([0.9])))
    assert raised.mask.any(1).sum() >= hanging.mask.any(1).sum(), "it is wider"
    rows = [row for row in width_of_rows(raised.mask[0]) if row]
    assert rows[-3] < 0.6 * max(rows), "the sleeves are up, so only the body is left at the hem"


def test_legs_that_stand_apart_leave_a_gap_below() -> None:
    found = laid(box(2, 26, 9, 19), replace(unbent(1), legs=torch.tensor([0.35]))).mask[0]
    low = found[int(found.any(1).nonzero().max()) - 3]
    assert not low[FINE // 2]
    assert low[: FINE // 2].any()
    assert low[FINE // 2 :].any()


def test_shoes_in_a_pair_are_two_and_mirror_each_other() -> None:
    image = box(14, 22, 1, 27)
    image[8:14, 16:27] = 200  # the heel
    found = laid(image, replace(unbent(1), pair=torch.tensor([True]), height=torch.tensor([0.5]))).mask[0]
    assert torch.equal(found, found.flip(1))
    middle = found[:, FINE // 2 - 1 : FINE // 2 + 1]
    assert not middle.any()
    assert found.any(0).sum() < found.any(1).sum(), "longer than wide"


def test_a_shoe_behind_another_one_stands_where_it_was_put_and_is_covered_by_the_one_in_front() -> None:
    image = box(16, 22, 2, 26)
    alone = laid(image, unbent(1)).mask[0]
    pose = replace(unbent(1), behind=torch.tensor([True]), offset=torch.tensor([[0.0, -0.8]]))
    both = laid(image, pose).mask[0]
    rows = both.any(1).nonzero()[:, 0]
    assert int(rows[-1] - rows[0]) > int(alone.any(1).sum()) + 10, "two of them, one above the other"
    assert len(rows) < int(rows[-1] - rows[0]) + 1, "with floor between them"


def test_what_tapers_is_wider_above_than_below() -> None:
    found = laid(box(3, 25, 8, 20), replace(unbent(1), taper=torch.tensor([0.3]))).mask[0]
    rows = [row for row in width_of_rows(found) if row]
    assert rows[3] > 1.3 * rows[-4]


# ---- the signs that people draw ----------------------------------------------------------------------------------------------------------


def signs(label: int, count: int = 60) -> torch.Tensor:
    """bool (count, 28, 28)"""
    made = icons.make(dice(count), torch.full((count,), label))
    assert made.shape == (count, 2, 28, 28)
    assert ((made[:, 0] > 0) == (made[:, 1] > 0)).all(), "what has a tone is the shape"
    return made[:, 1] > 0.5


def heights(shapes: torch.Tensor) -> torch.Tensor:
    return shapes.any(2).float().sum(1)


@pytest.mark.parametrize("label", range(len(CLASS_NAMES)))
def test_a_sign_is_neither_a_speck_nor_everything(label: int) -> None:
    shares = signs(label).float().flatten(1).mean(1)
    assert 0.03 < float(shares.min()) < float(shares.max()) < 0.9


def test_shirts_and_trousers_are_the_same_on_both_sides() -> None:
    for label in (T_SHIRT, PULLOVER, TROUSER):
        assert torch.equal(signs(label), signs(label).flip(2))


def test_trousers_have_two_legs_and_a_bag_a_handle_to_see_through() -> None:
    low = signs(TROUSER)[:, 20]
    assert (low.int().diff(dim=1).abs().sum(1) >= 4).float().mean() > 0.4, "two pieces side by side; others touch, and are spread later"
    bags = signs(BAG)
    crossings = bags.int().diff(dim=2).abs().sum(2).amax(1)
    assert (crossings >= 4).float().mean() > 0.5


def test_the_sleeves_of_a_pullover_are_longer_than_those_of_a_t_shirt_and_a_boot_is_higher_than_a_sneaker() -> None:
    def low_outside(label: int) -> float:
        """The share of signs with something beside the body at the height of the hip."""
        return float(signs(label)[:, 16:20, :5].flatten(1).any(1).float().mean())

    assert low_outside(PULLOVER) > 0.6
    assert low_outside(T_SHIRT) < 0.2
    assert float(heights(signs(BOOT)).median()) > float(heights(signs(SNEAKER)).median()) + 4


@pytest.mark.parametrize("make", [views.make, outliers.make])
def test_the_same_dice_give_the_same_views_and_other_dice_others(make, images: Split) -> None:
    some = images.take(list(range(64)))
    masks = poses.silhouettes(some.images, some.labels)

    def made(seed: int) -> torch.Tensor:
        return make(some.images, masks, some.labels, torch.Generator().manual_seed(seed))

    one = made(1)
    assert (one.dtype, one.shape) == (torch.uint8, (64, 28, 28))
    assert torch.equal(one, made(1))
    assert not torch.equal(one, made(2))
    assert (one.flatten(1).float().mean(1) > 3).float().mean() > 0.95, "hardly any is empty"


def test_every_class_can_be_drawn_and_photographed_and_nothing_is_cut_off(images: Split) -> None:
    for drawing in (True, False):
        for label in range(len(CLASS_NAMES)):
            some = images.take((images.labels == label).nonzero()[:20, 0])
            source = torch.stack([some.images, poses.silhouettes(some.images, some.labels)], 1).float() / 255
            fine = views._view(dice(len(some)), source, some.labels, drawing)
            assert fine.isfinite().all()
            assert 0 <= float(fine.min()) <= float(fine.max()) <= 255
            filled = (fine > 0).any(1).float().sum(1).maximum((fine > 0).any(2).float().sum(1))
            assert float(filled.median()) > 0.85 * FINE, "the longer side fills the frame"


def test_a_sandal_drawn_from_above_is_a_sole_without_holes(images: Split) -> None:
    found = laid(box(12, 16, 1, 27), replace(unbent(1), pair=torch.tensor([True]), height=torch.tensor([0.3])))
    pose = replace(unbent(1), pair=torch.tensor([True]), height=torch.tensor([0.3]))
    with_sole = poses.with_soles(dice(1), found, pose, torch.tensor([True])).mask
    rows = with_sole[0].gt(0).nonzero()[:, 0]
    assert float(with_sole.mean()) > float(found.mask.mean())
    assert all((with_sole[0, row, : FINE // 2].diff().abs().sum() <= 2) for row in rows.unique()), "one piece in each row"
    assert torch.equal(poses.with_soles(dice(1), found, pose, torch.tensor([False])).mask, found.mask)


def test_the_share_of_views_and_outliers_is_what_was_asked_and_the_rest_is_as_it_was(images: Split) -> None:
    config = TrainConfig(views=0.4, outliers=0.1, train_size=2000, validation_size=0)
    some = images.take(list(range(2000)))
    plan = augment.plan(config, 0, len(some))
    positions = slice(0, 2000)
    shown = augment.batch(augment.stock(some, config), config, plan, positions)
    changed = (shown != some.images[plan.order]).flatten(1).any(1)
    assert plan.view is not None
    assert plan.outlier is not None
    assert torch.equal(changed, plan.view | plan.outlier)
    assert float(plan.view.float().mean()) == pytest.approx(0.4, abs=0.04)
    labels = augment.labels(augment.stock(some, config), plan, positions)
    assert torch.equal(labels == poses.NOTHING, plan.outlier)
    assert torch.equal(labels[~plan.outlier], some.labels[plan.order][~plan.outlier])


def test_cut_up_garments_and_mixtures_are_not_what_they_were_made_from(images: Split) -> None:
    some = images.take((images.labels == TROUSER).nonzero()[:30, 0])
    source = torch.stack([some.images, poses.silhouettes(some.images, some.labels)], 1).float() / 255
    cut = outliers._cut(dice(len(some)), source, some.labels)
    share = cut[:, 1].flatten(1).sum(1) / source[:, 1].flatten(1).sum(1)
    assert float(share.max()) < 0.75
    assert not cut[:, :, 15:].any(), "no legs"
    mixed = outliers._mixed(dice(len(some)), source)
    assert not torch.equal(mixed, source)


def test_skirts_and_hats_are_wider_below_than_above() -> None:
    for make, share in ((outliers._skirts, 0.9), (outliers._hats, 0.8)):
        shapes = make(dice(100))[:, 1] > 0
        assert float((shapes.flatten(1).sum(1) > 20).float().mean()) > 0.95
        widths = shapes.sum(2)
        first = widths.gt(0).int().argmax(1)
        assert float((widths.argmax(1) > first + 2).float().mean()) > share, "not widest at the top"


def test_creatures_have_parts_of_other_tones_inside() -> None:
    tone, shape = outliers._creatures(dice(100)).unbind(1)
    assert float((shape.flatten(1).mean(1) > 0.05).float().mean()) > 0.9
    tones = [len(values[inside > 0].unique()) for values, inside in zip(tone, shape, strict=True)]
    assert sum(found >= 2 for found in tones) > 70


def test_heaps_are_more_than_one_disc_or_box() -> None:
    shapes = outliers._heaps(dice(100))[:, 1]
    assert 0.05 < float(shapes.mean()) < 0.7
    assert (shapes.flatten(1).sum(1) > 10).float().mean() > 0.9


def test_a_sandal_keeps_the_gaps_between_its_straps(images: Split) -> None:
    some = images.take((images.labels == SANDAL).nonzero()[:20, 0])
    assert torch.equal(poses.silhouettes(some.images, some.labels) > 0, some.images >= GARMENT)
