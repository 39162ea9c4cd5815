"""`python tests/faults/defects/selftest.py [NAME]...`: every harness proves that it can fail.

Each seeded defect is put into the product, and the tests that it names must turn red by a failed test: neither green nor broken.
Exit status 0 when all of them do.
"""

import os
import subprocess
import sys
from pathlib import Path

from sitecustomize import load  # its folder is this script's, which Python looks into first

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[2]
TESTS_FAILED = 1  # pytest's exit status: tests ran, and some failed


def is_red(name: str) -> bool:
    """Run the tests of a defect with it; True when one of them fails."""
    environment = {**os.environ, "FMNIST_TEST_DEFECT": name, "PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *load(name).TESTS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    last = (done.stdout.strip().splitlines() or ["nothing was printed"])[-1]
    red = done.returncode == TESTS_FAILED and " failed" in last
    print(f"{'red, as it must be' if red else 'NOT RED'}  {name}: {last}", flush=True)  # noqa: T201
    return red


def main(names: list[str]) -> int:
    names = names or sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("selftest", "sitecustomize"))
    results = [is_red(name) for name in names]
    print(f"{sum(results)} of {len(results)} seeded defects are noticed")  # noqa: T201
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
