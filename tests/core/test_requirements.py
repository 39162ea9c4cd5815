"""Versions with fixes that we need: said in the requirements, and installed."""

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {  # the first version without the advisory; docs/security.md, T19
    "streamlit": "1.54",  # CVE-2026-33682
    "starlette": "1.1",  # CVE-2026-48818
    "torch": "2.10",  # CVE-2026-24747
    "pillow": "12.3",  # several decoders
    "safetensors": "0.8",
}


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_version_without_a_known_hole_is_demanded_and_installed(name: str, floor: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    found = {each.name.lower(): each for each in (Requirement(line) for line in lines if line)}
    floors = [Version(each.version) for each in found[name].specifier if each.operator in (">=", "==")]
    assert max(floors) >= Version(floor)
    assert Version(version(name)) >= Version(floor)
