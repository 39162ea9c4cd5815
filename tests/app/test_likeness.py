"""What an answer on the Try page is like: the mean of its class, and the nearest training images, as brute force finds them."""

import re
import time
from collections.abc import Callable

import pytest
import torch
from streamlit.testing.v1 import AppTest

from fmnist.augment import normalised
from fmnist.data import CLASS_NAMES, Dataset
from fmnist.prediction import load, predict
from fmnist.store import Store
from tests.app.test_pages import button
from tests.app.test_picture_panel import expected as of_brute_force
from tests.app.test_picture_panel import trained
from tests.app.test_try_page import html, last_frame
from ui import thumbnails
from ui.trying import models

Visit = Callable[..., AppTest]
FIND = "Find the five nearest training images"


@pytest.fixture
def asked(visit: Visit, runs_store: Store) -> tuple[AppTest, torch.Tensor]:
    """A drawn bag that a run of the linear network was asked about, whose features are the pixels; and the image, uint8 (28, 28)."""
    models.warming().wait(60)
    at = visit("try_it", **{"from": "samples", "sample": "bag", "models": str(trained(runs_store).number)})
    return at, torch.from_numpy(last_frame(at).copy())


def nearest(at: AppTest) -> list[tuple[str, int, float]]:
    """The class, number and cosine of each training image that is shown."""
    assert not at.exception
    found = re.findall(r'<figcaption>([^<]*)<div class="fm-note">image (\d+), alike ([\d.]+)</div>', html(at))
    return [(name, int(index), float(cosine)) for name, index, cosine in found]


def looked(at: AppTest) -> AppTest:
    """The page once the model has looked at all training images; a bar says how far it is."""
    give_up = time.monotonic() + 120
    while not nearest(at):
        assert at.get("progress"), "neither images nor a progress bar"
        assert time.monotonic() < give_up
        at.run()
    return at


def test_the_nearest_are_found_after_a_click_and_without_one_when_they_are_at_hand(
    visit: Visit, asked: tuple[AppTest, torch.Tensor], dataset: Dataset
) -> None:
    at, image = asked
    assert nearest(at) == []
    button(at, FIND).click().run()
    shown = nearest(looked(at))
    indices = of_brute_force(dataset, image)[:5]
    rows, query = normalised(dataset.train.images[indices]).flatten(1), normalised(image[None]).flatten(1)
    assert [index for _, index, _ in shown] == indices
    assert [cosine for *_, cosine in shown] == pytest.approx(torch.cosine_similarity(rows, query).tolist(), abs=0.006)  # two digits
    assert [name for name, _, _ in shown] == [CLASS_NAMES[label] for label in dataset.train.labels[indices].tolist()]
    again = visit("try_it", **{"from": "samples", "sample": "bag", "models": at.multiselect(key="models").value[0]})
    assert nearest(looked(again)) == shown
    assert FIND not in [each.label for each in again.button]


def test_beside_them_is_the_mean_of_the_class_that_was_guessed(
    asked: tuple[AppTest, torch.Tensor], runs_store: Store, dataset: Dataset
) -> None:
    at, image = asked
    guess = int(predict(load(at.multiselect(key="models").value[0], runs_store), image[None]).argmax())
    mean = dataset.train.images[dataset.train.labels == guess].double().mean(0).round().byte()
    assert f'<img src="{thumbnails.png(mean.numpy())}" alt="Mean {CLASS_NAMES[guess]}' in html(at)
