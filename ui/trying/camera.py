"""A photo by the camera of the computer or the phone. The camera is asked for only when somebody opens this section."""

import streamlit as st

from fmnist.errors import PictureError
from ui import boundary
from ui.trying import uploads
from ui.trying.judgement import Picture


def show() -> Picture | None:
    """Ask for a photo; returns it."""
    st.camera_input("Hold a piece of clothing in front of the camera", key="try.camera", width=460, on_change=_take)
    if st.session_state.get("try.photo") is None:
        st.caption(
            "A plain wall or a bed behind it helps. The photo stays on this computer. Browsers give the camera only to pages at "
            "localhost or by https; elsewhere take the photo with the phone and upload it."
        )
        return None
    try:
        return Picture("your photo", uploads.read(uploads.File("your photo", st.session_state["try.photo"])))
    except PictureError as error:
        boundary.show(error)
        return None


def _take() -> None:
    """What the camera took, kept beyond it: it forgets its photo when another section is opened. None when the photo was cleared."""
    taken = st.session_state["try.camera"]
    st.session_state["try.photo"] = taken.getvalue() if taken else None
