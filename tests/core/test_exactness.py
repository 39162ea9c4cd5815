"""What is said of a run whose sittings were not all the same, against cases by hand; and that a store keeps the sittings."""

import pytest

from fmnist.config import TrainConfig
from fmnist.exactness import Sitting, change, sentence
from fmnist.liveness import this_process
from fmnist.run import Kind, Status
from fmnist.store import Store

TWO, ONE = {"threads": 2, "torch": "2.14.1", "device": "cpu"}, {"threads": 1, "torch": "2.14.1", "device": "cpu"}


def _sittings(*pairs: tuple[int, dict[str, object]]) -> list[Sitting]:
    return [Sitting(step, environment) for step, environment in pairs]


@pytest.mark.parametrize(
    ("sittings", "said"),
    [
        ([], None),
        ([(0, TWO)], None),
        ([(0, TWO), (40, TWO)], None),
        ([(0, TWO), (40, ONE)], "Not exact: from step 40 on it was trained with 1 instead of 2 threads."),
        ([(0, TWO), (0, ONE)], None),  # nothing of the first sitting was kept
        ([(0, TWO), (40, ONE), (40, TWO)], None),  # the steps with one thread were lost, and are made again with two
        ([(0, TWO), (40, ONE), (60, TWO), (20, TWO)], None),
        (
            [(0, TWO), (1_240, {**ONE, "torch": "2.15"}), (1_300, TWO)],
            "Not exact: from step 1,240 on it was trained with 1 instead of 2 threads, with PyTorch 2.15 instead of 2.14.1; "
            "from step 1,300 on it was trained with 2 instead of 1 threads, with PyTorch 2.14.1 instead of 2.15.",
        ),
        ([(0, {"threads": 2}), (40, {"threads": 2, "kernels": "AVX2"})], None),  # an earlier version did not write its kernels down
    ],
)
def test_a_run_is_not_exact_where_a_part_of_it_was_trained_under_other_conditions(
    sittings: list[tuple[int, dict[str, object]]], said: str | None
) -> None:
    assert sentence(_sittings(*sittings)) == said


def test_only_what_differs_from_the_part_before_is_an_event() -> None:
    assert change(_sittings((0, TWO))) is None
    assert change(_sittings((0, TWO), (40, ONE))) == "with 1 instead of 2 threads"
    assert change(_sittings((0, TWO), (40, ONE), (50, ONE))) is None
    assert change(_sittings((0, TWO), (40, ONE), (40, ONE))) == "with 1 instead of 2 threads"


def test_the_store_keeps_the_environment_of_each_sitting_and_says_where_it_changed(store: Store, tiny_config: TrainConfig) -> None:
    run = store.create(tiny_config, device="cpu")
    for step, environment in ((0, TWO), (4, ONE)):
        assert store.claim("cpu", this_process(), run.id)
        store.rewind(run.id, step, 0, 0.0)
        store.settle(run.id, environment)
        store.end(run.id, Status.QUEUED)
    assert store.sittings(run.id) == _sittings((0, TWO), (4, ONE))
    assert store.get(run.id).inexact == "Not exact: from step 4 on it was trained with 1 instead of 2 threads."
    told = [each for each in store.happenings(run.id) if each.kind == Kind.INEXACT]
    assert [(each.step, each.words) for each in told] == [(4, "Not exact: it goes on with 1 instead of 2 threads")]


def test_a_run_of_an_earlier_version_is_compared_with_the_environment_that_it_has(store: Store, tiny_config: TrainConfig) -> None:
    run = store.create(tiny_config, device="cpu")
    store.describe(run.id, environment=TWO)
    store.rewind(run.id, 8, 1, 1.0)
    assert store.settle(run.id, ONE) == "with 1 instead of 2 threads"
    assert store.sittings(run.id) == _sittings((0, TWO), (8, ONE))
