"""Where things are kept: FMNIST_HOME (the repository by default) holds the three folders below; FMNIST_DB names another database."""

import os
import re
from pathlib import Path

from fmnist.errors import StoreError


def home() -> Path:
    """The folder that holds `data/`, `runs/` and `my_pictures/`."""
    return Path(os.environ.get("FMNIST_HOME") or Path(__file__).resolve().parent.parent).expanduser().absolute()


def data_folder() -> Path:
    return home() / "data"


def runs_folder() -> Path:
    return home() / "runs"


def my_pictures_folder() -> Path:
    """A person's own pictures: see `fmnist.my_pictures`."""
    return home() / "my_pictures"


def run_folder(run_id: str) -> Path:
    """The folder of a run; only ids made by the store become a path.

    Raises:
        StoreError: the id is not 32 hexadecimal digits.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", run_id):
        raise StoreError(f"'{run_id[:40]}' is not the id of a run.")
    return runs_folder() / run_id


def database_url() -> str:
    """FMNIST_DB, or SQLite beside the run folders."""
    return os.environ.get("FMNIST_DB") or f"sqlite:///{runs_folder() / 'studio.db'}"
