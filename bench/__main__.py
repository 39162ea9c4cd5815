"""`python -m bench`: every benchmark that takes minutes, or the named ones; each prints its table and writes JSON under bench/results/.

At the end the tables of the documents are made anew from these files (`bench.figures`).
"""

import argparse
import json
import time

from bench import (
    cluster,
    figures,
    first_page,
    gpu,
    load,
    memory,
    page_actions,
    pictures,
    prediction,
    relay_path,
    runs_page,
    scale,
    step_profile,
    time_to_accuracy,
    training_and_pages,
    training_speed,
    try_page,
)
from fmnist import device

BENCHMARKS = {
    "training-speed": training_speed.run,
    "step-profile": step_profile.run,
    "scale": scale.run,
    "relay-path": relay_path.run,
    "cluster": cluster.run,
    "first-page": first_page.run,
    "memory": memory.run,
    "page-actions": page_actions.run,
    "runs-page": runs_page.run,
    "training-and-pages": training_and_pages.run,
    "load": load.run,
    "pictures": pictures.run,
    "prediction": prediction.run,
    "try-page": try_page.run,
    "time-to-accuracy": time_to_accuracy.run,
    "gpu": gpu.run,
}
LONG = {"time-to-accuracy", "cluster", "gpu"}  # most of an hour, a cluster to start, a GPU to have: only when named


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all but the long ones if none is named")
    parser.add_argument("--sessions", type=int, default=10, help="of load: how many visitors there are at a time")
    parser.add_argument("--minutes", type=float, default=2.0, help="of load: how long they stay")
    options = parser.parse_args()
    names = options.names or [name for name in BENCHMARKS if name not in LONG]
    sizes = {"load": {"sessions": options.sessions, "minutes": options.minutes}}
    figures.RESULTS.mkdir(exist_ok=True)
    machine = device.describe(device.resolve("auto"))
    for name in names:
        print(f"== {name}")  # noqa: T201 - the output of a command
        begun = time.monotonic()
        result = {"date": time.strftime("%Y-%m-%d"), "machine": machine, **BENCHMARKS[name](**sizes.get(name, {}))}
        (figures.RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        print(f"({time.monotonic() - begun:.0f} s)")  # noqa: T201
    figures.write()


if __name__ == "__main__":
    main()
