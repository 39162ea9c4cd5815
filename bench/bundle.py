"""`python -m bench.bundle RUN`: make a run's model the one that comes with the product, in float16, with its card.

Written by hand once and committed: fmnist/assets/bundled.safetensors and bundled.json.
"""

import json
import sys

from fmnist import checkpoint, data, evaluation, prediction
from fmnist.config import TrainConfig
from fmnist.store import Store


def main() -> None:
    store = Store()
    run = store.find(sys.argv[1])
    assert run.config is not None
    model = prediction.load(run.id, store)
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.network.state_dict().items()}
    prediction.BUNDLED.parent.mkdir(exist_ok=True)
    sha256 = checkpoint.write_tensors(prediction.BUNDLED, weights, checkpoint.card(run.config))
    report = evaluation.evaluate(prediction.load("bundled", store).network, data.load().test)
    card = {
        "what": "The model that comes with the studio: float16 weights of one training.",
        "test": {"accuracy": report.accuracy, "loss": report.loss, "ece": round(report.ece, 4)},
        "command": f"python -m fmnist train {_flags(run.config)}",
        "environment": run.environment,
        "data_sha256": {what: archive.sha256 for what, archive in data.ARCHIVES.items()},
        "sha256": sha256,
        "limits": "Trained on Fashion-MNIST alone: product pictures on black. It is often wrong on drawings and photos.",
    }
    prediction.BUNDLED.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def _flags(config: TrainConfig) -> str:
    changed = config.differences(TrainConfig())
    return " ".join(f"--{name.replace('_', '-')} {mine}" for name, (mine, _) in changed.items())


if __name__ == "__main__":
    main()
