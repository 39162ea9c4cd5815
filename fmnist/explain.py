"""Why a network says what it says of one image: four maps of 28 x 28, each an answer to another question.

- Grad-CAM: where is what speaks for the class, wherever it may stand?
- HiResCAM: which places of the last feature maps speak for the class?
- Input gradient: which pixels would change the score if they were a little brighter?
- Occlusion: how much does the probability fall when a place is covered?

Nothing here changes the model: there are no hooks, no parameter gets a gradient, and several threads may ask the same model at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist import inside
from fmnist.augment import SIDE, normalised
from fmnist.evaluation import logits
from fmnist.models import NUM_CLASSES, STD, Classifier, Residual

SQUARE = 7  # pixels a side of what covers a place: a quarter of the image
STEP = 2  # pixels from one covered place to the next: 144 places, a tenth of a second of the reference on one core


def grad_cam(model: Classifier, image: Tensor, target: int) -> Tensor | None:
    """Where the last feature maps speak for a class.

    Each map of the last convolution is weighted by the mean gradient of the class's score with respect to it; the weighted sum, where it
    is above zero, is enlarged to the image. The maps are taken behind the ReLU that belongs to the convolution, because a negative
    number that the ReLU cuts off has no say in the score, and yet it would be multiplied with the weight. In the reference
    (conv, ReLU, batch norm, pool) that is before the batch norm: there the maps are 0 where nothing was found, and what the
    batch norm does to them is in the gradient. It is also before the pool, so the map is as fine as it can be: 14 x 14.

    Args:
        model: in evaluation mode, on the device of the image.
        image: uint8 (28, 28).
        target: the class to explain, 0-9.

    Returns:
        float32 (28, 28) on the CPU; the largest is 1, or all are 0 if nothing speaks for the class; None for a network without
        convolutions.

    Source: Selvaraju et al., Grad-CAM (arXiv 1610.02391), equations 1 and 2; checked by hand in test_explain.py.
    """
    found = _last_maps(model, image, target)
    if found is None:
        return None
    maps, slope = found
    return _seen(slope.mean((2, 3), keepdim=True) * maps)


def hires_cam(model: Classifier, image: Tensor, target: int) -> Tensor | None:
    """Where the last feature maps speak for a class, each place weighted by its own gradient instead of by the mean over the map.

    A network whose linear layers see every place by itself, as the reference's do, may want a map here and not there; the mean of its
    gradients then says little and is often below zero, so that Grad-CAM is empty (for 25 of the first 200 test images with the
    bundled model; this one for none). Arguments and result as in `grad_cam`.

    Source: Draelos and Carin, HiResCAM (arXiv 2011.08891), equation 5; checked by hand in test_explain.py.
    """
    found = _last_maps(model, image, target)
    return None if found is None else _seen(found[0] * found[1])


def _last_maps(model: Classifier, image: Tensor, target: int) -> tuple[Tensor, Tensor] | None:
    """The maps of the last convolution, behind its ReLU, and the gradient of a class's score by them: both (1, C, H, W)."""
    steps = inside.parts(model)
    place = next((place for place in reversed(inside.places(model)) if isinstance(place.part, nn.Conv2d | Residual)), None)
    if place is None:
        return None
    with _gradients():
        maps = inside.run(steps[: place.index + 1], normalised(image[None])).detach().requires_grad_()
        score = model.head(inside.run(steps[place.index + 1 :], maps))[0, _checked(target)]
        (slope,) = torch.autograd.grad(score, maps)
    return maps.detach(), slope


def _seen(weighted: Tensor) -> Tensor:
    """The sum over the maps (1, C, H, W), where it is above zero, enlarged to the image: float32 (28, 28), the largest is 1."""
    fine = F.interpolate(weighted.sum(1, keepdim=True).relu(), size=(SIDE, SIDE), mode="bilinear")[0, 0].float().cpu()
    return fine / fine.max() if fine.max() > 0 else fine


def input_gradient(model: Classifier, image: Tensor, target: int) -> Tensor:
    """How the score of a class changes with each pixel: above 0 where a brighter pixel raises it, below where it lowers it.

    Arguments as in `grad_cam`.

    Returns:
        float32 (28, 28) on the CPU: the gradient of the logit by the pixel's value 0-1.

    Source: Simonyan et al., Deep Inside Convolutional Networks (arXiv 1312.6034), section 3, with its sign.
    """
    steps = inside.parts(model)
    with _gradients():
        picture = normalised(image[None]).requires_grad_()
        score = model.head(inside.run(steps, picture))[0, _checked(target)]
        (slope,) = torch.autograd.grad(score, picture)
    return slope[0, 0].float().cpu() / STD  # `normalised` divides a pixel by STD


def occlusion(model: Classifier, image: Tensor, target: int, size: int = SQUARE, stride: int = STEP) -> Tensor:
    """How much the probability of a class falls when a black square (the background) covers a place.

    Arguments as in `grad_cam`, and:
        size: of the square, 1-28 pixels a side.
        stride: pixels from one square to the next, at most `size`, so that every pixel is covered at least once.

    Returns:
        float32 (28, 28) on the CPU, -1 to 1: the mean fall over all squares that cover the pixel; below 0 where covering helps.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (arXiv 1311.2901), section 4.2.
    """
    covered = _squares(size, stride).to(image.device)  # bool (S, 28, 28)
    whole_and_covered = torch.cat([image[None], image.masked_fill(covered, 0)])
    probability = logits(model, whole_and_covered).softmax(1)[:, _checked(target)].cpu()
    fall = probability[0] - probability[1:]
    share = covered.cpu().float()
    return (fall[:, None, None] * share).sum(0) / share.sum(0)


def _squares(size: int, stride: int) -> Tensor:
    """A mask for each place of the square, the last row and column included: bool (S, 28, 28)."""
    if not 1 <= size <= SIDE or not 1 <= stride <= size:
        raise ValueError(f"a square of {size} with a stride of {stride} does not cover the image: 1 <= stride <= size <= {SIDE}")
    last = SIDE - size
    starts = torch.tensor(sorted({*range(0, last, stride), last}))[:, None]
    along = torch.arange(SIDE)
    stripes = (along >= starts) & (along < starts + size)  # (P, 28)
    return (stripes[:, None, :, None] & stripes[None, :, None, :]).reshape(-1, SIDE, SIDE)


def _checked(target: int) -> int:
    if not 0 <= target < NUM_CLASSES:
        raise ValueError(f"there is no class {target}: 0-{NUM_CLASSES - 1}")
    return target


@contextmanager
def _gradients() -> Iterator[None]:
    """Gradients are computed inside, whatever the caller has switched off; the switch belongs to this thread alone."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
