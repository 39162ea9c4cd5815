"""A step of the reference network written out kernel by kernel, for a GPU: what `fmnist.step.learn` does, in less than half the time.

PyTorch launches more than a hundred kernels for such a step, and most of them read and write all activations to do next to nothing with
them. Here the convolutions and the large matrix products stay with cuDNN and cuBLAS; what is between them is merged into the kernels of
`fused_kernels`, and the way back is written by hand. See docs/decisions/0027-fused-step.md.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist import errors
from fmnist.augment import SIDE, normalised
from fmnist.models import MEAN, NUM_CLASSES, STD, Classifier
from fmnist.poses import NOTHING
from fmnist.reel import Reel
from fmnist.train_state import TrainState

PROGRAMS = 256  # that add up side by side: about two for each multiprocessor of an H100
PARTS = 88  # of the pixels, in the gradient of a window's weights: each part is three programs, one for each row of the window
NUMBERS = 4096  # of an activation in a program's tile
PIXELS = 64  # in a tile of what a matrix product takes
WEIGHTS = 1024  # that a program of the update moves
TRIED = 256  # images that the test at the start takes, at most
ALIKE = 0.9  # the least cosine between the gradients of a parameter in bfloat16 and in float32; a wrong kernel is far below
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam, as torch has them


class FusedStep:
    """A step at the reel's counter, without a word from the host.

    Args:
        state: of the reference network. Its parameters, moments and averages move into one piece of memory each, and stay there.
        rounded: what activations and weights are rounded to; float32 in a test.

    Raises:
        ImportError: Triton is not installed.
        RuntimeError: it cannot make its kernels here, or there is not enough memory.
    """

    def __init__(self, state: TrainState, reel: Reel, rounded: torch.dtype = torch.bfloat16) -> None:
        from fmnist import fused_kernels

        self.kernels, self.state, self.reel = fused_kernels, state, reel
        self.batch, parameters = reel.images.shape[1], list(state.model.parameters())
        self._weights = _gathered(parameters)
        self._average = _gathered(list(state.average.parameters())) if state.average else None
        self._moments = {name: _gathered([state.optimizer.state[each][name] for each in parameters]) for name in _moments(state)}
        self.rounded, self._gradients = torch.zeros_like(self._weights, dtype=rounded), torch.zeros_like(self._weights)
        self.copies, self.gradients = _views(self.rounded, parameters), _views(self._gradients, parameters)
        self._losses = torch.zeros(-(-self.batch // 16), device=state.device)
        self._right = torch.zeros(-(-self.batch // 16), dtype=torch.int32, device=state.device)
        self._first, *self._others = (_Block(self, index) for index in (0, 3, 7, 10))
        self._waiting: list[Callable[[], object]] | None = None
        if state.device.type == "cuda":
            self._compile()

    def refresh(self) -> None:
        """Round the weights anew: something else may have changed them."""
        self.rounded.copy_(self._weights)

    @torch.no_grad()
    def __call__(self) -> None:
        pictures = self._first.forward(None)
        for block in self._others:
            pictures = block.forward(pictures)
        arriving = self._linear_layers(pictures)
        for block in reversed(self._others):
            arriving = block.backward(arriving)
        self._first.backward(arriving)
        self._update()

    def launch(self, kernel: Any, programs: tuple[int, ...], *operands: Any, **constants: Any) -> None:
        """Enqueue a kernel; while they are made, only make it."""
        if self._waiting is None:
            kernel[programs](*operands, **constants)
        else:
            self._waiting.append(lambda: kernel.warmup(*operands, grid=programs, **constants).run)

    def _compile(self) -> None:
        """Make the kernels side by side: one after another they take twenty seconds, the first time on a machine."""
        self._waiting = waiting = []
        try:
            self()  # without its kernels it changes nothing
        finally:
            self._waiting = None
        with ThreadPoolExecutor() as pool:
            for made in [pool.submit(make) for make in waiting]:
                made.result()

    def _linear_layers(self, flat: Tensor) -> Tensor:
        """Both linear layers and the loss, and the way back through them: (B, 3136) and the gradient there."""
        kernels, reel, config = self.kernels, self.reel, self.state.config
        layer, head = cast(nn.Linear, _parts(self.state.model)[-2]), self.state.model.head
        hidden = torch.addmm(self.copies[layer.bias], flat, self.copies[layer.weight].T).relu_()
        width, below, slopes = hidden.shape[1], torch.empty_like(hidden), torch.empty(self.batch, 16, device=hidden.device)
        self.launch(
            kernels.judge, (len(self._losses),),
            hidden, head.weight, head.bias, reel.labels, reel.place, slopes, below, self._losses, self._right, self.batch,
            config.label_smoothing, NOTHING=NOTHING, OUTLIERS=config.outliers > 0, WIDTH=width, CLASSES=NUM_CLASSES, BLOCK=16, CHUNK=128,
        )  # fmt: skip
        self.launch(
            kernels.last_gradients, (width // 32,),
            hidden, below, slopes, self.gradients[head.weight], self.gradients[head.bias], self.gradients[layer.bias], self.batch,
            WIDTH=width, CLASSES=NUM_CLASSES, COLUMNS=32, BLOCK=32,
        )  # fmt: skip
        self.launch(
            kernels.product, (width // 64, flat.shape[1] // 64),
            below, flat, self.gradients[layer.weight], self.batch, ROWS=width, COLUMNS=flat.shape[1], TILE=64, BLOCK=32,
        )  # fmt: skip
        return below @ self.copies[layer.weight]

    def _update(self) -> None:
        config, size, reel, state, none = self.state.config, len(self._weights), self.reel, self.state, self._weights
        first = self._moments.get("exp_avg", self._moments.get("momentum_buffer", none))
        steps, average = self._moments.get("step", none), none if self._average is None else self._average
        self.launch(
            self.kernels.update, (-(-size // WEIGHTS),),
            self._weights, self._gradients, first, self._moments.get("exp_avg_sq", none), self.rounded, average, steps, reel.rates,
            reel.shares, reel.place, size, config.weight_decay, config.momentum, LOG_BETA=math.log2(BETAS[0]),
            LOG_BETA_SQUARE=math.log2(BETAS[1]), BETA=BETAS[0], BETA_SQUARE=BETAS[1], EPSILON=EPSILON, KIND=config.optimizer,
            MOMENTUM=config.momentum > 0, AVERAGED=self._average is not None, BLOCK=WEIGHTS,
        )  # fmt: skip
        self.launch(
            self.kernels.count, (1,),
            self._losses, self._right, len(self._losses), steps, len(steps) if "step" in self._moments else 0, state.recent_loss,
            state.epoch_loss, state.epoch_right, reel.place, self.batch, ROWS=_power_of_two(len(self._losses)),
        )  # fmt: skip


class _Block:
    """A convolution, ReLU, batch norm, and the pool where there is one behind it: forward, and back.

    Args:
        index: of the convolution in the network's body; 0 is the first one, which gets the reel's bytes.
    """

    def __init__(self, step: FusedStep, index: int) -> None:
        self._step, state = step, step.state
        parts, average = _parts(state.model), _parts(state.average or state.model)
        self._convolution, self._norm = cast(nn.Conv2d, parts[index]), cast(nn.BatchNorm2d, parts[index + 2])
        self._average = cast(nn.BatchNorm2d, average[index + 2])
        self._pool, self._flat = isinstance(parts[index + 3], nn.MaxPool2d), index == 10
        self._channels, self._channels_in = self._convolution.out_channels, self._convolution.in_channels
        self._side = SIDE if index < 7 else SIDE // 2
        self._pixels = step.batch * self._side**2
        self._pixels_after = self._pixels // (4 if self._pool else 1)
        self._tile = NUMBERS // self._channels
        self._saved = torch.zeros(2, self._channels, device=state.device)  # mean, and 1 / standard deviation, of the batch
        self._partial = torch.zeros(PROGRAMS, 2, self._channels, device=state.device)
        self._parts = PROGRAMS if index == 0 else PARTS // 2 if index == 10 else PARTS
        self._weight_partial = torch.zeros(self._parts, self._convolution.weight.numel() + self._channels, device=state.device)

    @property
    def _shape(self) -> dict[str, int | bool]:
        return {"SIDE": self._side, "POOL": self._pool, "FLAT": self._flat, "CHANNELS": self._channels, "BLOCK": self._tile}

    def forward(self, inputs: Tensor | None) -> Tensor:
        """(B, C, H, W), channels last, or what is on the reel -> the same after the block; (B, C * H * W) for the linear layer."""
        self._inputs, self._outputs = inputs, self._convolved(inputs)
        step, kernels, norm, average = self._step, self._step.kernels, self._norm, self._average
        pixels, after = self._pixels, self._pixels_after
        programs = min(PROGRAMS, -(-pixels // self._tile))
        step.launch(
            kernels.moments, (programs,),
            self._outputs, self._convolution.bias, self._partial, pixels, CHANNELS=self._channels, BLOCK=self._tile,
        )  # fmt: skip
        step.launch(
            kernels.statistics, (self._channels // 16,),
            self._partial, programs, float(pixels), self._saved, norm.running_mean, norm.running_var, norm.num_batches_tracked,
            average.running_mean, average.running_var, average.num_batches_tracked, step.reel.shares, step.reel.place,
            MOMENTUM=norm.momentum, EPSILON=norm.eps, AVERAGED=step.state.average is not None, ROWS=PROGRAMS, CHANNELS=self._channels,
        )  # fmt: skip
        results = self._pictures(self._side // (2 if self._pool else 1))
        if self._flat:
            results = results.permute(0, 2, 3, 1).view(step.batch, -1)  # the same memory
        step.launch(
            kernels.normalise, (-(-after // self._tile),),
            self._outputs, self._convolution.bias, self._saved, norm.weight, norm.bias, results, after, **self._shape,
        )  # fmt: skip
        return results

    def backward(self, arriving: Tensor) -> Tensor:
        """The gradient at what `forward` gave -> that at its inputs; those of the parameters are written where they belong.

        Of the first block it gives the gradient at the output of the convolution: its pictures need none.
        """
        step, kernels, norm, after = self._step, self._step.kernels, self._norm, self._pixels_after
        known = self._outputs, self._convolution.bias, self._saved, norm.weight, norm.bias
        slopes = step.gradients[norm.weight], step.gradients[norm.bias]
        programs = min(PROGRAMS, -(-after // self._tile))
        step.launch(kernels.gradient_moments, (programs,), arriving, *known, self._partial, after, **self._shape)
        step.launch(
            kernels.gradient_statistics, (self._channels // 16,), self._partial, programs, *slopes, ROWS=PROGRAMS, CHANNELS=self._channels
        )
        before = torch.empty_like(self._outputs)
        step.launch(
            kernels.gradient_before,
            (-(-after // self._tile),),
            arriving,
            *known,
            *slopes,
            before,
            after,
            float(self._pixels),
            **self._shape,
        )
        self._weights_back(before)
        if self._inputs is None:
            return before
        weight, ones, zeros = step.copies[self._convolution.weight], [1, 1], [0, 0]
        return torch.ops.aten.convolution_backward(
            before, self._inputs, weight, None, ones, ones, ones, False, zeros, 1, [True, False, False]
        )[0]  # fmt: skip

    def _convolved(self, inputs: Tensor | None) -> Tensor:
        """The convolution without its bias: (B, C, H, W), channels last."""
        step = self._step
        if inputs is not None:
            return F.conv2d(inputs, step.copies[self._convolution.weight], padding=1)
        outputs = self._pictures(self._side)
        step.launch(
            step.kernels.first_convolution, (-(-self._pixels // PIXELS),),
            step.reel.images, step.reel.place, self._convolution.weight, outputs, self._pixels,
            MEAN=255 * MEAN, SPREAD=255 * STD, SIDE=self._side, CHANNELS=self._channels, BLOCK=PIXELS,
        )  # fmt: skip
        return outputs

    def _weights_back(self, before: Tensor) -> None:
        """The gradients of the convolution's weights and bias, from that at its output."""
        step, parts, partial = self._step, self._parts, self._weight_partial
        if self._inputs is None:
            step.launch(
                step.kernels.first_weight_gradient, (parts,), step.reel.images, step.reel.place, before, partial, self._pixels,
                MEAN=255 * MEAN, SPREAD=255 * STD, SIDE=self._side, CHANNELS=self._channels, BLOCK=PIXELS,
            )  # fmt: skip
        else:
            step.launch(
                step.kernels.weight_gradient, (parts, 3), self._inputs, before, partial, self._pixels,
                SIDE=self._side, CHANNELS_IN=self._channels_in, CHANNELS=self._channels, BLOCK=PIXELS,
            )  # fmt: skip
        size = partial.shape[1]  # the gradient of the bias lies behind that of the weights, here and where it goes
        into = step.gradients[self._convolution.weight]
        step.launch(step.kernels.add_up, (-(-size // 64),), partial, parts, into, size, ROWS=32, BLOCK=64)

    def _pictures(self, side: int) -> Tensor:
        shape, where = (self._step.batch, self._channels, side, side), self._saved.device
        return torch.empty(shape, dtype=self._step.rounded.dtype, device=where, memory_format=torch.channels_last)


def _parts(model: Classifier) -> nn.Sequential:
    """The layers of the reference network before its head."""
    return cast(nn.Sequential, model.body)


def _moments(state: TrainState) -> list[str]:
    """What the optimizer remembers of each parameter."""
    return [name for name, value in next(iter(state.optimizer.state.values()), {}).items() if isinstance(value, Tensor)]


def _gathered(tensors: Sequence[Tensor]) -> Tensor:
    """One after another in one piece of memory, into which each of them moves: (their numbers,)."""
    whole = torch.cat([each.detach().as_strided((each.numel(),), (1,)) for each in tensors])  # in the order in which they lie
    for each, view in zip(tensors, _views(whole, tensors).values(), strict=True):
        each.data = view
    return whole


def _views(whole: Tensor, tensors: Sequence[Tensor]) -> dict[Tensor, Tensor]:
    """Tensor -> its part of `whole`, in its shape and its order in memory."""
    found, start = {}, 0
    for each in tensors:
        found[each] = whole.as_strided(each.shape, each.stride(), start)
        start += each.numel()
    return found


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def why_not(state: TrainState, rounded: torch.dtype = torch.bfloat16) -> str | None:
    """Why a training is not made of these steps; None: they are for it, and a test shows that they are right here.

    Args:
        state: left as it is.
        rounded: as of `FusedStep`.
    """
    if state.config.network != "reference":
        return "merged kernels are for the reference network alone"
    if state.precision != "bfloat16":
        return "merged kernels compute in bfloat16"
    try:
        with torch.random.fork_rng():
            name, alike = _least_alike(state, rounded)
    except Exception as error:  # Triton and the compilers that it calls have errors of many kinds; all of them mean: not here
        return f"no merged kernels: {errors.reason(error)}"
    return None if alike >= ALIKE else f"merged kernels give another gradient of {name} here (likeness {alike:.3f})"


def _least_alike(state: TrainState, rounded: torch.dtype) -> tuple[str, float]:
    """The parameter whose gradient differs most from what autograd finds in float32, and the cosine between the two."""
    trial = state.config.model_copy(update={"batch_size": min(state.config.batch_size, TRIED)})
    where = state.device.type
    mine, exact = TrainState(trial, where, "bfloat16"), TrainState(trial, where)
    reel = Reel.empty(mine, 1)
    reel.images.random_(256)
    reel.labels.random_(NUM_CLASSES)
    step = FusedStep(mine, reel, rounded)
    step.refresh()
    step()
    scores = exact.model.train()(normalised(reel.images[0]))
    F.cross_entropy(scores, reel.labels[0], label_smoothing=trial.label_smoothing).backward()
    pairs = zip(mine.model.parameters(), exact.model.named_parameters(), strict=True)
    likeness = {name: _cosine(step.gradients[parameter], other.grad) for parameter, (name, other) in pairs}
    name = min(likeness, key=lambda each: likeness[each])
    return name, likeness[name]


def _cosine(mine: Tensor, exact: Tensor | None) -> float:
    """-1 where one of them is not finite or not there."""
    found = -1.0 if exact is None else float(F.cosine_similarity(mine.flatten(), exact.flatten(), dim=0))
    return found if math.isfinite(found) else -1.0
