"""Every training with its settings and figures."""

import streamlit as st

st.title("Runs")
