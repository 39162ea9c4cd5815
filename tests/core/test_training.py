"""fit() against laws and against a loop written by hand."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from fmnist import augment, checkpoint, data, device, training
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.device import choose_precision
from fmnist.errors import DivergedError
from fmnist.events import Done, Epoch, Step
from fmnist.models import build
from fmnist.schedule import learning_rate
from fmnist.store import Store
from fmnist.train_state import TrainState
from fmnist.training import fit

SMALL = TrainConfig(network="small", epochs=2, batch_size=32, train_size=300, validation_size=100, precision="float32", learning_rate=1e-3)


@pytest.fixture(autouse=True)
def _one_event_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a training can be left after any step."""
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)


@pytest.fixture(scope="module")
def images() -> Split:
    return data.load().train.take(torch.arange(2000))


def _splits(images: Split, config: TrainConfig) -> tuple[Split, Split]:
    held_out = torch.arange(config.validation_size or 100)
    return images.take(held_out.numel() + torch.arange(config.train_images)), images.take(held_out)


def _weights(state: TrainState) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in state.evaluated.state_dict().values()])


def _trained(config: TrainConfig, images: Split) -> TrainState:
    state = TrainState(config)
    for _ in fit(state, *_splits(images, config)):
        pass
    return state


def test_the_same_seed_gives_the_same_weights(images: Split):
    assert torch.equal(_weights(_trained(SMALL, images)), _weights(_trained(SMALL, images)))


def test_the_speed_of_each_point_counts_the_images_that_it_had(images: Split):
    """Six batches of 32 and one of 8 in each epoch: not seven of 32."""
    state, before, counts = TrainState(SMALL), 0.0, list[int]()
    for event in fit(state, *_splits(images, SMALL)):
        if isinstance(event, Step):
            counts.append(round(event.images_per_second * (event.seconds - before)))
            before = event.seconds
    assert counts == [*[32] * 6, 8] * 2


def test_another_seed_gives_other_weights(images: Split):
    other = SMALL.model_copy(update={"seed": 1})
    assert not torch.equal(_weights(_trained(SMALL, images)), _weights(_trained(other, images)))


def test_how_often_points_are_reported_does_not_change_the_weights(images: Split, monkeypatch: pytest.MonkeyPatch):
    often = _trained(SMALL, images)
    monkeypatch.setattr(training, "REPORT_SECONDS", 1000.0)
    assert torch.equal(_weights(often), _weights(_trained(SMALL, images)))


def test_the_events_are_steps_an_epoch_after_each_epoch_and_done(images: Split):
    events = list(fit(TrainState(SMALL), *_splits(images, SMALL)))
    kinds = [type(event) for event in events]
    assert kinds == [*[Step] * 7, Epoch, *[Step] * 7, Epoch, Done]
    assert [event.step for event in events if isinstance(event, Step)] == list(range(1, 15))
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2]
    assert all(earlier.seconds <= later.seconds for earlier, later in pairwise(events))


def test_the_loop_equals_one_written_by_hand(images: Split):
    """Adam at a constant rate, no augmentation: the same weights as twenty lines of plain PyTorch, to rounding."""
    config = SMALL.model_copy(update={"network": "reference", "label_smoothing": 0.1})
    train_split, _ = _splits(images, config)
    torch.manual_seed(config.seed)
    model = build("reference")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for epoch in range(config.epochs):
        order = augment.plan(config, epoch, len(train_split)).order
        for rows in order.split(config.batch_size):
            pictures = (train_split.images[rows, None].float() / 255 - 0.2860) / 0.3530
            loss = F.cross_entropy(model(pictures), train_split.labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    state = TrainState(config)
    events = [event for event in fit(state, *_splits(images, config)) if isinstance(event, Step)]
    assert [event.loss for event in events] == pytest.approx(losses, rel=1e-2)


PLAIN_OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, weight_decay=0.01, foreach=False, fused=False),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, weight_decay=0.01, foreach=False, fused=False),
    "sgd": lambda parameters: torch.optim.SGD(parameters, momentum=0.9, nesterov=True, weight_decay=0.01, foreach=False, fused=False),
}


@pytest.mark.parametrize(("optimizer", "schedule"), [("adam", "constant"), ("adamw", "one-cycle"), ("sgd", "cosine")])
def test_every_optimizer_with_schedule_average_and_augmentation_equals_a_loop_by_hand(optimizer: str, schedule: str, images: Split):
    """Unfused optimizers with learning rates as Python floats, one batch after another: the same averaged weights, to rounding."""
    update = {"optimizer": optimizer, "schedule": schedule, "warmup": 0.3, "weight_decay": 0.01, "ema": 0.9, "learning_rate": 2e-3}
    config = SMALL.model_copy(update=update | {"flip": True, "shift": 2, "erase": 0.3, "clean_epochs": 1})
    train_split, monitor = _splits(images, config)
    torch.manual_seed(config.seed)
    model = build("small")
    average = {name: value.clone() for name, value in model.state_dict().items()}
    made, step = PLAIN_OPTIMIZERS[optimizer](model.parameters()), 0
    for epoch in range(config.epochs):
        stock, plan = augment.stock(train_split, config), augment.plan(config, epoch, len(train_split))
        for start in range(0, len(train_split), config.batch_size):
            shown = augment.batch(stock, config, plan, slice(start, start + config.batch_size))
            rows = plan.order[start : start + config.batch_size]
            made.param_groups[0]["lr"] = learning_rate(config, step)
            made.zero_grad()
            F.cross_entropy(model((shown[:, None].float() / 255 - 0.2860) / 0.3530), train_split.labels[rows]).backward()
            made.step()
            keep = min(0.9, (1 + step) / (10 + step))
            for name, value in model.state_dict().items():
                average[name] = keep * average[name] + (1 - keep) * value if value.is_floating_point() else value
            step += 1
    state = TrainState(config)
    list(fit(state, train_split, monitor))
    for name, value in state.evaluated.state_dict().items():
        torch.testing.assert_close(value, average[name], rtol=1e-4, atol=1e-5, msg=name)


def test_the_train_figures_of_an_epoch_are_means_over_its_images(images: Split):
    """With a learning rate of almost nothing, the training accuracy is that of the untouched linear network."""
    config = SMALL.model_copy(update={"network": "linear", "learning_rate": 1e-12, "epochs": 1})
    train_split, monitor = _splits(images, config)
    model = TrainState(config).model.eval()
    scores = model(augment.normalised(train_split.images)).detach()
    epoch = next(event for event in fit(TrainState(config), train_split, monitor) if isinstance(event, Epoch))
    assert epoch.train_accuracy == pytest.approx(float((scores.argmax(1) == train_split.labels).double().mean()))
    assert epoch.train_loss == pytest.approx(float(F.cross_entropy(scores, train_split.labels)), rel=1e-5)


def test_the_small_network_learns(images: Split):
    config = SMALL.model_copy(update={"epochs": 6, "train_size": 2000, "validation_size": 400, "learning_rate": 4e-3})
    last = [event for event in fit(TrainState(config), *_splits(images, config)) if isinstance(event, Epoch)][-1]
    assert last.accuracy > 0.75
    assert last.train_loss < 0.7


OPTIMIZERS = {"adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}
SCHEDULES = ("constant", "cosine", "one-cycle")


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("ema", "augmented"), [(0.0, False), (0.9, True)], ids=["plain", "ema and augmentation"])
def test_a_paused_and_resumed_training_equals_one_never_paused(
    optimizer: str, schedule: str, ema: float, augmented: bool, images: Split, home: object
):
    """Bit for bit: weights, averages, moments and every reported figure, through the files of a real checkpoint."""
    config = SMALL.model_copy(
        update={
            "optimizer": optimizer,
            "learning_rate": OPTIMIZERS[optimizer],
            "weight_decay": 0.01,
            "schedule": schedule,
            "warmup": 0.3,
            "ema": ema,
            "flip": augmented,
            "shift": 2 * augmented,
            "erase": 0.3 * augmented,
        }
    )
    undisturbed = TrainState(config)
    expected = _figures(list(fit(undisturbed, *_splits(images, config))))
    for pause_after in (3, 7, 10):  # in the first epoch, at its end, in the second
        state, seen = _interrupted(config, images, pause_after)
        assert _figures(seen) == expected
        for name, value in undisturbed.tensors().items():
            assert torch.equal(value, state.tensors()[name]), name


def _interrupted(config: TrainConfig, images: Split, pause_after: int) -> tuple[TrainState, list[Step | Epoch | Done]]:
    """Train, stop iterating after a step (or after the epoch that it ends), save, load into a fresh state, train on."""
    store = Store()
    run = store.create(config, device="cpu")
    state, seen = TrainState(config), []
    for event in fit(state, *_splits(images, config)):
        seen.append(event)
        if state.step >= pause_after and (isinstance(event, Epoch) or state.step % config.steps_per_epoch):
            break
    store.commit(run.id, checkpoint.save(run.id, state))
    torch.manual_seed(12345)  # another process would have drawn other numbers
    fresh = TrainState(config)
    assert checkpoint.restore(store, run.id, fresh, print)
    return fresh, [*seen, *fit(fresh, *_splits(images, config))]


def _figures(events: list[Step | Epoch | Done]) -> list[object]:
    """Events without what a clock says."""
    return [replace(event, seconds=0.0, images_per_second=0.0) for event in events]


def test_the_averaged_weights_follow_the_formula(images: Split):
    """average = keep * average + (1 - keep) * weights after each step, with keep = min(ema, t / (9 + t)) at the t-th step."""
    config = SMALL.model_copy(update={"ema": 0.5, "network": "linear", "epochs": 1})
    state = TrainState(config)
    expected = state.model.head.weight.detach().clone()
    for event in fit(state, *_splits(images, config)):
        if isinstance(event, Step):
            keep = min(0.5, event.step / (9 + event.step))
            expected = keep * expected + (1 - keep) * state.model.head.weight.detach()
    torch.testing.assert_close(state.evaluated.head.weight.detach(), expected)
    assert not torch.equal(state.evaluated.head.weight, state.model.head.weight)


def test_every_step_uses_the_learning_rate_of_the_schedule(images: Split):
    config = SMALL.model_copy(update={"schedule": "one-cycle", "warmup": 0.3})
    for event in fit(TrainState(config), *_splits(images, config)):
        if isinstance(event, Step):
            assert event.learning_rate == learning_rate(config, event.step - 1)


def test_a_change_of_the_learning_rate_is_told_with_the_steps_that_it_concerns(images: Split):
    config = SMALL.model_copy(update={"epochs": 1})
    state, told = TrainState(config), []
    for event in fit(state, *_splits(images, config)):
        told.append(event.learning_rate if not isinstance(event, Done) else None)
        if event.step == 3:
            state.rate_changes = ((state.step, 0.5),)
    assert told == [*[1e-3] * 3, *[5e-4] * 4, 5e-4, None]


def test_a_learning_rate_far_too_high_is_reported_as_divergence(images: Split):
    config = SMALL.model_copy(update={"network": "mlp", "optimizer": "sgd", "learning_rate": 10.0, "epochs": 50})
    with pytest.raises(DivergedError, match=r"diverged at epoch \d+, step \d+") as caught:
        list(fit(TrainState(config), *_splits(images, config)))
    assert caught.value.step >= 1
    assert caught.value.epoch == (caught.value.step - 1) // config.steps_per_epoch + 1


def test_bfloat16_learns_as_float32_does(images: Split):
    config = SMALL.model_copy(update={"network": "reference"})
    losses = {}
    for precision in ("float32", "bfloat16"):
        state = TrainState(config, precision=precision)
        losses[precision] = [event.loss for event in fit(state, *_splits(images, config)) if isinstance(event, Step)]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.15)
    assert losses["bfloat16"] != losses["float32"]


def test_the_self_test_refuses_a_precision_that_computes_nonsense(monkeypatch: pytest.MonkeyPatch):
    """A kernel that is fast but wrong: the convolutions of bfloat16 return the channels in another order."""
    right = torch.nn.Conv2d.forward

    def wrong(self: torch.nn.Conv2d, pictures: torch.Tensor) -> torch.Tensor:
        output = right(self, pictures)
        return output.roll(1, dims=1) if output.dtype == torch.bfloat16 else output

    monkeypatch.setattr(torch.nn.Conv2d, "forward", wrong)
    monkeypatch.setattr(device, "HOPELESS", math.inf)  # also on a processor that imitates bfloat16
    chosen = choose_precision("auto", "reference", 32, "cpu")
    assert chosen.name == "float32"
    assert "gradients" in chosen.reason


def test_the_self_test_leaves_the_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    choose_precision("auto", "small", 32, "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_precision_chosen_by_hand_is_taken():
    assert choose_precision("bfloat16", "small", 32, "cpu").name == "bfloat16"
