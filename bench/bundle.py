"""`python -m bench.bundle [RUN]`: make a run's model the one that comes with the product, in float16 and calibrated, and teach the judge.

Without a run the preset `studio` is trained first. Three files in fmnist/assets: bundled.safetensors, its card bundled.json, and
familiarity.safetensors, which serves every model.
"""

import json
import subprocess
import sys

import torch

from fmnist import checkpoint, data, device, evaluation, familiarity, prediction, shipped, views
from fmnist.calibration import fit_temperature
from fmnist.config import TrainConfig, preset
from fmnist.data import Split
from fmnist.models import Classifier
from fmnist.run import Run
from fmnist.store import Store


def main() -> None:
    device.prepare("cpu")
    store = Store()
    run = store.find(sys.argv[1]) if len(sys.argv) > 1 else _trained(store)
    assert run.config is not None
    train, held_back = data.hold_out(data.load().train, run.config)
    network = prediction.load(run.id, store).network
    temperature = _calibrate(network, held_back)
    sha256 = _write_weights(network, run.config)
    judge = familiarity.learn(train, say=print)
    familiarity.save(judge)
    report = evaluation.evaluate(prediction.load("bundled", store).network, data.load().test)
    card = {
        "what": "The model that comes with the studio: float16 weights of one training, its last layer divided by the temperature.",
        "test": {"accuracy": report.accuracy, "loss": report.loss, "ece": round(report.ece, 4)},
        "temperature": round(temperature, 4),
        "familiarity": {f"{what}, held back": round(share, 4) for what, share in familiarity.shares(judge, held_back).items()},
        "command": f"make studio: python -m fmnist train {_flags(run.config)}, then python -m bench.bundle",
        "environment": run.environment,
        "data_sha256": {what: archive.sha256 for what, archive in data.ARCHIVES.items()},
        "sha256": sha256,
        "familiarity_sha256": checkpoint.hash_file(familiarity.FILE),
        "limits": "Trained on Fashion-MNIST alone, on views made from it, and on shapes made by rule. What it reaches on real pictures "
        "is in docs/experiments.md.",
    }
    shipped.CARD.write_text(json.dumps(card, indent=2) + "\n")


def _calibrate(network: Classifier, held_back: Split) -> float:
    """Divide the last layer by the temperature that suits held-back images and their views; returns it."""
    generator = torch.Generator().manual_seed(0)
    logits = evaluation.logits(network, torch.cat([held_back.images, views.of_split(held_back, generator)]))
    temperature = fit_temperature(logits, held_back.labels.repeat(2))
    with torch.no_grad():
        for values in network.head.parameters():
            values /= temperature
    return temperature


def _trained(store: Store) -> Run:
    """A run of the preset `studio`, trained now; its progress is shown."""
    done = subprocess.run([sys.executable, "-m", "fmnist", "train", "--preset", "studio", "--json"], stdout=subprocess.PIPE, check=True)
    return store.find(json.loads(done.stdout.splitlines()[-1])["run"])


def _write_weights(network: Classifier, config: TrainConfig) -> str:
    """Write a network as the bundled one; returns the SHA-256 of its weights."""
    weights = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    prediction.BUNDLED.parent.mkdir(exist_ok=True)
    return checkpoint.write_tensors(prediction.BUNDLED, weights, checkpoint.card(config))


def _flags(config: TrainConfig) -> str:
    if config == preset("studio"):
        return "--preset studio"
    changed = config.differences(TrainConfig())
    return " ".join(f"--{name.replace('_', '-')} {mine}" for name, (mine, _) in changed.items())


if __name__ == "__main__":
    main()
