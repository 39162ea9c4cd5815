"""How a process treats its machine: idle threads and freed memory; to be said before torch is imported."""

import ctypes
import os
import sys

SPINS = 20_000  # about ten microseconds
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_KEEP = 128 << 20  # bytes: about what a step of the reference network needs; with a gigabyte the process grows by 300 MB for nothing


def tune() -> None:
    """For a process that only trains: let idle threads sleep soon, and keep freed memory for the next step."""
    spin_briefly()
    _keep_memory()


def spin_briefly() -> None:
    """Let idle threads of a parallel loop spin only for a moment before they sleep.

    Endless spinning burns the time that the others need as soon as anything else takes a core: training fell to a small part of its
    speed. Not spinning at all costs a fifth on an idle machine. Measured in docs/experiments.md.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))


def _keep_memory() -> None:
    """Let glibc's malloc keep what a step frees, up to 128 MB, instead of giving it back to the kernel.

    The next step takes the same megabytes again, and the kernel clears each page of them anew: hundreds of page faults a step,
    2 to 5 % of its time. Measured in docs/experiments.md.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEEP)
