"""Every claim about speed or quality in the docs, as a command: `python -m bench NAME`."""
