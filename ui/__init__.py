"""What the screens share: the only code beside app.py and pages/ that knows Streamlit."""
