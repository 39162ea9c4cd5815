"""The page that says where and why a model is wrong: an empty store, trained runs, damaged ones; a filter in the address."""

import io
import json
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from fmnist import comparison, evaluation, history, judgements, runner
from fmnist.checkpoint import checkpoints_folder
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.outputs import Outputs
from fmnist.run import Run
from fmnist.seeds import pooled
from fmnist.store import Store
from fmnist.verdict import Side, judge, sentence
from tests.app.conftest import NOBODY
from ui import judged
from ui.evaluation import all_runs, evaluated, image_list, matrix, trust
from ui.evaluation.matrix import Chosen
from ui.images import buttons
from ui.labels import percent

Visit = Callable[..., AppTest]
SHIRT, T_SHIRT, COAT = 6, 0, 4
CONFIG = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=900, validation_size=300, device="cpu", precision="float32")


@pytest.fixture
def trained(runs_store: Store) -> Run:
    """A run of three epochs, trained for real."""
    return train(runs_store, CONFIG)


def train(store: Store, config: TrainConfig, name: str = "A small run") -> Run:
    run = store.claim("cpu", NOBODY, store.create(config, device="cpu", name=name).id)
    assert run
    return runner.train(store, run, threading.Event())


def said(word: str, split: Any = "test") -> Outputs:
    """What a model says, when it is computed."""
    job = judged.begin(word, split)
    job.wait(240)
    assert job.result is not None, job.error
    return job.result


def component(at: AppTest, key: str) -> dict[str, Any]:
    """What was sent to one of our components."""
    found = [element.proto for element in at.get("bidi_component") if f"-{key}" in element.proto.id]
    assert len(found) == 1, [element.proto.id for element in at.get("bidi_component")]
    return json.loads(found[0].json)


def figures(at: AppTest) -> dict[str, str]:
    assert not at.exception, at.exception
    return {metric.label: metric.value for metric in at.metric}


def words(at: AppTest) -> str:
    assert not at.exception, at.exception
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.info, *at.warning, *at.error])


def cell(outputs: Outputs, truth: int | None, guess: int | None) -> set[int]:
    """The images of a cell, a row or a column, found here again."""
    fits = torch.ones(len(outputs), dtype=torch.bool)
    if truth is not None:
        fits &= outputs.labels == truth
    if guess is not None:
        fits &= outputs.guesses == guess
    return set(outputs.indices[fits].tolist())


# ---- which model, which images -----------------------------------------------------------------------------------------------------------


def test_without_a_run_the_bundled_model_works_and_there_is_an_invitation(visit: Visit, runs_store: Store) -> None:
    outputs = said("bundled")
    at = visit("evaluate")
    report = evaluation.report(outputs.logits, outputs.labels)
    assert figures(at)["Accuracy"] == percent(report.accuracy)
    assert "Nothing has been trained here yet" in words(at)
    assert at.selectbox(key="model").value == "bundled"
    at.button[0].click().run()  # leads to the training of a first network
    assert at.title[0].value == "Train"


def test_the_figures_are_those_of_the_core_beside_the_reference(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    at, report = visit("evaluate"), evaluation.report(outputs.logits, outputs.labels)
    low, high = report.accuracy_interval
    assert figures(at) == {
        "Accuracy": percent(report.accuracy),
        "95 % interval": f"{100 * low:.2f} – {percent(high)}",
        "Loss": f"{report.loss:.4f}",
        "Macro F1": f"{report.macro_f1:.4f}",
        "Calibration error": percent(report.ece),
    }
    assert at.metric[0].delta == f"{100 * (report.accuracy - 0.9254):+.2f} points"
    assert component(at, "evaluate.matrix")["counts"] == report.confusion
    assert "Nothing has been trained" not in words(at)


def test_validation_images_are_judged_without_the_reference(visit: Visit, trained: Run) -> None:
    outputs = said("best", "validation")
    at = visit("evaluate", split="validation")
    assert figures(at)["Accuracy"] == percent(float((outputs.guesses == outputs.labels).double().mean()))
    assert at.metric[0].delta == ""
    assert "300 validation images" in words(at)


def test_a_run_without_a_checkpoint_and_one_that_is_gone_have_a_sentence(visit: Visit, trained: Run, runs_store: Store) -> None:
    said("best")
    waiting = runs_store.create(CONFIG, device="cpu", name="A waiting run")
    for word, complaint in ((str(waiting.number), "has no checkpoint yet"), ("4711", "There is no run")):
        at = visit("evaluate", model=word)
        assert complaint in words(at)
        assert not at.metric
        at.selectbox(key="model").select("best").run()
        assert "Accuracy" in figures(at)


def test_a_damaged_run_has_a_sentence_and_others_still_work(visit: Visit, trained: Run, runs_store: Store) -> None:
    said("best")
    damaged = train(runs_store, CONFIG.model_copy(update={"seed": 7}))
    weights = checkpoints_folder(damaged.id) / runs_store.checkpoints(damaged.id)[0].weights
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x01\x02\x03")
    at = visit("evaluate", model=str(damaged.number))
    assert "is damaged" in words(at).replace("\\", "")
    at.selectbox(key="model").select(str(trained.number)).run()
    assert "Accuracy" in figures(at)


# ---- the filter --------------------------------------------------------------------------------------------------------------------------


def test_every_cell_shows_exactly_the_images_that_the_matrix_counts(trained: Run) -> None:
    outputs = said(trained.id)
    report = evaluation.report(outputs.logits, outputs.labels)
    found = judgements.judge(outputs.logits, outputs.labels, outputs.indices)
    for truth in range(10):
        for guess in range(10):
            kind = image_list.kinds_of(Chosen(truth, guess))[0]
            shown = found.index[judgements.choose(found, kind, truth, guess)].tolist()
            assert len(shown) == report.confusion[truth][guess]
            assert set(shown) == cell(outputs, truth, guess)


def test_an_address_shows_one_cell_and_the_chip_takes_it_back(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    at = visit("evaluate", true="shirt", predicted="t-shirt-top")
    sent, expected = component(at, "evaluate.gallery"), cell(outputs, SHIRT, T_SHIRT)
    assert len(expected) > buttons.PAGE
    assert set(sent["index"]) < expected
    assert len(sent["index"]) == buttons.PAGE
    assert sent["share"] == sorted(sent["share"], reverse=True)
    assert component(at, "evaluate.matrix")["chosen"] == [SHIRT, T_SHIRT]
    assert f"{len(expected):,} of 10,000 images" in words(at)
    at.button(key="evaluate.chip").click().run()
    assert not {"true", "predicted"} & at.query_params.keys()
    assert component(at, "evaluate.matrix")["chosen"] is None


def test_the_pages_of_the_gallery_hold_every_image_once(visit: Visit, trained: Run) -> None:
    expected = cell(said("best"), SHIRT, T_SHIRT)
    pages = [
        component(visit("evaluate", true="shirt", predicted="t-shirt-top", page=str(page)), "evaluate.gallery")["index"]
        for page in (1, 2, 3, 4)
    ]
    shown = [index for page in pages[: -(-len(expected) // buttons.PAGE)] for index in page]
    assert len(shown) == len(set(shown))
    assert set(shown) == expected


@pytest.mark.parametrize(("query", "wanted"), [({"true": "coat"}, (COAT, None)), ({"predicted": "coat"}, (None, COAT))])
def test_a_row_and_a_column_show_their_mistakes_and_on_request_their_right_answers(
    visit: Visit, trained: Run, query: dict[str, str], wanted: tuple[int | None, int | None]
) -> None:
    outputs = said("best")
    row, diagonal = cell(outputs, *wanted), cell(outputs, COAT, COAT)
    at = visit("evaluate", **query)
    assert set(component(at, "evaluate.gallery")["index"]) <= row - diagonal
    assert f"**{len(row - diagonal):,}** mistakes" in words(at)
    at.segmented_control(key="show").select("unsure").run()
    sent = component(at, "evaluate.gallery")
    assert set(sent["index"]) <= diagonal
    assert sent["share"] == sorted(sent["share"])
    assert at.query_params["show"] in ("unsure", ["unsure"])


def test_what_is_no_class_in_the_address_counts_as_nothing(visit: Visit, trained: Run) -> None:
    said("best")
    at = visit("evaluate", true="hat", predicted="")
    assert "all 10,000 images" in words(at)


def test_a_frequent_mistake_beside_the_matrix_is_a_filter_too(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    at = visit("evaluate")
    first = next(button for button in at.button if (button.key or "").startswith("evaluate.mistake"))
    truth, guess = map(int, str(first.key).split(".")[2:])
    counts = evaluation.confusion_matrix(outputs.labels, outputs.guesses).fill_diagonal_(0)
    assert counts[truth, guess] == counts.max()
    first.click().run()
    assert component(at, "evaluate.matrix")["chosen"] == [truth, guess]


# ---- the components ----------------------------------------------------------------------------------------------------------------------


def test_a_click_in_the_matrix_sends_nothing_back_to_it() -> None:
    def page() -> None:
        import streamlit as st

        from ui.evaluation import matrix

        before = st.session_state.get("chosen")
        st.session_state["chosen"] = matrix.show(
            [[1] * 10] * 10, order=list(range(10)), mode="counts", diagonal=True, selected=before, key="m"
        )

    at = AppTest.from_function(page, default_timeout=60).run()
    first = at.get("bidi_component")[0].proto.json
    at.session_state["m"] = {"click": {"chosen": [6, None], "count": 1}}
    at.run()
    assert at.session_state["chosen"] == Chosen(6, None)
    assert at.get("bidi_component")[0].proto.json == first
    at.run()  # any other run of the page
    assert at.session_state["chosen"] == Chosen(6, None)
    assert at.get("bidi_component")[0].proto.json == first
    at.session_state["m"] = {"click": {"chosen": None, "count": 2}}
    at.run()
    assert at.session_state["chosen"] is None
    at.session_state["chosen"] = Chosen(1, 2)  # somebody else chooses, a chip or an address: the matrix has to be told
    at.run()
    told = json.loads(at.get("bidi_component")[0].proto.json)
    assert (told["chosen"], told["turn"]) == ([1, 2], json.loads(first)["turn"] + 1)
    at.session_state["chosen"] = None
    at.run()
    assert json.loads(at.get("bidi_component")[0].proto.json)["chosen"] is None


def test_names_of_many_and_short_names_stand_for_the_classes_in_their_order() -> None:
    assert len(matrix.PLURALS) == len(matrix.SHORT) == len(CLASS_NAMES)
    for name, many, short in zip(CLASS_NAMES, matrix.PLURALS, matrix.SHORT, strict=True):
        assert many.startswith(name[:5])
        assert short in name or short == "Boot"


# ---- images ------------------------------------------------------------------------------------------------------------------------------


def test_the_table_and_the_file_have_what_the_gallery_shows(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    at = visit("evaluate", true="shirt", predicted="coat", table="true", sort="index")
    table = at.dataframe[0].value
    assert table["index"].tolist() == sorted(cell(outputs, SHIRT, COAT))
    assert set(table["true"]) == {"Shirt"}
    assert set(table["predicted"]) == {"Coat"}
    report = evaluation.report(outputs.logits, outputs.labels)
    found = judgements.judge(outputs.logits, outputs.labels, outputs.indices)
    view = evaluated.View("best", judged.model("best"), trained, "test", outputs, None, None, found, report)
    written = pd.read_csv(io.BytesIO(image_list.csv(view, judgements.choose(found, "errors", SHIRT, COAT, "index"))))
    assert written["index"].tolist() == table["index"].tolist()
    assert (100 * written["confidence"]).round(2).tolist() == pytest.approx(table["confidence"].round(2).tolist(), abs=0.011)


def test_the_gallery_is_sent_what_each_image_is() -> None:
    def page() -> None:
        from ui.images import gallery

        gallery.show([gallery.Item(17, 6, 4, 0.61, "not learnt"), gallery.Item(3, 1, 1, 1.0)], "data:,", key="g")

    sent = component(AppTest.from_function(page, default_timeout=60).run(), "g")
    assert (sent["index"], sent["truth"], sent["guess"], sent["share"]) == ([17, 3], [6, 1], [4, 1], [0.61, 1.0])
    assert (sent["notes"], sent["names"]) == (["not learnt", ""], list(CLASS_NAMES))


# ---- classes, calibration ----------------------------------------------------------------------------------------------------------------


def test_the_table_of_classes_is_the_report_and_follows_the_filter(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    report = evaluation.report(outputs.logits, outputs.labels)
    table = visit("evaluate", section="classes").dataframe[0].value
    assert table["class"].tolist() == list(CLASS_NAMES)
    assert table["recall"].tolist() == pytest.approx([100 * figure.recall for figure in report.per_class.values()])
    assert table["confused"][SHIRT].startswith(report.per_class["Shirt"].confused_with[0][0])
    at = visit("evaluate", section="classes", true="shirt", predicted="coat")
    assert at.dataframe[0].value["class"].tolist() == ["Coat", "Shirt"]
    assert len(at.get("plotly_chart")) == 2


def test_the_temperature_is_fitted_on_validation_images_only(visit: Visit, trained: Run) -> None:
    from fmnist.calibration import fit_temperature

    said("best")
    validation = said("best", "validation")
    at = visit("evaluate", section="trust")
    temperature = fit_temperature(validation.logits, validation.labels)
    assert f"a temperature of **{temperature:.3f}**" in words(at)
    assert len(at.get("plotly_chart")) == 3


def test_a_model_that_saw_every_image_has_no_temperature_and_says_why(visit: Visit, runs_store: Store) -> None:
    train(runs_store, CONFIG.model_copy(update={"validation_size": 0, "epochs": 1}))
    said("best")
    assert "it would be peeking" in words(visit("evaluate", section="trust"))


def test_the_threshold_begins_where_it_abstains_on_five_percent_and_the_sentence_follows_it(visit: Visit, trained: Run) -> None:
    outputs = said("best")
    said("best", "validation")
    at = visit("evaluate", section="trust")
    confidence, guess = outputs.probabilities.max(1)
    kept = confidence >= at.slider[0].value / 100
    assert 0.045 < 1 - float(kept.double().mean()) < 0.055
    assert trust.sentence(1 - float(kept.double().mean()), float((guess == outputs.labels)[kept].double().mean())) in words(at)
    at.slider[0].set_value(0.0).run()
    assert "If it must answer always" in words(at)


def test_the_sentence_about_silence() -> None:
    assert trust.sentence(0.05, 0.979) == "If it may abstain on **5.0 %**, it is right on **97.90 %** of the rest.".replace(
        "97.90 %", percent(0.979)
    )
    assert trust.sentence(1.0, None) == "At this threshold it says nothing at all."


# ---- the time machine --------------------------------------------------------------------------------------------------------------------


def test_an_earlier_epoch_drives_figures_matrix_and_gallery(visit: Visit, trained: Run, runs_store: Store) -> None:
    outputs, epochs = said("best", "validation"), runs_store.epochs(trained.id)
    past = history.read(trained.id, [1, 2, 3])
    assert past is not None
    at = visit("evaluate", split="validation", epoch="1")
    guesses = past.guesses[0].long()
    assert figures(at)["Accuracy"] == percent(float((guesses == outputs.labels).double().mean())) == percent(epochs[0].accuracy)
    assert figures(at)["Loss"] == f"{epochs[0].loss:.4f}"
    assert component(at, "evaluate.matrix")["counts"] == evaluation.confusion_matrix(outputs.labels, guesses).tolist()
    sent = component(at, "evaluate.gallery")
    wrong = outputs.indices[guesses != outputs.labels].tolist()
    assert set(sent["index"]) <= set(wrong)
    assert len(sent["index"]) == min(buttons.PAGE, len(wrong))
    at.select_slider(key="epoch").set_value("now").run()
    assert figures(at)["Accuracy"] == percent(float((outputs.guesses == outputs.labels).double().mean()))
    assert "epoch" not in at.query_params


def test_each_image_says_when_it_was_learnt_and_how_often_forgotten(visit: Visit, trained: Run) -> None:
    outputs, past = said("best", "validation"), history.read(trained.id, [1, 2, 3])
    assert past is not None
    sent = component(visit("evaluate", split="validation", show="unsure"), "evaluate.gallery")
    places = {index: place for place, index in enumerate(outputs.indices.tolist())}
    for index, note in zip(sent["index"], sent["notes"], strict=True):
        right = (past.guesses[:, places[index]] == outputs.labels[places[index]]).tolist()
        since = next(epoch for epoch in (1, 2, 3) if all(right[epoch - 1 :]))
        times = sum(was and not now for was, now in pairwise(right))
        assert note == f"learnt in epoch {since}" + {0: "", 1: ", forgotten once"}[times]


def test_the_test_images_of_a_run_that_watched_others_have_no_earlier_epochs(visit: Visit, trained: Run) -> None:
    said("best")
    assert not visit("evaluate").select_slider


# ---- other models ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sister(trained: Run, runs_store: Store) -> Run:
    """The same config with another seed."""
    return train(runs_store, CONFIG.model_copy(update={"seed": 1}), "Its sister")


def test_two_models_have_a_verdict_a_difference_matrix_and_the_images_that_changed(
    visit: Visit, trained: Run, sister: Run, runs_store: Store
) -> None:
    one, other = said(str(trained.number)), said(str(sister.number))
    at = visit("evaluate", model=str(trained.number), section="two", other=str(sister.number))
    found = comparison.compare(one.guesses, other.guesses, one.labels)
    sides = (Side(trained.name, one.guesses[None]), Side(sister.name, other.guesses[None]))
    known = pooled([[run.accuracy for run in runs_store.runs() if run.accuracy is not None]])
    assert f"**{sentence(judge(*sides, one.labels, known))}**" in words(at)
    assert (figures(at)["Fixed"], figures(at)["Broken"]) == (f"{found.fixed:,}", f"{found.broken:,}")
    assert "by 2 runs of these settings" in words(at)
    difference = evaluation.confusion_matrix(one.labels, other.guesses) - evaluation.confusion_matrix(one.labels, one.guesses)
    assert component(at, "evaluate.difference")["counts"] == difference.tolist()
    fixed = one.indices[(one.guesses != one.labels) & (other.guesses == one.labels)].tolist()
    sent = component(at, "evaluate.changes")
    assert set(sent["index"]) <= set(fixed)
    assert all(note.startswith(f"other: {CLASS_NAMES[truth]}") for note, truth in zip(sent["notes"], sent["truth"], strict=True))


def test_a_model_is_not_offered_against_itself(visit: Visit, trained: Run, sister: Run, runs_store: Store) -> None:
    best = runs_store.find("best")
    said("best"), said("bundled")
    at = visit("evaluate", section="two")
    offered = at.selectbox(key="other").options
    assert offered[0] == "The bundled model"
    assert len(offered) == 2
    assert not offered[1].startswith(("Best run", best.name))
    assert at.selectbox(key="other").value == "bundled"


def test_errors_of_all_are_told_from_those_of_this_one_alone(visit: Visit, trained: Run, sister: Run) -> None:
    answers = [said(word) for word in (str(trained.number), str(sister.number), "bundled")]
    at = visit("evaluate", model=str(trained.number), section="all")
    wrong = torch.stack([answer.guesses != answer.labels for answer in answers])
    assert f"**{int(wrong.all(0).sum()):,}** images are wrong for all 3" in words(at)
    assert f"**{int((wrong[0] & (wrong.sum(0) == 1)).sum()):,}** for this one alone" in words(at)
    assert set(component(at, "evaluate.shared")["index"]) <= set(wrong.all(0).nonzero().squeeze(1).tolist())
    at.segmented_control(key="who").select("alone").run()
    assert set(component(at, "evaluate.shared")["index"]) <= set((wrong[0] & (wrong.sum(0) == 1)).nonzero().squeeze(1).tolist())


def test_of_more_models_than_are_compared_the_newest_runs_are_and_the_page_says_so(
    visit: Visit, trained: Run, sister: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word in (str(trained.number), "bundled"):
        said(word)
    monkeypatch.setattr(all_runs, "MOST", 1)
    at = visit("evaluate", model=str(trained.number), section="all")
    assert "These are 1 of 2 other models" in words(at)
    assert "wrong for all 2" in words(at)
