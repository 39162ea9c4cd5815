"""A person's picture becomes what the network knows, however it was taken, and no file breaks anything."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fmnist import data
from fmnist.errors import PictureError
from fmnist.pictures import MOST_BYTES, MOST_SIDE, SIDE, Prepared, read, to_image

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


def test_the_datasets_own_images_pass_through_unchanged(tmp_path: Path) -> None:
    test = data.load().test
    for index in range(100):
        path = tmp_path / f"{index}.png"
        Image.fromarray(test.images[index].numpy()).save(path)
        result = to_image(read(path))
        assert torch.equal(result.image, test.images[index]), index
        assert result.found


# ---- nothing there ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200)])
def test_a_blank_picture_says_that_nothing_is_there(tone: int, size: tuple[int, int]) -> None:
    result = prepared(Image.new("L", size, tone))
    assert not result.found
    assert result.reason
    assert not result.image.any()


def test_noise_fainter_than_the_least_contrast_is_background() -> None:
    noise = np.random.default_rng(0).integers(125, 131, (200, 200)).astype(np.uint8)
    assert not prepared(noise).found


# ---- files that are no pictures, or not what they say ----------------------------------------------------------------------------------


def outcome(content: bytes) -> Prepared | None:
    """The prepared picture, or None where a sentence says why there is none; whatever else is raised fails the test."""
    try:
        result = to_image(read(content))
    except PictureError:
        return None
    assert (result.image.dtype, result.image.shape) == (torch.uint8, (SIDE, SIDE))
    assert result.found == (result.reason is None)
    return result


_WHOLE = {kind: encoded(shirt(), kind) for kind in FORMATS}


@given(content=st.binary(max_size=2_000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_picture_or_refused_by_a_sentence(content: bytes) -> None:
    outcome(content)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", _WHOLE["PNG"][:30]])
def test_what_is_no_picture_is_told_which_kinds_are_read(content: bytes) -> None:
    with pytest.raises(PictureError, match=r"not a picture that can be read\. PNG, JPEG, WebP, GIF and BMP are\.$"):
        read(content)


@given(kind=st.sampled_from(FORMATS), kept=st.floats(0, 0.999))
@settings(max_examples=150, deadline=None)
def test_a_file_cut_off_anywhere_breaks_nothing(kind: str, kept: float) -> None:
    outcome(_WHOLE[kind][: int(kept * len(_WHOLE[kind]))])


@given(
    kind=st.sampled_from(FORMATS),
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
