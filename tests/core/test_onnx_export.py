"""ONNX files: onnxruntime says what PyTorch says, somebody without PyTorch can use them, and a wrong one is never written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fmnist import data, evaluation, onnx_export, prediction
from fmnist.checkpoint import hash_file
from fmnist.config import parse
from fmnist.data import CLASS_NAMES
from fmnist.errors import ReportError
from fmnist.models import build
from fmnist.prediction import Model

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 1_000
A_COLLEAGUE = """
import json, sys
import numpy as np
sys.modules["torch"] = sys.modules["fmnist"] = None
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
probabilities, _ = session.run(None, {"images": np.load(sys.argv[2])})
print(*(classes[index] for index in probabilities.argmax(1)), sep="|")
"""


@pytest.fixture(scope="module")
def bundled() -> Model:
    return prediction.read(prediction.Source("bundled", prediction.BUNDLED, hash_file(prediction.BUNDLED), Path(), None))


@pytest.fixture(scope="module")
def exported(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(bundled, tmp_path_factory.mktemp("onnx") / "bundled.onnx")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return data.load().test.images[:IMAGES]


def untrained(network: str) -> Model:
    """A network with random weights."""
    torch.manual_seed(0)
    return Model(network, build(network).eval(), None, "0" * 64, Path())


def written(model: Model, path: Path) -> Path:
    """The ONNX file of a model."""
    path.write_bytes(onnx_export.export(model))
    return path


def answers(file: Path, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities and logits by onnxruntime."""
    probabilities, logits = onnx_export.session(file).run(None, {"images": images.numpy()})
    return torch.from_numpy(probabilities), torch.from_numpy(logits)


def test_onnxruntime_answers_as_pytorch_does(bundled: Model, exported: Path, images: torch.Tensor):
    expected = evaluation.logits(bundled.network, images)
    probabilities, logits = answers(exported, images)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(probabilities, expected.softmax(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", ["linear", "resnet"])  # one without convolutions, one with branches; the bundled one is the reference
def test_every_kind_of_network_is_exported(network: str, images: torch.Tensor, tmp_path: Path):
    model = untrained(network)
    file = written(model, tmp_path / "model.onnx")
    probabilities, logits = answers(file, images[:50])
    torch.testing.assert_close(logits, evaluation.logits(model.network, images[:50]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(probabilities, prediction.predict(model, images[:50]), atol=1e-5, rtol=0)


def test_any_number_of_images_may_be_asked_about(exported: Path, images: torch.Tensor):
    every, _ = answers(exported, images[:7])
    for count in (0, 1, 7):
        probabilities, logits = answers(exported, images[:count])
        assert probabilities.shape == logits.shape == (count, 10)
        torch.testing.assert_close(probabilities, every[:count], atol=1e-6, rtol=0)


def test_what_is_scaled_already_is_refused(exported: Path, images: torch.Tensor):
    with pytest.raises(Exception, match=r"expected: .*uint8"):
        onnx_export.session(exported).run(None, {"images": (images[:1].float() / 255).numpy()})


def test_the_file_says_what_it_is(bundled: Model, exported: Path):
    """Mean and spread are those of the training images."""
    said = onnx_export.session(exported).get_modelmeta().custom_metadata_map
    assert said["model"] == "bundled"
    assert said["weights_sha256"] == hash_file(prediction.BUNDLED)
    assert json.loads(said["classes"]) == list(CLASS_NAMES)
    assert parse(json.loads(said["config"])) == bundled.config
    assert said["preprocessing"] == onnx_export.PREPROCESSING
    pixels = data.load().train.images.double() / 255
    assert (float(said["mean"]), float(said["std"])) == pytest.approx((float(pixels.mean()), float(pixels.std())), abs=5e-5)


def test_a_colleague_without_pytorch_reads_the_classes(bundled: Model, exported: Path, images: torch.Tensor, tmp_path: Path):
    np.save(tmp_path / "images.npy", images[:100].numpy())
    command = [sys.executable, "-c", A_COLLEAGUE, exported, tmp_path / "images.npy"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    guesses = evaluation.logits(bundled.network, images[:100]).argmax(1)
    assert said.stdout.strip().split("|") == [CLASS_NAMES[index] for index in guesses]


def test_the_file_names_no_folder_of_this_machine(exported: Path):
    content = exported.read_bytes()
    assert [word for word in (str(ROOT), sys.prefix, "site-packages", "eval_with_key") if word.encode() in content] == []


def test_the_same_model_gives_the_same_bytes():
    first, second = (onnx_export.export(untrained("linear")) for _ in range(2))
    assert first == second


def test_what_answers_otherwise_is_no_file():
    """A network that has diverged says nothing that could be compared."""
    model = untrained("linear")
    with torch.no_grad():
        model.network.head.bias.fill_(torch.nan)
    with pytest.raises(ReportError, match="so it is not written"):
        onnx_export.export(model)


@pytest.mark.parametrize("missing", ["onnxruntime", "onnxscript"])
def test_without_the_extra_one_sentence_says_how_to_get_it(missing: str, home: Path, tmp_path: Path):
    code = f"import sys; sys.modules['{missing}'] = None; from fmnist.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["export", "bundled", "--format", "onnx", "bundled.onnx"]
    said = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (said.returncode, said.stdout, said.stderr) == (1, "", f"fmnist: {onnx_export.NO_ONNX}\n")
    assert "pip install -r requirements-onnx.txt" in said.stderr
    assert not list(tmp_path.glob("*.onnx"))
