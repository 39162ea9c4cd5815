"""An image of the dataset under the pen: to alter it, or to trace it."""

import io
from random import Random

import streamlit as st
from PIL import Image

from ui import choices, state, thumbnails
from ui.trying import picks
from ui.trying.drawing import SIDE, Drawing, picture_object
from ui.trying.picks import Pick

COUNT = 10
MARGIN = 32  # pixels around the image, so that it does not touch the edge: each of its own becomes 12 x 12
FAINT = 0.35  # how strongly a picture is seen that is only traced
USES = {"alter": "Draw on it", "trace": "Trace it"}
_USES = "Drawn on, it belongs to the drawing. Traced, it is seen faintly below the drawing and is not judged."


def button(drawn: Drawing) -> None:
    """A button that opens the choice."""
    with st.popover("Start from a picture", icon=":material/image:"):
        dataset = state.dataset_preparation().dataset
        if dataset is None:
            st.caption("The images of the dataset are shown here once it is found; the Overview says how far that is.")
            return
        from fmnist.data import CLASS_NAMES

        choices.one_of("What for", USES, key="try.start.use", help=_USES, in_address=False)
        label = st.selectbox("Class", range(len(CLASS_NAMES)), format_func=lambda index: CLASS_NAMES[index], key="try.start.class")
        _examples(label)
        st.button("Show others", icon=":material/shuffle:", key="try.start.others", on_click=_others, type="tertiary")
        number, take = st.columns([3, 2], vertical_alignment="bottom")
        number.number_input("Or test image number", 0, len(dataset.test) - 1, key="try.start.number")
        take.button("Take it", key="try.start.take", on_click=_take_number)


def _examples(label: int) -> None:
    picks.show(_chosen(label, st.session_state.get("try.start.seed", 0)), "Images to start from", _take, key="try.start.picks", side=56)


@st.cache_data(show_spinner=False, max_entries=64)
def _chosen(label: int, seed: int) -> list[Pick]:
    """Some test images of a class."""
    import torch

    from fmnist.data import CLASS_NAMES

    test = state.dataset().test
    indices = Random(f"{label} {seed}").sample(torch.nonzero(test.labels == label)[:, 0].tolist(), COUNT)
    name = CLASS_NAMES[label]
    pictures = [(index, thumbnails.png(test.images[index].numpy())) for index in indices]
    return [Pick(str(index), f"{name}, test image {index}", source, small=True, shown=False) for index, source in pictures]


def _others() -> None:
    st.session_state["try.start.seed"] = st.session_state.get("try.start.seed", 0) + 1


def _take_number() -> None:
    _take(str(st.session_state["try.start.number"]))


def _take(index: str) -> None:
    """Put a test image under the pen."""
    drawn: Drawing = st.session_state["try.drawing"]
    image = Image.fromarray(state.dataset().test.images[int(index)].numpy())
    if drawn.paper:
        image = Image.eval(image, lambda grey: 255 - grey)
    ground = Image.new("L", (SIDE, SIDE), drawn.ground)
    image = image.resize((SIDE - 2 * MARGIN, SIDE - 2 * MARGIN), Image.Resampling.NEAREST)  # the canvas would smooth it
    large = ground.copy()
    large.paste(image, (MARGIN, MARGIN))
    if st.session_state["try.start.use"] == "trace":
        drawn.trace_over(_png(Image.blend(ground, large, FAINT)))
    else:
        drawn.replace([picture_object(image, MARGIN)], _png(large))


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
