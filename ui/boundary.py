"""The one error boundary: whatever goes wrong on a page ends here, and a person reads a sentence instead of a traceback."""

import logging
import secrets

import streamlit as st
from streamlit.errors import StreamlitAPIException

from fmnist.errors import FmnistError
from ui.labels import plain

FILE_NAMES = ("Filename cannot contain null bytes", "Invalid file extension")  # how Streamlit begins when a browser sends such a file
log = logging.getLogger(__name__)


def show(error: Exception) -> bool:
    """A card for an error: its own sentence if it is one of ours, else an id under which the log has the details.

    Returns:
        True, which tells Streamlit that the error has been shown.
    """
    if isinstance(error, FmnistError):
        st.error(plain(str(error)), icon=":material/error:")
    elif isinstance(error, StreamlitAPIException) and str(error).startswith(FILE_NAMES):
        st.error(
            "A file of that name is not taken. Remove it from the list, give it a usual name with one of the endings that the list "
            "names, and choose it again.",
            icon=":material/block:",
        )
    else:
        number = secrets.token_hex(3)
        log.error("error %s on a page", number, exc_info=error)
        st.error(
            f"It is logged as error **{number}** in the terminal that runs the dashboard. Your runs are safe: a training goes on "
            "in its own process. Reload the page; if it happens again, report the lines of the log under this number.",
            title="Something went wrong that should not have",
            icon=":material/bug_report:",
        )
    return True
