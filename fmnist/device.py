"""Where and how to compute on this machine: device, threads, and whether bfloat16 is right and faster here."""

import os
import platform
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import memory
from fmnist.errors import ConfigError
from fmnist.models import Classifier, build

FASTER = 1.1  # bfloat16 must win by this factor to be worth its rounding
TRIED = 100  # MB that a step of the test keeps: 145 images of the reference network, fewer of a larger one, so that none takes long
GLANCE = 4  # images that tell whether a processor only imitates bfloat16: then a step takes ten times as long and more
HOPELESS = 4  # times as long: not worth a closer look
SIMILAR = 0.98  # cosine between the gradients of bfloat16 and float32; right kernels give 0.999, a wrong one far less


def resolve(name: str) -> str:
    """ "auto" -> "cuda", "mps" or "cpu"; any other name is checked.

    Raises:
        ConfigError: this machine has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, there in available.items() if there)
    if not available.get(name, False):
        raise ConfigError(f"Device: '{name}' is not available on this machine. Choose auto or {resolve('auto')}.")
    return name


def prepare(device: str) -> None:
    """Set what a training process computes with: all cores, no denormal numbers (they can make a step ten times slower).

    A number of threads that the person has set by OMP_NUM_THREADS is left alone.
    """
    if device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(cores())
    torch.set_flush_denormal(True)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(device: str) -> dict[str, Any]:
    """What a result depends on: versions, the device's name, threads."""
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    return {
        "device": device,
        "name": name,
        **({"kernels": torch.backends.cpu.get_cpu_capability()} if device == "cpu" else {}),  # ATEN_CPU_CAPABILITY names others
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "system": platform.system(),
    }


@cache
def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a file of the kernel
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Precision:
    """What is computed with, and why."""

    name: str  # float32 or bfloat16
    reason: str


def choose_precision(wanted: str, network: str, batch_size: int, device: str) -> Precision:
    """float32, or bfloat16 where a short test shows that it is right and, on a processor, faster for this network and batch.

    Args:
        wanted: auto, float32 or bfloat16, as in TrainConfig.
    """
    if wanted != "auto":
        return Precision(wanted, "chosen by hand")
    if device == "mps":
        return Precision("float32", "bfloat16 is not tested on this kind of GPU")
    if device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("float32", "this GPU does not compute in bfloat16")
    return _self_test(network, memory.within(TRIED, batch_size, network), device)


def _self_test(network: str, batch_size: int, device: str) -> Precision:
    """A few steps in both precisions from the same start; under two seconds for the reference network on two cores."""
    random = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        model = build(network).to(device)
        pictures = torch.randn(batch_size, 1, 28, 28).to(device, memory_format=torch.channels_last)
        labels = torch.arange(batch_size, device=device) % 10
        if device == "cpu":
            slow, fast = (_glance(model, pictures[:GLANCE], labels[:GLANCE], dtype) for dtype in (None, torch.bfloat16))
            if fast > HOPELESS * slow:
                return Precision("float32", f"this processor imitates bfloat16 ({slow / fast:.2f} times as fast as float32)")
        exact, _ = _try(model, pictures, labels, None)
        rounded, _ = _try(model, pictures, labels, torch.bfloat16)
        likeness = float(F.cosine_similarity(exact, rounded, dim=0))
        if not likeness >= SIMILAR:  # also when it is not a number
            return Precision("float32", f"bfloat16 gives other gradients here (likeness {likeness:.3f})")
        if device == "cuda":  # what one step takes there is the host's time, not the device's
            return Precision("bfloat16", f"this GPU computes in it, gradients alike to {likeness:.4f}")
        slow = min(_try(model, pictures, labels, None)[1] for _ in range(3))
        fast = min(_try(model, pictures, labels, torch.bfloat16)[1] for _ in range(3))
    finally:
        torch.random.set_rng_state(random)
    gain = slow / fast
    if gain < FASTER:
        return Precision("float32", f"bfloat16 is not faster here ({gain:.2f} times)")
    return Precision("bfloat16", f"{gain:.1f} times as fast as float32 here, gradients alike to {likeness:.4f}")


def _glance(model: Classifier, pictures: Tensor, labels: Tensor, dtype: torch.dtype | None) -> float:
    """Seconds of the second of two small steps."""
    return [_try(model, pictures, labels, dtype)[1] for _ in range(2)][1]


def _try(model: Classifier, pictures: Tensor, labels: Tensor, dtype: torch.dtype | None) -> tuple[Tensor, float]:
    """The gradient of one step as one vector, float32 (P,), and its time in seconds."""
    kind = pictures.device.type
    model.zero_grad(set_to_none=True)
    _wait(kind)
    start = time.perf_counter()
    with torch.autocast(kind, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        loss = F.cross_entropy(model(pictures), labels)
    loss.backward()
    _wait(kind)
    seconds = time.perf_counter() - start
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]), seconds


def _wait(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()
