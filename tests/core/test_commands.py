"""The command line as a person calls it: the same figures as the screens, JSON alone on standard output, one sentence for a mistake."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fmnist import checkpoint, data, evaluation, onnx_export, prediction
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.handover import weights
from fmnist.store import Store

ROOT = Path(__file__).resolve().parents[2]


def fmnist(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fmnist", *words], capture_output=True, text=True, cwd=ROOT)


def test_evaluate_and_errors_tell_the_figures_of_the_model(home: Path, tmp_path: Path) -> None:
    """The oracle asks the network itself, without the cache that both commands and the Evaluate page share."""
    model = prediction.load("bundled", Store())
    test = data.load().test
    guesses = evaluation.logits(model.network, test.images).argmax(1)
    right = guesses == test.labels

    said = fmnist("evaluate", "bundled", "--json")
    figures = json.loads(said.stdout)
    assert (said.returncode, figures["model"]) == (0, "bundled")
    assert figures["accuracy"] == pytest.approx(float(right.double().mean()))
    assert torch.tensor(figures["confusion"]).equal(evaluation.confusion_matrix(test.labels, guesses))
    assert {"loss", "ece", "macro_f1", "per_class", "accuracy_interval"} <= figures.keys()

    file = tmp_path / "errors.csv"
    said = fmnist("errors", "bundled", "--csv", str(file))
    assert said.returncode == 0
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sorted(int(row["index"]) for row in rows) == (~right).nonzero()[:, 0].tolist()
    assert all(row["true"] == CLASS_NAMES[test.labels[int(row["index"])]] for row in rows)
    assert all(row["predicted"] == CLASS_NAMES[guesses[int(row["index"])]] for row in rows)
    assert f"{len(rows)} of 10,000" in said.stderr


@pytest.mark.parametrize("words", [["--format", "onnx", "FILE"], ["FILE", "--format", "safetensors"]], ids=lambda words: "-".join(words))
def test_export_hands_a_model_over(words: list[str], home: Path, tmp_path: Path) -> None:
    """What the files say is tested elsewhere; here, that the command writes it where it says, of the model that was named."""
    file = tmp_path / "handed-over"
    said = fmnist("export", "bundled", *(str(file) if word == "FILE" else word for word in words), "--json")
    assert (said.returncode, said.stderr) == (0, "")
    told = json.loads(said.stdout)
    assert (told["model"], told["file"], told["size_bytes"]) == ("bundled", str(file), file.stat().st_size)
    assert told["sha256"] == checkpoint.hash_file(file)
    model = prediction.load("bundled", Store())
    if told["format"] == "onnx":
        assert onnx_export.session(file).get_modelmeta().custom_metadata_map["weights_sha256"] == model.sha256
    else:
        _, card, config = weights.read(file.read_bytes(), file.name)
        assert (card.name, config) == ("bundled", model.config)


def test_what_needs_a_run_says_so(home: Path, tmp_path: Path) -> None:
    said = fmnist("export", "bundled", "--format", "report", str(tmp_path / "report.html"))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("fmnist: There is no run 'bundled'")


def test_a_bundle_travels_by_the_command_line(home: Path, tmp_path: Path, tiny_config: TrainConfig) -> None:
    """Trained, exported, deleted, imported, refused when it is damaged: as two people would."""
    settings = tmp_path / "settings.json"
    settings.write_text(tiny_config.model_dump_json())
    assert fmnist("train", "--config", str(settings), "--name", "Traveller").returncode == 0
    file, damaged = tmp_path / "run.zip", tmp_path / "damaged.zip"
    assert fmnist("export", "latest", "--format", "bundle", str(file)).returncode == 0
    sent = Store().find("latest")
    checkpoint.remove_run(Store(), sent.id)
    said = fmnist("import", str(file), "--json")
    told = json.loads(said.stdout)
    here = Store().get(told["run"])
    assert (here.name, here.config, here.accuracy, told["known"], told["remark"]) == ("Traveller", sent.config, sent.accuracy, False, None)
    damaged.write_bytes(file.read_bytes().replace(b"PK", b"KP"))
    said = fmnist("import", str(damaged))
    assert (said.returncode, said.stdout) == (1, "")
    assert "fmnist: damaged.zip is no safetensors file that can be read" in said.stderr
    assert "Traceback" not in said.stderr


def test_runs_lists_those_with_a_tag_and_the_archived_ones_when_asked(home: Path, tiny_config: TrainConfig) -> None:
    store = Store()
    first, second, third = (store.create(tiny_config, device="cpu", name=name) for name in ("[red]one[/]", "two", "three"))
    store.tag([first.id, second.id], add=["lunch"])
    store.archive([second.id])
    store.bin([third.id])
    store.close()

    def listed(*words: str) -> list[tuple[str, list[str]]]:
        return [(run["name"], run["tags"]) for run in json.loads(fmnist("runs", "--json", *words).stdout)["runs"]]

    assert listed() == [("[red]one[/]", ["lunch"])]
    assert listed("--archived", "--tag", "lunch") == [("two", ["lunch"]), ("[red]one[/]", ["lunch"])]
    assert "[red]one[/]" in fmnist("runs").stdout
    assert fmnist("runs", "--tag", "nix").stdout == "No run has the tag 'nix'.\n"


def test_a_file_that_cannot_be_written_is_said_in_one_sentence(home: Path) -> None:
    said = fmnist("errors", "bundled", "--csv", "/proc/nowhere/errors.csv")
    assert said.returncode == 1
    assert "cannot be written" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_model_that_does_not_exist_is_said_in_one_sentence(home: Path) -> None:
    said = fmnist("evaluate", "abcdef")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("fmnist: There is no run 'abcdef'")
    assert "Traceback" not in said.stderr
