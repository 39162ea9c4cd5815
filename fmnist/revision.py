"""Which version of this code is at work, as git has it."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, str]:
    """The commit, and whether files were changed since; empty without git, and for a copy that is no repository of its own."""
    top, commit, changed = _git("rev-parse", "--show-toplevel"), _git("rev-parse", "HEAD"), _git("status", "--porcelain", "-uno")
    if not top or not commit or changed is None or Path(top).resolve() != ROOT:
        return {}
    return {"commit": commit, "uncommitted_changes": "yes" if changed else "no"}


@cache
def code() -> str:
    """Twelve hexadecimal digits over what trains: every module of this package. Unlike a commit it knows of changes, and needs no git."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:12]


def _git(*words: str) -> str | None:
    """What git answers; None if it does not."""
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *words]  # without locks: it is only looked at
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
