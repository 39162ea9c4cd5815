"""What a sweep does next. Stateless: each step looks at the store and takes the sweep one trial further, so whoever makes the steps may
be killed between any two.

The supervisor of the dashboard and the command line both call `advance`. Where the trials run is not decided here: a trial is a waiting
run, and whoever trains runs takes it. One trial of a sweep is under way at a time.
"""

import logging
from collections.abc import Sequence

from fmnist import halving
from fmnist.errors import ConfigError, StoreError, reason
from fmnist.events import Epoch
from fmnist.placement import HERE, Placement
from fmnist.proposals import check, propose
from fmnist.run import Request, Run, Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, Trial, token_of

log = logging.getLogger(__name__)
FAILURES = 3  # trials in a row that failed, after which a sweep waits for a person


def begin(
    store: Store, spec: Spec, *, device: str, name: str | None = None, token: str | None = None, placement: Placement = HERE
) -> Sweep:
    """A new sweep, which makes its first trial when somebody advances it; on a cluster, when its relay does.

    Raises:
        ConfigError: something in it would never be tried, or the sampler is not installed.
    """
    check(spec)
    return Sweeps(store).create(spec, device=device, name=name, token=token, placement=placement)


def advance_all(store: Store) -> None:
    """One step of every running sweep."""
    for sweep in Sweeps(store).running():
        if sweep.placement.is_remote:  # its relay does
            continue
        try:
            advance(store, sweep)
        except StoreError:
            raise
        except Exception as error:  # the edge of the supervisor: a bug in one sweep must not keep every other training from starting
            log.exception("%s cannot go on", sweep.name)
            _wait(store, sweep, f"An unexpected error: {reason(error)}. The log of the dashboard says more.")


def advance(store: Store, sweep: Sweep) -> Sweep:
    """Put the next trial into the queue if none is under way, or end the sweep when its budget is used up.

    Returns:
        The sweep as it is then.
    """
    sweeps = Sweeps(store)
    trials = sweeps.trials(sweep.id)
    if sweep.status != SweepStatus.RUNNING or sweep.spec is None or under_way(trials):
        return sweep
    if ended := _why_it_ends(sweep, sweep.spec, trials):
        log.info("%s is %s: %s", sweep.name, *ended)
        return sweeps.change(sweep.id, status=ended[0], message=ended[1])
    return _next_trial(store, sweep, sweep.spec, trials)


def _next_trial(store: Store, sweep: Sweep, spec: Spec, trials: list[Trial]) -> Sweep:
    """The run is made first and counted then: whoever is killed in between makes it again, which its token turns into the first."""
    number = sweep.proposed + 1
    try:
        config = propose(spec, number, [trial for trial in trials if trial.number < number])
    except ConfigError as error:
        return _wait(store, sweep, str(error))
    if config is None:
        return Sweeps(store).change(sweep.id, status=SweepStatus.FINISHED, message="Every config of the space was tried.")
    name = f"{sweep.name} #{number}"
    store.create(config, device=sweep.device, name=name, token=token_of(sweep.id, number), sweep=sweep.id)
    return Sweeps(store).count(sweep.id, number)


def _wait(store: Store, sweep: Sweep, message: str) -> Sweep:
    """Let a sweep wait for a person."""
    return Sweeps(store).change(sweep.id, status=SweepStatus.PAUSED, message=message)


def under_way(trials: Sequence[Trial]) -> Trial | None:
    """The trial that waits, is trained, or is paused."""
    return next((trial for trial in trials if not trial.run.status.ended), None)


def _why_it_ends(sweep: Sweep, spec: Spec, trials: list[Trial]) -> tuple[SweepStatus, str | None] | None:
    if spec.trials and sweep.proposed >= spec.trials:
        return SweepStatus.FINISHED, None
    if spec.minutes and sum(trial.run.seconds for trial in trials) >= 60 * spec.minutes:
        return SweepStatus.FINISHED, None
    if why := failing(sweep, trials):
        return SweepStatus.PAUSED, why
    return None


def failing(sweep: Sweep, trials: Sequence[Trial]) -> str | None:
    """Why a sweep waits for a person when its last trials have all failed; None as long as they have not."""
    last = [trial.run for trial in trials if trial.number > sweep.resumed and trial.run.status.ended][-FAILURES:]
    if len(last) == FAILURES and all(run.status == Status.FAILED for run in last):
        return f"The last {FAILURES} trials failed. {last[-1].message or ''}".strip()
    return None


def verdict(store: Store, run: Run, epoch: Epoch) -> str | None:
    """Why a trial is stopped after this epoch, as a sentence; None when it goes on, or is no trial of a sweep that halves.

    It looks at the validation figures of the other trials alone, and only at what the store has of them.
    """
    if run.sweep is None or run.config is None or epoch.epoch not in halving.rungs(run.config.epochs):
        return None
    try:
        spec = Sweeps(store).get(run.sweep).spec
    except StoreError:  # the sweep was deleted: its last trial goes on as a run like any other
        return None
    if spec is None or not spec.halving:
        return None
    others = [trial.accuracy_after(epoch.epoch) for trial in Sweeps(store).trials(run.sweep) if trial.run.id != run.id]
    told = [accuracy for accuracy in others if accuracy is not None]
    return halving.verdict(run.config.epochs, epoch.epoch, epoch.accuracy, told)


def pause(store: Store, sweep: Sweep) -> Sweep:
    """No further trial; the one that is under way is paused to the step, and those on a cluster to their last epoch, by its relay."""
    paused = Sweeps(store).change(sweep.id, status=SweepStatus.PAUSED, message=None)
    if sweep.placement.is_remote:
        return paused
    if (trial := under_way(Sweeps(store).trials(sweep.id))) and trial.run.status != Status.PAUSED:
        store.ask(trial.run.id, Request.PAUSE)
    return paused


def resume(store: Store, sweep: Sweep) -> Sweep:
    """Go on where it was, with the trial that was paused.

    Raises:
        StoreError: it is finished, or cannot be read.
    """
    if sweep.spec is None:
        raise StoreError(f"What {sweep.name} searches cannot be read; a newer version of the studio may have made it.")
    if sweep.status == SweepStatus.FINISHED:
        raise StoreError(f"{sweep.name} is finished: its budget is used up. Start another one to search on.")
    trial = under_way(Sweeps(store).trials(sweep.id))
    if trial and trial.run.status == Status.PAUSED and not sweep.placement.is_remote:
        store.resume(trial.run.id)
    return Sweeps(store).change(sweep.id, status=SweepStatus.RUNNING, message=None, resumed=sweep.proposed)
