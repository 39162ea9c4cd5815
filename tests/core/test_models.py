"""The networks: the reference exactly as published, and every other one usable in its place."""

import pytest
import torch
from torch import nn

from fmnist.models import NETWORKS, build, count_parameters


def test_the_reference_network_has_1_676_650_parameters():
    assert count_parameters("reference") == 1_676_650
    assert sum(parameter.numel() for parameter in build("reference").parameters()) == 1_676_650


def test_the_reference_network_computes_what_its_description_says():
    """Built again from the words of the design, with the same weights, it gives the same logits."""
    model = build("reference").eval()
    theirs = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(32), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(32)),
        nn.MaxPool2d(2),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(64)),
        nn.MaxPool2d(2),
        *(nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10)),
    ).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), model.state_dict().values(), strict=True)))
    pictures = torch.randn(8, 1, 28, 28)
    torch.testing.assert_close(model(pictures), theirs(pictures), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_gives_ten_logits_and_counts_its_parameters(network: str):
    model = build(network)
    assert model(torch.randn(3, 1, 28, 28)).shape == (3, 10)
    assert count_parameters(network) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("network", NETWORKS)
def test_the_logits_are_the_last_layer_of_the_features(network: str):
    model, pictures = build(network).eval(), torch.randn(3, 1, 28, 28)
    torch.testing.assert_close(model.head(model.features(pictures)), model(pictures))


def test_the_first_convolution_stays_exact_under_autocast():
    """Only its output is rounded, to what autocast works with; in float32 it is left alone."""
    first, pictures = build("reference").body[0], torch.randn(4, 1, 28, 28)
    exact = first(pictures)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = first(pictures)
    assert exact.dtype == torch.float32
    assert rounded.dtype == torch.bfloat16
    assert torch.equal(rounded, exact.to(torch.bfloat16))


def test_activations_stay_in_channels_last():
    model, pictures = build("reference"), torch.randn(4, 1, 28, 28).to(memory_format=torch.channels_last)
    assert model.body[:7](pictures).is_contiguous(memory_format=torch.channels_last)
