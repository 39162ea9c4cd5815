"""The shape of the house: who may import whom, and documents that tell the truth."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fmnist import cli

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "fmnist").rglob("*.py"))
SCREENS = sorted([ROOT / "app.py", *(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, *, also_inside_functions: bool = True) -> set[str]:
    """The dotted names that a file imports; of `from a import b` both a and a.b."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if also_inside_functions else _at_import(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What is run when a module is imported: everything outside of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


# ---- who imports whom ----


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_knows_no_screen(path: Path) -> None:
    assert not packages(imported(path)) & {"streamlit", "plotly", "ui", "pages", "app"}


@pytest.mark.parametrize("path", SCREENS, ids=relative)
def test_a_screen_imports_no_page(path: Path) -> None:
    assert not packages(imported(path)) & {"pages", "app", *(page.stem for page in (ROOT / "pages").glob("*.py"))}


def test_no_module_of_the_core_imports_itself_in_a_circle() -> None:
    modules = {module_name(path): path for path in CORE}
    waiting = {name: imported(path, also_inside_functions=False) & modules.keys() - {name} for name, path in modules.items()}
    while free := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert waiting == {}, "these import each other, or something that does"


def test_no_module_is_a_drawer() -> None:
    ours = [
        path
        for folder in ("fmnist", "ui", "pages", "bench", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.is_dir() or path.suffix == ".py"
    ]
    assert not [relative(path) for path in ours if path.stem in DRAWERS]


def test_importing_the_core_says_nothing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path))
    names = [module_name(path) for path in CORE if path.stem != "__main__"]
    done = subprocess.run([sys.executable, "-c", f"import {', '.join(names)}"], capture_output=True, text=True)
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == ("", "", [])


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--help"]], ids=" ".join)
def test_the_help_needs_no_torch(arguments: list[str]) -> None:
    code = f"""
import atexit, sys
atexit.register(lambda: print(*{{"torch", "torchvision", "streamlit", "pandas", "sqlalchemy"}} & set(sys.modules), file=sys.stderr))
sys.argv[1:] = {arguments!r}
from fmnist import __main__
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: " in done.stdout
    assert done.stderr.split() == []


# ---- documents that tell the truth ----


def commands() -> list[str]:
    """The commands that `python -m fmnist --help` lists."""
    shown = subprocess.run([sys.executable, "-m", "fmnist", "--help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return re.findall(r"^    ([a-z]+) ", shown, re.MULTILINE)


def code_blocks(document: Path) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_command_is_documented() -> None:
    found, readme = commands(), (ROOT / "README.md").read_text()
    assert {"data", "train", "runs", "evaluate", "predict", "doctor"} <= set(found)
    assert [name for name in found if f"fmnist {name}" not in readme] == []


def test_every_command_line_in_the_documents_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for path in DOCUMENTS for block in code_blocks(path) for line in block.splitlines() if "python -m fmnist " in line]
    assert lines
    for line in lines:
        words = shlex.split(line.partition("python -m fmnist ")[2], comments=True)
        try:
            cli.parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{line!r}: {capsys.readouterr().err}")


def test_every_make_command_in_the_documents_exists() -> None:
    named = {name for path in DOCUMENTS for name in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)}
    assert {"app", "test"} <= named <= make_targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_inside_the_house_leads_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href|srcset)="([^"]+)"', text)
    inside = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]
    assert [link for link in inside if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_a_document_names_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    named = re.findall(r"`((?:app\.py|fmnist|ui|pages|tests|bench|docs|\.ci|\.streamlit)(?:/[\w./-]*)?)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.stem for page in (ROOT / "pages").glob("*.py") if f"{page.stem}.py" not in readme] == []
