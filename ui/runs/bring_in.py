"""Taking in a run or weights that somebody sends."""

import io

import streamlit as st

from fmnist.errors import FmnistError
from ui import state
from ui.labels import plain

MOST_MB = 64
_KEY = "runs.import"
_WANTED = f"{_KEY}.wanted"


def button() -> None:
    """A button that asks for a file; the run that it becomes opens at once."""
    with st.popover("Import a run", icon=":material/upload:", type="tertiary"):
        file = st.file_uploader(
            "A run that was exported from a studio (.zip), or weights with their card (.safetensors)",
            type=["zip", "safetensors"],
            key=_KEY,
            max_upload_size=MOST_MB,
        )
        st.caption("It becomes a run of its own and never replaces one. Its figures are measured here, on the test images.")
        if st.button("Import it", key=f"{_KEY}.take", disabled=file is None, type="primary"):
            st.session_state[_WANTED] = True
        if file and st.session_state.get(_WANTED):  # not the click itself: another drawing of the page may cut in before the end
            _take(file, file.name)
            del st.session_state[_WANTED]


def _take(file: io.BytesIO, name: str) -> None:
    from fmnist.handover import arrival

    bar, test = st.progress(0.0, "Checking the file"), state.dataset().test
    try:
        arrived = arrival.take_in(state.store(), file.getvalue(), name, test, lambda share: bar.progress(share, "Measuring it"))
    except FmnistError as error:
        bar.empty()
        st.error(plain(str(error)), icon=":material/block:")
        return
    words = "It is here already: this is the run." if arrived.known else f"{arrived.run.name} is imported as run {arrived.run.number}."
    del st.session_state[_WANTED]
    st.session_state[f"{_KEY}.said"] = (words, arrived.remark)
    st.query_params["run"] = arrived.run.id
    st.rerun()


def say_what_happened() -> None:
    """What the last import left for the next drawing of the page."""
    words, remark = st.session_state.pop(f"{_KEY}.said", (None, None))
    if words:
        st.toast(plain(words), icon=":material/check:")
    if remark:
        st.warning(plain(remark), icon=":material/warning:")
