"""Choices in the address: they begin with what it says, follow it, and write themselves into it."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from ui import address

    options = st.session_state.get("offered", ["red", "green", "blue"])
    address.follow("colour", options, "red")
    st.segmented_control(
        "Colour", options, key="colour", required=True, format_func=str.upper, on_change=address.tell, args=("colour", "red")
    )


@pytest.fixture
def at() -> AppTest:
    return AppTest.from_function(page, default_timeout=60)


def said(at: AppTest) -> Any:
    value = at.query_params.get("colour")
    return value[0] if isinstance(value, list) else value


def chosen(at: AppTest) -> Any:
    assert not at.exception, at.exception
    return at.segmented_control(key="colour").value


def test_a_choice_begins_with_what_the_address_says(at: AppTest) -> None:
    at.query_params["colour"] = "green"
    assert chosen(at.run()) == "green"


@pytest.mark.parametrize("word", ["purple", "", "GREEN"])
def test_what_is_not_offered_counts_as_the_default(at: AppTest, word: str) -> None:
    at.query_params["colour"] = word
    assert chosen(at.run()) == "red"


def test_a_choice_stands_in_the_address_and_the_default_does_not(at: AppTest) -> None:
    at.run().segmented_control(key="colour").select("blue").run()
    assert (said(at), chosen(at)) == ("blue", "blue")
    at.segmented_control(key="colour").select("red").run()
    assert (said(at), chosen(at)) == (None, "red")


def test_a_choice_follows_when_somebody_goes_to_another_address(at: AppTest) -> None:
    at.run().segmented_control(key="colour").select("blue").run()
    at.query_params["colour"] = "green"
    assert chosen(at.run()) == "green"
    del at.query_params["colour"]
    assert chosen(at.run()) == "red"


def test_a_choice_that_is_no_longer_offered_falls_back_to_the_default(at: AppTest) -> None:
    at.run().segmented_control(key="colour").select("blue").run()
    at.session_state["offered"] = ["red", "green"]
    assert chosen(at.run()) == "red"
