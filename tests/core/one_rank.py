"""One of the processes of a few trainings, without a store; test_ranks.py starts it: `torchrun one_rank.py TASKS OUT`, or without torchrun.

A task is a config, the name of an earlier one to go on from, the step to stop at, and the changes of the learning rate that are told
after a step.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fmnist import data, ranks, training
from fmnist.config import parse
from fmnist.events import Done
from fmnist.train_state import TrainState


def main(tasks: Path, out: Path) -> None:
    """Do every task, and write what came of it: each event, the position and every tensor of the state."""
    training.REPORT_SECONDS = 0.0  # an event at each step
    images, done = data.load().train, {}
    with ranks.joined("cpu"):
        for name, task in json.loads(tasks.read_text()).items():
            done[name] = train(task, images.take(torch.arange(task["config"]["train_size"])), done)
        torch.save(done, out / f"rank-{ranks.rank()}.pt")


def train(task: dict[str, Any], images: data.Split, done: dict[str, Any]) -> dict[str, Any]:
    """One task."""
    state, events = TrainState(parse(task["config"])), []
    if task["after"]:
        before = done[task["after"]]
        torch.manual_seed(12345)  # another process would have drawn other numbers
        state.load(before["tensors"], before["position"])
        events += before["events"]
    for event in training.fit(state, *data.hold_out(images, state.config)):
        events.append(asdict(event) | {"kind": type(event).__name__})
        state.rate_changes = tuple((step, factor) for step, factor in task["changes"] if step <= state.step)
        if not isinstance(event, Done) and state.step == task["stop"]:
            break
    return {"events": events, "position": state.position(), "tensors": {name: value.clone() for name, value in state.tensors().items()}}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
