"""The page that puts runs side by side: chosen in the address, a verdict, a diff, classes, and what goes with what."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from fmnist import data, outputs, prediction, runner
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.home import data_folder
from fmnist.run import Run
from fmnist.seeds import pooled
from fmnist.store import Store
from fmnist.verdict import Side, judge, reasons, sentence
from tests.app.conftest import NOBODY
from ui import judged
from ui.comparing import class_differences, looks

Visit = Callable[..., AppTest]
CONFIG = TrainConfig(network="linear", epochs=2, batch_size=64, train_size=900, validation_size=300, device="cpu", precision="float32")


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a recipe and a run with a tenth of its learning rate, trained for real and judged, once for all tests."""
    folder, images = tmp_path_factory.mktemp("trained"), data.load()
    if data_folder().exists():
        (folder / "data").symlink_to(data_folder())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_HOME", str(folder))
        patch.delenv("FMNIST_DB", raising=False)
        store = Store()
        for name, changes in ((None, {}), (None, {"seed": 1}), ("A *slow* one", {"learning_rate": 1e-4})):
            run = train(store, name, **changes)
            outputs.get(prediction.load(run.id, store), "test", images)
        store.close()
    return folder


@pytest.fixture
def home(home: Path, trained_home: Path) -> Path:
    """A home with these three runs."""
    shutil.copytree(trained_home / "runs", home / "runs")
    return home


@pytest.fixture
def three(runs_store: Store) -> list[Run]:
    return [runs_store.find(word) for word in ("1", "2", "3")]


def train(store: Store, name: str | None = None, **changes: Any) -> Run:
    created = store.create(CONFIG.model_copy(update=changes), device="cpu", name=name)
    run = store.claim("cpu", NOBODY, created.id)
    assert run
    return runner.train(store, run, threading.Event())


def guesses(run: Run) -> torch.Tensor:
    job = judged.begin(run.id, "test")
    job.wait(240)
    assert job.result is not None, job.error
    return job.result.guesses


def words(at: AppTest) -> str:
    assert not at.exception, at.exception
    found = "\n".join(element.value for element in [*at.markdown, *at.caption, *at.info, *at.warning, *at.error, *at.subheader])
    return found.replace("\\", "")


def chosen(at: AppTest) -> list[int]:
    return at.multiselect(key="compare.runs").value


def address(at: AppTest) -> str:
    value = at.query_params["runs"]
    return value[0] if isinstance(value, list) else value


def component(at: AppTest, key: str) -> dict[str, Any]:
    """What was sent to one of our components."""
    [found] = [element.proto for element in at.get("bidi_component") if f"-{key}" in element.proto.id]
    return json.loads(found.json)


# ---- choosing ----


def test_without_a_choice_the_page_says_how_to_choose(visit: Visit, runs: dict[str, Run]) -> None:
    at = visit("compare")
    assert "Choose two runs or more" in words(at)
    assert not at.get("bidi_component")


@pytest.mark.parametrize("section", ["settings", "classes", "connections"])
def test_runs_in_every_state_can_stand_side_by_side(visit: Visit, runs: dict[str, Run], section: str) -> None:
    numbers = [run.number for run in runs.values() if not run.damage]
    at = visit("compare", runs=",".join(map(str, numbers)), section=section)
    assert chosen(at) == numbers
    assert "not trained to their end: " in words(at)
    assert "weights are missing or damaged: " in words(at)  # of the finished run there is only its line in the store


def test_the_address_names_the_runs_and_what_is_gone_or_damaged_is_said(visit: Visit, three: list[Run], runs: dict[str, Run]) -> None:
    at = visit("compare", runs=f"3, 1,4711,{runs['damaged'].number},<b>x,1")
    assert chosen(at) == [3, 1]
    assert f"There is no run 4711, {runs['damaged'].number}, <b>x to compare" in words(at)


def test_a_choice_is_written_into_the_address_and_outlives_a_visit_elsewhere(visit: Visit, three: list[Run]) -> None:
    at = visit("compare")
    at.multiselect(key="compare.runs").set_value([2, 3]).run()
    assert address(at) == "2,3"
    at.switch_page("../pages/train.py")
    del at.query_params["runs"]
    at.run()
    at.switch_page("../pages/compare.py").run()
    assert (chosen(at), address(at)) == ([2, 3], "2,3")
    at.multiselect(key="compare.runs").set_value([]).run()
    assert "runs" not in at.query_params
    assert chosen(at) == []


def test_several_runs_are_added_at_once(visit: Visit, three: list[Run], runs_store: Store) -> None:
    trials = [runs_store.create(CONFIG, device="cpu", sweep="ab" * 16).number for _ in range(2)]
    at = visit("compare", runs="1")
    assert at.selectbox(key="compare.add").options == [
        "The other seeds of Run 1 (1)",
        "Every trial of sweep abababab (2)",
        "The 3 that finished last",
        "The 3 with the highest test accuracy",
    ]
    at.selectbox(key="compare.add").set_value("The other seeds of Run 1 (1)").run()
    assert (chosen(at), at.selectbox(key="compare.add").value) == ([1, 2], None)
    at.selectbox(key="compare.add").set_value("Every trial of sweep abababab (2)").run()
    assert chosen(at) == [1, 2, *sorted(trials, reverse=True)]
    assert address(at) == ",".join(map(str, chosen(at)))


# ---- the verdict ----


def test_the_verdict_is_that_of_the_core_on_the_same_images(visit: Visit, three: list[Run], dataset: Any) -> None:
    at = visit("compare", runs="1,2,3")
    fast = Side("Run 1 (2 seeds)", torch.stack([guesses(three[0]), guesses(three[1])]))
    slow = Side("3 · A *slow* one", guesses(three[2])[None])
    known = pooled([[run.accuracy for run in three[:2] if run.accuracy is not None]])
    found = judge(fast, slow, dataset.test.labels, known)
    said = words(at).replace("\N{NO-BREAK SPACE}", " ")
    assert f"**{sentence(found)}**" in said
    for reason in reasons(found):
        assert reason in said


def test_where_the_seed_may_explain_it_more_seeds_are_one_click_away(visit: Visit, three: list[Run], runs_store: Store) -> None:
    other = train(runs_store, batch_size=128)
    guesses(other)
    spread = runs_store.runs()  # without the second seed nobody knows how much a seed makes
    runs_store.delete(three[1].id)
    at = visit("compare", runs=f"3,{other.number}")
    at.button(key="compare.seeds.train").click().run()
    made = [run for run in runs_store.runs() if run.id not in {each.id for each in spread}]
    assert sorted((run.config.learning_rate, run.config.batch_size, run.config.seed) for run in made if run.config) == [
        (1e-4, 64, 1),
        (1e-4, 64, 2),
        (1e-3, 128, 1),
        (1e-3, 128, 2),
    ]
    assert {run.origin for run in made} == {three[2].id, other.id}
    assert chosen(at) == [3, other.number, *sorted(run.number for run in made)]
    assert "not trained to their end: " in words(at)


def test_seeds_of_one_recipe_have_a_mean_and_a_spread_and_no_winner(visit: Visit, three: list[Run]) -> None:
    assert "**These 2 runs differ in their seed alone: " in words(visit("compare", runs="1,2"))


def test_one_run_alone_has_no_verdict(visit: Visit, three: list[Run]) -> None:
    assert "A verdict needs two runs that have reached their end" in words(visit("compare", runs="1"))


def test_of_more_than_two_recipes_each_is_ranked_against_the_best(visit: Visit, three: list[Run], runs_store: Store) -> None:
    guesses(train(runs_store, "Slowest", learning_rate=1e-5))
    at = visit("compare", runs="1,3,4")
    [table] = [table.value for table in at.table]
    assert table["Verdict"].tolist()[0] == "the best"
    assert len(table) == 3
    assert "Of 3 pairs some differ by luck" in words(at)


# ---- what is shown ----


def test_the_curves_of_every_run_are_drawn_in_the_colour_of_the_run(visit: Visit, three: list[Run]) -> None:
    drawing = component(visit("compare", runs="1,3"), "compare.curves")
    shapes = looks.of([1, 3])
    assert [(entry["name"], entry["color"]) for entry in drawing["legend"]] == [
        ("Run 1", shapes[1].color),
        ("3 · A *slow* one", shapes[3].color),
    ]
    [accuracy] = [panel for panel in drawing["panels"] if panel["title"] == "Validation accuracy"]
    assert [(each["hex"], len(each["y"])) for each in accuracy["series"]] == [(shapes[1].color, 2), (shapes[3].color, 2)]


def test_how_the_curves_are_drawn_stands_in_the_address(visit: Visit, three: list[Run]) -> None:
    at = visit("compare", runs="1,2,3", x="step", seeds="range", log="true")
    drawing = component(at, "compare.curves")
    assert drawing["x_title"] == "step"
    assert [entry["name"] for entry in drawing["legend"]] == ["Run 1 (2 seeds)", "3 · A *slow* one"]
    assert drawing["panels"][2]["log"]
    assert not at.get("segmented_control") or at.segmented_control(key="seeds").value == "range"


def test_the_table_has_the_settings_that_differ_and_the_figures(visit: Visit, three: list[Run]) -> None:
    table = visit("compare", runs="1,2,3").dataframe[0].value
    assert list(table.columns) == ["Run 1", "Run 2", "3 · A *slow* one"]
    assert list(table.index)[:3] == ["Line", "Learning rate", "Seed"]
    assert table.loc["Learning rate"].tolist() == ["0.001", "0.001", "0.0001"]
    assert table.loc["Seed"].tolist() == ["0", "1", "0"]
    assert table.loc["Test accuracy", "Run 1"] == f"{three[0].accuracy:.2%}".replace("%", "\N{NO-BREAK SPACE}%")
    assert table.loc["Parameters"].tolist() == ["7,850"] * 3


def test_the_recall_of_each_class_is_compared_with_a_chosen_run(visit: Visit, three: list[Run], dataset: Any) -> None:
    table = visit("compare", runs="1,3", section="classes", baseline="3").dataframe[0].value
    labels, first, second = dataset.test.labels, guesses(three[2]), guesses(three[0])
    for label, name in enumerate(CLASS_NAMES):
        own, other = (float((each[labels == label] == label).double().mean()) for each in (first, second))
        assert table.loc[name].tolist() == pytest.approx([100 * other - 100 * own, 100 * own][::-1])


def test_a_class_is_sure_to_differ_only_beyond_chance() -> None:
    truth = torch.arange(10).repeat_interleave(100)
    first, second = truth.clone(), truth.clone()
    first[:20], second[100:103] = 9, 9  # twenty T-shirts fixed, three trousers broken
    found = class_differences.cells(first, second, truth)
    assert [(cell.points, cell.is_sure) for cell in found[:3]] == [(pytest.approx(20), True), (pytest.approx(-3), False), (0, False)]


def test_picked_runs_can_be_kept_and_stand_in_the_address(visit: Visit, three: list[Run]) -> None:
    at = visit("compare", runs="1,2,3", section="connections")
    sent = component(at, "compare.parallel")
    assert [axis["title"] for axis in sent["axes"]] == ["Learning rate", "Seed", "Test accuracy"]
    assert sent["axes"][0]["places"] == [1.0, 1.0, 0.0]
    at.session_state["compare.parallel"] = {"picked": [0, 1]}
    at.run()
    assert "**2 of 3 picked:** Run 1, Run 2" in words(at)
    at.button(key="compare.keep.parallel").click().run()
    assert (chosen(at), address(at)) == ([1, 2], "1,2")


def test_points_that_are_circled_pick_runs(visit: Visit, three: list[Run]) -> None:
    at = visit("compare", runs="1,2,3", section="connections", across="learning_rate", figure="loss")
    at.session_state["compare.scatter"] = {"selection": {"points": [{"curve_number": 2}], "point_indices": [0], "box": [], "lasso": []}}
    at.run()
    assert "**1 of 3 picked:** 3 · A *slow* one" in words(at)


def test_of_many_models_only_so_many_answers_stay_in_memory(three: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; who asks for it again has it from its file."""
    monkeypatch.setattr(judged, "MOST_KEPT", 2)
    judged._kept().clear()
    expected = [guesses(run) for run in three]
    for run, guess in [*zip(three, expected, strict=True), (three[0], expected[0])]:
        found = judged.answer(run.id, "test")
        assert found is not None
        assert torch.equal(found.guesses, guess)
        assert len(judged._kept()) <= 2
