"""Familiarity: what is unlike the training images is told from them, by the dataset and made-up things alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fmnist import data, familiarity, outliers, pictures, poses, prediction
from fmnist.errors import CheckpointError
from fmnist.familiarity import Familiarity
from fmnist.prediction import BUNDLED, Model
from fmnist.store import Store


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Model:
    source = prediction.Source("bundled", BUNDLED, prediction.hash_file(BUNDLED), tmp_path_factory.mktemp("model"), None)
    return prediction.read(source)


def test_a_judge_learns_to_tell_images_and_their_views_from_outliers(bundled: Model) -> None:
    train = data.load().train
    judge = familiarity.learn(bundled.network, train.take(list(range(1500))), train.take(list(range(1500, 2200))))
    fresh = train.take(list(range(3000, 3400)))
    masks = poses.silhouettes(fresh.images, fresh.labels)
    strange = outliers.make(fresh.images, masks, fresh.labels, torch.Generator().manual_seed(9))
    with torch.no_grad():
        known, unknown = (judge(familiarity.seen(bundled.network, some)) for some in (fresh.images, strange))
    assert float((known >= judge.threshold).float().mean()) > 0.9
    assert float((unknown < judge.threshold).float().mean()) > 0.3
    assert judge.temperature > 0.05


def test_the_bundled_model_knows_clothes_and_doubts_noise(bundled: Model) -> None:
    test = data.load().test
    shown = [pictures.to_image(Image.fromarray(image.numpy())) for image in test.images[:200]]
    assert sum(said.familiar for said in prediction.classify(bundled, shown)) > 180
    noise = np.random.default_rng(0).integers(0, 255, (28, 28), dtype=np.uint8)
    noise[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    [said] = prediction.classify(bundled, [pictures.to_image(Image.fromarray(noise))])
    assert not said.familiar
    assert said.reason == "it looks like nothing that the model was trained on"


def test_the_answer_is_the_mean_over_the_views_of_a_picture_by_the_odds_of_each(bundled: Model) -> None:
    drawn = Image.new("L", (200, 200), "white")
    drawn.paste(0, (60, 40, 140, 170))
    prepared = pictures.to_image(drawn)
    asked = pictures.views(prepared)
    assert len(asked) > 1
    assert bundled.judge is not None
    scores = prediction.logits(bundled.network, asked) / bundled.judge.temperature
    with torch.no_grad():
        odds = bundled.judge(familiarity.seen(bundled.network, asked)).exp()
    wanted = (odds[:, None] * scores.softmax(1)).sum(0) / odds.sum()
    [said] = prediction.classify(bundled, [prepared])
    assert said.probabilities == pytest.approx(wanted.tolist(), abs=1e-5)
    assert sum(said.probabilities) == pytest.approx(1, abs=1e-5)


def test_without_a_judge_only_a_hesitant_answer_is_doubted(bundled: Model) -> None:
    plain = replace(bundled, judge=None)
    shown = [pictures.to_image(Image.fromarray(image.numpy())) for image in data.load().test.images[:300]]
    for said in prediction.classify(plain, shown):
        assert said.familiar == (said.confidence >= 0.5)


def test_a_judge_is_read_as_it_was_written_and_only_beside_its_own_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    judge, weights = Familiarity(20).eval(), tmp_path / "some.safetensors"
    judge.spread.fill_(2)
    familiarity.save(judge, weights, "ab" * 32)
    again = familiarity.load(weights, "ab" * 32)
    assert again is not None
    sample = torch.randn(5, 30)
    torch.testing.assert_close(again(sample), judge(sample), rtol=1e-2, atol=1e-2)
    assert familiarity.load(weights, "cd" * 32) is None
    assert familiarity.load(tmp_path / "other.safetensors", "ab" * 32) is None


def test_a_damaged_judge_is_said(tmp_path: Path) -> None:
    weights = tmp_path / "some.safetensors"
    familiarity.save(Familiarity(20), weights, "ab" * 32)
    path = familiarity.beside(weights)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a safetensors file that can be read"):
        familiarity.load(weights, "ab" * 32)


def test_the_bundled_judge_belongs_to_the_bundled_weights() -> None:
    card = json.loads(BUNDLED.with_suffix(".json").read_text())
    assert card["sha256"] == prediction.hash_file(BUNDLED)
    assert familiarity.load(BUNDLED, card["sha256"]) is not None
    assert BUNDLED.stat().st_size + familiarity.beside(BUNDLED).stat().st_size < 4_000_000


def test_a_model_that_somebody_trained_has_no_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path))
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(BUNDLED.read_bytes())
    assert prediction.load(str(copy), Store()).judge is None
