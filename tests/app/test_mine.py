"""Keeping a picture with its label, and the collection: what stands on the screen is what lies on the disk."""

import io
import threading
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fmnist import my_archive, my_pictures, my_score, pictures, prediction, runner
from fmnist.config import TrainConfig
from fmnist.errors import PictureError
from fmnist.run import Run
from fmnist.store import Store
from tests.app.conftest import NOBODY
from ui import model_choice
from ui.mine import archive, collection, scores

CONFIG = TrainConfig(network="linear", epochs=1, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")
SHIRT, BAG = 6, 8

pytestmark = pytest.mark.usefixtures("runs_store")


def picture(seed: int) -> Image.Image:
    """A dark block on bright noise."""
    pixels = np.random.default_rng(seed).integers(200, 256, (80, 60, 3), dtype=np.uint8)
    pixels[20:60, 15:45] = (seed * 37) % 120
    return Image.fromarray(pixels)


def keeping() -> None:
    """A page that offers to keep a picture; the guess and the picture are in the address."""
    import streamlit as st

    from tests.app.test_mine import picture
    from ui.mine import keep

    guess = int(st.query_params.get("guess", "6"))
    keep.offer(picture(int(st.query_params.get("picture", "1"))), guess if guess >= 0 else None, key="one", kind="drawing")


def collecting() -> None:
    import streamlit as st

    from ui.mine import collection

    collection.show(st.query_params.get("model", "bundled"))


def page(script: Callable[[], None], **query: str) -> AppTest:
    at = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def words(at: AppTest) -> str:
    assert not at.exception, at.exception
    return "\n".join(element.value for element in [*at.subheader, *at.markdown, *at.caption, *at.info, *at.error, *at.warning])


@pytest.fixture
def run(runs_store: Store) -> Run:
    """A run that was trained for real."""
    claimed = runs_store.claim("cpu", NOBODY, runs_store.create(CONFIG, device="cpu").id)
    assert claimed
    return runner.train(runs_store, claimed, threading.Event())


# ---- keeping -----------------------------------------------------------------------------------------------------------------------------


def test_a_picture_is_saved_with_the_guess_or_with_what_a_person_says_and_a_click_takes_it_back() -> None:
    at = page(keeping)
    assert at.selectbox(key="one.label").value == SHIRT
    at.selectbox(key="one.label").select(BAG).run()
    at.button(key="one.save").click().run()
    (kept,) = my_pictures.listed()
    assert kept.words
    assert (kept.words.label, kept.words.kind) == (BAG, "drawing")
    assert my_pictures.opened(kept).tobytes() == picture(1).tobytes()
    assert "Saved as **Bag** among your pictures" in words(at)
    at.button(key="one.undo").click().run()
    assert my_pictures.listed() == []
    assert "Saved as" not in words(at)


def test_to_save_again_with_another_label_corrects_it_and_undo_brings_the_old_label_back() -> None:
    kept = my_pictures.save(picture(1), SHIRT)
    at = page(keeping)
    at.selectbox(key="one.label").select(BAG).run()
    at.button(key="one.save").click().run()
    assert [each.words.label for each in my_pictures.listed() if each.words] == [BAG]
    at.button(key="one.undo").click().run()
    assert my_pictures.get(kept.id).words.label == SHIRT  # type: ignore[union-attr]


def test_another_picture_begins_with_its_own_guess_and_not_with_what_was_said_of_the_last() -> None:
    at = page(keeping)
    at.selectbox(key="one.label").select(BAG).run()
    at.query_params["picture"] = "2"
    assert at.run().selectbox(key="one.label").value == SHIRT
    at.query_params["guess"] = "3"
    assert at.run().selectbox(key="one.label").value == 3


def test_without_a_guess_nothing_is_saved_before_a_class_is_chosen() -> None:
    at = page(keeping, guess="-1")
    assert at.selectbox(key="one.label").value is None
    assert at.button(key="one.save").disabled
    assert not at.selectbox(key="one.label").select(BAG).run().button(key="one.save").disabled


def test_a_full_collection_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(my_pictures, "MOST", 0)
    at = page(keeping)
    at.button(key="one.save").click().run()
    assert "which is the most" in words(at)
    assert "Saved" not in words(at)


# ---- the collection ----------------------------------------------------------------------------------------------------------------------


def test_an_empty_collection_says_what_to_do() -> None:
    at = page(collecting)
    assert "Draw, photograph or upload one, say what it really is, and save it" in words(at)
    assert not at.dataframe
    assert not [button for button in at.button if button.label == "Delete all"]


def test_the_score_of_a_run_stands_beside_that_of_the_run_before(runs_store: Store, run: Run) -> None:
    claimed = runs_store.claim("cpu", NOBODY, runs_store.create(CONFIG.model_copy(update={"seed": 1}), device="cpu").id)
    assert claimed
    later = runner.train(runs_store, claimed, threading.Event())
    model = prediction.load(later.id, runs_store)
    for seed in range(5):
        guess = prediction.classify(model, [pictures.to_image(picture(seed))])[0].index
        my_pictures.save(picture(seed), guess if seed else (guess + 1) % 10, created=float(seed))
    earlier = my_score.score(prediction.load(run.id, runs_store), my_pictures.listed()).right
    at = page(collecting, model=str(later.number))
    assert f"Yours: 4 of 5, before {earlier}" in words(at)
    table, others = (element.value for element in at.dataframe)
    assert table["right"].tolist() == [collection.RIGHT] * 4 + [collection.WRONG]  # the newest first
    assert set(others["model"]) == {"The bundled model", later.name, run.name}
    assert "4 of 5" in others["right"].tolist()
    assert "before" not in words(page(collecting, model=str(run.number)))
    assert "before" not in words(page(collecting, model=model_choice.BUNDLED))


def test_the_table_shows_what_the_model_says_and_what_is_changed_in_it_is_changed_on_the_disk() -> None:
    kept = [my_pictures.save(picture(seed), SHIRT, created=-float(seed)) for seed in range(3)]
    mine = scores.of("bundled", my_pictures.listed())
    table = collection.frame(mine, my_pictures.listed())
    assert table["label"].tolist() == ["Shirt"] * 3
    assert table["picture"].str.startswith("data:image/png;base64,").all()
    done = collection.apply({0: {"label": "Bag"}}, [1, 2], [each.id for each in kept])
    assert done.words == "1 picture relabelled. 2 pictures deleted."
    (left,) = my_pictures.listed()
    assert (left.id, left.words and left.words.label) == (kept[0].id, BAG)
    assert done.relabelled == ((kept[0].id, SHIRT),)
    for removed in done.removed:
        my_pictures.put_back(removed)
    assert len(my_pictures.listed()) == 3
    with pytest.raises(PictureError, match="not among yours"):
        collection.apply({}, [0], ["0" * 16])


def test_a_damaged_picture_is_named_and_goes_when_a_person_says_so() -> None:
    kept = my_pictures.save(picture(1), SHIRT)
    kept.path.write_bytes(kept.path.read_bytes()[:-1])
    at = page(collecting)
    assert "its end is missing" in words(at)
    at.button(key=f"mine.damaged.{kept.id}").click().run()
    assert my_pictures.listed() == []
    at.button(key="mine.undo").click().run()
    assert len(my_pictures.listed()) == 1


def test_a_model_that_is_gone_is_a_sentence_and_the_pictures_can_still_be_taken_along() -> None:
    my_pictures.save(picture(1), SHIRT)
    at = page(collecting, model="77")
    assert "77" in at.error[0].value
    assert at.get("download_button")
    assert my_archive.take(io.BytesIO(archive.exported())).known == 1


def test_all_are_deleted_after_a_second_yes() -> None:
    for seed in range(2):
        my_pictures.save(picture(seed), SHIRT)
    at = page(collecting)
    at.button(key="mine.clear").click().run()
    assert "This removes 2 pictures" in words(at)
    at.button(key="mine.clear.no").click().run()
    assert len(my_pictures.listed()) == 2
    at.button(key="mine.clear").click().run()
    at.button(key="mine.clear.yes").click().run()
    assert my_pictures.listed() == []


def test_what_came_out_of_a_file_in_words() -> None:
    assert archive.words(my_archive.Taken(["a" * 16], 0, [])) == "1 picture added."
    assert archive.words(my_archive.Taken([], 3, ["a.png: it is not in the ZIP file."])) == "0 pictures added, 3 there already, 1 refused."
