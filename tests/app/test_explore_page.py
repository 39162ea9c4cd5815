"""The page that shows the images: by class, augmented, on a map, doubtful, alike, typical; each list is what the core finds."""

import base64
import io
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from fmnist import cache, class_statistics, duplicates, maps, runner, suspects, typical
from fmnist.computation import Computation
from fmnist.config import TRAIN_IMAGES, TrainConfig
from fmnist.data import CLASS_NAMES, Dataset
from fmnist.outputs import Outputs
from fmnist.run import Run
from fmnist.store import Store
from tests.app.conftest import NOBODY
from ui import judged, thumbnails
from ui.exploration import augmentation_look, doubtful_labels, feature_map, lasso_map, twins, typical_images
from ui.images import buttons, tiles

Visit = Callable[..., AppTest]
CONFIG = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=900, validation_size=300, device="cpu", precision="float32")
COAT, BAG = 4, 8


@pytest.fixture
def trained(runs_store: Store) -> Run:
    """A run of three epochs, trained for real."""
    run = runs_store.claim("cpu", NOBODY, runs_store.create(CONFIG, device="cpu").id)
    assert run
    return runner.train(runs_store, run, threading.Event())


def said(word: str, split: Any = "test") -> Outputs:
    """What a model says, when it is computed."""
    job = judged.begin(word, split)
    job.wait(240)
    assert job.result is not None, job.error
    return job.result


def components(at: AppTest, key: str) -> list[dict[str, Any]]:
    """What was sent to those of our components whose key begins like this."""
    assert not at.exception, at.exception
    return [json.loads(element.proto.json) for element in at.get("bidi_component") if f"-{key}" in element.proto.id]


def shown(at: AppTest, key: str) -> list[int]:
    """The places of the images in a list of tiles."""
    (sent,) = components(at, key)
    return [image["place"] for tile in sent["tiles"] for image in tile["images"]]


def words(at: AppTest) -> str:
    assert not at.exception, at.exception
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.info, *at.error])


def map_of(at: AppTest) -> dict[str, Any]:
    """What was sent to the map, without the pictures, which travel apart."""
    (sent,) = (sent for sent in components(at, "explore.map") if "x" in sent)
    return sent


def asked_for(at: AppTest, name: str) -> str:
    """A word in the address; AppTest gives it as a text or as a list of one."""
    value = at.query_params[name]
    return value[0] if isinstance(value, list) else value


def html(at: AppTest) -> str:
    return "".join(element.proto.body for element in at.get("html"))


# ---- the dataset as it is ----------------------------------------------------------------------------------------------------------------


def test_without_a_run_the_images_are_browsed_by_class_and_page(visit: Visit, dataset: Dataset) -> None:
    at = visit("explore")
    assert shown(at, "explore.images") == list(range(buttons.PAGE))
    at.selectbox(key="class").select("coat").run()
    coats = (dataset.train.labels == COAT).nonzero()[:, 0].tolist()
    assert shown(at, "explore.images") == coats[: buttons.PAGE]
    assert "6,000 images" in words(at)
    at.segmented_control(key="split").set_value("test").run()
    of_test = (dataset.test.labels == COAT).nonzero()[:, 0].tolist()
    assert shown(at, "explore.images") == [TRAIN_IMAGES + index for index in of_test[: buttons.PAGE]]
    assert (asked_for(at, "class"), asked_for(at, "split")) == ("coat", "test")


def test_a_link_opens_the_same_page_of_the_same_class(visit: Visit, dataset: Dataset) -> None:
    bags = (dataset.test.labels == BAG).nonzero()[:, 0].tolist()
    at = visit("explore", **{"class": "bag", "split": "test", "page": "3"})
    assert shown(at, "explore.images") == [TRAIN_IMAGES + index for index in bags[2 * buttons.PAGE : 3 * buttons.PAGE]]
    assert shown(visit("explore", page="99999"), "explore.images") == list(range(TRAIN_IMAGES - buttons.PAGE, TRAIN_IMAGES))
    for nonsense in ("0", "-1", "x"):
        assert shown(visit("explore", page=nonsense, section="nowhere", **{"class": "hat"}), "explore.images")[0] == 0


def test_another_class_and_another_section_begin_at_their_first_page(visit: Visit, trained: Run) -> None:
    said("best", "train")
    at = visit("explore", page="4")
    at.selectbox(key="class").select("coat").run()
    assert "page" not in at.query_params
    at = visit("explore", page="2")
    at.segmented_control(key="section").set_value("labels").run()
    assert "page" not in at.query_params


def test_a_place_names_one_image_of_one_split() -> None:
    for place in (0, TRAIN_IMAGES - 1, TRAIN_IMAGES, TRAIN_IMAGES + 9_999):
        assert tiles.place_of(*tiles.split_of(place)) == place
    assert tiles.split_of(TRAIN_IMAGES) == ("test", 0)
    assert tiles.place_of("validation", 7) == 7


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_class_has_its_mean_its_spread_and_its_figures(visit: Visit, dataset: Dataset, split: str) -> None:
    at = visit("explore", section="classes", split=split)
    found = class_statistics.describe(dataset.train if split == "train" else dataset.test)
    assert not at.exception
    for of in found:
        assert f'alt="Mean of {of.name}"' in html(at)
    table = at.dataframe[0].value
    assert table["class"].tolist() == list(CLASS_NAMES)
    assert table["mean"].tolist() == pytest.approx([of.mean for of in found])
    assert table["ink"].tolist() == pytest.approx([of.ink for of in found])


def test_each_augmentation_does_what_its_row_says(dataset: Dataset) -> None:
    some = dataset.train.take(list(range(10)))
    images = some.images
    rows = {name: changed for name, _, changed in augmentation_look.drawn(some, 3, 0)}
    assert torch.equal(rows["As it is"], images)
    assert torch.equal(rows["Flip"], images.flip(2))
    room = torch.nn.functional.pad(images, [3] * 4)
    for image, moved in zip(room, rows["Shift"], strict=True):
        assert any(torch.equal(image[down : down + 28, right : right + 28], moved) for down in range(7) for right in range(7))
    erased = rows["Random erasing"]
    assert ((erased == images) | (erased == 0)).all()
    assert sum(not torch.equal(before, after) for before, after in zip(images, erased, strict=True)) > 5  # some hit only the ground
    for name in ("Drawn or photographed", "No clothes"):
        assert all(not torch.equal(before, after) for before, after in zip(images, rows[name], strict=True))
    assert not torch.equal(rows["The first three together"], rows["The next epoch"])


def test_augmentation_is_drawn_for_a_class_and_drawn_again(visit: Visit, dataset: Dataset) -> None:
    at = visit("explore", section="augmentation", **{"class": "bag"})
    first = html(at)
    assert first.count("<img") == 8
    bags = dataset.train.images[dataset.train.labels == BAG]
    strip = augmentation_look._images(BAG, 0).images
    assert all(any(torch.equal(bag, one) for bag in bags) for one in strip)
    assert thumbnails.png(strip.permute(1, 0, 2).reshape(28, -1).numpy()) in first
    at.button(key="explore.augmentation.again").click().run()
    assert html(at) != first


# ---- the map -----------------------------------------------------------------------------------------------------------------------------


def test_the_map_shows_a_sample_and_what_is_circled_is_listed_below(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    rows = maps.sample(len(outputs), 1_000)
    at = visit("explore", section="map", count="1000", colour="error")
    sent = map_of(at)
    assert sent["number"] == outputs.indices[rows].tolist()
    assert sent["truth"] == outputs.labels[rows].tolist()
    assert sent["guess"] == outputs.guesses[rows].tolist()
    assert sent["colour"] == "error"
    assert (min(sent["x"]), max(sent["x"]), min(sent["y"]), max(sent["y"])) == (0, lasso_map.UNITS, 0, lasso_map.UNITS)
    coordinates, _ = maps.principal(outputs.features[rows])
    assert int(coordinates[:, 0].argmax()) == sent["x"].index(lasso_map.UNITS)
    picked = [3, 500, 999]
    at.session_state[f"explore.map.{sent['pictures']}"] = {"picked": picked}
    at.run()
    assert "**3 selected**" in words(at)
    (gallery,) = components(at, "explore.selection.gallery")
    assert gallery["index"] == outputs.indices[rows[picked]].tolist()


def test_the_selection_as_a_file(trained: Run, runs_store: Store) -> None:
    points = lasso_map.Points(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), [7, 8], [0, 9], [0, 4], [0.5, 0.75], "")
    table = feature_map._table(points, [1])
    assert table.to_dict("records") == [{"index": 8, "true": "Ankle boot", "predicted": "Coat", "confidence": 0.75, "x": 3.0, "y": 4.0}]


def test_a_sheet_has_every_picture_in_its_place(dataset: Dataset) -> None:
    images = dataset.test.images[: lasso_map.COLUMNS + 3]
    address = lasso_map.sheet(images)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))
    for row, image in enumerate(images):
        down, right = 28 * (row // lasso_map.COLUMNS), 28 * (row % lasso_map.COLUMNS)
        assert (pixels[down : down + 28, right : right + 28] == image.numpy()).all()


def test_tsne_is_offered_shown_while_it_works_cancelled_and_found_when_it_is_there(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    at = visit("explore", section="map", count="2000", method="tsne")
    assert "Until it is there, this is the PCA map." in words(at)
    at.button(key="tsne.begin").click().run()
    assert "left" in at.get("progress")[0].proto.text
    at.button(key="tsne.cancel").click().run()
    at.run()
    assert at.button(key="tsne.begin")
    computation = maps.tsne_of(judged.model("best"), outputs, 2_000)
    assert computation.progress() is None
    coordinates = torch.rand(2_000, 2, generator=torch.Generator().manual_seed(0))
    cache.keep(computation.path, {"coordinates": coordinates}, computation.about)
    at.run()
    assert "What lies side by side" in words(at)
    sent = map_of(at)
    assert sent["x"].index(lasso_map.UNITS) == int(coordinates[:, 0].argmax())
    assert sent["label"].startswith("t-SNE map of 2,000 test images")


# ---- doubtful labels, twins, typical images ----------------------------------------------------------------------------------------------


def test_doubtful_labels_are_those_of_the_core_and_can_be_narrowed(visit: Visit, trained: Run) -> None:
    outputs = said("best", "train")
    found = suspects.find(outputs.logits, outputs.labels, suspects.seen_by(CONFIG, TRAIN_IMAGES))
    assert 0 < int(found.seen.sum()) < len(found)
    at = visit("explore", section="labels")
    assert f"**{len(found):,}** doubtful labels" in words(at)
    assert shown(at, "explore.suspects.tiles") == found.indices[: buttons.PAGE].tolist()
    (sent,) = components(at, "explore.suspects.tiles")
    assert sent["tiles"][0]["title"] == f"{CLASS_NAMES[int(found.suggested[0])]}?"
    assert sent["tiles"][0]["lines"][0] == f"labelled {CLASS_NAMES[int(found.labels[0])]}"
    at.segmented_control(key="seen").set_value("trained-on").run()
    assert shown(at, "explore.suspects.tiles") == found.indices[found.seen][: buttons.PAGE].tolist()
    at.selectbox(key="class").select("coat").run()
    both = found.indices[found.seen & (found.labels == COAT)].tolist()
    assert len(both) == 0 or shown(at, "explore.suspects.tiles") == both[: buttons.PAGE]
    at.segmented_control(key="seen").set_value("all").run()
    at.toggle(key="table").set_value(True).run()
    table = at.dataframe[0].value
    assert table["index"].tolist() == found.indices[found.labels == COAT].tolist()
    assert set(table["label"]) == {"Coat"}
    rows = doubtful_labels.frame(found, [0, 1])
    assert rows["probability_of_label"].tolist() == found.own[:2].tolist()


def test_doubtful_labels_by_cleanlab_are_another_list(visit: Visit, trained: Run) -> None:
    outputs = said("best", "train")
    seen = suspects.seen_by(CONFIG, TRAIN_IMAGES)
    found = suspects.find_by_cleanlab(outputs.logits, outputs.labels, seen)
    assert found.indices.tolist() != suspects.find(outputs.logits, outputs.labels, seen).indices.tolist()
    at = visit("explore", section="labels")
    at.segmented_control(key="finder").set_value("cleanlab").run()
    assert asked_for(at, "finder") == "cleanlab"
    assert f"**{len(found):,}** doubtful labels" in words(at)
    assert shown(at, "explore.suspects.tiles") == found.indices[: buttons.PAGE].tolist()


def test_without_cleanlab_its_place_says_how_to_get_it_and_a_link_shows_the_other_list(
    visit: Visit, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("best", "train")
    monkeypatch.setitem(sys.modules, "cleanlab", None)  # as Python itself marks what cannot be imported
    at = visit("explore", section="labels", finder="cleanlab")
    assert "pip install -r requirements-suspects.txt" in words(at)
    assert "finder" not in [control.key for control in at.segmented_control]
    assert "the probability that this class usually has" in words(at)


@pytest.fixture
def pairs(runs_store: Store) -> duplicates.Pairs:
    """Three pairs that somebody found: inside training and equal, between the splits, inside test."""
    first, second = torch.tensor([5, 7, TRAIN_IMAGES + 1]), torch.tensor([9, TRAIN_IMAGES + 3, TRAIN_IMAGES + 2])
    found = duplicates.Pairs(first, second, torch.tensor([1.0, 0.999, 0.98]), torch.tensor([True, False, False]))
    search = duplicates.by_pixels()
    cache.keep(search.path, vars(found), search.about)
    return found


def test_twins_are_listed_by_where_they_are_and_by_their_labels(visit: Visit, pairs: duplicates.Pairs, dataset: Dataset) -> None:
    at = visit("explore", section="duplicates")
    assert "**3** pairs, 1 of them equal in every byte" in words(at)
    assert shown(at, "explore.twins.tiles") == [5, 9, 7, TRAIN_IMAGES + 3, TRAIN_IMAGES + 1, TRAIN_IMAGES + 2]
    for where, places in (
        ("train", [5, 9]),
        ("between", [7, TRAIN_IMAGES + 3]),
        ("test", [TRAIN_IMAGES + 1, TRAIN_IMAGES + 2]),
    ):
        at.segmented_control(key="where").set_value(where).run()
        assert shown(at, "explore.twins.tiles") == places
    at = visit("explore", section="duplicates", labels="different", table="true")
    labels = [(tiles.labels_at([a])[0], tiles.labels_at([b])[0]) for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)]
    table = at.dataframe[0].value
    assert list(zip(table["first_label"], table["second_label"], strict=True)) == [pair for pair in labels if pair[0] != pair[1]]
    assert twins.frame(pairs)["second_split"].tolist() == ["train", "test", "test"]


def test_the_search_for_twins_is_offered_when_nobody_has_searched(visit: Visit, runs_store: Store) -> None:
    at = visit("explore", section="duplicates")
    assert at.button(key="twins.pixels.begin").label == "Compare all 70,000 images"
    assert "goes on when you leave the page" in words(at)
    assert not components(at, "explore.twins")


def test_why_a_computation_failed_is_said(visit: Visit, runs_store: Store) -> None:
    broken: Computation = twins._by_pixels(str(duplicates.runs_folder()))
    broken.error = "The computation failed: *no* space left."
    at = visit("explore", section="duplicates")
    assert at.error[0].value.replace("\\", "") == "The computation failed: *no* space left."
    assert at.button(key="twins.pixels.begin")


def test_the_two_ends_of_each_class_are_those_of_the_core(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    distances = typical.distances(outputs.features, outputs.labels)
    order = [TRAIN_IMAGES + index for index in typical.ranked(distances, outputs.labels, BAG).tolist()]
    at = visit("explore", section="typical", **{"class": "bag"})
    assert shown(at, "explore.typical.most") == order[: typical_images.OF_ONE]
    assert shown(at, "explore.typical.least") == order[::-1][: typical_images.OF_ONE]
    at.selectbox(key="class").select("all").run()
    assert len(shown(at, "explore.typical.most")) == 10 * typical_images.OF_ALL
    at.segmented_control(key="images").set_value("validation").run()
    judged_on = set(said("best", "validation").indices.tolist())
    assert set(shown(at, "explore.typical.least")) <= judged_on
    table = typical_images.ranking(outputs, distances)
    assert table[table["class"] == "Bag"]["index"].tolist() == [place - TRAIN_IMAGES for place in order]


def test_a_model_that_is_gone_has_a_sentence_and_another_can_be_chosen(visit: Visit, trained: Run) -> None:
    said("best")
    at = visit("explore", section="map", model="4711")
    assert "There is no run" in words(at)
    at.selectbox(key="model").select("best").run()
    assert map_of(at)
