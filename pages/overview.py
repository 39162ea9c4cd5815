"""What this is, how good the best model is, and what to do next."""

import streamlit as st

st.title("Fashion-MNIST studio")
