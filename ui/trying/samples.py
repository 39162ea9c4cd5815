"""Pictures that come with the studio, so that the page says something before anybody draws."""

import streamlit as st
from PIL import Image

from ui import choices, state, thumbnails
from ui.trying import picks, strokes
from ui.trying.judgement import Picture
from ui.trying.picks import Pick

KEY = "sample"


def show() -> Picture | None:
    """Drawings of ours and an image of each class of the test split; returns the chosen one, the first at the beginning."""
    drawings = [Pick(each.word, each.name, strokes.address(each)) for each in strokes.SKETCHES]
    images = _images()
    words = [pick.word for pick in (*drawings, *images)]
    said = st.query_params.get(KEY, words[0])
    chosen = said if said in words else words[0]
    st.markdown("**Drawings**")
    picks.show(drawings, "Drawings", _choose, key="try.samples.drawings", chosen=chosen, side=88)
    if images:
        st.markdown("**Test images of Fashion-MNIST**")
        picks.show(images, "Test images", _choose, key="try.samples.images", chosen=chosen, side=88)
    return _picture(chosen)


def _choose(word: str) -> None:
    st.query_params[KEY] = word


def _images() -> list[Pick]:
    """The first test image of each class; none before the dataset is there."""
    if state.dataset_preparation().dataset is None:
        return []
    return _first_of_each_class()


@st.cache_data(show_spinner=False)
def _first_of_each_class() -> list[Pick]:
    from fmnist.data import CLASS_NAMES

    test = state.dataset().test
    labels = test.labels.tolist()
    return [
        Pick(choices.address_word(f"test {name}"), name, thumbnails.png(test.images[labels.index(label)].numpy()), small=True)
        for label, name in enumerate(CLASS_NAMES)
    ]


def _picture(word: str) -> Picture | None:
    found = strokes.sketch(word)
    if found:
        return Picture(f"a drawing, {found.name}", strokes.picture(found))
    names = {pick.word: (place, pick.name) for place, pick in enumerate(_images())}
    if word not in names:
        return None
    label, name = names[word]
    test = state.dataset().test
    return Picture(f"a test image, {name}", Image.fromarray(test.images[test.labels.tolist().index(label)].numpy()))
