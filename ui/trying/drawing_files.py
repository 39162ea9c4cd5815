"""Drawings on the disk, so that reloading the page does not lose them: `runs/drawings/<id>.json`, a few hundred and for a month."""

import base64
import json
import logging
import re
import secrets
import time
from pathlib import Path

from fmnist import files
from fmnist.home import runs_folder
from ui.trying import claims
from ui.trying.drawing import Drawing, State, flattened

MOST = 300  # drawings; the oldest go first
MOST_SECONDS = 30 * 86_400.0
MOST_BYTES = 1_000_000  # of a file: longer drawings are kept as one picture
MOST_READ = 3 * claims.MOST_CHARACTERS  # of a file, whoever has written it
log = logging.getLogger(__name__)


def new_id() -> str:
    return secrets.token_hex(8)


def keep(drawing: Drawing) -> None:
    """Write a drawing; a disk that refuses costs what a reload would show, not the drawing on the screen."""
    path = _path(drawing.id)
    try:
        if drawing.now == State():
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_room(path.parent)
        draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
        draft.write_text(_written(drawing), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        log.warning("the drawing %s is not kept for a reload: %s", drawing.id, error.strerror)


def find(drawing_id: str) -> Drawing | None:
    """A drawing by the id in an address; None if there is none, or it cannot be read."""
    if not re.fullmatch(r"[0-9a-f]{16}", drawing_id):
        return None
    try:
        said = json.loads(files.read(_path(drawing_id), MOST_READ))
        png, trace = (claims.picture(said[name]) if said[name] else None for name in ("png", "trace"))
        state = State(json.dumps(claims.objects(said["objects"])), png, trace or b"")
        return Drawing(drawing_id, bool(said["paper"]), [State(), state], 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("the drawing %s cannot be read: %s", drawing_id, error)
        return None


def _written(drawing: Drawing) -> str:
    state = drawing.now if len(drawing.now.objects) <= MOST_BYTES else flattened(drawing.now)
    png = base64.b64encode(state.png).decode() if state.png else None
    trace = base64.b64encode(state.trace).decode()
    return json.dumps({"objects": json.loads(state.objects), "paper": drawing.paper, "png": png, "trace": trace})


def _make_room(folder: Path) -> None:
    """Remove what is too old or too much."""
    oldest = time.time() - MOST_SECONDS
    files = sorted(((path.stat().st_mtime, path) for path in folder.iterdir()), reverse=True)
    for place, (changed, path) in enumerate(files):
        if place >= MOST - 1 or changed < oldest:
            path.unlink(missing_ok=True)


def _path(drawing_id: str) -> Path:
    return runs_folder() / "drawings" / f"{drawing_id}.json"
