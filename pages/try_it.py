"""Draw, photograph or upload clothes, and see what a model takes them for."""

import streamlit as st

from ui import choices
from ui.trying import models, room

SECTIONS = {
    "draw": ":material/draw: Draw",
    "upload": ":material/upload: Upload",
    "camera": ":material/photo_camera: Camera",
    "samples": ":material/checkroom: Samples",
}

st.title("Try it", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    section = choices.one_of("From", SECTIONS, key="from")
    words = models.ask()
room.show(section, words)
