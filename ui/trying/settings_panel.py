"""How a picture is prepared: each step can be set, and everything is automatic until somebody does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.trying import remembered

if TYPE_CHECKING:
    from fmnist.pictures import Settings

AUTOMATIC = "Automatic"


@dataclass(frozen=True)
class Choice:
    """One field of `fmnist.pictures.Settings`."""

    field: str
    label: str
    options: dict[Any, str]  # value -> what a person reads; the first is the default
    help: str
    slides: bool = False  # in an order: a slider

    @property
    def key(self) -> str:
        return f"try.set.{self.field}"

    @property
    def default(self) -> Any:
        return next(iter(self.options))


CHOICES = (
    Choice(
        "kind",
        "Taken for",
        {"auto": AUTOMATIC, "drawing": "a drawing", "photo": "a photo"},
        "Lines on a plain ground, or a photo of something real: the two are prepared in different ways.",
    ),
    Choice(
        "separate",
        "Background",
        {"auto": AUTOMATIC, "colour": "cut by colour alone", "off": "left as it is"},
        "How the garment is told from what lies behind it. Automatic finds its edge (GrabCut) where colour alone is not enough.",
    ),
    Choice(
        "polarity",
        "The garment is",
        {"auto": AUTOMATIC, "dark": "darker than its ground", "bright": "brighter than its ground"},
        "The dataset has bright garments on black, so a dark one on white is turned around.",
    ),
    Choice(
        "fill",
        "Outlines",
        {"auto": AUTOMATIC, "on": "are filled", "off": "stay empty"},
        "The dataset knows no outlines: what a closed or nearly closed line encloses is taken for the garment.",
    ),
    Choice(
        "threshold",
        "Threshold",
        {None: AUTOMATIC, **{step / 20: f"{5 * step} %" for step in range(1, 20)}},
        "How far from the colour of the background something must be to belong to the garment.",
        slides=True,
    ),
    Choice(
        "thickness",
        "Thickness",
        {0: "as it is", **{step: f"{step:+d}".replace("-", "\N{MINUS SIGN}") for step in (-3, -2, -1, 1, 2, 3)}},
        "Lines, or the edge of the garment, thinner or thicker.",
        slides=True,
    ),
    Choice("crop", "Frame", {True: "tight, as the dataset has it", False: "as in the picture"}, "Whether empty margins are cut off."),
    Choice(
        "tone", "Tones", {True: "stretched to the dataset's", False: "as in the picture"}, "Whether brightness and contrast are matched."
    ),
)


def show() -> None:
    """The eight steps in two rows; what is set is kept while the page is open."""
    for some in (CHOICES[:4], CHOICES[4:]):
        for column, choice in zip(st.columns(4), some, strict=True):
            with column:
                _ask(choice)


def settings() -> "Settings":
    """What is set now."""
    from fmnist.pictures import Settings

    return Settings(**{choice.field: remembered.of(choice.key, choice.default) for choice in CHOICES})


def changed() -> list[str]:
    """The labels of what is not automatic."""
    return [choice.label for choice in CHOICES if remembered.of(choice.key, choice.default) != choice.default]


def back_to_automatic() -> None:
    for choice in CHOICES:
        remembered.put(choice.key, choice.default)


def _ask(choice: Choice) -> None:
    remembered.begin(choice.key, choice.default, list(choice.options))
    ordered = sorted(choice.options, key=lambda value: -1 if value is None else value) if choice.slides else list(choice.options)
    widget = st.select_slider if choice.slides else st.selectbox
    widget(
        choice.label,
        ordered,
        format_func=lambda value: choice.options[value],
        key=choice.key,
        help=choice.help,
        on_change=remembered.keep,
        args=(choice.key,),
    )
