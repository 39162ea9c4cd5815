"""Runs in rows, in a table, and one on its page."""
