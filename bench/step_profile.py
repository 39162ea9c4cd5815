"""Where the time of a training step goes: the operations of the reference network in groups, beside what the machine's limit would need."""

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from torch.profiler import ProfilerActivity, profile

from bench import alone
from bench.arithmetic import training_flop
from bench.training_speed import limit, turn
from fmnist import data
from fmnist.config import preset
from fmnist.events import Done, Epoch, Step
from fmnist.train_state import TrainState
from fmnist.training import begin, fit

WARM_STEPS, STEPS = 16, 64
GROUPS = {  # the first group with one of these in the name of an operation, in small letters, has it
    "convolution, backward": ("convolution_backward", "convolutionbackward"),
    "convolution, forward": ("convolution", "conv2d"),
    "batch norm": ("batch_norm", "batchnorm"),
    "ReLU and pool": ("relu", "threshold", "clamp_min", "max_pool", "maxpool"),
    "linear layers": ("aten::mm", "addmm", "linear"),
    "optimizer": ("optimizer", "_fused_"),
    "copies, casts, zeros": ("copy", "aten::to", "fill_", "zero", "clone", "tobackward"),
    "choosing and scaling the images": ("aten::index", "aten::sub", "aten::div"),
    "everything else": ("",),
}
COUNTED = {  # the operations whose arithmetic torch counts
    "convolution, forward": ("aten.convolution",),
    "convolution, backward": ("aten.convolution_backward",),
    "linear layers": ("aten.addmm", "aten.mm"),
}


def run() -> dict[str, Any]:
    result = alone.call(measure)
    print(f"{result['step_ms']:.1f} ms a step of {result['batch_size']} images in {result['precision']}")  # noqa: T201
    for row in result["groups"]:
        at_limit = f"{row['at_limit_ms']:>7.1f} ms at the limit" if row["at_limit_ms"] else ""
        print(f"{row['group']:<34}{row['share']:>5.0%}{row['ms']:>8.2f} ms{at_limit}")  # noqa: T201
    return result


def measure() -> dict[str, Any]:
    """A step on the processor, without and with torch's profiler; times are of the thread that computes, which waits for the others."""
    config, dataset = preset("reference"), data.load()
    state, precision = begin(config, "cpu")
    events = fit(state, dataset.train, dataset.test)
    _train(state, events, WARM_STEPS)
    step_ms = _train(state, events, STEPS)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        first, profiled_ms = state.step, _train(state, events, STEPS)
    spent = dict.fromkeys(GROUPS, 0.0)
    for operation in profiler.key_averages():
        spent[_group(operation.key)] += operation.self_cpu_time_total / 1_000 / (state.step - first)
    spent["between the operations"] = profiled_ms - sum(spent.values())
    flop_a_ms = (
        turn(limit(dataset.train, config.model_copy(update={"precision": precision.name}), "cpu")) * _flop(chain(*COUNTED.values())) / 1_000
    )
    return {
        "precision": precision.name,
        "batch_size": config.batch_size,
        "step_ms": round(step_ms, 2),
        "profiled_step_ms": round(profiled_ms, 2),
        "groups": [
            {
                "group": group,
                "ms": round(ms, 2),
                "share": round(ms / profiled_ms, 3),
                "at_limit_ms": round(config.batch_size * _flop(COUNTED.get(group, ())) / flop_a_ms, 2),
            }
            for group, ms in sorted(spent.items(), key=lambda item: -item[1])
        ],
    }


def _train(state: TrainState, events: Iterator[Step | Epoch | Done], steps: int) -> float:
    """Milliseconds a step, over at least so many."""
    first, begun = state.step, time.perf_counter()
    while state.step < first + steps:
        next(events)
    return 1_000 * (time.perf_counter() - begun) / (state.step - first)


def _group(operation: str) -> str:
    return next(group for group, parts in GROUPS.items() if any(part in operation.lower() for part in parts))


def _flop(operations: Iterable[str]) -> float:
    """Floating-point operations an image in these operations of torch."""
    counted = training_flop("reference")
    return sum(counted[name] for name in operations)
