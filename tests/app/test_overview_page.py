"""The first page: the best model beside the published one, what goes on now, and one obvious next step."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from fmnist.config import TrainConfig, preset
from fmnist.run import Process, Run, Status
from fmnist.store import Store
from ui.labels import percent

Visit = Callable[..., AppTest]


def preset_asked_for(at: AppTest) -> str:
    """The preset in the address; AppTest gives it as a text or as a list of one."""
    value = at.query_params["preset"]
    return value[0] if isinstance(value, list) else value


def primary(app: AppTest) -> str:
    """The label of the one button that stands out."""
    found = [button.label for button in app.button if button.proto.type == "primary"]
    assert len(found) == 1, found
    return found[0]


def finish(store: Store, config: TrainConfig, accuracy: float, loss: float = 0.3) -> None:
    """A finished run with these figures."""
    run = store.create(config, device="cpu")
    store.claim("cpu", Process(1, 0.0), run.id)
    store.end(run.id, Status.FINISHED, accuracy=accuracy, loss=loss)


def metrics(app: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in app.metric}


def test_an_empty_installation_invites_to_a_first_training_with_the_quick_preset(visit: Visit) -> None:
    app = visit("overview")
    assert metrics(app)["Best model so far"][0] == "no run yet"
    assert primary(app) == "Train your first network"
    app.button(key="next-step").click().run()
    assert app.title[0].value == "Train"
    assert preset_asked_for(app) == "quick"


def test_the_best_model_stands_beside_the_published_figures(visit: Visit, runs_store: Store) -> None:
    for accuracy, loss in ((0.9100, 0.30), (0.9354, 0.2233), (0.9200, 0.25)):
        finish(runs_store, TrainConfig(), accuracy, loss)
    shown = metrics(visit("overview"))
    assert shown["Best test accuracy"] == (percent(0.9354), "+1.00 points")
    assert shown["Its test loss"] == ("0.2233", "-0.0600")


def test_a_running_training_comes_first_with_its_progress(visit: Visit, runs: dict[str, Run]) -> None:
    app = visit("overview")
    assert primary(app) == "Watch it learn"
    (progress,) = app.get("progress")
    assert progress.proto.text.startswith("epoch 3 of 4")
    assert progress.proto.value == 50
    app.button(key="next-step").click().run()
    assert app.title[0].value == "Train"


def test_with_a_result_but_without_the_best_recipe_the_next_step_is_that(visit: Visit, runs_store: Store) -> None:
    finish(runs_store, TrainConfig(), 0.91)
    app = visit("overview")
    assert primary(app) == "Train the best recipe"
    app.button(key="next-step").click().run()
    assert preset_asked_for(app) == "best"


def test_when_the_best_recipe_is_trained_the_runs_are_next(visit: Visit, runs_store: Store) -> None:
    finish(runs_store, preset("best"), 0.94)
    assert primary(visit("overview")) == "See the runs"


def test_the_five_newest_runs_lead_to_their_pages(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    newest = [run.id for run in runs_store.runs()][:5]
    links = [element.proto.query_string for element in visit("overview").get("page_link")]
    assert [link.removeprefix("run=") for link in links if "run=" in link] == newest


def test_the_dataset_is_one_picture_with_a_name_for_each_class(visit: Visit) -> None:
    sheets = [element.proto.body for element in visit("overview").get("html") if '<div class="fm-sheet">' in element.proto.body]
    assert len(sheets) == 1
    assert sheets[0].count('role="img"') == 10
    assert sheets[0].count("data:image/png") == 1
    for name in ("T-shirt/top", "Ankle boot"):
        assert f"<span>{name}</span>" in sheets[0]


def test_the_bundled_model_shows_other_pictures_on_request(visit: Visit) -> None:
    def guesses(app: AppTest) -> str:
        (shown,) = [element.proto.body for element in app.get("html") if "<figure" in element.proto.body]
        return shown

    app = visit("overview")
    before = guesses(app)
    assert before.count("<figure") == 12
    app.button(key="examples.others").click().run()
    assert guesses(app).count("<figure") == 12
    assert guesses(app) != before
