"""The panel about one image: its words and each of its sections; what is right in them is computed here again."""

import re
from collections.abc import Callable
from html import unescape

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from fmnist.augment import normalised
from fmnist.checkpoint import checkpoints_folder, save
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES, Dataset
from fmnist.explain import occlusion
from fmnist.prediction import Model, load, predict
from fmnist.run import Run
from fmnist.store import Store
from fmnist.train_state import TrainState
from tests.app.conftest import CONFIG, NOBODY
from ui import thumbnails
from ui.picture import answers, explanations, heat

PATIENCE = 120
EVIL = "![x](http://evil.example/x.png) <b>b</b> :red[r]"
Show = Callable[..., AppTest]


@pytest.fixture
def panel(runs_store: Store) -> Show:
    """The panel drawn into a page: panel("Inside", index=3)."""

    def page() -> None:
        import streamlit as st

        from ui.picture import picture_panel

        asked = st.session_state
        picture_panel.show(asked.word, asked.split, asked.index, key="panel")

    def show(section: str = "Why", *, word: str = "bundled", split: str = "test", index: int = 0) -> AppTest:
        at = AppTest.from_function(page, default_timeout=PATIENCE)
        at.session_state["word"], at.session_state["split"], at.session_state["index"] = word, split, index
        at.session_state["panel.section"] = section
        return at.run()

    return show


def trained(store: Store, config: TrainConfig = CONFIG, name: str = "A run") -> Run:
    """A run with weights that have learnt nothing yet."""
    run = store.create(config, device="cpu", name=name)
    assert store.claim("cpu", NOBODY, run.id)
    training = TrainState(config)
    training.step = config.steps_per_epoch
    store.commit(run.id, save(run.id, training))
    return store.get(run.id)


def html(at: AppTest) -> str:
    """Everything that the panel wrote as HTML, without its styles."""
    assert not at.exception, at.exception
    return re.sub(r"<style>.*?</style>", "", "".join(element.proto.body for element in at.get("html")), flags=re.DOTALL)


def words(at: AppTest) -> str:
    """What a person reads of it."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html(at))))


def images(at: AppTest) -> list[str]:
    return re.findall(r'<img[^>]*src="([^"]*)"', html(at))


# ---- the answer ------------------------------------------------------------------------------------------------------------------------


def test_the_answer_is_that_of_the_model(panel: Show, bundled: Model, dataset: Dataset) -> None:
    probabilities = predict(bundled, dataset.test.images[:200])
    wrong = int((probabilities.argmax(1) != dataset.test.labels[:200]).nonzero()[0])
    at = panel(index=wrong)
    shares, label = probabilities[wrong].tolist(), int(dataset.test.labels[wrong])
    guess = max(range(10), key=shares.__getitem__)
    read = words(at)
    assert f"✗ {CLASS_NAMES[guess]}, {answers.share(shares[guess])} sure" in read
    assert re.search(f"and wrong: the true label is {CLASS_NAMES[label]} , which gets {answers.share(shares[label])}", read)
    for name, share in zip(CLASS_NAMES, shares, strict=True):
        assert f"{name} {answers.share(share)}" in read
    assert images(at)[0] == thumbnails.png(dataset.test.images[wrong].numpy())
    assert f'alt="Test image {wrong}: {CLASS_NAMES[label]}"' in html(at)


def test_an_image_of_the_validation_split_is_a_training_image(panel: Show, runs_store: Store, dataset: Dataset) -> None:
    run = trained(runs_store)
    at = panel(word=run.id, split="validation", index=77)
    assert f'alt="Training image 77: {CLASS_NAMES[int(dataset.train.labels[77])]}"' in html(at)
    assert "held back from training" in words(at)


def test_shares_are_not_rounded_to_nothing_or_everything() -> None:
    shares = [answers.share(probability) for probability in (0.0, 1e-5, 0.0006, 0.6123, 0.9994, 0.99996, 1.0)]
    assert shares == ["0.0 %", "< 0.1 %", "0.1 %", "61.2 %", "99.9 %", "> 99.9 %", "100.0 %"]
    assert [answers.certainty(probability) for probability in (0.3, 0.5, 0.7, 0.9, 0.99)] == [
        "unsure",
        "not very sure",
        "fairly sure",
        "sure",
        "almost certain",
    ]


def test_only_the_chosen_section_is_there(panel: Show) -> None:
    signs = {"Why": "fm-why", "Inside": "fm-stages", "Nearest": "fm-thumbs", "Models": "fm-opinions"}
    for section in ("Why", "Inside", "Models"):
        shown = html(panel(section))
        assert [sign for sign in signs.values() if sign in shown] == [signs[section]]


def test_the_section_stays_chosen_when_another_image_is_opened(panel: Show) -> None:
    at = panel("Why")
    at.segmented_control(key="panel.section").set_value("Inside").run()
    assert "fm-stages" in html(at)
    at.session_state["index"] = 1
    assert "fm-stages" in html(at.run())


def test_the_dialog_is_named_after_the_image(runs_store: Store, dataset: Dataset) -> None:
    def page() -> None:
        from ui.picture import picture_panel

        picture_panel.open_dialog("bundled", "test", 5, key="panel")

    at = AppTest.from_function(page, default_timeout=PATIENCE).run()
    assert "fm-one" in html(at)
    dialogs = at.get("dialog")
    assert [dialog.proto.dialog.title for dialog in dialogs] == ["Test image 5"]


# ---- why -------------------------------------------------------------------------------------------------------------------------------


def test_why_explains_the_guess_until_another_class_is_chosen(panel: Show, bundled: Model, dataset: Dataset) -> None:
    at = panel("Why", index=3)
    guess = int(predict(bundled, dataset.test.images[3:4])[0].argmax())
    (choice,) = at.selectbox
    assert choice.value == guess
    assert "the guess" in choice.options[guess]
    assert images(at)[1] == occlusion_map(bundled, dataset, 3, guess)
    other = (guess + 4) % 10
    choice.set_value(other).run()
    assert images(at)[1] == occlusion_map(bundled, dataset, 3, other)
    assert f"without it {CLASS_NAMES[other]} becomes less likely" in words(at)


def occlusion_map(model: Model, dataset: Dataset, index: int, target: int) -> str:
    image = dataset.test.images[index]
    fall = occlusion(model.network, image, target)
    return thumbnails.png(heat.over(image, fall / max(float(fall.abs().max()), explanations.LEAST_FALL)))


def test_a_network_without_convolutions_says_why_a_map_is_missing(panel: Show, runs_store: Store) -> None:
    at = panel("Why", word=trained(runs_store).id)
    assert len(images(at)) == 3  # the image, the occlusion and the gradient
    assert any("need a convolution" in caption.value for caption in at.caption)


def test_colours_by_hand() -> None:
    paint = heat.signed(torch.tensor([[0.0, 1.0, -1.0, 5.0, -5.0]]))
    assert paint.tolist() == [[[255, 255, 255], [*heat.RED], [*heat.BLUE], [*heat.RED], [*heat.BLUE]]]
    assert paint.dtype == np.uint8
    inked = heat.over(torch.tensor([[0, 255]], dtype=torch.uint8), torch.zeros(1, 2))
    assert inked.tolist() == [[[255] * 3, [round(255 * (1 - heat.INK))] * 3]]
    assert heat.grey(torch.tensor([[-1.0, 0.0, 0.5, 1.0, 9.0]])).tolist() == [[0, 0, 128, 255, 255]]


# ---- inside ----------------------------------------------------------------------------------------------------------------------------


def test_inside_shows_the_shape_of_every_stage_of_the_reference(panel: Show) -> None:
    at = panel("Inside")
    read = words(at)
    for told in (
        "Image 1 × 28 × 28 = 784 numbers",
        "Filters of the 1st convolution 32 × 3 × 3 = 288 numbers",
        "2nd convolution 32 × 28 × 28 = 25,088 numbers",
        "1st pool 32 × 14 × 14 = 6,272 numbers",
        "4th convolution 64 × 14 × 14 = 12,544 numbers",
        "2nd pool 64 × 7 × 7 = 3,136 numbers",
        "Flatten 3,136 numbers",
        "Linear layer 512 numbers",
        "Scores 10 numbers",
    ):
        assert told in read
    assert 'aria-label="64 maps of 7 × 7 at the 2nd pool"' in html(at)


@pytest.mark.parametrize("network", ["linear", "mlp", "small", "resnet"])
def test_inside_works_for_every_network_and_ends_with_its_scores(network: str, panel: Show, runs_store: Store, dataset: Dataset) -> None:
    run = trained(runs_store, CONFIG.model_copy(update={"network": network}))
    model = load(run.id, runs_store)
    with torch.no_grad():
        scores = model.network(normalised(dataset.test.images[:1]))[0].tolist()
    read = words(panel("Inside", word=run.id))
    for name, score in zip(CLASS_NAMES, scores, strict=True):
        assert f"{score:+.2f} {name}".replace("-", "−", 1 if score < 0 else 0) in read


# ---- the nearest -----------------------------------------------------------------------------------------------------------------------


def nearest(at: AppTest) -> list[int]:
    """The numbers of the training images, once they are there."""
    for _ in range(PATIENCE):
        if "fm-thumbs" in html(at):
            break
        assert at.get("progress"), "neither images nor a progress bar"
        at.run()
    return [int(number) for number in re.findall(r'<div class="fm-note">(\d+) · ', html(at))]


def expected(dataset: Dataset, image: torch.Tensor, without: int | None = None) -> list[int]:
    """The linear network's features are its pixels: the cosine of each training image, one by one in float64."""
    rows = normalised(dataset.train.images).flatten(1).half().double()
    query = normalised(image[None]).flatten().half().double()
    cosine = (rows @ query) / rows.norm(dim=1) / query.norm()
    if without is not None:
        cosine[without] = -2
    return cosine.argsort(descending=True, stable=True)[:10].tolist()


def test_the_nearest_training_images_are_those_of_brute_force(panel: Show, runs_store: Store, dataset: Dataset) -> None:
    at = panel("Nearest", word=trained(runs_store).id, index=23)
    found = nearest(at)
    assert found == expected(dataset, dataset.test.images[23])
    label = int(dataset.test.labels[23])
    agree = [int(dataset.train.labels[index]) == label for index in found]
    assert at.markdown[0].value.startswith(f"**{sum(agree)} of the 10 most alike training images are labelled")
    assert html(at).count('<figure class="fm-wrong">') == 10 - sum(agree)


def test_a_training_image_is_not_its_own_neighbour(panel: Show, runs_store: Store, dataset: Dataset) -> None:
    found = nearest(panel("Nearest", word=trained(runs_store).id, split="train", index=41))
    assert 41 not in found
    assert found == expected(dataset, dataset.train.images[41], without=41)


# ---- what every model says -------------------------------------------------------------------------------------------------------------


def test_every_model_is_asked_and_wrong_ones_are_marked(panel: Show, runs_store: Store, bundled: Model, dataset: Dataset) -> None:
    runs = [trained(runs_store, CONFIG.model_copy(update={"seed": seed}), f"Run of seed {seed}") for seed in (1, 2)]
    runs_store.create(CONFIG, device="cpu", name="Without weights")
    at = panel("Models", index=8)
    lines = re.findall(r"<tr><td.*?</tr>", html(at))
    assert len(lines) == 3
    image, label = dataset.test.images[8:9], int(dataset.test.labels[8])
    right = 0
    for line, model in zip(lines, [bundled, load(runs[1].id, runs_store), load(runs[0].id, runs_store)], strict=True):
        share, guess = predict(model, image)[0].max(0)
        right += int(guess) == label
        mark, kind = ("✓", "fm-good") if int(guess) == label else ("✗", "fm-bad")
        assert f'class="{kind}">{mark} {CLASS_NAMES[int(guess)]}' in line
        assert answers.share(float(share)) in unescape(line)
    assert "(this one)" in lines[0]
    assert "Run of seed 2" in lines[1]
    assert at.markdown[0].value.startswith(f"**{right} of 3 models {'is' if right == 1 else 'are'} right**")


def test_a_model_that_cannot_be_read_says_so_and_the_others_are_asked(panel: Show, runs_store: Store) -> None:
    run = trained(runs_store, CONFIG.model_copy(update={"seed": 77}), EVIL)  # weights that no other test has read
    (weights,) = checkpoints_folder(run.id).glob("*.weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    at = panel("Models")
    assert "is damaged" in words(at)
    assert EVIL in words(at).replace("  ", " ")
    assert "<b>b</b>" not in html(at)
    assert "No other model to ask yet" in at.markdown[0].value
