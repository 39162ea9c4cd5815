"""The three explanations on networks that were built so that the answer is known; the stages of every network."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from fmnist import explain, inside
from fmnist.augment import normalised
from fmnist.models import MEAN, NETWORKS, STD, Classifier, build

WHITE, BLACK = (1 - MEAN) / STD, -MEAN / STD  # as a network sees them


@pytest.fixture
def image() -> Tensor:
    """Black, with a white square of 8 x 8."""
    picture = torch.zeros(28, 28, dtype=torch.uint8)
    picture[4:12, 4:12] = 255
    return picture


def noise(seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def looks_at_a_corner(weight: float = 0.02) -> Classifier:
    """Class 2 is the sum of the 5 x 5 pixels in the first corner, class 6 the opposite; everything else counts for nothing."""
    model = build("linear")
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    with torch.no_grad():
        model.head.weight.view(10, 28, 28)[2, :5, :5] = weight
        model.head.weight.view(10, 28, 28)[6, :5, :5] = -weight
    return model.eval()


def one_convolution(*behind: nn.Module) -> Classifier:
    """Two maps: what is brighter than the mean, and what is darker. Class 3 is for bright, 5 for dark, 7 against bright, 9 for nothing."""
    convolution = nn.Conv2d(1, 2, 1, bias=False)
    head = nn.Linear(2 * 784, 10, bias=False)
    with torch.no_grad():
        convolution.weight[:] = torch.tensor([1.0, -1.0])[:, None, None, None]
        weights = head.weight.zero_().view(10, 2, 784)
        weights[3, 0, :392] = 0.5  # of the upper half only: on average 0.25
        weights[3, 1], weights[5, 0], weights[5, 1], weights[7, 0] = -0.25, -1.0, 1.0, -1.0
    model = Classifier(nn.Sequential(convolution, nn.ReLU(inplace=True), *behind, nn.Flatten()), 2 * 784)
    model.head = head
    return model.eval()


# ---- Grad-CAM --------------------------------------------------------------------------------------------------------------------------


def test_grad_cam_by_hand(image: Tensor):
    """Bright is worth 0.25 * 2.02 and dark -0.25 * 0.81: the square is 1, the rest is cut to 0. Class 5 is the other way round."""
    square = (image == 255).float()
    torch.testing.assert_close(explain.grad_cam(one_convolution(), image, 3), square)
    torch.testing.assert_close(explain.grad_cam(one_convolution(), image, 5), 1 - square)


def test_grad_cam_is_all_zero_where_nothing_speaks_for_the_class(image: Tensor):
    assert explain.grad_cam(one_convolution(), image, 7).eq(0).all()  # type: ignore[union-attr]
    assert explain.grad_cam(one_convolution(), image, 9).eq(0).all()  # type: ignore[union-attr]


def test_grad_cam_weighs_maps_against_each_other_by_hand(image: Tensor):
    """For class 1, bright counts twice as much as dark: 2 * 2.02 against 0.81."""
    model = one_convolution()
    with torch.no_grad():
        model.head.weight.view(10, 2, 784)[1] = torch.tensor([2.0, 1.0])[:, None]
    expected = torch.where(image == 255, 1.0, -BLACK / (2 * WHITE))
    torch.testing.assert_close(explain.grad_cam(model, image, 1), expected)


def test_grad_cam_looks_before_the_batch_norm_that_follows_the_relu(image: Tensor):
    """A shift of a map says nothing about the image; behind the batch norm it would light up everywhere."""
    shifting = nn.BatchNorm2d(2)
    nn.init.constant_(shifting.bias, 100.0)
    torch.testing.assert_close(explain.grad_cam(one_convolution(shifting), image, 3), (image == 255).float())


def test_grad_cam_enlarges_a_coarse_map_by_hand():
    """Two by two places, the first one white: pixel 13 lies 13.5 / 14 - 0.5 = 0.464 of the way to the second one."""
    convolution = nn.Conv2d(1, 1, 14, stride=14, bias=False)
    nn.init.constant_(convolution.weight, 1 / 196)
    model = Classifier(nn.Sequential(convolution, nn.ReLU(), nn.Flatten()), 4)
    nn.init.ones_(model.head.weight)
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[:14, :14] = 255
    seen = explain.grad_cam(model.eval(), image, 0)
    assert seen is not None
    near = 1 - (13.5 / 14 - 0.5)
    assert seen[0, 0] == seen[6, 6] == 1
    assert float(seen[0, 13]) == pytest.approx(near)
    assert float(seen[13, 13]) == pytest.approx(near**2)
    assert seen[21:].eq(0).all()


@pytest.mark.parametrize(("network", "side"), [("reference", 14), ("small", 7), ("resnet", 7), ("wide-resnet", 7)])
def test_grad_cam_takes_the_last_maps_of_each_network_behind_their_relu(network: str, side: int):
    """The same map by other means: a hook on the last ReLU before the features are flattened."""
    model, kept = build(network).eval(), list[Tensor]()
    relus = [part for part in list(model.body)[:-2] if isinstance(part, nn.ReLU)]  # type: ignore[arg-type]
    hook = relus[-1].register_forward_hook(lambda _, __, output: (kept.append(output.clone()), kept[0])[1])
    (slope,) = torch.autograd.grad(model(normalised(noise()[None]))[0, 4], kept)
    hook.remove()
    assert kept[0].shape[2:] == (side, side)
    seen = (slope.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).relu()
    fine = nn.functional.interpolate(seen, size=(28, 28), mode="bilinear")[0, 0].detach()
    torch.testing.assert_close(explain.grad_cam(model, noise(), 4), fine / fine.max().clamp_min(1e-12))


@pytest.mark.parametrize("network", ["linear", "mlp"])
def test_there_is_no_grad_cam_without_a_convolution(network: str):
    assert explain.grad_cam(build(network).eval(), noise(), 0) is None
    assert explain.hires_cam(build(network).eval(), noise(), 0) is None


def test_hires_cam_by_hand_sees_only_where_the_class_looks(image: Tensor):
    """Class 3 takes bright for 0.5 in the upper 14 rows and dark for -0.25 everywhere: what is left is the square, which lies there."""
    torch.testing.assert_close(explain.hires_cam(one_convolution(), image, 3), (image == 255).float())
    lower = image.roll(14, 0)  # the square in rows 18 to 25, where class 3 does not look; Grad-CAM sees it all the same
    assert explain.hires_cam(one_convolution(), lower, 3).eq(0).all()  # type: ignore[union-attr]
    torch.testing.assert_close(explain.grad_cam(one_convolution(), lower, 3), (lower == 255).float())


# ---- input gradient --------------------------------------------------------------------------------------------------------------------


def test_the_input_gradient_of_a_linear_network_is_its_weights(image: Tensor):
    """A pixel of 0-1 is divided by STD before it meets its weight."""
    slope = explain.input_gradient(looks_at_a_corner(0.02), image, 2)
    assert slope[:5, :5].flatten().tolist() == pytest.approx([0.02 / STD] * 25)
    assert slope.count_nonzero() == 25
    torch.testing.assert_close(explain.input_gradient(looks_at_a_corner(0.02), image, 6), -slope)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_input_gradient_is_that_of_the_whole_network(network: str):
    model = build(network).eval()
    pixels = (noise().float() / 255).requires_grad_()
    model(((pixels - MEAN) / STD)[None, None])[0, 8].backward()
    torch.testing.assert_close(explain.input_gradient(model, noise(), 8), pixels.grad, rtol=1e-3, atol=1e-5)


# ---- occlusion -------------------------------------------------------------------------------------------------------------------------


def probability(model: Classifier, image: Tensor, target: int) -> float:
    with torch.no_grad():
        return float(model(normalised(image[None])).softmax(1)[0, target])


def test_occlusion_of_single_pixels_by_hand():
    """All white: each of the 25 pixels is worth 0.02 / STD of the score, so covering it takes e^score to e^(score - 0.02 / STD)."""
    white, model = torch.full((28, 28), 255, dtype=torch.uint8), looks_at_a_corner(0.02)
    score, less = torch.tensor(25 * 0.02 * WHITE).double(), 0.02 / STD

    def softmax(value: Tensor) -> float:
        return float(value.exp() / (value.exp() + (-value).exp() + 8))

    fall = explain.occlusion(model, white, 2, size=1, stride=1)
    assert fall[:5, :5].flatten().tolist() == pytest.approx([softmax(score) - softmax(score - less)] * 25, rel=1e-3)
    assert fall.count_nonzero() == 25
    assert (explain.occlusion(model, white, 6, size=1, stride=1)[:5, :5] < 0).all()


def test_occlusion_reaches_as_far_as_a_square_that_touches_what_matters():
    white = torch.full((28, 28), 255, dtype=torch.uint8)
    fall = explain.occlusion(looks_at_a_corner(), white, 2, size=7, stride=1)
    assert (fall[:11, :11] > 0).all()
    assert fall[11:].eq(0).all()
    assert fall[:, 11:].eq(0).all()


@pytest.mark.parametrize(("size", "stride"), [(7, 2), (5, 5), (28, 1), (6, 4)])
def test_occlusion_is_the_mean_over_all_squares_that_cover_a_pixel(size: int, stride: int):
    model, image = build("mlp").eval(), noise(1)
    total, count = torch.zeros(28, 28), torch.zeros(28, 28)
    starts = sorted({*range(0, 28 - size + 1, stride), 28 - size})
    for row in starts:
        for column in starts:
            covered, place = image.clone(), (slice(row, row + size), slice(column, column + size))
            covered[place] = 0
            total[place] += probability(model, image, 1) - probability(model, covered, 1)
            count[place] += 1
    assert count.min() >= 1
    torch.testing.assert_close(explain.occlusion(model, image, 1, size, stride), total / count, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (29, 1), (7, 0), (7, 8)])
def test_squares_that_cannot_cover_the_image_are_refused(size: int, stride: int):
    with pytest.raises(ValueError, match="does not cover the image"):
        explain.occlusion(looks_at_a_corner(), noise(), 0, size, stride)


# ---- all three -------------------------------------------------------------------------------------------------------------------------

MAPS: dict[str, Callable[[Classifier, Tensor, int], Tensor | None]] = {
    "grad_cam": explain.grad_cam,
    "hires_cam": explain.hires_cam,
    "input_gradient": explain.input_gradient,
    "occlusion": explain.occlusion,
}


@pytest.mark.parametrize("way", MAPS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_can_be_explained_and_stays_as_it_was(network: str, way: str):
    torch.manual_seed(0)
    model = build(network).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.inference_mode():  # as a caller may have it
        seen, other = MAPS[way](model, noise(), 2), MAPS[way](model, noise(), 3)
    if seen is not None:
        assert (seen.shape, seen.dtype) == ((28, 28), torch.float32)
        assert not seen.equal(other)  # type: ignore[arg-type]
        assert not seen.requires_grad
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(part._forward_hooks or part._backward_hooks for part in model.modules())


@pytest.mark.parametrize("way", MAPS)
def test_threads_that_share_a_model_do_not_disturb_each_other(way: str):
    torch.manual_seed(0)
    model = build("small").eval()
    work = [(model, noise(seed), seed % 10) for seed in range(12)]
    alone = [MAPS[way](*each) for each in work]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda each: MAPS[way](*each), work))
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("way", MAPS)
def test_a_class_that_does_not_exist_is_refused(way: str):
    with pytest.raises(ValueError, match="there is no class 10"):
        MAPS[way](one_convolution(), noise(), 10)


@pytest.mark.parametrize("look", [explain.grad_cam, explain.input_gradient])
def test_a_model_in_training_mode_is_refused(look: Callable[..., object]):
    with pytest.raises(ValueError, match="training mode"):
        look(build("small").train(), noise(), 0)


# ---- inside ----------------------------------------------------------------------------------------------------------------------------


def test_the_stages_of_the_reference():
    stages = inside.activations(build("reference").eval(), noise())
    assert [(stage.name, stage.shape) for stage in stages] == [
        ("image", (1, 28, 28)),
        ("1st convolution", (32, 28, 28)),
        ("2nd convolution", (32, 28, 28)),
        ("1st pool", (32, 14, 14)),
        ("3rd convolution", (64, 14, 14)),
        ("4th convolution", (64, 14, 14)),
        ("2nd pool", (64, 7, 7)),
        ("flatten", (3136,)),
        ("linear layer", (512,)),
        ("scores", (10,)),
    ]
    assert stages[1].what == "32 filters of 3 × 3 slide over the image; what is below zero becomes 0 (ReLU)"


@pytest.mark.parametrize("network", NETWORKS)
def test_the_last_stages_of_every_network_are_its_features_and_its_scores(network: str):
    model = build(network).eval()
    stages = inside.activations(model, noise())
    with torch.no_grad():
        torch.testing.assert_close(stages[0].values, noise().float()[None] / 255)
        torch.testing.assert_close(stages[-2].values, model.features(normalised(noise()[None]))[0])
        torch.testing.assert_close(stages[-1].values, model(normalised(noise()[None]))[0])
    assert len({stage.name for stage in stages}) == len(stages)


def test_a_stage_keeps_its_numbers_although_later_parts_work_in_place(image: Tensor):
    """What the convolution found is shown behind its own ReLU, but not behind the batch norm or the next ReLU."""
    maps = inside.activations(one_convolution(nn.BatchNorm2d(2), nn.ReLU(inplace=True)), image)[1].values
    torch.testing.assert_close(maps, torch.stack([(image == 255) * WHITE, (image == 0) * -BLACK]))


@pytest.mark.parametrize(
    ("network", "count"), [("reference", 32), ("small", 16), ("resnet", 32), ("wide-resnet", 64), ("linear", None), ("mlp", None)]
)
def test_the_first_filters_are_those_that_see_the_pixels(network: str, count: int | None):
    model = build(network)
    filters = inside.first_filters(model.eval())
    if count is None:
        assert filters is None
    else:
        assert filters is not None
        torch.testing.assert_close(filters, model.body[0].weight[:, 0].detach())  # type: ignore[index]
        assert filters.shape == (count, 3, 3)
