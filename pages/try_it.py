"""Draw, photograph or upload clothes, and see what a model takes them for."""

import streamlit as st

from ui import choices
from ui.trying import room

SECTIONS = {
    "draw": ":material/draw: Draw",
    "upload": ":material/upload: Upload",
    "camera": ":material/photo_camera: Camera",
    "samples": ":material/checkroom: Samples",
    "mine": ":material/bookmark: My pictures",
}

st.title("Try it", anchor=False)
section = choices.one_of("A picture to ask about", SECTIONS, key="from")
if section == "mine":
    room.show_mine()
else:
    room.show(section)
