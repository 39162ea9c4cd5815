"""A part of a benchmark in a process of its own, set up as the one of a training: `python -m bench.alone MODULE FUNCTION [ARGUMENT...]`.

So no part has the memory or the settings of another, and what must be said before torch is imported is said (`fmnist.tuning`).
"""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fmnist import tuning


def command(function: Callable[..., Any], *arguments: str) -> list[str]:
    """The command line that calls a function of a module there."""
    return [sys.executable, "-m", "bench.alone", function.__module__, function.__name__, *arguments]


def call(function: Callable[..., Any], *arguments: str) -> Any:
    """What a function gives, called there; it must fit into JSON.

    Raises:
        CalledProcessError: the process failed; why is on standard error.
    """
    return json.loads(subprocess.run(command(function, *arguments), stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    module, name, *arguments = sys.argv[1:]
    tuning.tune()
    print(json.dumps(getattr(import_module(module), name)(*arguments)))  # noqa: T201 - the output of a command


if __name__ == "__main__":
    main()
