"""Look at the images: by class, on a map, with doubtful labels and twins."""

import streamlit as st

st.title("Explore", anchor=False)
