"""One image of the dataset looked at closely: what a model says of it and why, how it travels through the network, which training
images are most like it, and what every other model says. Every gallery opens it."""

from typing import TYPE_CHECKING, Literal, get_args

import streamlit as st

from ui import judged, state
from ui.picture import answers, explanations, lookalikes, opinions, stages

if TYPE_CHECKING:
    from fmnist.data import Split
    from fmnist.outputs import SplitName

Section = Literal["Why", "Inside", "Nearest", "Models"]  # short: they stand beside each other on a phone


def open_dialog(model_word: str, split: "SplitName", index: int, *, key: str) -> None:
    """The panel over the page, as wide as it can be; a page opens one dialog at a time. Arguments as in `show`."""
    state.dataset()  # before the dialog: what shows its progress reruns the page in the end, and that would close the dialog
    st.dialog(answers.identity(split, index), width="large")(show)(model_word, split, index, key=key)


def show(model_word: str, split: "SplitName", index: int, *, key: str) -> None:
    """Everything about one image, below each other; only the section that is chosen is computed.

    Args:
        model_word: as `judged.model` understands it.
        split: where the image is from.
        index: where it stands in the dataset's own split: test, or train for train and validation, as in `Outputs.indices`.
        key: of the widgets inside; the chosen section stays chosen when another image is opened under the same key.

    Raises:
        FmnistError: there is no such model, or its weights are damaged.
        IndexError: the split has no such image.
    """
    images = _split(split)
    if not 0 <= index < len(images):
        raise IndexError(f"there is no image {index} in a split of {len(images)}")
    image, label = images.images[index], int(images.labels[index])
    model = judged.model(model_word)
    probabilities = opinions.answer(model, image)
    who = "The bundled model" if model_word == "bundled" else model.name
    st.html(answers.drawing(split, index, image.numpy(), label, probabilities, who))
    here = f"{key}.{model.sha256[:8]}.{split}.{index}"
    chosen = _section(f"{key}.section")
    places = {section: st.empty() for section in get_args(Section)}  # one each: what was shown before is gone at once
    with places[chosen].container():
        match chosen:
            case "Why":
                explanations.show(model, image, probabilities, key=here)
            case "Inside":
                stages.show(model, image)
            case "Nearest":
                lookalikes.show(model_word, image, label, None if split == "test" else index, key=here)
            case "Models":
                opinions.show(image, label, split, asked=model.sha256)


def _split(split: "SplitName") -> "Split":
    return state.dataset().test if split == "test" else state.dataset().train


def _section(key: str) -> Section:
    sections: tuple[Section, ...] = get_args(Section)
    st.session_state.setdefault(key, sections[0])
    chosen: Section | None = st.segmented_control(
        "Look closer", sections, required=True, key=key, label_visibility="collapsed", persist_state="session"
    )
    return chosen or sections[0]
