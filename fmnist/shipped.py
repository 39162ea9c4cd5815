"""The networks that come with the studio: where their files are, and what these must hash to."""

import json
from pathlib import Path

from fmnist import files
from fmnist.errors import CheckpointError

_FOLDER = Path(__file__).parent / "assets"
BUNDLED, FAMILIARITY = _FOLDER / "bundled.safetensors", _FOLDER / "familiarity.safetensors"
CARD = _FOLDER / "bundled.json"  # of both, written by `make studio`
MOST_CARD = 100_000  # bytes
KEYS = {BUNDLED: "sha256", FAMILIARITY: "familiarity_sha256"}


def sha256(path: Path) -> str:
    """What one of the two files must hash to, as the card says.

    Raises:
        CheckpointError: the card cannot be read.
    """
    try:
        return str(json.loads(files.read(CARD, MOST_CARD))[KEYS[path]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it does not say what it should"
        raise CheckpointError(f"The card {CARD} of the model that comes with the studio cannot be read: {reason}. Get it anew.") from error
