"""The learning rate at every step, against the formulas written down again and against torch's own schedulers."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from fmnist.config import TrainConfig
from fmnist.schedule import curve, learning_rate

PEAK = 0.004


def config(schedule: str, warmup: float = 0.0, *, epochs: int = 5, steps_per_epoch: int = 20) -> TrainConfig:
    return TrainConfig(
        schedule=schedule,  # type: ignore[arg-type]
        warmup=warmup,
        epochs=epochs,
        learning_rate=PEAK,
        batch_size=64,
        train_size=64 * steps_per_epoch,
        validation_size=0,
    )


def rates(chosen: TrainConfig) -> list[float]:
    return [learning_rate(chosen, step) for step in range(chosen.total_steps)]


def torch_rates(scheduler: type[LRScheduler], steps: int, **options: object) -> list[float]:
    """What torch's scheduler gives for each step."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=PEAK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch complains that the optimizer made no step
        stepping, found = scheduler(optimizer, **options), []  # type: ignore[arg-type]
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            if len(found) < steps:
                stepping.step()
    return found


def test_constant_is_the_learning_rate_at_every_step() -> None:
    assert rates(config("constant")) == [PEAK] * 100


def test_warm_up_rises_in_equal_steps_and_never_begins_at_zero() -> None:
    # 20 of 100 steps: 1/21, 2/21, ... 20/21 of the peak, then the peak.
    found = rates(config("constant", warmup=0.2))
    assert found[:20] == pytest.approx([PEAK * (step + 1) / 21 for step in range(20)])
    assert found[20:] == [PEAK] * 80


def test_cosine_falls_along_half_a_cosine() -> None:
    found = rates(config("cosine"))
    assert found == pytest.approx([PEAK * 0.5 * (1 + math.cos(math.pi * step / 100)) for step in range(100)])
    assert found[50] == pytest.approx(PEAK / 2)


def test_cosine_without_warm_up_is_the_one_of_torch() -> None:
    assert rates(config("cosine")) == pytest.approx(torch_rates(CosineAnnealingLR, 100, T_max=100))


def test_cosine_with_warm_up_begins_to_fall_when_the_peak_is_reached() -> None:
    found = rates(config("cosine", warmup=0.2))
    assert found[19] == pytest.approx(PEAK * 20 / 21)
    assert found[20:] == pytest.approx([PEAK * 0.5 * (1 + math.cos(math.pi * step / 80)) for step in range(80)])


@pytest.mark.parametrize("warmup", [0.05, 0.2, 0.3, 0.5, 0.9])
def test_one_cycle_is_the_one_of_torch(warmup: float) -> None:
    expected = torch_rates(OneCycleLR, 100, max_lr=PEAK, total_steps=100, pct_start=warmup)
    assert rates(config("one-cycle", warmup)) == pytest.approx(expected)


def test_one_cycle_begins_at_a_25th_reaches_the_peak_and_ends_at_almost_nothing() -> None:
    found = rates(config("one-cycle", 0.2))
    assert found[0] == pytest.approx(PEAK / 25)
    assert (max(found), found.index(max(found))) == (pytest.approx(PEAK), 19)
    assert found[-1] == pytest.approx(PEAK / 250_000)


@settings(deadline=None, max_examples=200)
@given(
    schedule=st.sampled_from(["constant", "cosine", "one-cycle"]),
    warmup=st.floats(0.001, 0.9),
    epochs=st.integers(1, 5),
    steps_per_epoch=st.integers(2, 20),
)
def test_the_rate_rises_once_falls_once_and_stays_within_zero_and_the_peak(
    schedule: str, warmup: float, epochs: int, steps_per_epoch: int
) -> None:
    found = rates(config(schedule, warmup, epochs=epochs, steps_per_epoch=steps_per_epoch))
    assert all(0 < rate <= PEAK * (1 + 1e-12) for rate in found)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


def test_the_preview_has_the_first_and_the_last_step_and_the_rates_of_the_training() -> None:
    chosen = config("one-cycle", 0.2)
    points = curve(chosen, points=30)
    assert (points[0][0], points[-1][0]) == (0, 99)
    assert len(points) == 30
    assert points == [(step, learning_rate(chosen, step)) for step, _ in points]


def test_the_preview_of_a_short_training_has_each_step_once() -> None:
    assert [step for step, _ in curve(config("constant", epochs=1, steps_per_epoch=3), points=200)] == [0, 1, 2]


def test_the_preview_of_a_single_step_is_that_step() -> None:
    one = TrainConfig(epochs=1, batch_size=100, train_size=100, validation_size=0, learning_rate=PEAK)
    assert curve(one) == [(0, PEAK)]


def test_a_change_multiplies_the_schedule_from_its_step_on_until_the_next_change() -> None:
    chosen, changes = config("cosine", 0.2), [(10, 0.5), (60, 3.0)]
    plain = rates(chosen)
    found = [learning_rate(chosen, step, changes) for step in range(100)]
    assert found[:10] == plain[:10]
    assert found[10:60] == [0.5 * rate for rate in plain[10:60]]
    assert found[60:] == [3.0 * rate for rate in plain[60:]]


def test_a_change_by_one_is_the_plan_to_the_last_bit() -> None:
    chosen = config("one-cycle", 0.3)
    assert [learning_rate(chosen, step, [(0, 1.0)]) for step in range(100)] == rates(chosen)
