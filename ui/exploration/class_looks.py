"""What the images of each class look like together: their mean, their spread, and figures of their pixels."""

from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import choices, csv_file, state, thumbnails
from ui.picture import heat

if TYPE_CHECKING:
    from fmnist.class_statistics import ClassStatistics

_STYLE = """
<style>
.fm-looks { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 8.4rem), 1fr)); gap: 1rem 1.25rem; }
.fm-looks figure { margin: 0; min-width: 0; }
.fm-looks .fm-pair { display: flex; gap: 2px; }
.fm-looks img { flex: 1 1 0; min-width: 0; aspect-ratio: 1; border-radius: 4px; background: #000; image-rendering: pixelated; }
.fm-looks figcaption { font-size: 0.8rem; line-height: 1.35; margin-top: 0.35rem; }
.fm-looks figcaption div { opacity: 0.75; font-variant-numeric: tabular-nums; }
</style>
"""


def show() -> None:
    """Ten classes side by side, and their figures as a table and a file."""
    split = choices.one_of("Images", choices.SPLITS, key="split")
    found = _statistics(split)
    st.caption(
        "Left the mean of all images of the class, right the standard deviation of each pixel: bright is where they differ. "
        "Where the mean is sharp, all images of the class have the same outline."
    )
    st.html(cards(found))
    st.subheader("Pixels in figures", anchor=False)
    st.dataframe(_frame(found), hide_index=True, column_config=_columns(), alt="Figures of the pixels of each class")
    csv_file.button(f"{split}-classes", lambda: _table(found))


def cards(found: "list[ClassStatistics]") -> str:
    """Mean and spread of each class as HTML."""
    brightest = max(float(each.spread_image.max()) for each in found) or 1.0
    return f'{_STYLE}<div class="fm-looks">{"".join(_card(each, brightest) for each in found)}</div>'


def _card(of: "ClassStatistics", brightest: float) -> str:
    mean, spread = thumbnails.png(heat.grey(of.mean_image / 255)), thumbnails.png(heat.grey(of.spread_image / brightest))
    name = escape(of.name)
    return (
        f'<figure><div class="fm-pair"><img src="{mean}" alt="Mean of {name}"><img src="{spread}" alt="Spread of {name}"></div>'
        f"<figcaption><strong>{name}</strong><div>{of.count:,} images<br>{choices.rounded(of.ink)} garment</div></figcaption></figure>"
    )


@st.cache_data(show_spinner=False)
def _statistics(split: str) -> "list[ClassStatistics]":
    from fmnist.class_statistics import describe

    return describe(state.dataset().train if split == "train" else state.dataset().test)


def _frame(found: "list[ClassStatistics]") -> Any:
    import pandas as pd

    return pd.DataFrame(
        [
            {"class": of.name, "images": of.count, "mean": of.mean, "spread": of.spread, "ink": of.ink, "brightness": of.brightness[1:]}
            for of in found
        ]
    )


def _table(found: "list[ClassStatistics]") -> Any:
    frame = _frame(found).drop(columns="brightness")
    for place in range(len(found[0].brightness)):
        frame[f"grey {16 * place}-{16 * place + 15}"] = [of.brightness[place] for of in found]
    return frame


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "class": column.TextColumn("Class"),
        "images": column.NumberColumn("Images", format="localized"),
        "mean": column.NumberColumn("Mean grey", format="%.1f", help="0 is black, 255 is white; the black ground counts too."),
        "spread": column.NumberColumn("Spread", format="%.1f", help="The standard deviation of all pixels."),
        "ink": column.NumberColumn("Garment", format="percent", help="The share of the pixels that are not ground."),
        "brightness": column.BarChartColumn(
            "Greys of the garment", help="How often each grey is there, from dark to bright; the ground is left out."
        ),
    }
