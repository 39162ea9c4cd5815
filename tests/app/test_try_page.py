"""The Try page: what it says is what the core says, whatever a picture is and wherever it comes from."""

import base64
import io
import json
import re
from collections.abc import Callable
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from fmnist.data import CLASS_NAMES, Dataset
from fmnist.pictures import Settings, to_image
from fmnist.prediction import Model, classify, predict
from fmnist.store import Store
from tests.app.conftest import CONFIG
from tests.app.test_pages import button, cards, words
from tests.app.test_picture_panel import trained
from ui.trying import answer, drawing_files, models, paste, strokes
from ui.trying.drawing import SIDE, Drawing
from ui.trying.film_strip import address
from ui.trying.judgement import plainly

Visit = Callable[..., AppTest]
EVIL = "<b>![x](http://evil.example/x.png)</b>.png"


@pytest.fixture(autouse=True)
def warm(runs_store: Store) -> None:
    """Models answer at once."""
    models.warming().wait(60)


def file(picture: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    picture.save(content, format=kind)
    return content.getvalue()


def html(at: AppTest) -> str:
    body = "".join(element.proto.body for element in at.get("html"))
    return re.sub(r"<style>.*?</style>", "", body, flags=re.DOTALL)


def headings(at: AppTest) -> list[str]:
    """What each model says."""
    return [unescape(each) for each in re.findall(r"<h3>(.*?)</h3>", html(at))]


def asked(at: AppTest, name: str) -> str:
    """What the address says: AppTest has a list where it was set from outside."""
    value = at.query_params[name]
    return value[0] if isinstance(value, list) else value


def last_frame(at: AppTest) -> np.ndarray:
    """The image at the end of the film strip."""
    strip = html(at).partition('<ol class="fm-film"')[2].partition("</ol>")[0]
    *_, source = re.findall(r'src="data:image/png;base64,(.*?)"', strip)
    with Image.open(io.BytesIO(base64.b64decode(source))) as opened:
        return np.asarray(opened)


def upload(visit: Visit, *files: tuple[str, bytes]) -> AppTest:
    at = visit("try_it", **{"from": "upload"})
    at.file_uploader(key="try.files").set_value([(name, content, "image/png") for name, content in files]).run()
    assert not at.exception
    return at


# ---- an answer -------------------------------------------------------------------------------------------------------------------------


def test_an_empty_page_invites_to_draw_and_says_nothing_yet(visit: Visit) -> None:
    at = visit("try_it")
    assert not at.exception
    assert not cards(at)
    assert "Draw a piece of clothing" in words(at)
    assert headings(at) == []
    assert "drawing" not in at.query_params


def test_the_samples_answer_before_anybody_draws(visit: Visit, bundled: Model) -> None:
    at = visit("try_it", **{"from": "samples", "sample": "bag"})
    assert not at.exception
    [said] = classify(bundled, [to_image(strokes.picture(strokes.SKETCHES[-1]))])
    assert len(headings(at)) == 1
    assert not said.familiar or headings(at) == [said.label]
    assert all(name in unescape(html(at)) for name in CLASS_NAMES)


def test_the_film_strip_ends_in_the_image_that_the_model_was_given(visit: Visit, bundled: Model, dataset: Dataset) -> None:
    picture = Image.fromarray(255 - dataset.test.images[0].numpy()).resize((140, 140), Image.Resampling.NEAREST)
    at = upload(visit, ("boot.png", file(picture)))
    prepared = to_image(picture)
    assert np.array_equal(last_frame(at), prepared.image.numpy())
    [said] = classify(bundled, [prepared])
    assert f"{CLASS_NAMES[said.index]}, {100 * said.confidence:.1f} %</div>" in unescape(html(at))


def test_below_each_step_is_what_the_model_would_have_said_of_it(visit: Visit, bundled: Model) -> None:
    at = visit("try_it", **{"from": "samples", "sample": "t-shirt"})
    steps = to_image(strokes.picture(strokes.SKETCHES[0])).steps
    strip = html(at).partition('<ol class="fm-film"')[2].partition("</ol>")[0]
    shown = [unescape(each).partition(",")[0] for each in re.findall(r'class="fm-guess">(.*?)</div>', strip)]
    guesses = predict(bundled, torch.stack([torch.from_numpy(plainly(step.picture)) for step in steps])).argmax(1)
    assert shown == [CLASS_NAMES[guess] for guess in guesses.tolist()]
    turned = sum(one != other for one, other in pairwise(shown))
    assert strip.count("turns the answer") == turned
    assert len(shown) == len(steps) > 2


def test_a_picture_without_anything_in_it_is_said_to_be_empty(visit: Visit) -> None:
    at = upload(visit, ("white.png", file(Image.new("L", (90, 90), 255))))
    assert headings(at) == ["Nothing to recognise"]
    assert "fm-bars" not in html(at)


def test_a_file_that_is_no_picture_is_a_sentence_and_its_name_is_harmless(visit: Visit) -> None:
    at = upload(visit, (EVIL, b"not a picture"))
    assert len(cards(at)) == 1
    assert "not a picture that can be read" in cards(at)[0]
    assert headings(at) == []
    at = upload(visit, (EVIL, file(Image.new("L", (28, 28), 90))))
    assert "<b>" not in html(at)


# ---- many ------------------------------------------------------------------------------------------------------------------------------


def test_fifty_files_are_a_table_of_what_the_core_says_and_an_unreadable_one_is_a_row(
    visit: Visit, bundled: Model, dataset: Dataset
) -> None:
    files = [(f"{index}.png", file(Image.fromarray(dataset.test.images[index].numpy()))) for index in range(49)]
    at = upload(visit, *files[:10], ("broken.png", b"no"), *files[10:])
    [table] = at.dataframe
    rows = table.value.set_index("file")
    assert list(rows.index)[10] == "broken.png"
    assert rows.loc["broken.png", "guess"] == ""
    assert "not a picture that can be read" in rows.loc["broken.png", "note"]
    expected = classify(bundled, [to_image(Image.fromarray(dataset.test.images[index].numpy())) for index in range(49)])
    shown = rows.drop("broken.png")
    assert list(shown["guess"]) == [each.label for each in expected]
    assert list(shown["familiar"].astype(bool)) == [each.familiar for each in expected]
    assert np.allclose(shown["confidence"].astype(float), [100 * each.confidence for each in expected], atol=1e-3)
    assert shown["picture"].str.startswith("data:image/png").all()
    assert "50 pictures" in words(at)
    assert "1 cannot be read" in words(at)


def test_a_row_that_is_chosen_opens_its_picture(visit: Visit, dataset: Dataset) -> None:
    files = [(f"{index}.png", file(Image.fromarray(dataset.test.images[index].numpy()))) for index in range(3)]
    at = upload(visit, *files)
    assert np.array_equal(last_frame(at), dataset.test.images[0].numpy())
    key = f"try.table.{at.session_state['try.table.run']}"
    at.session_state[key] = {"selection": {"rows": [2], "columns": [], "cells": []}}
    at.run()
    assert np.array_equal(last_frame(at), dataset.test.images[2].numpy())


def test_more_than_two_hundred_are_cut_with_a_sentence(visit: Visit, dataset: Dataset) -> None:
    content = file(Image.fromarray(dataset.test.images[0].numpy()))
    at = upload(visit, *[(f"{index}.png", content) for index in range(203)])
    assert [each.value for each in at.warning] == ["These are 203 pictures, and at most 200 are looked at once. The first 200 are below."]
    assert len(at.dataframe[0].value) == 200


# ---- what is set -----------------------------------------------------------------------------------------------------------------------


def test_a_setting_changes_what_the_model_sees_until_it_is_automatic_again(visit: Visit) -> None:
    at = visit("try_it", **{"from": "samples", "sample": "t-shirt"})
    picture = strokes.picture(strokes.SKETCHES[0])
    automatic = to_image(picture).image.numpy()
    assert np.array_equal(last_frame(at), automatic)
    at.selectbox(key="try.set.fill").set_value("off").run()
    assert not at.exception
    assert np.array_equal(last_frame(at), to_image(picture, Settings(fill="off")).image.numpy())
    assert not np.array_equal(last_frame(at), automatic)
    assert "Set by you: outlines" in words(at)
    at.switch_page("../pages/runs.py").run()
    at.switch_page("../pages/try_it.py").run()
    at.query_params["from"], at.query_params["sample"] = "samples", "t-shirt"
    at.run()
    assert at.selectbox(key="try.set.fill").value == "off"
    at.button(key="try.automatic").click().run()
    assert np.array_equal(last_frame(at), automatic)
    assert at.selectbox(key="try.set.fill").value == "auto"
    assert "Set by you" not in words(at)


def test_models_in_the_address_answer_beside_each_other_and_one_that_is_gone_is_a_sentence(visit: Visit, runs_store: Store) -> None:
    run = trained(runs_store, CONFIG, name="Knows <b>nothing</b>")
    at = visit("try_it", **{"from": "samples", "models": f"bundled,{run.number},999"})
    assert not at.exception
    assert len(headings(at)) == 2
    assert len(cards(at)) == 1
    assert "999" in cards(at)[0]
    assert "Knows &lt;b&gt;nothing" in html(at)
    at.multiselect(key="models").set_value([str(run.number)]).run()
    assert asked(at, "models") == str(run.number)
    assert len(headings(at)) == 1
    at.multiselect(key="models").set_value([]).run()
    assert "models" not in at.query_params
    assert len(headings(at)) == 1


# ---- a drawing -------------------------------------------------------------------------------------------------------------------------


def test_a_drawing_is_found_again_by_its_address(visit: Visit, home: Path) -> None:
    sketch = strokes.SKETCHES[0]
    drawn = Drawing(drawing_files.new_id())
    drawn.replace(strokes.objects(sketch), strokes.png(sketch))
    drawing_files.keep(drawn)
    at = visit("try_it", drawing=drawn.id)
    assert not at.exception
    assert np.array_equal(last_frame(at), to_image(strokes.picture(sketch)).image.numpy())
    button(at, "Clear").click().run()
    assert headings(at) == []
    assert "drawing" not in at.query_params
    assert not (home / "runs" / "drawings" / f"{drawn.id}.json").exists()
    button(at, "Undo").click().run()
    assert len(headings(at)) == 1
    assert asked(at, "drawing") == drawn.id


def test_what_the_canvas_sends_is_answered_and_kept(visit: Visit, home: Path) -> None:
    at = visit("try_it")
    sketch = strokes.SKETCHES[1]
    sent = {"raw": {"objects": strokes.objects(sketch)}, "data": f"data:image/png;base64,{base64.b64encode(strokes.png(sketch)).decode()}"}
    at.session_state["try.canvas"] = {"drawing": sent, "backgroundFit": None}
    at.run().run()
    assert not at.exception
    assert np.array_equal(last_frame(at), to_image(strokes.picture(sketch)).image.numpy())
    [kept] = (home / "runs" / "drawings").iterdir()
    assert asked(at, "drawing") == kept.stem
    assert len(json.loads(kept.read_text())["objects"]) == len(sketch.lines)


def test_pencil_on_paper_is_the_same_drawing_for_the_model(visit: Visit) -> None:
    sketch = strokes.SKETCHES[0]
    drawn = Drawing(drawing_files.new_id())
    drawn.replace(strokes.objects(sketch), strokes.png(sketch))
    drawing_files.keep(drawn)
    at = visit("try_it", drawing=drawn.id)
    before = last_frame(at)
    at.toggle(key="try.paper").set_value(True).run()
    assert not at.exception
    after = last_frame(at)
    assert np.abs(before.astype(int) - after).max() <= 8
    assert drawing_files.find(drawn.id)


def test_an_image_under_the_pen_is_judged_and_one_to_trace_is_not(visit: Visit) -> None:
    at = visit("try_it")
    at.button(key="try.start.take").click().run()
    assert not at.exception
    assert len(headings(at)) == 1
    at.segmented_control(key="try.start.use").set_value("trace").run()
    at.button(key="try.start.take").click().run()
    assert not at.exception
    assert headings(at) == []
    assert at.session_state["try.drawing"].now.trace


def test_the_tool_stays_in_the_hand_over_another_page_and_is_not_in_the_address(visit: Visit) -> None:
    at = visit("try_it")
    assert at.segmented_control(key="try.tool").value == "pen"
    at.segmented_control(key="try.tool").set_value("shape").run()
    at.segmented_control(key="try.shape").set_value("circle").run()
    at.switch_page("../pages/runs.py").run()
    at.switch_page("../pages/try_it.py").run()
    assert not at.exception
    assert at.segmented_control(key="try.tool").value == "shape"
    assert at.segmented_control(key="try.shape").value == "circle"
    assert not [name for name in at.query_params if name.startswith("try")]


# ---- words -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({0: 0.95}, "very sure"),
        ({0: 0.75}, "fairly sure"),
        ({3: 0.5, 4: 0.4}, "between Dress and Coat"),
        ({9: 0.62}, "not very sure"),
        ({0: 0.3, 1: 0.25}, "cannot tell"),
    ],
)
def test_how_sure_in_plain_words(shares: dict[int, float], expected: str) -> None:
    rest = (1 - sum(shares.values())) / (10 - len(shares))
    assert answer.sureness([shares.get(index, rest) for index in range(10)]) == expected


def test_a_pasted_address_is_taken_only_if_it_is_a_picture_of_a_fair_size() -> None:
    assert paste.content(f"data:image/png;base64,{base64.b64encode(b'abc').decode()}") == b"abc"
    assert paste.content("data:text/html;base64,YWJj") is None
    assert paste.content("data:image/png;base64,a!") is None
    assert paste.content(f"data:image/png;base64,{'A' * (4 * paste.MOST_BYTES // 3 + 8)}") is None


def test_a_step_is_never_enlarged_and_small_ones_keep_every_pixel(dataset: Dataset) -> None:
    prepared = to_image(Image.fromarray(dataset.test.images[5].numpy()))
    with Image.open(io.BytesIO(base64.b64decode(address(prepared.steps[-1]).partition("base64,")[2]))) as opened:
        assert np.array_equal(np.asarray(opened), dataset.test.images[5].numpy())
    assert SIDE == 400
