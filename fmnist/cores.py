"""How a training shares the cores of its machine; to be said before torch is imported."""

import os


def share() -> None:
    """Let idle threads of a parallel loop sleep instead of spin.

    Spinning wins a little on an idle machine. But as soon as anything else takes a core for a moment, a spinning thread burns
    the time that the others need to finish their part: on two cores with one of them busy, training fell to a sixth.
    Measured in docs/experiments.md.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
