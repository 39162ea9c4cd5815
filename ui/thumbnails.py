"""Images of the dataset as HTML: crisp at any size, readable by a screen reader, fine on light and dark pages."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

_STYLE = """
<style>
.fm-thumbs { display: grid; grid-template-columns: repeat(auto-fill, minmax(108px, 1fr)); gap: 0.9rem 0.75rem; }
.fm-thumbs figure { margin: 0; min-width: 0; }
.fm-thumbs img, .fm-strip { display: block; width: 100%; border-radius: 6px; background: #000; image-rendering: pixelated; }
.fm-thumbs img { aspect-ratio: 1; }
.fm-thumbs figcaption { font-size: 0.8rem; line-height: 1.25; margin-top: 0.3rem; overflow-wrap: anywhere; }
.fm-thumbs .fm-note { opacity: 0.75; }
.fm-thumbs .fm-wrong img { outline: 3px solid #e4572e; }
.fm-sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 0.6rem 1.5rem; }
.fm-sheet > div { display: grid; grid-template-columns: 6rem 1fr; align-items: center; gap: 0.6rem; }
.fm-sheet span { font-size: 0.875rem; }
@media (max-width: 640px) { .fm-sheet > div { grid-template-columns: 1fr; gap: 0.15rem; } }
</style>
"""


def grid(images: "Tensor", captions: Sequence[str], notes: Sequence[str] = (), wrong: Sequence[bool] = ()) -> str:
    """A grid of small images with a caption each.

    Args:
        images: uint8 (N, 28, 28).
        captions: N texts; any text is safe.
        notes: N texts for a second, fainter line; none if empty.
        wrong: N marks that frame an image; none if empty.
    """
    cells = []
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        note = f'<div class="fm-note">{escape(notes[index])}</div>' if notes else ""
        mark = ' class="fm-wrong"' if wrong and wrong[index] else ""
        source = png(image.numpy())
        cells.append(f'<figure{mark}><img src="{source}" alt=""><figcaption>{escape(caption)}{note}</figcaption></figure>')
    return f'{_STYLE}<div class="fm-thumbs">{"".join(cells)}</div>'


def sheet(images: "Tensor", rows: Sequence[str]) -> str:
    """One picture with a row of examples for each class, cut into labelled strips.

    Args:
        images: uint8 (R, C, 28, 28), R rows of C examples.
        rows: R names.
    """
    count, columns = images.shape[:2]
    source = png(images.numpy().transpose(0, 2, 1, 3).reshape(count * 28, columns * 28))
    strips = "".join(
        f'<div><span>{escape(name)}</span><div class="fm-strip" role="img" aria-label="{columns} examples of {escape(name)}" '
        f'style="background-position: 0 {100 * row / (count - 1):.4f}%"></div></div>'
        for row, name in enumerate(rows)
    )
    shape = f"<style>.fm-strip {{ aspect-ratio: {columns}; background: #000 url({source}) 0 0 / 100% {100 * count}%; }}</style>"
    return f'{_STYLE}{shape}<div class="fm-sheet">{strips}</div>'


def png(pixels: np.ndarray) -> str:
    """Grey pixels, uint8 (H, W), as a data address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
