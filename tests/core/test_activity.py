"""Silent ReLU channels: counted by hand in networks made to have them."""

import pytest
import torch
from torch import nn

from fmnist.activity import listening
from fmnist.evaluation import logits
from fmnist.models import NETWORKS, Classifier, build

IMAGES = torch.randint(0, 256, (300, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def silent_share(model: nn.Module, images: torch.Tensor) -> float | None:
    with listening(model) as heard:
        logits(model, images)
    return heard.silent


def test_a_network_without_relus_has_no_share() -> None:
    assert silent_share(build("linear").eval(), IMAGES) is None


def test_units_that_nothing_can_wake_are_counted() -> None:
    model = build("mlp").eval()
    parts = dict(model.named_parameters())
    with torch.no_grad():
        for name in ("body.1", "body.3"):
            parts[f"{name}.weight"].zero_()
            parts[f"{name}.bias"].fill_(1.0)
        parts["body.1.bias"][:64] = -1.0  # of 512 + 128 units
    assert silent_share(model, IMAGES) == pytest.approx(64 / 640)


def test_a_channel_that_speaks_at_one_place_of_one_image_in_the_last_batch_is_not_silent() -> None:
    conv = nn.Conv2d(1, 2, 1)
    model = Classifier(nn.Sequential(conv, nn.ReLU(), nn.Flatten()), 2 * 28 * 28).eval()
    images = torch.zeros(300, 28, 28, dtype=torch.uint8)
    with torch.no_grad():
        conv.weight[:] = 1.0
        conv.bias[:] = 0.0  # black is below zero once it is normalised
    assert silent_share(model, images) == 1.0
    images[-1, 13, 17] = 255
    assert silent_share(model, images) == 0.0


def test_it_listens_to_the_first_images_alone() -> None:
    conv = nn.Conv2d(1, 1, 1)
    model = Classifier(nn.Sequential(conv, nn.ReLU(), nn.Flatten()), 28 * 28).eval()
    images = torch.zeros(700, 28, 28, dtype=torch.uint8)
    with torch.no_grad():
        conv.weight[:] = 1.0
        conv.bias[:] = 0.0
    images[500:] = 255
    assert silent_share(model, images) == 1.0
    images[499] = 255
    assert silent_share(model, images) == 0.0


@pytest.mark.parametrize("network", NETWORKS)
def test_looking_changes_nothing_and_leaves_no_hook(network: str) -> None:
    model = build(network).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    share = silent_share(model, IMAGES[:20])
    assert share is None or 0 <= share <= 1
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(part._forward_hooks for part in model.modules())
