"""Familiarity: what is unlike the training images is told from them, by the dataset and made-up things alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fmnist import data, familiarity, outliers, pictures, poses, prediction
from fmnist.config import TrainConfig
from fmnist.errors import CheckpointError
from fmnist.familiarity import FILE, Familiarity
from fmnist.prediction import BUNDLED, Model


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Model:
    source = prediction.Source("bundled", BUNDLED, prediction.hash_file(BUNDLED), tmp_path_factory.mktemp("model"), None)
    return prediction.read(source)


def noise() -> pictures.Prepared:
    pixels = np.random.default_rng(0).integers(0, 255, (28, 28), dtype=np.uint8)
    pixels[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    return pictures.to_image(Image.fromarray(pixels))


def test_a_judge_learns_to_tell_images_from_outliers() -> None:
    train = data.load().train
    judge = familiarity.learn(train.take(list(range(3000))), steps=120)
    fresh = train.take(list(range(3000, 3400)))
    masks = poses.silhouettes(fresh.images, fresh.labels)
    strange = outliers.make(fresh.images, masks, fresh.labels, torch.Generator().manual_seed(9))
    with torch.no_grad():
        known, unknown = judge(fresh.images), judge(strange)
    above = (known[:, None] > unknown).float().mean()  # the chance that an image seems more familiar than an outlier
    assert float(above) > 0.8
    assert familiarity.shares(judge, fresh)["images"] == pytest.approx(float((known > 0).float().mean()))


def test_the_same_seed_teaches_the_same_judge_and_leaves_the_dice_of_others_alone() -> None:
    train = data.load().train.take(list(range(300)))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (familiarity.learn(train, steps=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    sample = train.images[:20]
    assert torch.equal(one(sample), two(sample))
    assert not torch.equal(one(sample), other(sample))


def test_the_judge_knows_clothes_and_doubts_noise(bundled: Model) -> None:
    test = data.load().test
    assert float((familiarity.judge(test.images[:1000]) > 0).float().mean()) > 0.97
    [said] = prediction.classify(bundled, [noise()])
    assert not said.familiar
    assert said.reason == "it looks like nothing that the model was trained on"


def test_the_answer_is_the_mean_over_the_views_of_a_picture_by_the_odds_of_each(bundled: Model) -> None:
    drawn = Image.new("L", (200, 200), "white")
    drawn.paste(0, (60, 40, 140, 170))
    prepared = pictures.to_image(drawn)
    asked = pictures.views(prepared)
    assert len(asked) > 1
    odds = familiarity.judge(asked).exp()
    wanted = (odds[:, None] * prediction.logits(bundled.network, asked).softmax(1)).sum(0) / odds.sum()
    [said] = prediction.classify(bundled, [prepared])
    assert said.probabilities == pytest.approx(wanted.tolist(), abs=1e-5)
    assert sum(said.probabilities) == pytest.approx(1, abs=1e-5)


def test_a_model_that_has_seen_product_shots_alone_is_doubted_when_it_hesitates(bundled: Model) -> None:
    plain = replace(bundled, config=TrainConfig())
    shown = [pictures.to_image(Image.fromarray(image.numpy())) for image in data.load().test.images[:300]]
    known = [float(familiarity.judge(prepared.image[None])) >= 0 for prepared in shown]
    for said, familiar in zip(prediction.classify(plain, shown), known, strict=True):
        assert said.familiar == (familiar and said.confidence >= 0.5)
    assert not prediction.classify(plain, [noise()])[0].familiar


def test_a_judge_is_read_as_it_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    judge, path = Familiarity().eval(), tmp_path / "judge.safetensors"
    familiarity.save(judge, path)
    sample = data.load().test.images[:5]
    torch.testing.assert_close(familiarity.load(path)(sample), judge(sample), rtol=1e-2, atol=1e-2)


def test_a_damaged_or_another_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    path.write_bytes(FILE.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a safetensors file that can be read"):
        familiarity.load(path)
    with pytest.raises(CheckpointError, match="not a judge of familiarity"):
        familiarity.load(BUNDLED)


def test_what_comes_with_the_studio_belongs_together_and_is_small() -> None:
    card = json.loads(BUNDLED.with_suffix(".json").read_text())
    assert card["sha256"] == prediction.hash_file(BUNDLED)
    assert BUNDLED.stat().st_size + FILE.stat().st_size < 4_000_000
