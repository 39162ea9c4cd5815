"""A model as an ONNX file, for somebody who has neither this studio nor PyTorch: images in, probabilities and logits out.

What goes wrong with such files lies around the network, so it is in the graph: the input is bytes, as the dataset has them, and nothing can
be scaled or normalised wrongly; the probabilities are calibrated as the studio's own. The rest is said in the file's metadata.

onnx and what belongs to it is an extra: docs/decisions/0011-onnx-export.md.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fmnist import __version__
from fmnist.augment import normalised
from fmnist.data import CLASS_NAMES
from fmnist.errors import ReportError
from fmnist.models import MEAN, STD
from fmnist.prediction import Model

if TYPE_CHECKING:
    import onnx
    import onnxruntime

NO_ONNX = "ONNX files need onnx, onnxruntime and onnxscript, which are not installed. To have them: pip install -r requirements-onnx.txt"
PREPROCESSING = (
    "images: uint8 (N, 28, 28), any N; one channel, 0 = black, 255 = white; a bright garment, upright, on a black ground, its longest side "
    "filling the frame, as the images of Fashion-MNIST are. A picture that is dark on bright has to be negated. "
    "Pass the bytes as they are: (pixel / 255 - mean) / std is computed in the file."
)
OUTPUTS = (
    "probabilities: float32 (N, 10), softmax of the logits, in the order of classes; logits: float32 (N, 10), as the network gives "
    "them. Neither tells whether there is a garment at all."
)
PROBES = 64
AGREEMENT = 1e-4  # of an output's largest value, or of 1: what rounding may differ by; a graph that means something else is far beyond it


class Answering(nn.Module):
    """What the graph computes, from bytes to probabilities."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, 28, 28) -> probabilities and logits, float32 (N, 10) each"""
        logits = self.network(normalised(images))
        return logits.softmax(1), logits


def export(model: Model) -> bytes:
    """A model as the content of an ONNX file, which onnxruntime has read and answered from as PyTorch does.

    Raises:
        ReportError: onnx is not installed, or the file does not compute what the model does.
    """
    answering = Answering(model).eval()
    graph = _graph(answering)
    _describe(graph, model)
    content = graph.SerializeToString()
    difference = _difference(content, answering)
    if not difference <= AGREEMENT:  # also when it is not a number
        raise ReportError(
            f"The ONNX file of {model.name} answers otherwise than the model (by {difference:.1g}), so it is not written. "
            "Install the versions that are tested: pip install -r requirements-onnx.txt"
        )
    return content


def session(file: Path | bytes, threads: int = 1) -> "onnxruntime.InferenceSession":
    """A file ready to answer, on so many threads that sleep while nothing is asked: onnxruntime's own spin, and slow PyTorch beside them.

    Source: onnxruntime issue 13808.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def is_installed() -> bool:
    """Whether the extra is there; found out without importing it."""
    return all(find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript"))


def _graph(answering: Answering) -> "onnx.ModelProto":
    """The graph, for any number of images, without the exporter's notes: they name folders of this machine."""
    try:
        import onnxruntime  # noqa: F401 - so that nothing is begun that cannot be checked
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ReportError(NO_ONNX) from error
    example = torch.zeros(2, 28, 28, dtype=torch.uint8)  # of one image the exporter makes a graph for one image
    program = torch.onnx.export(
        answering,
        (example,),
        input_names=["images"],
        output_names=["probabilities", "logits"],
        dynamic_shapes=({0: "N"},),
        verbose=False,
    )
    assert program is not None
    made = program.model_proto
    graph = made.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
    return made


def _describe(made: "onnx.ModelProto", model: Model) -> None:
    """What the file says of itself; Netron shows it, and onnxruntime gives it as `get_modelmeta().custom_metadata_map`."""
    said = {
        "model": model.name,
        "weights_sha256": model.sha256,
        "studio_version": __version__,
        "classes": json.dumps(CLASS_NAMES),
        "preprocessing": PREPROCESSING,
        "outputs": OUTPUTS,
        "mean": str(MEAN),
        "std": str(STD),
        "config": json.dumps(model.config.model_dump() if model.config else None),
    }
    for key, value in said.items():
        made.metadata_props.add(key=key, value=value)


def _difference(content: bytes, answering: Answering) -> float:
    """How far onnxruntime's answers to images of noise lie from PyTorch's: at most, as a share of an output's largest value or of 1."""
    images = torch.randint(0, 256, (PROBES, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = answering(images)
    found = session(content).run(None, {"images": images.numpy()})
    pairs = [(mine, torch.from_numpy(theirs)) for mine, theirs in zip(expected, found, strict=True)]
    return max(float((mine - theirs).abs().max() / mine.abs().max().clamp(min=1)) for mine, theirs in pairs)
