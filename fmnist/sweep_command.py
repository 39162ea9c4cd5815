"""`fmnist sweep`: a search in the foreground of a terminal. A dashboard on the same store shows it, and may train its trials."""

import argparse
from functools import partial
from typing import Any

from rich.console import Console

from fmnist import proposals, search_space, sweeping
from fmnist.cli import chosen_config
from fmnist.cluster_command import chosen_place
from fmnist.errors import ConfigError
from fmnist.run import Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, Trial, best, fields_in_words, parse_spec

TRIALS = 20


def search(store: Store, options: argparse.Namespace, console: Console) -> Sweep:
    """Begin a sweep or go on with one, and drive it until its budget is used up or somebody interrupts; progress goes to the console."""
    found = _resumed(store, options.resume) if options.resume else _begun(store, options)
    found = _drive(store, found, console)
    _say_how_it_ended(found, Sweeps(store).trials(found.id), console)
    return found


def summary(found: Sweep, trials: list[Trial]) -> dict[str, Any]:
    """The last line of `sweep --json`."""
    winner = best(trials)
    chosen = None
    if winner and winner.run.config:
        chosen = {"run": winner.run.id, "config": winner.run.config.model_dump(), "validation": winner.accuracy}
    return {"sweep": found.id, "status": found.status.value, "message": found.message, "trials": found.proposed, "best": chosen}


def _begun(store: Store, options: argparse.Namespace) -> Sweep:
    from fmnist import device

    spec, place = chosen_spec(options), chosen_place(store, options)
    where = place.device if place.is_remote else device.resolve(spec.base.device)
    return sweeping.begin(store, spec, device=where, name=options.name, placement=place)


def chosen_spec(options: argparse.Namespace) -> Spec:
    """What a command line asks for.

    Raises:
        ConfigError: something is not allowed, or nothing is searched.
    """
    words = [word.partition("=") for word in options.search or ()]
    names = [name.strip().replace("-", "_") for name, _, _ in words]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"--search names {twice} twice. Put all its values into one.")
    for name in names:
        search_space.check_field(name)
    texts = {name: text or search_space.USUAL[name] for name, (_, _, text) in zip(names, words, strict=True)}
    return parse_spec(
        {
            "base": chosen_config(options),
            "space": {name: search_space.parse_domain(name, text) for name, text in texts.items()},
            "trials": options.trials if options.trials is not None or options.minutes is not None else TRIALS,
            "minutes": options.minutes,
            "sampler": options.sampler or ("tpe" if proposals.has_optuna() else "random"),
            "halving": options.halving,
            "seed": options.seed,
        }
    )


def _resumed(store: Store, word: str) -> Sweep:
    """A sweep to go on with, whatever ended the process that drove it."""
    from fmnist.engines.local import requeue_dead

    requeue_dead(store)
    return sweeping.resume(store, Sweeps(store).find(word))


def _drive(store: Store, found: Sweep, console: Console) -> Sweep:
    """Trial after trial, until the budget is used up or somebody interrupts."""
    from fmnist.foreground import train_here

    if found.placement.is_remote:
        return _follow(store, found, console)
    try:
        while found.status == SweepStatus.RUNNING:
            found = sweeping.advance(store, found)
            trial = sweeping.under_way(Sweeps(store).trials(found.id))
            if trial is None:
                continue
            run = train_here(store, trial.run, console, each_epoch=False)
            if run.status == Status.PAUSED:  # by Ctrl-C, or by somebody in the dashboard
                return sweeping.pause(store, found)
            if not run.status.ended:  # Ctrl-C while the dashboard trains it, where the sweep goes on
                return found
            _say_what_it_gave(store, found, console, trial)
            found = Sweeps(store).get(found.id)
    except KeyboardInterrupt:
        sweeping.pause(store, found)
        raise
    return found


def _follow(store: Store, found: Sweep, console: Console) -> Sweep:
    """The same on a cluster, where Ctrl-C stops the job and keeps the sweep; if a dashboard follows it already, it is watched there."""
    from fmnist import relay_sweep
    from fmnist.foreground import POLL_SECONDS, until_interrupted

    tell = partial(_say_what_it_gave, store, found, console)
    with until_interrupted() as interrupted:
        while found.status == SweepStatus.RUNNING:
            found = relay_sweep.follow(store, found, interrupted, then=SweepStatus.PAUSED, tell=tell)
            if found.status == SweepStatus.RUNNING and interrupted.wait(POLL_SECONDS):
                console.print(f"{found.name} goes on in the dashboard; pause it there.", highlight=False)
                return found
    return found


def _say_what_it_gave(store: Store, found: Sweep, console: Console, trial: Trial) -> None:
    """A line for each trial: what was tried, what came out, and whether it is the best so far."""
    trials = Sweeps(store).trials(found.id)
    trial = next((each for each in trials if each.number == trial.number), trial)
    spec, config = found.spec, trial.run.config
    tried = fields_in_words(config, spec.space) if spec and config else ""
    figure = f"{trial.accuracy:.2%}" if trial.accuracy is not None else "no figure"
    how = "" if trial.complete else f" ({trial.run.status.value} after {trial.run.epoch} of {config.epochs if config else '?'} epochs)"
    mark = "  [bold green]best so far[/]" if best(trials) is trial else ""
    of = f"/{spec.trials}" if spec and spec.trials else ""
    console.print(f"trial {trial.number:>3}{of}  {figure}{how}  {tried}{mark}", highlight=False)


def _say_how_it_ended(found: Sweep, trials: list[Trial], console: Console) -> None:
    winner = best(trials)
    if winner and winner.run.config and found.spec:
        console.print(
            f"{found.name}, best of {found.proposed}: {winner.run.name} with {winner.accuracy:.2%} of the "
            f"{winner.run.config.validation_size:,} validation images: {fields_in_words(winner.run.config, found.spec.space)}",
            highlight=False,
            markup=False,
        )
    if found.message:
        console.print(f"fmnist: {found.message}", highlight=False)
    if found.status == SweepStatus.PAUSED:
        console.print(f"{found.name} is paused. Go on with: python -m fmnist sweep --resume {found.number}", highlight=False, markup=False)
