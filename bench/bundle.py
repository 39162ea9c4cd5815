"""`python -m bench.bundle [RUN]`: make a run's model the one that comes with the product, in float16, with its judge and its card.

Without a run the preset `studio` is trained first. Three files in fmnist/assets: bundled.safetensors, its .familiarity, its .json.
"""

import json
import subprocess
import sys

from fmnist import checkpoint, data, device, evaluation, familiarity, prediction
from fmnist.config import TrainConfig, preset
from fmnist.run import Run
from fmnist.store import Store

TAUGHT = 20_000  # training images that the judge of familiarity is taught with


def main() -> None:
    device.prepare("cpu")
    store = Store()
    run = store.find(sys.argv[1]) if len(sys.argv) > 1 else _trained(store)
    assert run.config is not None
    sha256 = _write_weights(run, store)
    network = prediction.load("bundled", store).network
    train, held_back = data.hold_out(data.load().train, run.config)
    said: list[str] = []
    judge = familiarity.learn(network, train.take(list(range(TAUGHT))), held_back, say=lambda line: said.append(line) or print(line))  # noqa: T201
    familiarity.save(judge, prediction.BUNDLED, sha256)
    report = evaluation.evaluate(network, data.load().test)
    card = {
        "what": "The model that comes with the studio: float16 weights of one training.",
        "test": {"accuracy": report.accuracy, "loss": report.loss, "ece": round(report.ece, 4)},
        "familiarity": said[-1],
        "command": f"make studio: python -m fmnist train {_flags(run.config)}, then python -m bench.bundle",
        "environment": run.environment,
        "data_sha256": {what: archive.sha256 for what, archive in data.ARCHIVES.items()},
        "sha256": sha256,
        "limits": "Trained on Fashion-MNIST alone, and on views and outliers made from it. What it reaches on drawings and photos is in "
        "docs/experiments.md.",
    }
    prediction.BUNDLED.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def _trained(store: Store) -> Run:
    """A run of the preset `studio`, trained now; its progress is shown."""
    done = subprocess.run([sys.executable, "-m", "fmnist", "train", "--preset", "studio", "--json"], stdout=subprocess.PIPE, check=True)
    return store.find(json.loads(done.stdout.splitlines()[-1])["run"])


def _write_weights(run: Run, store: Store) -> str:
    """Write the newest weights of a run as the bundled ones; returns their SHA-256."""
    model = prediction.load(run.id, store)
    assert run.config is not None
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.network.state_dict().items()}
    prediction.BUNDLED.parent.mkdir(exist_ok=True)
    return checkpoint.write_tensors(prediction.BUNDLED, weights, checkpoint.card(run.config))


def _flags(config: TrainConfig) -> str:
    if config == preset("studio"):
        return "--preset studio"
    changed = config.differences(TrainConfig())
    return " ".join(f"--{name.replace('_', '-')} {mine}" for name, (mine, _) in changed.items())


if __name__ == "__main__":
    main()
