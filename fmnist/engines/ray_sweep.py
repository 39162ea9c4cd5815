"""A search on a cluster: trials by Ray Tune, proposals by Optuna, halving by the rule of the sweeps at home.

Where a search is, the store at home knows, and lays it beside the checkpoints when a job begins (`Known`): nothing is taken from what
Ray has pickled.
"""

from collections.abc import Sequence
from typing import Any

import ray
from optuna.samplers import RandomSampler
from ray import tune
from ray.air.constants import TRAINING_ITERATION
from ray.tune import Callback, FailureConfig, RunConfig, TuneConfig
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from fmnist import halving, proposals, search_space, tuning
from fmnist.config import TrainConfig, parse
from fmnist.dispatches import Crashed, Ended, Proposed, key_of
from fmnist.engines.known import Known, read_known
from fmnist.engines.ray_job import RETRIES, Job, Telegraph, Voice
from fmnist.errors import ConfigError
from fmnist.run import Status
from fmnist.storage import Storage
from fmnist.sweep import Spec, parse_spec

ATTEMPTS = 200  # to find a config that is allowed and was not tried yet
REFUSED = "{trial}/{attempt}"  # the name under which Optuna knows a proposal


def search(job: Job, out: Telegraph) -> None:
    """Make the trials that are left of a sweep, as many at once as there is room for."""
    spec = parse_spec(job.sweep or {})
    storage = Storage(job.storage, job.owner)
    known = read_known(storage)
    left = spec.trials - sum(trial.over for trial in known) if spec.trials else -1
    if left:
        resources = {"cpu": 1.0, "gpu": job.placement.gpus_per_worker}
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(make_trial, job=job.to_json(), hub=out.hub), resources),
            tune_config=TuneConfig(
                metric="accuracy",
                mode="max",
                num_samples=left,
                max_concurrent_trials=_room(resources),
                search_alg=Proposals(spec, known, out),
                scheduler=Halving(spec, known, out),
                reuse_actors=True,
            ),
            run_config=RunConfig(
                name=f"{job.owner}-{ray.get_runtime_context().get_job_id()}",
                storage_path=f"{job.storage}/ray",
                failure_config=FailureConfig(max_failures=RETRIES),
                callbacks=[Witness(spec, out)],
                verbose=0,
            ),
        )
        tuner.fit()
    out.say("", Ended(Status.FINISHED))


def _room(resources: dict[str, float]) -> int:
    """How many trials fit on the cluster as it is now; one at least, which waits until there is room."""
    there = ray.cluster_resources()
    return max(1, min(int(there.get(kind.upper(), 0.0) / wanted) for kind, wanted in resources.items() if wanted))


def make_trial(values: dict[str, Any], job: str, hub: Any) -> None:
    """In the process of a trial."""
    tuning.tune()
    from fmnist.engines.ray_worker import learn

    asked = Job.from_json(job)
    config = parse(values, parse_spec(asked.sweep or {}).base)
    key = key_of(config)
    learn(
        config,
        Storage(asked.storage, asked.owner, key),
        Voice(hub, key),
        all_weights=False,
        after=lambda epoch: tune.report({"accuracy": epoch.accuracy, "epoch": epoch.epoch, "seconds": epoch.seconds}),
    )


class Proposals(Searcher):
    """Optuna's proposals that are allowed and new, the unfinished trials of an earlier job first.

    A proposal that is refused is told to Optuna as a failed trial, under a name of its own, and another one is asked for.
    """

    def __init__(self, spec: Spec, known: Sequence[Known], out: Telegraph) -> None:
        super().__init__(metric="accuracy", mode="max")
        self._spec, self._out = spec, out
        self._tried = {key_of(parse(trial.config)) for trial in known if trial.over}
        self._first = [self._values(parse(trial.config)) for trial in known if not trial.over]
        if not known and search_space.contains(spec.space, spec.base):
            self._first = [self._values(spec.base)]
        sampler = RandomSampler(seed=spec.seed) if spec.sampler == "random" else None
        self._optuna = OptunaSearch(
            proposals.distributions(spec), "accuracy", "max", list(self._first), sampler, seed=None if sampler else spec.seed
        )
        for trial in known:
            self._tell(trial)
        self._names: dict[str, str] = {}
        self._seconds: dict[str, float] = {}

    def _values(self, config: TrainConfig) -> dict[str, Any]:
        return {name: getattr(config, name) for name in self._spec.space}

    def _tell(self, trial: Known) -> None:
        if trial.over and trial.accuracies:
            value, pruned = trial.accuracies[-1], trial.status != Status.FINISHED
            self._optuna.add_evaluated_point(self._values(parse(trial.config)), value, False, pruned, list(trial.accuracies))

    def suggest(self, trial_id: str) -> Any:
        spent = sum(self._seconds.values())
        if self._spec.minutes and spent >= 60 * self._spec.minutes:
            return Searcher.FINISHED
        for attempt in range(ATTEMPTS):
            name = REFUSED.format(trial=trial_id, attempt=attempt)
            values = proposals.as_written(self._spec, self._optuna.suggest(name) or {})
            try:
                config = parse(values, self._spec.base)
            except ConfigError:  # two fields that contradict each other
                config = None
            if config and (key := key_of(config)) not in self._tried:
                self._tried.add(key)
                self._names[trial_id] = name
                self._out.say(key, Proposed(config))
                return values
            self._optuna.on_trial_complete(name, error=True)
        return Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._seconds[trial_id] = result["seconds"]
        # Ray counts from 1 again when it starts a trial again.
        self._optuna.on_trial_result(self._names[trial_id], {**result, TRAINING_ITERATION: result["epoch"]})

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._optuna.on_trial_complete(self._names[trial_id], result, error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: where a search is, the store at home knows."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("A search goes on from what the store knows.")


class Halving(FIFOScheduler):
    """Asynchronous successive halving (ASHA): the rule of `fmnist.halving`, with what was seen in earlier jobs."""

    def __init__(self, spec: Spec, known: Sequence[Known], out: Telegraph) -> None:
        super().__init__()
        self._spec, self._out = spec, out
        self._seen: dict[int, dict[str, float]] = {}  # epoch -> trial -> accuracy
        for trial in known:
            for epoch, accuracy in enumerate(trial.accuracies, start=1):
                self._seen.setdefault(epoch, {})[key_of(parse(trial.config))] = accuracy

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        config, epoch, accuracy = parse(trial.config, self._spec.base), result["epoch"], result["accuracy"]
        key, seen = key_of(config), self._seen.setdefault(result["epoch"], {})
        others = [value for other, value in seen.items() if other != key]
        seen[key] = accuracy
        sentence = halving.verdict(config.epochs, epoch, accuracy, others) if self._spec.halving else None
        if sentence is None:
            return TrialScheduler.CONTINUE
        self._out.say(key, Ended(Status.STOPPED, sentence))
        return TrialScheduler.STOP


class Witness(Callback):
    """Tells what only Ray sees: a trial whose process is gone."""

    def __init__(self, spec: Spec, out: Telegraph) -> None:
        self._spec, self._out = spec, out

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._out.say(self._key(trial), Crashed("Its process or its machine was lost; the cluster starts it again."))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        reason = (str(trial.get_error() or "").strip().splitlines() or ["it says nothing more"])[-1][:300]
        self._out.say(self._key(trial), Ended(Status.FAILED, f"Lost {RETRIES + 1} times on the cluster: {reason}"))

    def _key(self, trial: Trial) -> str:
        return key_of(parse(trial.config, self._spec.base))
