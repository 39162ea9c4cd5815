"""How a picture is prepared: each step can be set, and everything is automatic until somebody does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

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

    @property
    def now(self) -> Any:
        return st.session_state.get(self.key, self.default)


CHOICES = (
    Choice(
        "kind",
        "Taken for",
        {"auto": AUTOMATIC, "drawing": "A drawing", "photo": "A photo"},
        "Lines on a plain ground, or a photo of something real: the two are prepared in different ways.",
    ),
    Choice(
        "separate",
        "Background",
        {"auto": AUTOMATIC, "colour": "Cut by colour alone", "off": "Left as it is"},
        "How the garment is told from what lies behind it. Automatic finds its edge (GrabCut) where colour alone is not enough.",
    ),
    Choice(
        "polarity",
        "The garment is",
        {"auto": AUTOMATIC, "dark": "Darker than its ground", "bright": "Brighter than its ground"},
        "The dataset has bright garments on black, so a dark one on white is turned around.",
    ),
    Choice(
        "fill",
        "Outlines",
        {"auto": AUTOMATIC, "on": "Filled", "off": "Left empty"},
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
        {0: "As it is", 1: "Thicker", 2: "Much thicker", 3: "Thickest", -1: "Thinner", -2: "Much thinner", -3: "Thinnest"},
        "Lines, or the edge of the garment, thinner or thicker.",
    ),
    Choice(
        "crop",
        "Frame",
        {True: "Cut tight", False: "Not cut"},
        "A garment of the dataset fills its frame.",
    ),
    Choice("tone", "Tones", {True: "Matched", False: "Left as they are"}, "The dataset goes from dark grey to white."),
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

    return Settings(**{choice.field: choice.now for choice in CHOICES})


def changed() -> list[str]:
    """The labels of what is not automatic."""
    return [choice.label for choice in CHOICES if choice.now != choice.default]


def back_to_automatic() -> None:
    for choice in CHOICES:
        st.session_state[choice.key] = choice.default


def _ask(choice: Choice) -> None:
    widget = st.select_slider if choice.slides else st.selectbox
    widget(
        choice.label,
        list(choice.options),  # what is set first is the first, and no value is set from here: a folded widget would miss it
        format_func=lambda value: choice.options[value],
        key=choice.key,
        help=choice.help,
        persist_state="session",
    )
