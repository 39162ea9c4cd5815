"""What the search field of the table of runs understands; in what order and groups runs are shown. No screen needed."""

from typing import Any

import pytest

from fmnist.config import TrainConfig
from fmnist.events import Epoch
from fmnist.placement import HERE
from fmnist.run import Run, Status
from ui.runs import groups, run_filter, run_table
from ui.runs.fields import FIELDS, Entry


def entry(number: int, **values: Any) -> Entry:
    """A finished run that is in no store; settings, and what a Run has, by name."""
    settings = {name: values.pop(name) for name in TrainConfig.model_fields if name in values and name != "device"}
    best = Epoch(7, 7, 7.0, 0.1, 0.9, 0.2, values.pop("best"), 1e-3, 1.0) if "best" in values else None
    rest: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    known = {"id": f"{number:032x}", "name": f"Run {number}", "note": "", "status": Status.FINISHED, "device": "cpu", "tags": ()}
    rest |= (
        known
        | {"placement": HERE, "number": number, "created": 1_795_000_000.0, "seconds": 60.0, "epoch": 1, "config": TrainConfig(**settings)}
        | values
    )
    return Entry(Run(**rest), None, best)


RUNS = [
    entry(1, network="resnet", learning_rate=0.01, accuracy=0.9353, tags=("lunch", "two words"), seconds=90.0),
    entry(2, network="mlp", optimizer="sgd", flip=True, accuracy=0.88, best=0.91, note="the Blue one"),
    entry(3, network="linear", status=Status.FAILED, created=1_700_000_000.0),
    entry(4, config=None, damage="broken", device="cuda"),
]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("blue", [2]),
        ("SGD mlp", [2]),
        ("network=resnet", [1]),
        ("network:resnet", [1]),
        ("network=resnet,mlp accuracy>90", [1]),
        ("network!=resnet", [2, 3, 4]),
        ("accuracy>=93.53%", [1]),
        ("accuracy=93.53", [1]),
        ("accuracy<93.53", [2]),
        ("accuracy!=88", [1, 3, 4]),
        ("best>90", [2]),
        ("best_epoch=7", [2]),
        ("learning_rate=1e-2", [1]),
        ("Learning_Rate<0.01", [2, 3]),
        ("flip=yes", [2]),
        ("flip=no", [1, 3]),
        ("tag=LUNCH", [1]),
        ('tag="two words"', [1]),
        ("tag!=lunch", [2, 3, 4]),
        ("status=failed,damaged", [3, 4]),
        ("device=cuda", [4]),
        ("name=2", [2]),
        ('note="blue one"', [2]),
        ("time>60", [1]),
        ("created<2024-01-01", [3]),
        ("created=2023-11-14", [3]),
        ("http://a.link", []),
        ('"accuracy>90"', []),
        ('"', [1, 2, 3, 4]),
    ],
)
def test_a_search_finds_the_runs_that_fit_in_every_respect(text: str, numbers: list[int]) -> None:
    query = run_filter.read(text)
    assert [each.run.number for each in RUNS if query.fits(each)] == numbers


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("acuracy>93", "A run has no field 'acuracy'. Did you mean 'accuracy'? To look for it as a text, write it in quotes."),
        ("accuracy>high", "'accuracy' is compared with a percentage such as 93.5, not with 'high'."),
        ("created>yesterday", "'created' is compared with a day such as 2026-11-30, not with 'yesterday'."),
        ("time>1e400", "'time' is compared with a number of seconds, not with '1e400'."),
        ("flip=maybe", "'flip' is compared with yes or no, not with 'maybe'."),
        ("network>mlp", "'network' has no order, so it cannot be above or below anything. Write network=mlp."),
        ("accuracy>", "'accuracy>' needs something to compare with."),
        ("network=,", "'network=' needs something to compare with."),
    ],
)
def test_what_cannot_be_understood_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(run_filter.FilterError) as error:
        run_filter.read(text)
    assert str(error.value) == sentence


def test_a_condition_says_itself_in_words_and_is_written_as_it_is_read() -> None:
    text = 'network=resnet,mlp accuracy>=93.5 tag!="two words" flip=yes time<60'
    assert [str(each) for each in run_filter.read(text).conditions] == [
        "network is resnet or mlp",
        "test accuracy at least 93.5\N{NO-BREAK SPACE}%",
        "has not the tag two words",
        "flip is yes",
        "training time below 60 s",
    ]
    assert run_filter.written("tag", "!=", ["two words", "lunch"]) == 'tag!="two words",lunch'


@pytest.mark.parametrize("word", FIELDS)
def test_every_field_of_every_run_can_be_sorted_and_grouped_by(word: str) -> None:
    shown = run_table.ordered(RUNS, word)
    assert sorted(each.run.number for each in shown) == [1, 2, 3, 4]
    assert all(len(members) for members in groups.split(RUNS, word).values())


def test_the_order_is_what_a_person_wants_to_see_first_and_the_unknown_comes_last() -> None:
    assert [each.run.number for each in run_table.ordered(RUNS, "accuracy")] == [1, 2, 3, 4]
    assert [each.run.number for each in run_table.ordered(RUNS, "learning_rate")] == [2, 3, 1, 4]
    assert [each.run.number for each in run_table.ordered(RUNS, "number")] == [4, 3, 2, 1]


def test_runs_of_one_recipe_are_a_group_whatever_their_seed_with_mean_and_spread() -> None:
    seeds = [entry(number, seed=number, epochs=5, accuracy=accuracy) for number, accuracy in ((1, 0.92), (2, 0.93), (3, 0.94))]
    other = entry(4, epochs=9, accuracy=0.91)
    found = groups.split([*seeds, other, RUNS[3]], groups.RECIPE)
    assert {name: [each.run.number for each in members] for name, members in found.items()} == {
        "Epochs 5": [1, 2, 3],
        "Epochs 9": [4],
        "Settings that cannot be read": [4],
    }
    mean, spread = groups.figures(found["Epochs 5"], "accuracy")
    assert (mean, spread) == (pytest.approx(93.0), pytest.approx(1.0))  # by hand: 92, 93, 94
    assert groups.figures(found["Epochs 9"], "accuracy") == (pytest.approx(91.0), None)
    assert groups.figures(found["Settings that cannot be read"], "accuracy") == (None, None)


def test_a_run_with_two_tags_is_in_two_groups() -> None:
    found = groups.split(RUNS[:2], "tag")
    assert {name: [each.run.number for each in members] for name, members in found.items()} == {"lunch": [1], "two words": [1], "–": [2]}
