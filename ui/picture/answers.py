"""What a model says of one image, in words and in ten bars; readable by a screen reader, fine on light and dark pages."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ui import thumbnails

if TYPE_CHECKING:
    import numpy as np

    from fmnist.outputs import SplitName

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


def identity(split: "SplitName", index: int) -> str:
    """What an image is called: "Test image 1234"; an image held back for validation is one of the training images."""
    return f"{'Test' if split == 'test' else 'Training'} image {index}"


def drawing(split: "SplitName", index: int, pixels: "np.ndarray", label: int, probabilities: list[float], who: str) -> str:
    """The image, large, with what it is, what a model says of it, and the ten probabilities: HTML.

    Args:
        pixels: uint8 (28, 28).
        who: the model's name; any text is safe.
    """
    from fmnist.data import CLASS_NAMES

    guess = max(range(len(probabilities)), key=probabilities.__getitem__)
    source = thumbnails.png(pixels)
    held_back = " The image was held back from training, for validation." if split == "validation" else ""
    heading = f"{'✓' if guess == label else '✗'} {CLASS_NAMES[guess]}, {share(probabilities[guess])} sure"
    words = f"{who} is {certainty(probabilities[guess])}, and {'right' if guess == label else 'wrong'}"
    gets = "" if guess == label else f", which gets {share(probabilities[label])}"
    alternative = f"{identity(split, index)}: {CLASS_NAMES[label]}"
    return (
        f'{_STYLE}<div class="fm-one"><div><img src="{source}" alt="{escape(alternative)}"></div><div><h4>{escape(heading)}</h4>'
        f"<p>{escape(words)}: the true label is <b>{CLASS_NAMES[label]}</b>{escape(gets)}.{held_back}</p>"
        f"{_bars(probabilities, guess, label)}</div></div>"
    )


def _bars(probabilities: list[float], guess: int, label: int) -> str:
    """Ten bars that a screen reader reads as ten lines."""
    from fmnist.data import CLASS_NAMES

    rows = "".join(
        f'<li class="{"fm-truth" if index == label else "fm-guess" if index == guess else ""}"><span>{escape(CLASS_NAMES[index])}</span>'
        f'<span class="fm-track" aria-hidden="true"><div class="fm-level" style="width: {100 * probability:.2f}%"></div></span>'
        f'<span class="fm-share">{escape(share(probability))}</span></li>'
        for index, probability in enumerate(probabilities)
    )
    marks = [("#2f6fed", "true label")] + [("#e4572e", "the guess")] * (guess != label)
    key = "".join(f'<span style="--colour: {colour}">{word}</span>' for colour, word in marks)
    return f'<ul class="fm-bars" aria-label="Probabilities of the ten classes">{rows}</ul><div class="fm-key">{key}</div>'


def share(probability: float) -> str:
    """0.6123 -> "61.2 %"; what is not quite nothing or everything is not rounded to it."""
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= probability < 1 else f"{100 * probability:.1f} %"


def certainty(probability: float) -> str:
    """How sure a model is, in words."""
    for least, words in ((0.99, "almost certain"), (0.9, "sure"), (0.7, "fairly sure"), (0.5, "not very sure")):
        if probability >= least:
            return words
    return "unsure"
