"""What the way from a cluster into the store carries: the lines of a sweep with 500 trials at once, posted as fast as it goes.

The lines are those that a job would print, with figures by rule; they go through the relay's own decoding and posting into a real store:
SQLite in a folder of its own, and the database that FMNIST_BENCH_DB names, if it does (an empty PostgreSQL, say).
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from fmnist.config import TrainConfig
from fmnist.dispatches import Batch, Begun, Dispatch, Ended, Event, decode, encode, key_of
from fmnist.events import Epoch, Step
from fmnist.placement import Placement
from fmnist.run import Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweeps, parse_spec, token_of

TRIALS, SECONDS = 500, 18  # at once; of their life
LINES_A_SECOND, POINTS_A_SECOND = 4, 2  # of the job; of each trial
EPOCH_SECONDS, STEPS_A_SECOND, VIEWS = 6, 100, 300
CONFIG = TrainConfig(network="linear", epochs=SECONDS // EPOCH_SECONDS, validation_size=500)


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        result = {"sqlite": _measure(f"sqlite:///{Path(folder) / 'bench.db'}")}
    if url := os.environ.get("FMNIST_BENCH_DB"):
        result[url.partition("+")[0].partition(":")[0]] = _measure(url)
    for name, row in result.items():
        words = (f"{key.replace('_', ' ')} {value:,.4g}" for key, value in row.items())
        print(f"{name}: {', '.join(words)}")  # noqa: T201
    return {"trials": TRIALS, "seconds": SECONDS, "stores": result}


def _measure(url: str) -> dict[str, float]:
    store = Store(url)
    configs = [CONFIG.model_copy(update={"seed": seed}) for seed in range(TRIALS)]
    begun = time.perf_counter()
    sweep_id, ids = _make(store, configs)
    making = time.perf_counter() - begun
    lines = _lines(list(ids))
    times: list[float] = []
    posted = 0
    for line in lines:
        begun = time.perf_counter()
        batch = decode(line)
        assert batch
        store.post(sweep_id, batch.number, [(ids[dispatch.key], dispatch.event) for dispatch in batch.said])
        times.append(time.perf_counter() - begun)
        posted += len(batch.said)
    some = next(iter(ids.values()))
    result = {
        "events": posted,
        "events_a_second": posted / sum(times),
        "line_ms": 1000 * median(times),
        "slowest_line_ms": 1000 * max(times),
        "line_kilobytes": median(map(len, lines)) / 1000,
        "make_trial_ms": 1000 * making / TRIALS,
        "times_real_time": SECONDS / sum(times),
        "look_at_a_run_ms": _timed(lambda: (store.get(some), store.steps(some, CONFIG.total_steps))),
        "look_at_the_sweep_ms": _timed(lambda: Sweeps(store).trials(sweep_id), VIEWS // 20),
    }
    store.close()
    return result


def _make(store: Store, configs: list[TrainConfig]) -> tuple[str, dict[str, str]]:
    """A sweep and its trials, as a relay makes them; returns its id, and those of the runs by key."""
    spec: Spec = parse_spec({"base": CONFIG, "space": {"learning_rate": (0.1, 0.01)}, "trials": TRIALS})
    place, ids = Placement("cluster"), {}
    sweep = Sweeps(store).create(spec, device="cpu", placement=place)
    for number, config in enumerate(configs, start=1):
        ids[key_of(config)] = store.create(config, device="cpu", token=token_of(sweep.id, number), sweep=sweep.id, placement=place).id
        Sweeps(store).count(sweep.id, number)
    return sweep.id, ids


def _lines(keys: list[str]) -> list[str]:
    """What the job prints: a quarter of the trials' points of a second in each line, an epoch of each trial now and then."""
    said: list[list[Dispatch]] = [[Dispatch(key, Begun(0, 0, 0.0, {"device": "cpu"})) for key in keys]]
    ticks = SECONDS * LINES_A_SECOND
    for tick in range(1, ticks + 1):
        events = []
        for place, key in enumerate(keys):
            if (tick + place) % (LINES_A_SECOND // POINTS_A_SECOND) == 0:
                events.append(Dispatch(key, _point(tick)))
            if tick % (EPOCH_SECONDS * LINES_A_SECOND) == 0:
                events.append(Dispatch(key, _epoch(tick)))
        said.append(events)
    last: Event = Ended(Status.FINISHED, None, 0.9, 0.3)
    said.append([Dispatch(key, last) for key in keys])
    return [encode(Batch(number, events)) for number, events in enumerate(said, start=1)]


def _point(tick: int) -> Step:
    seconds = tick / LINES_A_SECOND
    return Step(tick * STEPS_A_SECOND // LINES_A_SECOND, seconds / EPOCH_SECONDS, seconds, 1 / (1 + seconds), 0.001, 6400.0)


def _epoch(tick: int) -> Epoch:
    seconds = tick // LINES_A_SECOND
    number = seconds // EPOCH_SECONDS
    return Epoch(number, seconds * STEPS_A_SECOND, float(seconds), 0.5, 0.8, 0.4, 0.85, 0.001, 6400.0)


def _timed(action: Callable[[], object], times: int = VIEWS) -> float:
    """Milliseconds, in the median."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)
