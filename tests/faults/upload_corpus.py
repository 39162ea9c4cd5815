"""Files that somebody may upload as a picture, made by rule in 26 classes: valid ones of every kind, broken ones, and attacks."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Maker = Callable[[random.Random], bytes]
ORIENTATION, SIGNATURE = 0x0112, b"\x89PNG\r\n\x1a\n"
MAGICS = (SIGNATURE, b"\xff\xd8\xff\xe0", b"GIF89a", b"GIF87a", b"BM", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L")
KINDS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")


def corpus(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """So many files, in turn from each class; the same for the same seed."""
    for number in range(count):
        what = tuple(CLASSES)[number % len(CLASSES)]
        yield what, CLASSES[what](random.Random(f"{seed} {number}"))


def mutated(number: int) -> bytes:
    """A small valid file of which something was changed; the same for the same number."""
    chance = random.Random(number)
    content = bytearray(_seeds()[number % len(_seeds())])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(content)) if chance.random() < 0.5 else chance.randrange(min(64, len(content)))
        way = chance.randrange(4)
        if way == 0:
            content[place] ^= 1 << chance.randrange(8)
        elif way == 1:
            content[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif way == 2 and len(content) > 8:
            del content[place : place + chance.randrange(1, 9)]
        else:
            content[place:place] = chance.randbytes(chance.randrange(1, 9))
        if not content:
            break
    return bytes(content)


def garment(size: tuple[int, int] = (60, 80), mode: str = "RGB") -> Image.Image:
    """Trousers, dark on light."""
    large = Image.new("RGB", size, (244, 240, 235))
    legs = [(0.3, 0.1), (0.7, 0.1), (0.78, 0.92), (0.58, 0.92), (0.5, 0.4), (0.42, 0.92), (0.22, 0.92)]
    ImageDraw.Draw(large).polygon([(x * size[0], y * size[1]) for x, y in legs], fill=(60, 70, 110))
    return large.convert(mode)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes], bits: int = 8, colour: int = 0, rows: bytes = b"") -> bytes:
    """A PNG of any header, with valid checksums, whatever its content."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@lru_cache(maxsize=1)
def _seeds() -> tuple[bytes, ...]:
    """Small files of every kind that is read."""
    small = garment((24, 32))
    frames = [garment((24, 32), "P"), Image.new("P", (24, 32), 3)]
    return (
        *(saved(small, kind) for kind in KINDS),
        saved(small, "JPEG", progressive=True),
        saved(small.convert("CMYK"), "JPEG"),
        saved(small, "WEBP", lossless=True),
        saved(garment((24, 32), "RGBA"), "WEBP"),
        saved(garment((24, 32), "LA"), "PNG"),
        saved(small.quantize(8), "PNG", transparency=0),
        saved(small.convert("1"), "PNG"),
        saved(_deep(small), "PNG"),
        saved(small, "JPEG", exif=_exif(6)),
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        saved(small, "PNG", save_all=True, append_images=[small.rotate(90)]),
    )


def _deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


# ---- one function a class --------------------------------------------------------------------------------------------------------------


def _size(chance: random.Random) -> tuple[int, int]:
    return chance.randrange(20, 160), chance.randrange(20, 160)


def _nothing(chance: random.Random) -> bytes:
    return chance.choice((b"", b"\0", b"\xff", b" ", b"\n" * 3))


def _magic(chance: random.Random) -> bytes:
    return chance.choice(MAGICS) + chance.randbytes(chance.choice((0, 0, 1, 8, 200)))


def _plain(chance: random.Random) -> bytes:
    return saved(garment(_size(chance)), chance.choice(KINDS))


def _no_picture(chance: random.Random) -> bytes:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.txt", "hello")
    return chance.choice(
        (
            b"<!DOCTYPE html><script>alert(1)</script>",
            b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>',
            b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n/x { x } def x\n%%EOF",
            zipped.getvalue(),
            b"MZ\x90\0" + bytes(60) + b"PE\0\0" + chance.randbytes(100),
            b"\x7fELF\x02\x01\x01" + chance.randbytes(100),
            b"\x80\x04\x95\x0c\0\0\0\0\0\0\0}\x94\x8c\x01a\x94K\x01s.",  # a pickle
            chance.randbytes(chance.randrange(1, 5_000)),
        )
    )


def _polyglot(chance: random.Random) -> bytes:
    tail = chance.choice((b"PK\x03\x04" + chance.randbytes(60), b"<script>alert(1)</script>", b"%PDF-1.4\n"))
    return saved(garment(_size(chance)), chance.choice(KINDS)) + tail


def _truncated(chance: random.Random) -> bytes:
    content = saved(garment(_size(chance)), chance.choice(KINDS))
    return content[: chance.randrange(1, len(content))]


def _checksums(chance: random.Random) -> bytes:
    content = bytearray(saved(garment(_size(chance)), "PNG"))
    for _ in range(chance.randrange(1, 4)):
        content[chance.randrange(8, len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def _large_header(chance: random.Random) -> bytes:
    most = 2**31 - 1
    width, height = chance.choice(((20_000, 20_000), (9_400, 9_400), (100_000, 100_000), (most, most), (8_193, 1), (2**32 - 1, 1)))
    kind = chance.choice(("PNG", "PNG", "GIF", "BMP"))
    if kind == "GIF":
        return b"GIF89a" + struct.pack("<HHBBB", min(width, 65_535), min(height, 65_535), 0x80, 0, 0) + bytes(6) + chance.randbytes(30)
    if kind == "BMP":
        sides = min(width, most), min(height, most)
        return b"BM" + struct.pack("<IIIIiiHHIIiiII", 1_000, 0, 54, 40, *sides, 1, 24, 0, 0, 0, 0, 0, 0)
    return png(width, height, bits=chance.choice((1, 8, 16)), colour=chance.choice((0, 2, 6)), rows=bytes(1_000))


@lru_cache(maxsize=4)
def _many_pixels(side: int) -> bytes:
    return png(side, side, bits=1, rows=bytes(side * (1 + -(-side // 8))))


def _bomb(chance: random.Random) -> bytes:
    """Valid, small as a file, and of very many pixels: some above the limit, some just below it."""
    return _many_pixels(chance.choice((9_400, 4_900, 5_100)))


def _metadata_bomb(chance: random.Random) -> bytes:
    swollen = zlib.compress(bytes(50_000_000), 9)
    kind, data = chance.choice(
        (
            (b"zTXt", b"Comment\0\0" + swollen),
            (b"iTXt", b"Comment\0\1\0\0\0" + swollen),
            (b"iCCP", b"icc\0\0" + swollen),
            (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + chance.randbytes(5_000)),
        )
    )
    return png(40, 40, (kind, data), rows=bytes(41 * 40))


def _odd_sides(chance: random.Random) -> bytes:
    width, height = chance.choice(((0, 5), (5, 0), (0, 0), (1, 1), (1, 500), (500, 1), (65_535, 1), (1, 65_535), (8_192, 1), (2, 8_192)))
    return png(width, height, rows=bytes((width + 1) * height))


def _depth(chance: random.Random) -> bytes:
    bits = chance.choice((1, 2, 4, 8, 16))
    width, height = _size(chance)
    return png(width, height, bits=bits, rows=b"".join(b"\0" + chance.randbytes(-(-width * bits // 8)) for _ in range(height)))


def _sixteen(chance: random.Random) -> bytes:
    return saved(_deep(garment(_size(chance))), "PNG")


def _palette(chance: random.Random) -> bytes:
    few = garment(_size(chance)).quantize(chance.choice((2, 16, 256)))
    seen = chance.choice(({}, {"transparency": 0}, {"transparency": bytes(range(2))}))
    return saved(few, chance.choice(("PNG", "GIF")) if seen.get("transparency") != bytes(range(2)) else "PNG", **seen)


def _transparent(chance: random.Random) -> bytes:
    picture = garment(_size(chance), chance.choice(("RGBA", "LA")))
    picture.putalpha(chance.choice((0, 1, 128, 255)))
    return saved(picture, "WEBP" if picture.mode == "RGBA" and chance.random() < 0.5 else "PNG")


def _for_print(chance: random.Random) -> bytes:
    content = saved(garment(_size(chance)).convert("CMYK"), "JPEG", quality=chance.choice((5, 75, 95)))
    place = content.find(b"Adobe")
    if place < 0 or chance.random() < 0.5:
        return content
    return content[: place + 11] + bytes([chance.choice((0, 1, 2, 3, 255))]) + content[place + 12 :]  # another colour transform


def _turned(chance: random.Random) -> bytes:
    exif = _exif(chance.choice((*range(1, 9), 0, 9, 77, 60_000))).tobytes()
    if chance.random() < 0.4:
        exif = exif[: chance.randrange(7, len(exif))] + chance.randbytes(chance.randrange(20))
    return saved(garment(_size(chance)), chance.choice(("JPEG", "PNG", "WEBP")), exif=exif)


def _profile(chance: random.Random) -> bytes:
    return saved(garment(_size(chance)), chance.choice(("JPEG", "PNG", "WEBP")), icc_profile=chance.randbytes(chance.randrange(1, 4_000)))


def _moving(chance: random.Random) -> bytes:
    kind, count = chance.choice((("GIF", 2), ("GIF", 300), ("WEBP", 20), ("PNG", 2), ("PNG", 100)))
    frames = [garment((40, 50), "P"), *(Image.new("P", (40, 50), place % 7) for place in range(count))]
    first, *others = frames if kind == "GIF" else [frame.convert("RGB") for frame in frames]
    return saved(first, kind, save_all=True, append_images=others)


def _growing(chance: random.Random) -> bytes:
    """A GIF whose frame, or whose second frame, is larger than its canvas."""
    content = bytearray(saved(garment((40, 50), "P"), "GIF"))
    place = content.find(b"\x2c")
    content[place + 1 : place + 9] = struct.pack("<HHHH", chance.randrange(3) * 30_000, 0, chance.choice((41, 4_000, 65_535)), 50)
    return bytes(content)


def _in_passes(chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return saved(garment(_size(chance)), "JPEG", progressive=True, subsampling=chance.choice((0, 1, 2)))
    content = bytearray(saved(garment(_size(chance)), "PNG"))
    content[28] = 1  # interlaced, says the header alone
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


def _several(chance: random.Random) -> bytes:
    return saved(garment(_size(chance)), "MPO", save_all=True, append_images=[garment(_size(chance))])


UNREAD = ("TIFF", "ICO", "JPEG2000", "AVIF", "PPM", "TGA", "PCX", "SGI", "ICNS", "DDS", "EPS", "PSD")


def _unread_format(chance: random.Random) -> bytes:
    """Pictures, but of kinds whose decoders are not let near anything that comes from outside."""
    return _unread(chance.choice([kind for kind in UNREAD if _is_made(kind)]))


def _is_made(kind: str) -> bool:
    try:
        return bool(_unread(kind))
    except (OSError, KeyError, ValueError):  # this Pillow cannot write it
        return False


@lru_cache(maxsize=32)
def _unread(kind: str) -> bytes:
    if kind == "PSD":
        return b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(12) + bytes(2) + bytes(192)
    return saved(garment((64, 64)), kind)


def _at_the_limit(chance: random.Random) -> bytes:
    return saved(garment(_size(chance)), "PNG").ljust(chance.choice((7_990_000, 8_000_000, 8_000_001, 8_010_000)), b"\0")


def _noise(chance: random.Random) -> bytes:
    width, height = _size(chance)
    return saved(Image.frombytes("RGB", (width, height), chance.randbytes(width * height * 3)), chance.choice(KINDS))


def _one_tone(chance: random.Random) -> bytes:
    tone, kind = chance.choice((0, 1, 255)), chance.choice(("PNG", "GIF", "BMP"))
    return saved(Image.new(chance.choice(("L", "RGB", "1")), _size(chance), tone), kind)


CLASSES: dict[str, Maker] = {
    "nothing": _nothing,
    "magic": _magic,
    "plain": _plain,
    "no picture": _no_picture,
    "polyglot": _polyglot,
    "truncated": _truncated,
    "checksums": _checksums,
    "large header": _large_header,
    "bomb": _bomb,
    "metadata bomb": _metadata_bomb,
    "odd sides": _odd_sides,
    "bit depth": _depth,
    "sixteen bits": _sixteen,
    "palette": _palette,
    "transparent": _transparent,
    "for print": _for_print,
    "turned": _turned,
    "profile": _profile,
    "moving": _moving,
    "growing": _growing,
    "in passes": _in_passes,
    "several": _several,
    "unread format": _unread_format,
    "at the limit": _at_the_limit,
    "noise": _noise,
    "one tone": _one_tone,
}
