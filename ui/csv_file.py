"""A list as a file to keep."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def button(name: str, frame: Callable[[], Any], label: str = "Download as CSV") -> None:
    """A quiet button that hands over a table.

    Args:
        name: of the file, without its ending.
        frame: makes the table, a pandas frame, when somebody clicks.
    """
    st.download_button(
        label,
        lambda: frame().to_csv(index=False).encode(),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"csv.{name}",
    )
