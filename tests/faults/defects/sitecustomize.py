"""Python reads this at its start, in every process, when its folder is on PYTHONPATH: then the defect that FMNIST_TEST_DEFECT names is
put into the product as soon as the module concerned is imported. `make torture-selftest` is the only one that does so.

A defect is a file beside this one: the module it spoils (`MODULE`), the tests that must turn red (`TESTS`), and `apply(module)`.
"""

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent


def load(name: str) -> ModuleType:
    """The file of a defect, as a module."""
    spec = spec_from_file_location(f"defect_{name}", FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    defect = module_from_spec(spec)
    spec.loader.exec_module(defect)
    return defect


class _Spoilt(SourceFileLoader):
    """Loads the module as it is, then spoils it."""

    defect: ModuleType

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self.defect.apply(module)


class _Spoiler(MetaPathFinder):
    def __init__(self, defect: ModuleType) -> None:
        self._defect = defect

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._defect.MODULE:
            return None
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        assert spec
        assert spec.origin
        loader: Loader = _Spoilt(name, spec.origin)
        loader.defect = self._defect  # type: ignore[attr-defined]
        spec.loader = loader
        return spec


if _chosen := os.environ.get("FMNIST_TEST_DEFECT"):
    sys.meta_path.insert(0, _Spoiler(load(_chosen)))
