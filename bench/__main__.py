"""`python -m bench`: every benchmark, or the named ones; each prints its table and writes JSON under bench/results/."""

import argparse
import json
import time
from pathlib import Path

from bench import first_page, memory, page_actions, pictures, prediction, training_speed, try_page
from fmnist import device

BENCHMARKS = {
    "training-speed": training_speed.run,
    "first-page": first_page.run,
    "memory": memory.run,
    "page-actions": page_actions.run,
    "pictures": pictures.run,
    "prediction": prediction.run,
    "try-page": try_page.run,
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all of them if none is named")
    names = parser.parse_args().names or list(BENCHMARKS)
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        print(f"== {name}")  # noqa: T201 - the output of a command
        result = {"date": time.strftime("%Y-%m-%d"), "machine": device.describe(device.resolve("auto")), **BENCHMARKS[name]()}
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
