"""A list as a file to keep."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def button(name: str, content: Callable[[], bytes], label: str = "Download as CSV") -> None:
    """A quiet button that hands over a table.

    Args:
        name: of the file, without its ending.
        content: makes the file when somebody clicks.
    """
    st.download_button(
        label,
        content,
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"csv.{name}",
    )


def written(frame: Any) -> bytes:
    """A pandas frame as a file."""
    return frame.to_csv(index=False).encode()
