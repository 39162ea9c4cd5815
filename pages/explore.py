"""Look at the images: by class, on a map, with doubtful labels and twins."""

import streamlit as st

from ui import choices, model_choice, state

SECTIONS = {
    "browse": ":material/photo_library: Browse",
    "classes": ":material/category: Classes",
    "augmentation": ":material/flip: Augmentation",
    "map": ":material/scatter_plot: Map",
    "labels": ":material/label_off: Suspect labels",
    "duplicates": ":material/content_copy: Duplicates",
    "typical": ":material/star: Typical",
}


def first_page() -> None:
    """Another section begins at the first page of its list."""
    st.query_params.pop("page", None)


def show(section: str, word: str) -> None:
    """The part that is looked at; only that is imported and computed."""
    if section == "browse":
        from ui.exploration import browse

        browse.show(word)
    elif section == "classes":
        from ui.exploration import class_looks

        class_looks.show()
    elif section == "augmentation":
        from ui.exploration import augmentation_look

        augmentation_look.show()
    elif section == "map":
        from ui.exploration import feature_map

        feature_map.show(word)
    elif section == "labels":
        from ui.exploration import doubtful_labels

        doubtful_labels.show(word)
    elif section == "duplicates":
        from ui.exploration import twins

        twins.show(word)
    else:
        from ui.exploration import typical_images

        typical_images.show(word)


st.title("Explore", anchor=False)
word = model_choice.ask("Model", "model")
section = choices.one_of("Section", SECTIONS, key="section", label_visibility="collapsed", on_change=first_page)
state.dataset()
show(section, word)
