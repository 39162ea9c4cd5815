"""What a model says of a split: the same as the network says, kept on the disk, and only for the weights it is of."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fmnist import data, evaluation, outputs
from fmnist.augment import normalised
from fmnist.config import TrainConfig
from fmnist.data import Dataset
from fmnist.errors import ConfigError
from fmnist.models import build
from fmnist.prediction import Model

HELD_BACK = 300


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """The real training images, and the first thousand of the test images."""
    whole = data.load()
    return Dataset(whole.train, whole.test.take(torch.arange(1_000)), whole.source)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    torch.manual_seed(0)
    config = TrainConfig(network="small", validation_size=HELD_BACK)
    return Model("a model", build("small").eval(), config, "ab" * 32, tmp_path / "evaluation")


def test_outputs_are_what_the_network_says(dataset: Dataset, model: Model):
    said = outputs.get(model, "test", dataset)
    torch.testing.assert_close(said.logits, evaluation.logits(model.network, dataset.test.images))
    with torch.inference_mode():
        features = model.network.features(normalised(dataset.test.images[:10]))
    torch.testing.assert_close(said.features[:10].float(), features, rtol=2e-3, atol=2e-3)
    assert (len(said), said.features.dtype, said.indices[-1].item()) == (1_000, torch.float16, 999)
    assert torch.equal(said.labels, dataset.test.labels)


def test_validation_images_are_those_that_the_run_was_judged_on(dataset: Dataset, model: Model):
    assert model.config
    said = outputs.get(model, "validation", dataset)
    _, held_back = data.hold_out(dataset.train, model.config)
    assert torch.equal(said.labels, held_back.labels)
    assert torch.equal(dataset.train.images[said.indices], held_back.images)


def test_a_model_that_saw_every_image_has_no_validation_images(dataset: Dataset, model: Model):
    everything = replace(model, config=TrainConfig(network="small", validation_size=0))
    assert outputs.available(everything) == ("test", "train")
    assert outputs.available(model) == ("test", "validation", "train")
    with pytest.raises(ConfigError, match="trained on every image"):
        outputs.get(everything, "validation", dataset)


def test_the_second_time_comes_from_the_disk_and_only_for_the_same_weights(dataset: Dataset, model: Model):
    told: list[float] = []
    first = outputs.get(model, "test", dataset, told.append)
    assert told[-1] == 1.0
    told.clear()
    again = outputs.get(model, "test", dataset, told.append)
    assert (told, torch.equal(again.logits, first.logits), torch.equal(again.features, first.features)) == ([], True, True)
    outputs.get(replace(model, sha256="cd" * 32), "test", dataset, told.append)
    assert told


def test_a_damaged_file_is_computed_again(dataset: Dataset, model: Model):
    first = outputs.get(model, "test", dataset)
    (file,) = model.folder.iterdir()
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    assert torch.equal(outputs.get(model, "test", dataset).features, first.features)
    assert torch.equal(outputs.get(model, "test", dataset).logits, first.logits)
