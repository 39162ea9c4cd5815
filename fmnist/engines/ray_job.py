"""What a job does on a cluster: a training by Ray Train, or a search by Ray Tune, told line by line on standard output.

A job is begun by `python -c "from fmnist.engines.ray_job import main; main()"`, with what to do in the variable FMNIST_JOB. It is not
begun with -m: Ray copies functions to other machines by the name of their module, and `__main__` is none.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import fmnist
from fmnist.config import parse
from fmnist.dispatches import Batch, Dispatch, Ended, Event, encode
from fmnist.errors import ClusterError
from fmnist.placement import Placement
from fmnist.run import Status

VARIABLE = "FMNIST_JOB"
ENTRYPOINT = 'python -c "from fmnist.engines.ray_job import main; main()"'
DRAIN_SECONDS = 0.25  # between two lines, when there is something to say
BEAT_SECONDS = 1.0  # ... and when there is not
RETRIES = 5  # how often a training, or a trial, is started again after its process or its machine was lost


@dataclass(frozen=True)
class Job:
    """What a cluster is asked to do. Everybody who may ask the cluster can read it: no secret is in it."""

    owner: str  # the id of the run or the sweep
    name: str  # what a person calls it
    storage: str
    placement: Placement
    run: dict[str, Any] | None = None  # the config of a training
    sweep: dict[str, Any] | None = None  # ... or the spec of a search
    version: str = field(default=fmnist.__version__)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        values = json.loads(text)
        return cls(**{**values, "placement": Placement(**values["placement"])})


def main() -> None:
    """The driver of a job, on the head of a cluster."""
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # no tables of its own between the lines of the trials
    import ray

    job = Job.from_json(os.environ[VARIABLE])
    out = Telegraph()
    if job.version != fmnist.__version__:
        words = f"This studio is fmnist {job.version}, the cluster has {fmnist.__version__}: install the same version on all its nodes."
        out.say("", Ended(Status.FAILED, words))
        out.close()
        return
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # Ray Tune writes down where it is, and ends
    ray.init(address="auto", log_to_driver=False)
    try:
        with out.open():
            _work(job, out)
    except KeyboardInterrupt:
        sys.exit(1)


def _work(job: Job, out: "Telegraph") -> None:
    try:
        if job.run:
            _train(job, out)
        else:
            from fmnist.engines.ray_sweep import search

            search(job, out)
    except ClusterError as error:
        out.say("", Ended(Status.FAILED, str(error)))


def _train(job: Job, out: "Telegraph") -> None:
    """One training in as many processes as wanted; its group is started again when one of them is lost."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpus = job.placement.gpus_per_worker
    trainer = TorchTrainer(
        learn_here,
        train_loop_config={"job": job.to_json(), "hub": out.hub},
        torch_config=TorchConfig(backend="nccl" if gpus >= 1 else "gloo"),  # NCCL refuses two processes on one GPU
        scaling_config=ScalingConfig(
            num_workers=job.placement.workers, use_gpu=bool(gpus), resources_per_worker={"CPU": 1, **({"GPU": gpus} if gpus else {})}
        ),
        run_config=RunConfig(
            name=f"{job.owner}-{time.time_ns()}",
            storage_path=f"{job.storage}/ray",
            failure_config=FailureConfig(max_failures=RETRIES),
        ),
    )
    try:
        trainer.fit()
    except RuntimeError as error:  # Ray's TrainingFailedError
        reason = (str(error).strip().splitlines() or ["it says nothing more"])[-1][:300]
        out.say("", Ended(Status.FAILED, f"The training was lost {RETRIES + 1} times on the cluster: {reason}"))


def learn_here(task: dict[str, Any]) -> None:
    """In each process of a training."""
    from fmnist import tuning

    tuning.tune()
    from fmnist.engines.ray_worker import learn
    from fmnist.storage import Storage

    job = Job.from_json(task["job"])
    assert job.run is not None
    print(f"process {os.environ.get('RANK', '0')} of {job.placement.workers} of {job.name}", flush=True)  # noqa: T201 - its log on its node
    learn(parse(job.run), Storage(job.storage, job.owner), Voice(task["hub"], ""), all_weights=True)


class Hub:
    """An actor beside the driver, which collects what the trainings say until the driver takes it."""

    def __init__(self) -> None:
        self._said: list[Dispatch] = []

    def put(self, said: list[Dispatch]) -> None:
        self._said += said

    def take(self) -> list[Dispatch]:
        said, self._said = self._said, []
        return said


class Voice:
    """What a training speaks with."""

    def __init__(self, hub: Any, key: str) -> None:
        self._hub, self._key = hub, key

    def __call__(self, events: Sequence[Event]) -> None:
        """Points of the curve are sent off; for all else this waits until the hub has it."""
        import ray

        from fmnist.events import Step

        sent = self._hub.put.remote([Dispatch(self._key, event) for event in events])
        if not all(isinstance(event, Step) for event in events):
            ray.get(sent)


class Telegraph:
    """The driver's standard output: a line a quarter of a second with all that was said, or a sign of life each second.

    There is one in a process: Ray Tune, which pickles whatever it is given, gets that one back.
    """

    _here: "Telegraph | None" = None

    def __init__(self) -> None:
        Telegraph._here = self
        self.hub: Any = None
        self._own: list[Dispatch] = []
        self._number, self._spoken = 0, 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _telegraph, ()

    def open(self) -> "Telegraph":
        """Start the hub, and a thread that empties it; for a `with` block."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.hub = ray.remote(Hub).options(num_cpus=0, scheduling_strategy=here).remote()
        self._thread = threading.Thread(target=self._run, name="telegraph", daemon=True)
        return self

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)
        if kind is None:
            self._drain()
            self.close()

    def say(self, key: str, event: Event) -> None:
        """Something that the driver itself knows."""
        with self._lock:
            self._own.append(Dispatch(key, event))

    def close(self) -> None:
        """The last words."""
        self._print(self._taken())

    def _run(self) -> None:
        while not self._over.wait(DRAIN_SECONDS):
            self._drain()

    def _drain(self) -> None:
        import ray

        own = self._taken()  # first: what the driver says of a training comes after what that has said before
        said = [*ray.get(self.hub.take.remote()), *own]
        if said or time.monotonic() - self._spoken >= BEAT_SECONDS:
            self._print(said)

    def _taken(self) -> list[Dispatch]:
        with self._lock:
            own, self._own = self._own, []
        return own

    def _print(self, said: list[Dispatch]) -> None:
        self._number += bool(said)
        self._spoken = time.monotonic()
        sys.stdout.write(encode(Batch(self._number, said)) + "\n")
        sys.stdout.flush()


def _telegraph() -> Telegraph:
    return Telegraph._here or Telegraph()
