"""The error boundary: what is a person's to mend is a sentence."""

import logging

import pytest
from streamlit.testing.v1 import AppTest


def _refused() -> None:
    import streamlit as st
    from streamlit.elements.lib.file_uploader_utils import enforce_filename_restriction
    from streamlit.errors import StreamlitAPIException

    from ui import boundary

    try:
        enforce_filename_restriction(st.query_params["name"], [".png"])
    except StreamlitAPIException as error:
        boundary.show(error)


@pytest.mark.parametrize("name", ["a\0b.png", "a.exe", "png"])
def test_a_file_name_that_streamlit_itself_refuses_is_a_sentence_and_no_bug(name: str, caplog: pytest.LogCaptureFixture) -> None:
    at = AppTest.from_function(_refused)
    at.query_params["name"] = name
    at.run()
    assert not at.exception
    assert [error.value.partition(".")[0] for error in at.error] == ["A file of that name is not taken"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
