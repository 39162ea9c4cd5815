"""Find out where and why a model is wrong."""

import streamlit as st

st.title("Evaluate", anchor=False)
