"""A person's picture becomes what the network knows, however it was taken, and no file breaks anything."""

import resource
import struct
import zlib
from io import BytesIO
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fmnist import data, prediction
from fmnist.errors import PictureError
from fmnist.pictures import MOST_BYTES, MOST_SIDE, SIDE, Prepared, Settings, read, to_image, views
from fmnist.prediction import Model
from fmnist.store import Store

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ORIENTATION = 0x0112  # the EXIF tag
# EXIF orientation -> what a camera does to an upright picture before it writes that number; by the EXIF 2.32 table of tag 0x0112.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def shirt(ground: int = 250) -> np.ndarray:
    """A garment of many tones with one sleeve, so that no turn or mirror image looks the same: uint8 (120, 90)."""
    picture = np.full((120, 90), ground, np.uint8)
    picture[20:110, 30:70] = np.linspace(20, 160, 90, dtype=np.uint8)[:, None]
    picture[25:45, 10:30] = 90
    return picture


def encoded(picture: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, kind, **options)
    return file.getvalue()


def prepared(picture: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> Prepared:
    return to_image(read(encoded(picture, kind, **options)))


def difference(one: Prepared, other: Prepared) -> float:
    """The mean difference of two prepared images, of 255."""
    return float((one.image.float() - other.image.float()).abs().mean())


def header_only(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds no pixel."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 0) + b"IDAT"


# ---- one garment, however it was taken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_picture_is_upright_whichever_way_the_camera_was_held(orientation: int) -> None:
    upright, turn = Image.fromarray(shirt()), STORED_AS[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    assert torch.equal(prepared(stored, exif=exif).image, prepared(upright).image)


def test_a_garment_fills_the_frame_bright_on_black() -> None:
    result = prepared(shirt())
    assert (result.image.dtype, result.image.shape, result.found, result.reason) == (torch.uint8, (SIDE, SIDE), True, None)
    assert result.image.any(dim=1).all(), "it is taller than wide, so it reaches from the first row to the last"
    width = round(SIDE * 60 / 90)  # the garment's box is 90 high and 60 wide
    assert int(result.image.any(dim=0).sum()) == width
    assert result.image[:, 0].max() == 0
    assert result.image[:, -1].max() == 0


def test_a_dark_garment_on_light_ground_is_like_its_negative() -> None:
    assert torch.equal(prepared(shirt()).image, prepared(255 - shirt()).image)


def test_the_brightest_part_on_black_is_the_darkest_part_on_white() -> None:
    on_white = prepared(shirt()).image.float()
    assert on_white[4, 14] > on_white[-3, 14] + 50, "the shirt is darkest at its top, which the dataset's negation makes brightest"


def test_a_colour_as_bright_as_its_ground_is_found() -> None:
    picture = np.full((100, 100, 3), (200, 60, 60), np.uint8)
    picture[20:80, 30:70] = (60, 131, 60)  # the same grey as the ground by Pillow's weights
    assert np.ptp(np.asarray(Image.fromarray(picture).convert("L"), dtype=int)) <= 1
    assert prepared(picture).found


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_nearly_the_same_image(kind: str) -> None:
    assert difference(prepared(shirt(), kind), prepared(shirt())) < 6


def test_transparent_parts_are_white_ground() -> None:
    alpha = np.where(shirt() == 250, 0, 255).astype(np.uint8)
    rubbish_below = np.where(alpha > 0, shirt(), 37).astype(np.uint8)
    clear = np.dstack([rubbish_below] * 3 + [alpha])
    on_white = np.where(alpha > 0, shirt(), 255).astype(np.uint8)
    assert torch.equal(prepared(clear).image, prepared(np.dstack([on_white] * 3)).image)


def test_grey_with_alpha_is_white_where_it_is_transparent() -> None:
    clear = np.dstack([np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)])
    clear[10:30, 10:30] = (80, 255)
    upright = np.asarray(read(encoded(clear)).convert("L"))
    assert (upright[0, 0], upright[20, 20]) == (255, 80)


def test_a_palette_is_read_as_its_colours() -> None:
    palette = Image.fromarray(shirt()).convert("RGB").quantize(256)
    assert palette.mode == "P"
    assert difference(prepared(palette), prepared(shirt())) < 1


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    drawn = Image.new("P", (40, 40), 0)
    drawn.putpalette([0, 0, 0, 90, 90, 90])
    drawn.paste(1, (10, 10, 30, 30))
    upright = np.asarray(read(encoded(drawn, transparency=0)).convert("L"))
    assert (upright[0, 0], upright[20, 20]) == (255, 90)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = shirt().astype(np.uint16) * 257  # 255 -> 65,535
    assert np.array_equal(np.asarray(read(encoded(deep))), shirt())


def test_one_bit_is_black_and_white() -> None:
    line_art = Image.fromarray((255 * (shirt() > 200)).astype(np.uint8)).convert("1")
    assert prepared(line_art).found
    assert set(np.unique(np.asarray(read(encoded(line_art))))) == {0, 255}


def test_colours_for_print_are_read_as_colours_for_the_screen() -> None:
    print_colours = Image.fromarray(shirt()).convert("RGB").convert("CMYK")
    upright = np.asarray(read(encoded(print_colours, "JPEG", quality=95)).convert("L"), dtype=int)
    assert np.abs(upright - shirt()).mean() < 4
    assert difference(prepared(print_colours, "JPEG", quality=95), prepared(shirt())) < 6


def test_only_the_first_frame_of_an_animation_counts() -> None:
    first, second = Image.fromarray(shirt()), Image.new("L", (90, 120), 250)
    moving = encoded(first, "GIF", save_all=True, append_images=[second, second])
    assert torch.equal(to_image(read(moving)).image, prepared(first, "GIF").image)


def test_each_step_of_the_way_is_kept_and_the_last_one_is_the_image() -> None:
    result = prepared(shirt())
    assert [step.name for step in result.steps] == ["original", "garment", "bright on black", "cropped", "28 x 28"]
    assert all(step.picture.dtype == np.uint8 for step in result.steps)
    assert np.array_equal(result.steps[-1].picture, result.image.numpy())


def test_the_datasets_own_images_pass_through_unchanged() -> None:
    images = data.load().test.images.numpy()
    changed = [index for index, image in enumerate(images) if not np.array_equal(prepared(image, compress_level=0).image, image)]
    assert not changed


def test_the_datasets_own_image_is_found_and_asked_alone() -> None:
    result = prepared(data.load().test.images[0].numpy())
    assert (result.found, result.kind, result.remarks) == (True, "image", ())
    assert torch.equal(views(result), result.image[None])


# ---- one garment has one class ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return prediction.load("bundled", Store(f"sqlite:///{tmp_path_factory.mktemp('store')}/runs.db"))


def trousers(long: int = 400, ground: int = 245) -> np.ndarray:
    """A pair of trousers with a light seam on plain ground, as photographed: uint8 (long, 0.75 * long, 3)."""
    corners = np.array([[0.3, 0.1], [0.7, 0.1], [0.78, 0.92], [0.58, 0.92], [0.5, 0.4], [0.42, 0.92], [0.22, 0.92]])
    width = round(0.75 * long)
    rows = np.linspace(70, 120, long, dtype=np.float32)[:, None, None]
    cloth = np.broadcast_to(rows + np.array([0, 5, 30], np.float32), (long, width, 3)).astype(np.uint8)
    mask = cv2.fillPoly(np.zeros((long, width), np.uint8), [(corners * (width, long)).astype(np.int32)], (255,), cv2.LINE_AA)[..., None]
    return (cloth * (mask / 255.0) + ground * (1 - mask / 255.0)).round().astype(np.uint8)


def answer(model: Model, result: Prepared) -> np.ndarray:
    return np.array(prediction.classify(model, [result])[0].probabilities)


def lossless() -> dict[str, bytes]:
    """The same trousers in files that keep every tone."""
    grey = Image.fromarray(trousers()).convert("L")
    clear = np.dstack([trousers(), np.where((trousers() == 245).all(axis=2), 0, 255).astype(np.uint8)])
    turned = {f"orientation {number}": turn for number, turn in STORED_AS.items()}
    files = {name: encoded(_stored(Image.fromarray(trousers()), turn), exif=_exif(name)) for name, turn in turned.items()}
    palette = grey.quantize(256, dither=Image.Dither.NONE)
    deep = np.asarray(grey).astype(np.uint16) * 257
    return files | {"palette": encoded(palette), "16 bits": encoded(deep), "alpha": encoded(clear)}


def _stored(upright: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return upright if turn is None else upright.transpose(turn)


def _exif(name: str) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = int(name.split()[1])
    return exif


@pytest.mark.parametrize("name", lossless())
def test_probabilities_do_not_depend_on_how_a_file_keeps_the_same_tones(name: str, model: Model) -> None:
    expected = answer(model, prepared(Image.fromarray(trousers()).convert("L") if name in ("palette", "16 bits") else trousers()))
    got = answer(model, to_image(read(lossless()[name])))
    assert np.abs(got - expected).max() <= 0.02
    assert data.CLASS_NAMES[int(got.argmax())] == "Trouser"


@pytest.mark.parametrize("long", [100, 400, 1_000, 2_000])
@pytest.mark.parametrize("ground", [255, 0])
def test_one_garment_has_one_class_in_every_size_on_white_and_on_black(long: int, ground: int, model: Model) -> None:
    probabilities = answer(model, prepared(trousers(long, ground)))
    assert data.CLASS_NAMES[int(probabilities.argmax())] == "Trouser"


def test_colours_for_print_have_the_same_class(model: Model) -> None:
    printed = prepared(Image.fromarray(trousers()).convert("CMYK"), "JPEG", quality=95)
    assert data.CLASS_NAMES[int(answer(model, printed).argmax())] == "Trouser"


def test_the_same_picture_gives_the_same_image_whatever_was_prepared_before() -> None:
    noisy = (trousers() + np.random.default_rng(0).integers(0, 30, (400, 300, 3))).clip(0, 255).astype(np.uint8)
    first = prepared(noisy)
    prepared(shirt())
    assert torch.equal(prepared(noisy).image, first.image)


# ---- drawings --------------------------------------------------------------------------------------------------------------------------


def outline(*, ground: int = 255, ink: int = 0, thick: int = 9) -> np.ndarray:
    """A T-shirt drawn in one closed line on a canvas of 280x280: uint8."""
    corners = [(90, 60), (190, 60), (250, 110), (220, 140), (190, 120), (190, 230), (90, 230), (90, 120), (60, 140), (30, 110)]
    return cv2.polylines(np.full((280, 280), ground, np.uint8), [np.array(corners, np.int32)], True, (ink,), thick)


def test_a_drawing_becomes_a_grey_silhouette_with_bright_lines() -> None:
    result = prepared(outline())
    assert (result.kind, result.found, result.remarks) == ("drawing", True, ())
    assert result.image[16, 14] == 150, "the middle is filled"
    assert result.image.max() > 230, "the lines are brighter"
    assert result.image[27, 0] == 0, "outside it is black"


def test_white_on_black_is_the_same_drawing_as_black_on_white() -> None:
    assert torch.equal(prepared(outline()).image, prepared(outline(ground=0, ink=255)).image)


@pytest.mark.parametrize("thick", [2, 5, 9, 16])
def test_thin_and_thick_pens_draw_nearly_the_same_image(thick: int) -> None:
    assert difference(prepared(outline(thick=thick)), prepared(outline())) < 22


def test_pencil_on_a_shaded_sheet_is_a_drawing() -> None:
    drawn = cv2.resize(outline(thick=5), (1_000, 1_000), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    sheet = np.linspace(225, 150, 1_000)[None, :] + np.random.default_rng(0).normal(0, 3, (1_000, 1_000))
    result = prepared((sheet - (255 - drawn) * 0.35).clip(0, 255).astype(np.uint8), "JPEG", quality=80)
    assert result.kind == "drawing"
    assert difference(result, prepared(outline(thick=5))) < 20


def test_a_product_shot_on_white_is_a_photo() -> None:
    assert prepared(trousers(ground=255)).kind == "photo"


def test_a_drawing_is_asked_filled_and_as_lines_and_mirrored() -> None:
    result = prepared(outline())
    asked = views(result)
    assert asked.shape == (4, SIDE, SIDE)
    assert torch.equal(asked[0], result.image)
    assert asked[1, 16, 14] == 0, "as lines"
    assert torch.equal(asked[2], result.image.flip(1))


def test_a_photo_is_asked_cut_out_in_two_ways_where_these_differ() -> None:
    picture = np.full((200, 200, 3), (190, 180, 170), np.uint8)
    picture[40:160, 60:140] = (40, 50, 120)
    assert views(with_settings(picture, kind="photo")).shape == (2, SIDE, SIDE), "both find the same"
    picture[90:160, 60:140] = (150, 140, 130)  # the lower half is nearly the ground's colour, but not at the border
    result = with_settings(picture, kind="photo")
    asked = views(result)
    assert asked.shape == (4, SIDE, SIDE)
    assert torch.equal(asked[0], result.image)
    assert (asked[0] > 0).sum() > (asked[1] > 0).sum() + 20, "the second has the dark half alone"
    assert torch.equal(asked[3], asked[1].flip(1))


def test_a_way_that_somebody_chose_is_the_only_one() -> None:
    shown = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8))
    assert to_image(shown, Settings(kind="photo", separate="colour")).others == ()


# ---- settings --------------------------------------------------------------------------------------------------------------------------


def with_settings(picture: np.ndarray, **chosen: object) -> Prepared:
    return to_image(Image.fromarray(picture), Settings(**chosen))  # type: ignore[arg-type]


def lit(result: Prepared) -> int:
    return int((result.image > 40).sum())


def test_the_kind_can_be_chosen() -> None:
    assert with_settings(outline(), kind="photo").kind == "photo"
    assert with_settings(trousers(), kind="drawing").kind == "drawing"


def test_the_garment_can_be_left_on_its_background() -> None:
    whole = with_settings(trousers(), separate="off")
    assert lit(whole) < lit(with_settings(np.full_like(trousers(), 90), separate="off", tone=False))
    assert whole.remarks == ("background not removed",)
    assert with_settings(trousers(), separate="colour").steps[1].note == "Found by how its colour differs from the border's."


def test_a_higher_threshold_leaves_less_of_a_garment_and_of_lines() -> None:
    faded = trousers()
    faded[200:] = (faded[200:] // 2 + 122).astype(np.uint8)  # the lower half is nearer to the ground
    low, high = (with_settings(faded, threshold=level) for level in (0.2, 0.8))
    assert low.steps[1].picture.sum() > high.steps[1].picture.sum()
    soft = cv2.GaussianBlur(outline(), (0, 0), 4)
    thick, thin = (with_settings(soft, kind="drawing", threshold=level) for level in (0.1, 0.9))
    assert thick.steps[1].picture.sum() > thin.steps[1].picture.sum()


def test_polarity_negates_or_keeps_the_tones_of_a_photo_and_chooses_the_ink_of_a_drawing() -> None:
    dark, bright = (with_settings(trousers(), polarity=polarity).image.float() for polarity in ("dark", "bright"))
    assert dark[3].max() > dark[25].max(), "darkest at the top"
    assert bright[3].max() < bright[25].max()
    assert not torch.equal(*(with_settings(outline(), kind="drawing", polarity=p).image for p in ("dark", "bright")))


def test_filling_can_be_switched_off_and_forced() -> None:
    opened = outline()
    opened[180:, 60:220] = 255  # the hem and all below is missing
    assert lit(with_settings(outline(), fill="off")) < 0.7 * lit(with_settings(outline()))
    assert lit(with_settings(opened, fill="on")) >= lit(with_settings(opened, fill="auto"))
    ring = np.full((200, 200, 3), 240, np.uint8)
    cv2.circle(ring, (100, 100), 60, (60, 90, 70), 30)
    assert lit(with_settings(ring, kind="photo", fill="off")) < lit(with_settings(ring, kind="photo", fill="on"))


@pytest.mark.parametrize("picture", [outline(), trousers()], ids=["drawing", "photo"])
def test_thickness_makes_lines_and_edges_wider_or_thinner(picture: np.ndarray) -> None:
    thin, usual, thick = (with_settings(picture, thickness=steps, fill="off", crop=False) for steps in (-3, 0, 3))
    assert lit(thin) < lit(usual) < lit(thick)


@pytest.mark.parametrize("picture", [outline(), trousers()], ids=["drawing", "photo"])
def test_without_a_crop_the_ground_around_stays(picture: np.ndarray) -> None:
    assert with_settings(picture).image[:, :].any(dim=1).sum() > with_settings(picture, crop=False).image.any(dim=1).sum()


def test_tones_can_be_left_unstretched() -> None:
    kept = with_settings(trousers(), tone=False).image
    assert int(kept.max()) - int(kept[kept > 100].min()) < 90
    assert int(with_settings(trousers()).image.max()) > int(kept.max())


@pytest.mark.parametrize(
    "chosen",
    [
        {"kind": "drawing"},
        {"separate": "off"},
        {"threshold": 0.5},
        {"polarity": "bright"},
        {"fill": "off"},
        {"thickness": 2},
        {"crop": False},
    ],
)
def test_the_last_step_is_the_image_whatever_is_chosen(chosen: dict[str, object]) -> None:
    for picture in (trousers(), outline(), shirt()):
        result = with_settings(picture, **chosen)
        assert np.array_equal(result.steps[-1].picture, result.image.numpy())
        assert all(step.name and step.note for step in result.steps)


# ---- remarks ---------------------------------------------------------------------------------------------------------------------------


def test_an_open_outline_is_remarked() -> None:
    lines = np.full((280, 280), 255, np.uint8)
    cv2.line(lines, (40, 40), (60, 240), (0,), 8)
    cv2.line(lines, (220, 40), (200, 240), (0,), 8)
    assert prepared(lines).remarks == ("outline only",)


def on_carpet(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """Dark cloth where a mask is, on a grey carpet, both with a grain: uint8 (H, W, 3)."""
    grain = np.random.default_rng(seed).normal(0, 12, (*mask.shape, 3))
    return np.clip(np.where(mask[..., None], (60, 40, 90), (190, 185, 170)) + grain, 0, 255).astype(np.uint8)


def pair() -> np.ndarray:
    mask = np.zeros((200, 300), np.uint8)
    for left in (80, 200):
        cv2.ellipse(mask, (left, 100), (35, 70), 0, 0, 360, (1,), -1)
    return mask.astype(bool)


@pytest.mark.parametrize("picture", [on_carpet(pair()), np.where(pair(), 0, 255).astype(np.uint8)], ids=["photo", "drawing"])
def test_two_shoes_are_remarked_and_both_kept(picture: np.ndarray) -> None:
    result = prepared(picture)
    assert result.remarks == ("two objects",)
    assert result.image[14, 5] > 0
    assert result.image[14, 22] > 0


def test_a_garment_that_goes_on_outside_is_remarked_and_kept_whole() -> None:
    mask = np.zeros((300, 240), bool)
    mask[60:, 40:200] = True
    result = prepared(on_carpet(mask))
    assert result.remarks == ("cut off at the edge",)
    assert result.steps[1].picture.mean() == pytest.approx(255 * mask.mean(), rel=0.06)


def test_a_very_small_garment_is_remarked() -> None:
    picture = np.full((300, 300, 3), 210, np.uint8)
    picture[140:180, 140:170] = trousers(40, 210)
    assert "very small" in prepared(picture).remarks


def test_a_full_scribble_gives_an_image_and_a_remark() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    for row in range(20, 260, 8):
        cv2.line(canvas, (20, row), (260, row + 6), (255,), 12)
    result = prepared(canvas)
    assert (result.kind, result.found, result.remarks) == ("drawing", True, ("one solid area",))


# ---- nothing there ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200)])
def test_a_blank_picture_says_that_nothing_is_there(tone: int, size: tuple[int, int]) -> None:
    result = prepared(Image.new("L", size, tone))
    assert not result.found
    assert result.reason
    assert not result.image.any()


@pytest.mark.parametrize("ground", [0, 255])
def test_one_dot_on_an_empty_canvas_is_nothing(ground: int) -> None:
    canvas = np.full((280, 280), ground, np.uint8)
    cv2.circle(canvas, (140, 140), 4, (255 - ground,), -1)
    result = prepared(canvas)
    assert (result.found, result.reason) == (False, "there is nothing drawn, or only a dot")
    assert result.remarks == ("nothing found",)
    assert torch.equal(views(result), result.image[None])


def test_noise_fainter_than_the_least_contrast_is_background() -> None:
    noise = np.random.default_rng(0).integers(125, 131, (200, 200)).astype(np.uint8)
    assert not prepared(noise).found


# ---- files that are no pictures, or not what they say ----------------------------------------------------------------------------------


MOST_SECONDS, MOST_GROWTH = 2.0, 200_000  # seconds and kB that any file may take


def outcome(content: bytes) -> Prepared | None:
    """The prepared picture, or None where a sentence says why there is none; whatever else is raised, and waste, fails the test."""
    begun, held = monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = _outcome(content)
    assert monotonic() - begun < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < MOST_GROWTH
    return result


def _outcome(content: bytes) -> Prepared | None:
    try:
        result = to_image(read(content))
    except PictureError:
        return None
    assert (result.image.dtype, result.image.shape) == (torch.uint8, (SIDE, SIDE))
    assert result.found == (result.reason is None)
    return result


_WHOLE = {kind: encoded(shirt(), kind) for kind in FORMATS} | {"photo": encoded(trousers(), "JPEG"), "drawing": encoded(outline())}


@given(content=st.binary(max_size=2_000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_picture_or_refused_by_a_sentence(content: bytes) -> None:
    outcome(content)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", _WHOLE["PNG"][:30]])
def test_what_is_no_picture_is_told_which_kinds_are_read(content: bytes) -> None:
    with pytest.raises(PictureError, match=r"not a picture that can be read\. PNG, JPEG, WebP, GIF and BMP are\.$"):
        read(content)


@given(kind=st.sampled_from(sorted(_WHOLE)), kept=st.floats(0, 0.999))
@settings(max_examples=150, deadline=None)
def test_a_file_cut_off_anywhere_breaks_nothing(kind: str, kept: float) -> None:
    outcome(_WHOLE[kind][: int(kept * len(_WHOLE[kind]))])


@given(
    kind=st.sampled_from(sorted(_WHOLE)),
    changes=st.lists(st.tuples(st.one_of(st.integers(0, 60), st.integers(0, 5_000)), st.integers(0, 255)), min_size=1, max_size=8),
)
@settings(max_examples=400, deadline=None)
def test_a_file_with_changed_bytes_breaks_nothing(kind: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(_WHOLE[kind])
    for place, value in changes:
        content[place % len(content)] = value
    outcome(bytes(content))


@given(width=st.integers(1, 400), height=st.integers(1, 400), seed=st.integers(0, 2**32 - 1), colour=st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_picture_of_any_shape_and_content_becomes_an_image(width: int, height: int, seed: int, colour: bool) -> None:
    generator = np.random.default_rng(seed)
    picture = np.full((height, width, 3) if colour else (height, width), generator.integers(256), np.uint8)
    top, left = generator.integers(height), generator.integers(width)
    patch = picture[top : top + generator.integers(1, height + 1), left : left + generator.integers(1, width + 1)]
    patch[:] = generator.integers(0, 256, patch.shape)
    assert outcome(encoded(picture)) is not None


def test_a_whole_file_of_each_format_is_read() -> None:
    for kind, content in _WHOLE.items():
        result = outcome(content)
        assert result, kind
        assert result.found, kind


def test_a_format_that_is_not_offered_is_refused() -> None:
    for kind in ("TIFF", "PPM", "ICO"):
        with pytest.raises(PictureError, match="PNG, JPEG, WebP, GIF and BMP are"):
            read(encoded(shirt(), kind))


def test_a_file_with_too_many_bytes_is_refused_by_a_sentence(tmp_path: Path) -> None:
    content = _WHOLE["PNG"] + b"\0" * MOST_BYTES
    with pytest.raises(PictureError, match=r"8\.0 MB; at most 8 MB"):
        read(content)
    path = tmp_path / "large.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"8\.0 MB; at most 8 MB"):
        read(path)


@pytest.mark.parametrize("size", [(MOST_SIDE + 1, 1), (1, MOST_SIDE + 1), (6_000, 4_001), (10_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_a_sentence_before_one_is_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match=r"at most 24 million are read|far more than 24 million pixels"):
        read(header_only(*size))


def test_the_largest_allowed_picture_is_read() -> None:
    large = Image.new("L", (6_000, 4_000), 255)
    large.paste(40, (2_000, 1_000, 4_000, 3_000))
    assert prepared(large).found


def test_a_file_that_is_not_there_is_named_by_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="No such file"):
        read(tmp_path / "gone.png")
    with pytest.raises(PictureError, match="Is a directory"):
        read(tmp_path)
