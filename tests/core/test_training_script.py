"""The training script of a run: in an environment that has PyTorch and nothing else, it gives the weights of the run, bit for bit."""

import ast
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from fmnist import data
from fmnist.checkpoint import fingerprint
from fmnist.config import TrainConfig, preset
from fmnist.errors import ReportError
from fmnist.handover import script
from fmnist.prediction import load
from fmnist.run import Run
from fmnist.store import Store

pytestmark = pytest.mark.timeout(900)  # each asks a network twice about 10,000 images
Train = Callable[..., Run]
SMALL = {"epochs": 2, "batch_size": 64, "train_size": 600, "validation_size": 100, "device": "cpu", "precision": "float32"}
CONFIGS = {
    "plain": {"network": "linear"},
    "best": {
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.05,
        "schedule": "one-cycle",
        "warmup": 0.2,
        "label_smoothing": 0.1,
        "flip": True,
        "shift": 2,
        "clean_epochs": 1,
    },
    "averaged": {
        "network": "small",
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "warmup": 0.1,
        "ema": 0.9,
        "erase": 0.5,
        "validation_size": 0,
    },
    "bfloat16": {"network": "resnet", "optimizer": "sgd", "momentum": 0.0, "warmup": 0.3, "flip": True, "precision": "bfloat16"},
    "bfloat16 blocks": {"network": "small", "ema": 0.99, "precision": "bfloat16", "seed": 3},
    "mlp": {"network": "mlp", "schedule": "cosine", "shift": 1},
}


def distributions(name: str) -> Iterator[metadata.Distribution]:
    """A package and all that it needs."""
    waiting, seen = [name], set()
    while waiting:
        wanted = waiting.pop().lower().replace("_", "-")
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            found = metadata.distribution(wanted)
        except metadata.PackageNotFoundError:
            continue  # for another system
        yield found
        needs = [Requirement(text) for text in found.requires or []]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


@pytest.fixture(scope="module")
def torch_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has PyTorch and what PyTorch needs, and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder / "venv", with_pip=False)
    packages = folder / "packages"
    packages.mkdir()
    for found in distributions("torch"):
        for part in {file.parts[0] for file in found.files or [] if not file.name.endswith(".pth")} - {"..", "__pycache__"}:
            if not (packages / part).exists():
                (packages / part).symlink_to(Path(str(found.locate_file(part))))
    python = folder / "venv" / "bin" / "python"
    place = sysconfig.get_path("purelib", "venv", {"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    (Path(place) / "torch.pth").write_text(f"{packages}\n")
    return python


def run_script(python: Path, content: bytes, folder: Path) -> list[str]:
    """The lines that a script says."""
    (folder / "train.py").write_bytes(content)
    command = [python, "-I", "train.py", str(data.locate())]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_the_environment_has_nothing_but_pytorch(torch_alone: Path) -> None:
    code = """
import torch
for name in ("numpy", "pandas", "torchvision", "streamlit", "safetensors", "pydantic", "fmnist"):
    try:
        __import__(name)
        print(name)
    except ImportError:
        pass
"""
    assert subprocess.run([torch_alone, "-I", "-c", code], capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("name", CONFIGS)
def test_the_script_gives_the_weights_of_the_run_bit_for_bit(
    name: str, torch_alone: Path, train: Train, plain_store: Store, tmp_path: Path
) -> None:
    run = train(TrainConfig(**{"network": "reference", **SMALL, **CONFIGS[name]}))
    lines = run_script(torch_alone, script.write(plain_store, run), tmp_path)
    ours = load(run.id, plain_store).network.state_dict()
    theirs = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)
    assert lines[-2].endswith(fingerprint(ours))
    assert lines[-1] == "The same as the run's, bit for bit."
    told = [f"{epoch.train_loss:.6f}, {run.config.monitor} loss {epoch.loss:.6f}" for epoch in plain_store.epochs(run.id) if run.config]
    assert [line.partition("train loss ")[2].partition(", accuracy")[0] for line in lines[1:-3]] == told
    assert lines[-3] == f"test accuracy {run.accuracy:.4f}, test loss {run.loss:.6f}"


def test_the_script_says_when_the_weights_are_others(torch_alone: Path, train: Train, plain_store: Store, tmp_path: Path) -> None:
    run = train(TrainConfig(**SMALL | {"network": "linear"}))
    other = script.write(plain_store, run).replace(b'SEED, EPOCHS, BATCH = "cpu", 0', b'SEED, EPOCHS, BATCH = "cpu", 1')
    assert run_script(torch_alone, other, tmp_path)[-1].startswith(f"The run had others: accuracy {run.accuracy:.4f}")


def test_a_script_has_only_the_parts_that_its_config_uses(plain_store: Store) -> None:
    plain = script.write(plain_store, plain_store.create(TrainConfig(network="linear"), device="cpu")).decode()
    assert not [word for word in ("math", "deepcopy", "flip", "shift", "erase", "Residual", "FirstConv", "autocast") if word in plain]
    assert script.MARK not in plain
    assert "$" not in plain


@pytest.mark.parametrize("name", ['"""', "a\\", "'; import os #", "$weights {0} %s", "Jacke für Übermut 🧥"])
def test_whatever_a_run_is_called_its_script_is_python(name: str, plain_store: Store) -> None:
    made = script.write(plain_store, plain_store.create(TrainConfig(**CONFIGS["best"]), device="cpu", name=name))
    compile(made, "train.py", "exec")
    said = next(line for line in made.decode().splitlines() if line.startswith("RUN = "))
    assert ast.literal_eval(said.removeprefix("RUN = ")) == name


def test_a_script_is_formatted_as_everything_here(plain_store: Store, tmp_path: Path) -> None:
    for number, config in enumerate(CONFIGS.values()):
        run = plain_store.create(TrainConfig(**{**SMALL, **config}), device="cpu", name="it's")
        (tmp_path / f"{number}.py").write_bytes(script.write(plain_store, run))
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--line-length", "140", "--isolated", str(tmp_path)]
    checked = subprocess.run([*ruff, "check", "--select", "E,F,W,I,B,UP", *options], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    formatted = subprocess.run([*ruff, "format", "--diff", *options], capture_output=True, text=True)
    assert formatted.returncode == 0, formatted.stdout


def test_preset_studio_is_refused_in_one_sentence(plain_store: Store) -> None:
    with pytest.raises(ReportError, match="no script of a run with drawn and photographed views"):
        script.write(plain_store, plain_store.create(preset("studio"), device="cpu"))
