"""What a sweep tries next: from its seed, the number of the trial and the trials that have ended, and from nothing else.

So a sweep whose driver was killed proposes the same trials again: there is no state of a sampler to lose.
"""

import random
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fmnist import search_space
from fmnist.config import FIELDS, TrainConfig, parse
from fmnist.errors import ConfigError
from fmnist.run import Status
from fmnist.search_space import Value
from fmnist.sweep import Spec, Trial

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 200  # to find a config that is allowed and was not tried yet
GUIDED_ATTEMPTS = 20  # the first of them are TPE's


def check(spec: Spec) -> None:
    """Refuse a search in which fields contradict each other so that something in it would never be tried.

    Raises:
        ConfigError: a listed value is never allowed, or no config is; with the reason. Or Optuna is asked for and not installed.
    """
    for name, domain in spec.space.items():
        for each in domain if isinstance(domain, tuple) else ():
            if refusal := _refusal(spec, {name: each}):
                raise ConfigError(f"{FIELDS[name].title} {each} would never be tried. {refusal}")
    if refusal := _refusal(spec, {}):
        raise ConfigError(f"No config of this search is allowed. {refusal}")
    if spec.sampler == "tpe":
        _optuna()


def _refusal(spec: Spec, fixed: dict[str, Value]) -> ConfigError | None:
    """Why no config with these values is allowed; None when one is."""
    refusal = None
    for attempt in range(ATTEMPTS):
        try:
            parse({**_drawn(spec, random.Random(attempt)), **fixed}, spec.base)
            return None
        except ConfigError as error:
            refusal = error
    return refusal


def propose(spec: Spec, number: int, trials: Sequence[Trial]) -> TrainConfig | None:
    """The config of a trial; None when no new one is found, as in a small grid that was tried whole.

    The first trial is the config that the search starts from, if it lies in the space: what searching gains is then plain to see.

    Args:
        number: 1, 2, 3...
        trials: those that have ended.

    Raises:
        ConfigError: Optuna is asked for and not installed.
    """
    tried = [trial.run.config for trial in trials]
    if number == 1 and search_space.contains(spec.space, spec.base):
        return spec.base
    for attempt in range(ATTEMPTS):
        dice = random.Random(f"{spec.seed} {number} {attempt}")
        guided = spec.sampler == "tpe" and attempt < GUIDED_ATTEMPTS
        values = _guided(spec, trials, dice) if guided else _drawn(spec, dice)
        try:
            config = parse(values, spec.base)
        except ConfigError:  # two fields that contradict each other
            continue
        if config not in tried:
            return config
    return None


def _drawn(spec: Spec, dice: random.Random) -> dict[str, Value]:
    return {name: search_space.draw(domain, search_space.is_whole(name), dice) for name, domain in spec.space.items()}


def _guided(spec: Spec, trials: Sequence[Trial], dice: random.Random) -> dict[str, Value]:
    """What Optuna's TPE proposes after these trials; at random while they are fewer than ten."""
    optuna = _optuna()
    sampler = optuna.samplers.TPESampler(seed=dice.getrandbits(32))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ranges = distributions(spec)
    study.add_trials(told for trial in trials if (told := _told(trial, ranges)))
    return as_written(spec, study.ask(ranges).params)


def as_written(spec: Spec, found: Mapping[str, Any]) -> dict[str, Value]:
    """What Optuna has proposed, as somebody would write it."""
    return {name: _short(spec, name, found[name]) for name in spec.space}


def _short(spec: Spec, name: str, found: Any) -> Value:
    domain = spec.space[name]
    return found if isinstance(domain, tuple) else search_space.rounded(found, domain, search_space.is_whole(name))


def distributions(spec: Spec) -> "dict[str, optuna.distributions.BaseDistribution]":
    """The space in Optuna's words."""
    kinds = _optuna().distributions
    found = {}
    for name, domain in spec.space.items():
        if isinstance(domain, tuple):
            found[name] = kinds.CategoricalDistribution(domain)
        elif search_space.is_whole(name):
            found[name] = kinds.IntDistribution(int(domain.low), int(domain.high), log=domain.log)
        else:
            found[name] = kinds.FloatDistribution(domain.low, domain.high, log=domain.log)
    return found


def _told(trial: Trial, ranges: "dict[str, optuna.distributions.BaseDistribution]") -> "optuna.trial.FrozenTrial | None":
    """A trial as Optuna knows it: what failed or diverged counts as worse than anything, what a person cancelled does not count."""
    optuna, states = _optuna(), _optuna().trial.TrialState
    if trial.run.config is None or trial.run.status == Status.CANCELLED:
        return None
    values = {name: getattr(trial.run.config, name) for name in ranges}
    return optuna.trial.create_trial(
        params=values,
        distributions=ranges,
        state=states.COMPLETE if trial.complete else states.PRUNED,
        value=trial.accuracy if trial.complete else None,
        intermediate_values={epoch.epoch: epoch.accuracy for epoch in trial.epochs} if trial.stopped_early or trial.complete else {},
    )


def has_optuna() -> bool:
    return find_spec("optuna") is not None


def _optuna() -> Any:
    """The library, quiet.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "The sampler 'tpe' needs Optuna, which is not installed: pip install -r requirements-sweep.txt. Or search at random."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
