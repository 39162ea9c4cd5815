"""Choose what to train, start it, and watch it learn."""

import streamlit as st

st.title("Train")
