"""TrainConfig: every bound, every sentence, and the JSON of a run."""

import json
import math
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fmnist.config import FIELDS, PRESETS, TrainConfig, allowed, bounds, choices, group, in_words, parse, preset
from fmnist.errors import ConfigError

# Nothing in it contradicts a bound of any single field, so that one field at a time can be taken to its ends.
ROOMY = TrainConfig(epochs=1000, batch_size=2, validation_size=0)
SCHEMA = TrainConfig.model_json_schema()["properties"]
NUMBERS = [name for name, field in SCHEMA.items() if field.get("type") in ("integer", "number")]
WORDS = [name for name, field in SCHEMA.items() if "enum" in field]
SWITCHES = [name for name, field in SCHEMA.items() if field.get("type") == "boolean"]
GROUPS = ("Basics", "Optimizer", "Schedule", "Regularisation", "Augmentation", "Data", "Machine")


def with_field(name: str, value: object) -> object:
    return getattr(parse({name: value}, ROOMY), name)


def just_outside(number: float, whole: bool, direction: int) -> float:
    return number + direction if whole else math.nextafter(number, direction * math.inf)


def test_every_field_is_a_number_a_word_or_a_switch() -> None:
    assert sorted(NUMBERS + WORDS + SWITCHES) == sorted(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_in_words_what_it_is_and_where_it_stands(name: str) -> None:
    field = FIELDS[name]
    assert field.title
    assert field.title[0].isupper()
    assert field.description
    assert field.description.endswith(".")
    assert len(field.description.split()) >= 4
    assert group(name) in GROUPS


def test_no_two_fields_have_the_same_title() -> None:
    assert len({field.title for field in FIELDS.values()}) == len(FIELDS)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_be_at_its_bounds_and_not_beyond_them(name: str) -> None:
    low = SCHEMA[name].get("minimum", SCHEMA[name].get("exclusiveMinimum"))
    high = SCHEMA[name].get("maximum", SCHEMA[name].get("exclusiveMaximum"))
    whole = SCHEMA[name]["type"] == "integer"
    for bound, exclusive, outwards in ((low, "exclusiveMinimum", -1), (high, "exclusiveMaximum", 1)):
        assert bound is not None, "every number has a bound on both sides"
        beyond = bound if exclusive in SCHEMA[name] else just_outside(bound, whole, outwards)
        inside = just_outside(bound, whole, -outwards) if exclusive in SCHEMA[name] else bound
        assert with_field(name, inside) == inside
        with pytest.raises(ConfigError, match=re.escape(str(FIELDS[name].title))) as error:
            with_field(name, beyond)
        assert allowed(name) in str(error.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_bounds_for_the_form_are_those_that_are_checked(name: str) -> None:
    written = {key: SCHEMA[name].get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")}
    limit = bounds(name)
    assert written == {
        "minimum": None if limit.low_open else limit.low,
        "exclusiveMinimum": limit.low if limit.low_open else None,
        "maximum": None if limit.high_open else limit.high,
        "exclusiveMaximum": limit.high if limit.high_open else None,
    }


@pytest.mark.parametrize("name", WORDS)
def test_a_field_of_words_takes_its_words_alone(name: str) -> None:
    assert list(choices(name)) == SCHEMA[name]["enum"]
    config = ROOMY.model_copy(update={"warmup": 0.2})  # one-cycle wants one
    assert [getattr(parse({name: word}, config), name) for word in choices(name)] == SCHEMA[name]["enum"]
    with pytest.raises(ConfigError, match=f"{FIELDS[name].title}: 'Nonsense' is not allowed") as error:
        with_field(name, "Nonsense")
    assert all(word in str(error.value) for word in choices(name))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("epochs", "a whole number from 1 to 1,000"),
        ("learning_rate", "a number above 0 to 10"),
        ("momentum", "a number from 0 and below 1"),
        ("seed", "a whole number from 0 to 2,147,483,647"),
        ("label_smoothing", "a number from 0 to 0.5"),
        ("flip", "true or false"),
        ("optimizer", "one of adam, adamw, sgd"),
    ],
)
def test_what_is_allowed_is_said_in_words(name: str, words: str) -> None:
    assert allowed(name) == words


@pytest.mark.parametrize(
    ("value", "words"), [(True, "on"), (False, "off"), (12_000, "12,000"), (0.004, "0.004"), (1e-4, "0.0001"), ("adamw", "adamw")]
)
def test_a_value_in_words(value: bool | float | str, words: str) -> None:
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"train_size": 1000, "validation_size": 990}, "leaves fewer than one batch of 64"),
        ({"train_size": 1000, "validation_size": 1000}, "leaves fewer than one batch"),
        ({"train_size": 1000, "validation_size": 5000}, "leaves fewer than one batch"),
        ({"schedule": "one-cycle"}, "give it a warm-up above 0"),
        ({"epochs": 3, "clean_epochs": 4}, "4 clean epochs at the end do not fit into 3 epochs"),
    ],
)
def test_two_fields_that_contradict_each_other_are_a_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as error:
        parse(values)
    assert str(error.value).endswith(".")
    assert "Value error" not in str(error.value)


@pytest.mark.parametrize("values", [{"train_size": 1000, "validation_size": 936}, {"epochs": 3, "clean_epochs": 3}])
def test_fields_that_just_fit_together_are_accepted(values: dict[str, int]) -> None:
    assert parse(values)


def test_each_wrong_field_has_a_sentence_of_its_own() -> None:
    with pytest.raises(ConfigError) as error:
        parse({"epochs": 0, "batch_size": "many", "colour": "red"})
    epochs, batch_size, colour = str(error.value).split("\n")
    assert epochs == "Epochs: 0 is not allowed; it must be a whole number from 1 to 1,000."
    assert batch_size == "Batch size: 'many' is not allowed; it must be a whole number from 2 to 8,192."
    assert colour.startswith("There is no hyperparameter 'colour'. Known are: network, epochs")


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, "9" * 5000, b"\xff\xfe"])
def test_a_config_that_is_not_json_is_a_sentence(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        parse(text)


@pytest.mark.parametrize("text", ["null", "[]", "3", '"epochs"'])
def test_json_that_is_no_object_is_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape('such as {"epochs": 10}')):
        parse(text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_learning_rate_that_is_no_finite_number_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="Learning rate"):
        parse(f'{{"learning_rate": {value}}}')


def test_a_huge_wrong_value_does_not_make_a_huge_sentence() -> None:
    with pytest.raises(ConfigError) as error:
        parse({"network": "x" * 1_000_000, "y" * 1_000_000: 1})
    assert len(str(error.value)) < 1000


SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text("ab01.-eE☃", max_size=8)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "colour"]), SCALARS | st.lists(SCALARS, max_size=2), max_size=4))
def test_whatever_a_file_says_is_a_config_or_a_sentence(values: dict[str, object]) -> None:
    try:
        config = parse(json.dumps(values))
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert parse(config.model_dump_json()) == config


def test_text_from_a_command_line_becomes_numbers_words_and_switches() -> None:
    config = parse({"epochs": "3", "learning_rate": "1e-2", "flip": "true", "optimizer": "sgd"})
    assert (config.epochs, config.learning_rate, config.flip, config.optimizer) == (3, 0.01, True, "sgd")


def test_fields_that_are_not_named_come_from_the_base() -> None:
    base = preset("best")
    assert parse({"epochs": 3}, base).differences(base) == {"epochs": (3, 10)}
    assert parse({}, base) == base
    assert parse({}) == TrainConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_json_and_says_what_it_is_for(name: str) -> None:
    sentence, config = PRESETS[name]
    assert sentence.endswith(".")
    assert parse(config.model_dump_json()) == config == preset(name)


def test_the_reference_preset_is_the_published_recipe() -> None:
    config = preset("reference")
    assert (config.network, config.epochs, config.batch_size, config.train_images) == ("reference", 10, 64, 60_000)
    assert (config.optimizer, config.learning_rate, config.schedule, config.weight_decay) == ("adam", 1e-3, "constant", 0.0)
    assert not config.augmented


def test_the_best_preset_has_the_network_and_the_budget_of_the_reference() -> None:
    reference, best = preset("reference"), preset("best")
    same = ("network", "epochs", "batch_size", "train_size", "validation_size", "seed")
    assert not set(best.differences(reference)) & set(same)


def test_an_unknown_preset_is_a_sentence_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'fastest'.*reference, best"):
        preset("fastest")


@pytest.mark.parametrize(
    ("values", "steps", "total"),
    [({"validation_size": 0}, 938, 9380), ({}, 860, 8600), ({"validation_size": 0, "batch_size": 60}, 1000, 10_000)],
)
def test_the_last_smaller_batch_is_a_step_too(values: dict[str, int], steps: int, total: int) -> None:
    config = parse(values)
    assert (config.steps_per_epoch, config.total_steps) == (steps, total)  # 60,000 / 64 = 937.5 and 55,000 / 64 = 859.4


def test_without_held_out_images_the_test_split_is_the_monitor() -> None:
    assert (TrainConfig().monitor, TrainConfig(validation_size=0).monitor) == ("validation", "test")


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize("module", ["fmnist.config", "fmnist.schedule", "fmnist.store", "fmnist.home"])
def test_what_describes_a_run_needs_no_torch(module: str) -> None:
    code = f"import {module}, sys; print(*{{'torch', 'torchvision', 'streamlit', 'numpy', 'pandas'}} & set(sys.modules))"
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert heavy == []
