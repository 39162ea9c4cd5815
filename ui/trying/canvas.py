"""The canvas and its tools."""

import json
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from fmnist.errors import PictureError
from ui import choices
from ui.labels import plain
from ui.trying import claims, drawing_files, picks, start_picture, strokes
from ui.trying.drawing import SIDE, Drawing, Objects, State
from ui.trying.judgement import Picture
from ui.trying.picks import Pick

KEY = "try.canvas"
SLIDER = 165  # pixels: two fit on a phone
MOST_CHARACTERS = 1_500_000  # of strokes: with more every stroke would take long on its way
TOOLS = {
    "pen": ":material/edit: Pen",
    "eraser": ":material/ink_eraser: Eraser",
    "bucket": ":material/format_color_fill: Fill",
    "shape": ":material/category: Shape",
}
SHAPES = {
    "line": ":material/diagonal_line: Line",
    "rect": ":material/rectangle: Box",
    "circle": ":material/circle: Circle",
    "polygon": ":material/pentagon: Polygon",
}
MODES = {"pen": "freedraw", "eraser": "freedraw", "bucket": "point"}  # shapes are called the same by the canvas
HINTS = {
    "pen": "Draw here.",
    "eraser": "Rub out.",
    "bucket": "Click into an area to fill it.",
    "line": "Drag from end to end.",
    "polygon": "Click each corner, then the first one again.",
}


@dataclass(frozen=True)
class Tool:
    """How the pen draws."""

    word: str  # of TOOLS or SHAPES
    width: int  # pixels
    shade: int  # 10-100, as `Drawing.ink` has it
    filled: bool  # shapes are


STYLE = f"""<style>
.st-key-try-board {{ width: {SIDE + 2}px; gap: 0.35rem; }}
.st-key-try-board [data-testid=stCaptionContainer] {{ min-height: 1.9rem; padding-top: 0.5rem; }}
@media (max-width: 640px) {{ .st-key-try-board {{ zoom: 0.8; }} .st-key-try-actions kbd {{ display: none; }} }}
</style>"""


def show() -> Picture | None:
    """The tools and the canvas; returns the drawing, None while there is none."""
    drawn = current()
    _canvas(drawn, _tools())
    drawing_files.keep(drawn)
    if drawn.now.empty or drawn.now.png is None:
        return None
    return Picture("your drawing", Image.fromarray(drawn.grey()))


def begin_with() -> None:
    """Drawings to begin with, for who does not know what to draw."""
    found = [Pick(each.word, each.name, strokes.address(each)) for each in strokes.SKETCHES]
    picks.show(found, "Drawings to begin with", _take_sketch, key="try.begin", side=78)


def current() -> Drawing:
    """The drawing that the address names, or the one of this visit; a new one at first."""
    said, drawn = st.query_params.get("drawing"), st.session_state.get("try.drawing")
    if not isinstance(drawn, Drawing) or (said and said != drawn.id):
        drawn = (drawing_files.find(said) if said else None) or Drawing(
            drawing_files.new_id(), paper=st.session_state.get("try.paper", False)
        )
        st.session_state["try.drawing"] = drawn
    if drawn.now == State():
        st.query_params.pop("drawing", None)
    elif said != drawn.id:
        st.query_params["drawing"] = drawn.id
    return drawn


def _tools() -> Tool:
    """Ask for a tool and how it draws. What is set stays set while the page is away."""
    word, filled = choices.one_of("Tool", TOOLS, key="try.tool", label_visibility="collapsed", in_address=False), False
    if word == "shape":
        with st.container(horizontal=True, vertical_alignment="center"):
            word = choices.one_of("Shape", SHAPES, key="try.shape", label_visibility="collapsed", in_address=False)
            filled = st.toggle("Filled", True, key="try.filled", persist_state="session")
    with st.container(horizontal=True):  # beside each other on a phone, too
        left, right = st.container(width=SLIDER), st.container(width=SLIDER)
    width = left.slider("Brush", 2, 48, 12, key="try.width", format="%d px", help="Of the pen and the eraser.", persist_state="session")
    shade = right.slider(
        "Shade",
        *(10, 100, 100, 10),
        key="try.shade",
        format="%d %%",
        help="100 % is white on black, or black on white.",
        persist_state="session",
    )
    return Tool(word, width, shade, filled)


def _canvas(drawn: Drawing, tool: Tool) -> None:
    if KEY not in st.session_state:
        drawn.awaiting = False  # a canvas that is drawn for the first time sends nothing
    if KEY not in st.session_state or st.session_state.get("try.given.revision") != (drawn.id, drawn.revision):
        st.session_state["try.given"] = drawn.given()  # only then: else every stroke would be drawn again
        st.session_state["try.given.revision"] = (drawn.id, drawn.revision)
    from streamlit_drawable_canvas import st_canvas  # known only where a server runs

    ink = drawn.ink(tool.shade)
    st.html(STYLE)
    with st.container(key="try-board", width=SIDE + 2):
        st.caption(HINTS.get(tool.word, "Drag from corner to corner."))
        st_canvas(
            fill_color=ink if tool.filled else "rgba(0, 0, 0, 0)",
            stroke_width=1 if tool.word == "bucket" else tool.width,
            stroke_color=drawn.ground if tool.word == "eraser" else ink,
            background_color=drawn.ground,
            background_image=drawn.now.trace or None,
            height=SIDE,
            width=SIDE,
            drawing_mode=MODES.get(tool.word, tool.word),
            initial_drawing={"objects": st.session_state["try.given"]},
            point_display_radius=1,
            return_image_data=True,
            key=KEY,
            on_change=_receive_quietly,
        )
    if _receive():
        st.rerun(scope="fragment")


def _receive_quietly() -> None:
    _receive()


def _receive() -> bool:
    """Take what the canvas has sent. Returns whether it must be drawn again."""
    drawn, sent = st.session_state["try.drawing"], (st.session_state.get(KEY) or {}).get("drawing")
    if not isinstance(sent, dict) or not sent.get("data"):
        return False
    raw = sent.get("raw")
    claimed = raw.get("objects") if isinstance(raw, dict) else None
    mark = (sent["data"], len(claimed) if isinstance(claimed, list) else 0)
    if st.session_state.get("try.seen") == mark:
        return False
    st.session_state["try.seen"] = mark
    try:
        return _take(drawn, claims.objects(claimed), claims.picture(sent["data"]))
    except PictureError as error:
        st.toast(plain(str(error)), icon=":material/block:")
        return False


def _take(drawn: Drawing, sent: Objects, png: bytes) -> bool:
    before, objects = drawn.revision, drawn.received(sent)
    if objects is None:
        return False
    if st.session_state.get("try.tool") == "bucket" and len(objects) > len(json.loads(drawn.now.objects)):
        drawn.pour(objects[-1], st.session_state["try.shade"])
    else:
        drawn.drawn(objects, png)
    if len(drawn.now.objects) > MOST_CHARACTERS:
        drawn.flatten()
    return drawn.revision != before


def actions() -> None:
    """What can be done with the drawing."""
    drawn = current()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="try-actions"):
        st.button("Undo", icon=":material/undo:", key="try.undo", on_click=drawn.undo, disabled=not drawn.can_undo, shortcut="Ctrl+Z")
        st.button("Redo", icon=":material/redo:", key="try.redo", on_click=drawn.redo, disabled=not drawn.can_redo, shortcut="Ctrl+Y")
        st.button(
            "Clear",
            icon=":material/delete:",
            key="try.clear",
            on_click=drawn.clear,
            disabled=drawn.now == State(),
            help="An empty canvas. Undo brings the drawing back.",
        )
        st.button(
            "Fill the outline",
            icon=":material/format_color_fill:",
            key="try.fill",
            on_click=drawn.fill,
            disabled=drawn.now.empty,
            help="Colours everything that your lines enclose.",
        )
        start_picture.button(drawn)
        if st.session_state.get("try.paper", False) != drawn.paper:  # another drawing by its address
            st.session_state["try.paper"] = drawn.paper
        st.toggle("Pencil on paper", key="try.paper", on_change=_turn, help="Dark lines on white instead of white lines on black.")


def _turn() -> None:
    st.session_state["try.drawing"].turn(st.session_state["try.paper"])


def _take_sketch(word: str) -> None:
    found, drawn = strokes.sketch(word), current()
    if found:
        drawn.replace(strokes.objects(found, drawn.paper), strokes.png(found, drawn.paper))
