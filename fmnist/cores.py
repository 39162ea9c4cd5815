"""How a training shares the cores of its machine; to be said before torch is imported."""

import os

SPINS = 20_000  # about ten microseconds


def share() -> None:
    """Let idle threads of a parallel loop spin only for a moment before they sleep.

    Endless spinning burns the time that the others need as soon as anything else takes a core: training fell to a small part of its
    speed. Not spinning at all costs a fifth on an idle machine. Measured in docs/experiments.md.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
