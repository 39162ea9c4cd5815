"""How soon a loaded model answers, in turns with onnxruntime on its exported file: a picture on one thread, 10,000 test images on all.

Preprocessing is apart: `python -m bench pictures`. All is measured in a process of its own, which treats its threads as the dashboard does.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fmnist import tuning

if TYPE_CHECKING:
    import numpy as np
    from onnxruntime import InferenceSession
    from PIL import Image
    from torch import Tensor

    from fmnist.prediction import Model

PICTURE_ROUNDS, TEST_ROUNDS = 300, 7
WORDS = {"image": "one image", "test": "10,000 test images"}
SIDE = 280  # pixels of a photo and of a drawing, as the studio's canvas has


def run() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "bench.prediction"], stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    for name, figures in result["picture"].items():
        print(f"{name:<32}{figures['median_ms']:>6.2f} ms (95 % below {figures['p95_ms']:.2f})")  # noqa: T201
    for name, unit in (("image", "ms"), ("test", "s")):
        figures = result[name]
        words = f"{figures['ours']:>6.2f} {unit}, onnxruntime {figures['onnxruntime']:.2f} {unit}, ratio {figures['ratio']:.2f}"
        print(f"{WORDS[name]:<32}{words}")  # noqa: T201
    return result


def measure() -> dict[str, Any]:
    from fmnist import data, device, onnx_export, prediction
    from fmnist.store import Store

    model, test = prediction.load("bundled", Store()), data.load().test.images
    file = onnx_export.export(model)
    alone, together = (onnx_export.session(file, threads) for threads in (1, device.cores()))
    return {
        "threads": device.cores(),
        "rounds": {"picture": PICTURE_ROUNDS, "test": TEST_ROUNDS},
        "picture": _pictures(model, test[0].numpy()),
        "image": _one_image(model, test[:1], alone),
        "test": _test_images(model, test, together, device.cores()),
    }


def _pictures(model: "Model", image: "np.ndarray") -> dict[str, dict[str, float]]:
    """What the Try page asks of a model: several views, calibration and familiarity included."""
    import torch

    from fmnist.pictures import to_image, views
    from fmnist.prediction import classify

    torch.set_num_threads(1)
    figures = {}
    for kind, picture in _kinds(image).items():
        prepared = to_image(picture)
        (times,) = _in_turns(PICTURE_ROUNDS, lambda prepared=prepared: classify(model, [prepared]))
        name = f"{kind}, views: {len(views(prepared))}"
        figures[name] = {"median_ms": round(1_000 * median(times), 2), "p95_ms": round(1_000 * _p95(times), 2)}
    return figures


def _one_image(model: "Model", image: "Tensor", session: "InferenceSession") -> dict[str, float]:
    """Milliseconds for uint8 (1, 28, 28) on one thread."""
    import torch

    from fmnist.prediction import predict

    torch.set_num_threads(1)
    given = {"images": image.numpy()}
    return _compared(_in_turns(PICTURE_ROUNDS, lambda: predict(model, image), lambda: session.run(None, given)), 1_000)


def _test_images(model: "Model", images: "Tensor", session: "InferenceSession", threads: int) -> dict[str, float]:
    """Seconds for uint8 (10000, 28, 28) on all threads; both take as many at once as we do."""
    import torch

    from fmnist.evaluation import BATCH, logits

    torch.set_num_threads(threads)
    given = [{"images": some.numpy()} for some in images.split(BATCH)]
    return _compared(_in_turns(TEST_ROUNDS, lambda: logits(model.network, images), lambda: [session.run(None, some) for some in given]), 1)


def _kinds(image: "np.ndarray") -> dict[str, "Image.Image"]:
    """One of each kind that is prepared in another way: an image of the dataset, uint8 (28, 28), a photo made of it, a drawing."""
    from PIL import Image, ImageDraw, ImageOps

    garment = Image.fromarray(image)
    drawing = Image.new("L", (SIDE, SIDE), 255)
    trousers = [(84, 28), (196, 28), (224, 252), (168, 252), (140, 112), (112, 252), (56, 252), (84, 28)]
    ImageDraw.Draw(drawing).line(trousers, fill=20, width=5)
    return {"image": garment, "photo": ImageOps.invert(garment).resize((SIDE, SIDE)).convert("RGB"), "drawing": drawing}


def _in_turns(rounds: int, *actions: Callable[[], object]) -> list[list[float]]:
    """The seconds that each action takes, one after the other, so often; once more at first, which does not count."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(1 + rounds):
        for action, taken in zip(actions, times, strict=True):
            begun = perf_counter()
            action()
            taken.append(perf_counter() - begun)
    return [taken[1:] for taken in times]


def _p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def _compared(times: list[list[float]], scale: int) -> dict[str, float]:
    """Medians of our and of onnxruntime's seconds times `scale`, and the median ratio of a turn."""
    ours, theirs = times
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return {"ours": round(scale * median(ours), 3), "onnxruntime": round(scale * median(theirs), 3), "ratio": round(ratio, 2)}


if __name__ == "__main__":
    tuning.spin_briefly()  # before torch is imported
    sys.stdout.write(json.dumps(measure()) + "\n")
