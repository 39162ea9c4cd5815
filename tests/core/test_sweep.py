"""Sweeps without a training: spaces, proposals, halving, and the steps of a sweep over runs that nobody trains."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from scipy import stats

from fmnist import halving, importance, proposals, search_space, sweeping
from fmnist.config import TrainConfig
from fmnist.errors import ConfigError, StoreError
from fmnist.events import Epoch
from fmnist.run import Checkpoint, Process, Request, Run, Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, Trial, best, parse_spec

BASE = TrainConfig(network="linear", epochs=9, train_size=600, validation_size=100)
SPACE = {"learning_rate": "1e-4..1e-1:log", "batch_size": "32,64,128", "shift": "0..3", "optimizer": "adam,sgd", "momentum": "0.5..0.9"}
NOBODY = Process(pid=1, started=1.0)


def spec(space: dict[str, str] | None = None, **changes: object) -> Spec:
    domains = {name: search_space.parse_domain(name, text) for name, text in (SPACE if space is None else space).items()}
    return parse_spec({"base": BASE, "space": domains, "trials": 20, **changes})


def epoch(number: int, accuracy: float, loss: float = 1.0) -> Epoch:
    return Epoch(number, 8 * number, float(number), 1.0, 0.5, loss, accuracy, 1e-3, 100.0)


def trial(number: int, config: TrainConfig, run: Run, accuracies: Sequence[float], status: Status = Status.FINISHED) -> Trial:
    ended = Run(**{**vars(run), "config": config, "status": status})
    return Trial(number, ended, tuple(epoch(each, accuracy) for each, accuracy in enumerate(accuracies, 1)))


@pytest.fixture
def some_run(plain_store: Store) -> Run:
    return plain_store.create(BASE, device="cpu")


def good_at_a_hundredth(config: TrainConfig) -> float:
    """An accuracy that is highest at a learning rate of 0.01."""
    return 0.9 - 0.1 * abs(math.log10(config.learning_rate) + 2)


def searched(found: Spec, count: int, run: Run) -> list[TrainConfig]:
    """A whole sweep whose trials are as good as `good_at_a_hundredth` says."""
    trials: list[Trial] = []
    for number in range(1, count + 1):
        config = proposals.propose(found, number, trials)
        assert config is not None
        trials.append(trial(number, config, run, [good_at_a_hundredth(config)]))
    return [each.run.config for each in trials if each.run.config]


# ---- the space -------------------------------------------------------------------------------------------------------------------------


def test_what_is_usual_for_a_field_is_allowed_for_it() -> None:
    for name in search_space.SEARCHABLE:
        search_space.parse_domain(name, search_space.USUAL[name])


def test_what_a_person_writes_becomes_a_range_or_values_of_the_field_s_own_type() -> None:
    read = search_space.parse_domain
    assert read("learning_rate", "1e-4..1e-1:log") == search_space.Range(low=1e-4, high=0.1, log=True)
    assert read("batch_size", "64, 128") == (64, 128)
    assert read("flip", "true,false") == (True, False)
    assert read("optimizer", "adam,sgd") == ("adam", "sgd")
    domain = read("epochs", "2..8")
    assert isinstance(domain, search_space.Range)
    assert isinstance(domain.low, int)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("learning_rate", "0..1", "must be a number above 0"),
        ("learning_rate", "1e-1..1e-4", "a range goes up"),
        ("weight_decay", "0..0.1:log", "starts above 0"),
        ("learning_rate", "a..b", "not a range of numbers"),
        ("learning_rate", "1e-4..1e-1:square", "only ':log'"),
        ("epochs", "1.5..3", "must be a whole number"),
        ("batch_size", "64", "at least two different"),
        ("batch_size", "64,64", "at least two different"),
        ("optimizer", "adam,lion", "must be one of adam"),
        ("optimizer", "1..2", "has no range"),
        ("seed", "0..9", "cannot be searched"),
        ("train_size", "600..900", "cannot be searched"),
        ("width", "1..2", "There is no hyperparameter"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_in_a_sentence(name: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        search_space.parse_domain(name, text)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base": BASE.model_copy(update={"validation_size": 0})}, "The test images never choose"),
        ({"space": {}}, "at least one field"),
        ({"trials": None}, "how long to search"),
        ({"minutes": 3}, "how long to search"),
        ({"trials": 0}, "trials: 0 is not allowed"),
        ({"sampler": "grid"}, "sampler: 'grid' is not allowed"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_in_a_sentence(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        spec(**changes)


def test_a_spec_is_the_same_after_it_was_stored() -> None:
    found = spec(sampler="tpe", halving=False, seed=3)
    assert Spec.model_validate_json(found.model_dump_json()) == found


# ---- proposals -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_proposal_lies_in_the_space_and_changes_nothing_else(sampler: str, some_run: Run) -> None:
    found = spec(sampler=sampler)
    configs = searched(found, 30, some_run)
    for config in configs:
        assert search_space.contains(found.space, config)
        assert set(config.differences(BASE)) <= set(found.space)
    assert len(set(configs)) == 30


def test_a_logarithmic_range_is_drawn_evenly_in_its_logarithms() -> None:
    found = spec({"learning_rate": "1e-4..1e-1:log"})
    drawn = [proposals.propose(found, number, []) for number in range(2, 1002)]
    shares = [(math.log10(config.learning_rate) + 4) / 3 for config in drawn if config]
    assert stats.kstest(shares, "uniform").pvalue > 0.01


def test_whole_numbers_and_values_are_drawn_equally_often() -> None:
    found = spec({"shift": "0..3", "batch_size": "32,64,128"})
    drawn = [config for number in range(2, 1202) if (config := proposals.propose(found, number, []))]
    for name in found.space:
        counts = Counter(getattr(config, name) for config in drawn)
        assert len(counts) == (4 if name == "shift" else 3)
        assert stats.chisquare(list(counts.values())).pvalue > 0.01


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_same_seed_proposes_the_same_trials_and_another_one_others(sampler: str, some_run: Run) -> None:
    once, again, other = (searched(spec(sampler=sampler, seed=seed), 16, some_run) for seed in (0, 0, 1))
    assert once == again
    assert once != other


def test_tpe_searches_where_trials_were_good(some_run: Run) -> None:
    """Within half a decade of the best learning rate lies a fifth of the range, and so a fifth of random proposals."""

    def near(sampler: str) -> int:
        configs = [config for seed in range(3) for config in searched(spec(wide, sampler=sampler, seed=seed), 40, some_run)[20:]]
        return sum(abs(math.log10(config.learning_rate) + 2) < 0.5 for config in configs)

    wide = {"learning_rate": "1e-5..1:log"}
    assert near("tpe") >= 24
    assert near("random") <= 20


def test_tpe_keeps_away_from_where_trials_diverged(some_run: Run) -> None:
    configs = [BASE.model_copy(update={"learning_rate": 10 ** (-5 + 5 * place / 19)}) for place in range(20)]
    trials = [
        trial(place, config, some_run, [], Status.DIVERGED) if config.learning_rate > 1e-3 else trial(place, config, some_run, [0.8])
        for place, config in enumerate(configs, 1)
    ]
    proposed = [proposals.propose(spec({"learning_rate": "1e-5..1:log"}, sampler="tpe", seed=seed), 21, trials) for seed in range(10)]
    assert sum(config is not None and config.learning_rate < 3e-3 for config in proposed) >= 8


def test_the_first_trial_is_where_the_search_starts_from_if_it_lies_in_the_space() -> None:
    assert proposals.propose(spec(), 1, []) == BASE
    assert proposals.propose(spec({"batch_size": "32,128"}), 1, []) != BASE


def test_fields_that_contradict_each_other_are_not_proposed() -> None:
    found = spec({"schedule": "constant,one-cycle", "warmup": "0..0.4", "clean_epochs": "0..2"})
    assert all(proposals.propose(found, number, []) for number in range(1, 50))


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"clean_epochs": "20..30"}, "No config of this search is allowed. 2. clean epochs at the end do not fit"),
        ({"batch_size": "64,512"}, "Batch size 512 would never be tried. Of 600 images"),
        ({"schedule": "constant,one-cycle"}, "Schedule one-cycle would never be tried. One-cycle first raises"),
    ],
)
def test_a_search_of_which_a_part_would_never_be_tried_is_refused(plain_store: Store, space: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        sweeping.begin(plain_store, spec(space), device="cpu")
    assert Sweeps(plain_store).all() == []


def test_without_optuna_tpe_is_refused_in_a_sentence_and_random_works(plain_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-sweep.txt. Or search at random"):
        sweeping.begin(plain_store, spec(sampler="tpe"), device="cpu")
    sweep = sweeping.begin(plain_store, spec(trials=2), device="cpu")
    assert run_to_the_end(plain_store, sweep, lambda config: [0.5]).proposed == 2


def test_a_small_grid_is_tried_once_each_and_then_the_sweep_is_finished(plain_store: Store) -> None:
    sweep = sweeping.begin(plain_store, spec({"flip": "false,true", "optimizer": "adam,sgd"}), device="cpu")
    sweep = run_to_the_end(plain_store, sweep, lambda config: [0.5])
    assert (sweep.proposed, sweep.message) == (4, "Every config of the space was tried.")
    tried = {(run.config.flip, run.config.optimizer) for run in plain_store.runs() if run.config}
    assert len(tried) == 4


# ---- halving ---------------------------------------------------------------------------------------------------------------------------


def test_the_rungs_are_a_third_a_ninth_and_so_on_of_the_epochs() -> None:
    assert [halving.rungs(epochs) for epochs in (1, 2, 3, 10, 27, 30)] == [[], [], [1], [1, 3], [1, 3, 9], [1, 3, 10]]


def test_the_best_third_goes_on() -> None:
    """By hand: with 5 others the trial is one of 6, of whom 2 go on, so it has to beat or equal the second best of the others."""
    assert halving.cutoff([0.5, 0.9, 0.7, 0.8, 0.6]) == 0.8
    assert halving.cutoff([0.5, 0.9]) == 0.9
    assert halving.cutoff([0.9]) is None
    assert halving.cutoff([]) is None
    assert halving.cutoff([0.7] * 8) == 0.7  # equals go on


def test_the_expected_share_is_whole_without_rungs_and_falls_towards_its_limit() -> None:
    """By hand for 9 epochs and many trials: 1 epoch for all, 2 more for a third, 6 more for a ninth = 2.33 of 9."""
    assert halving.expected_share(2, 10) == 1.0
    shares = [halving.expected_share(9, trials) for trials in (2, 5, 20, 200)]
    assert all(more > less for more, less in pairwise(shares))
    assert shares[-1] == pytest.approx(7 / 27, abs=0.03)


def run_to_the_end(store: Store, sweep: Sweep, figures: object) -> Sweep:
    """Train a sweep as a worker would, with accuracies that a function gives for a config."""
    while sweep.status == SweepStatus.RUNNING:
        sweep = sweeping.advance(store, sweep)
        if sweeping.under_way(Sweeps(store).trials(sweep.id)):
            train_next(store, figures)
    return sweep


def train_next(store: Store, figures: object) -> Run:
    """The next run of the queue, as fmnist.runner writes it down."""
    run = store.claim("cpu", NOBODY)
    assert run
    assert run.config
    for number, accuracy in enumerate(figures(run.config), 1):  # type: ignore[operator]
        told = epoch(number, accuracy)
        why = sweeping.verdict(store, run, told)
        store.commit(run.id, Checkpoint(8 * number, number, "w", "a" * 64, None, None), told, verdict=why)
        if why:
            store.end(run.id, Status.STOPPED, why)
            return store.get(run.id)
    store.end(run.id, Status.FINISHED, accuracy=0.1, loss=9.0)
    return store.get(run.id)


def test_a_trial_that_is_not_among_the_best_third_at_a_rung_is_stopped_with_a_sentence(store: Store) -> None:
    """By hand, 9 epochs, rungs after 1 and 3, the same accuracy throughout: 0.5 and 0.6 go on (too few to tell), 0.7 leads, 0.6 is not
    the best of 4, 0.8 leads, 0.75 is the second of 6 of whom 2 go on, at the second rung it is the second of 5 of whom 1 goes on."""
    sweep = sweeping.begin(store, spec({"learning_rate": "1e-4..1e-1:log"}, trials=6), device="cpu")
    ends = iter([0.5, 0.6, 0.7, 0.6, 0.8, 0.75])
    run_to_the_end(store, sweep, lambda config: [next(ends)] * 9)
    trials = Sweeps(store).trials(sweep.id)
    assert [len(each.epochs) for each in trials] == [9, 9, 9, 1, 9, 3]
    assert [each.run.status for each in trials] == [*[Status.FINISHED] * 3, Status.STOPPED, Status.FINISHED, Status.STOPPED]
    said = trials[3].run.message
    assert said == "Stopped early by its sweep: 60.00% of the validation images after epoch 1, where the best third has at least 70.00%."
    winner = best(trials)
    assert winner
    assert winner.number == 5


def test_without_halving_every_trial_is_trained_to_its_end(plain_store: Store) -> None:
    sweep = sweeping.begin(plain_store, spec(trials=5, halving=False), device="cpu")
    ends = iter([0.9, 0.8, 0.7, 0.6, 0.5])
    run_to_the_end(plain_store, sweep, lambda config: [next(ends)] * 9)
    assert [len(each.epochs) for each in Sweeps(plain_store).trials(sweep.id)] == [9] * 5


def test_a_trial_killed_between_its_verdict_and_its_end_is_stopped_all_the_same(store: Store) -> None:
    sweep = sweeping.begin(store, spec(trials=4), device="cpu")
    for accuracy in (0.9, 0.9, 0.9):
        sweep = sweeping.advance(store, sweep)
        train_next(store, lambda config, accuracy=accuracy: [accuracy] * 9)
    sweeping.advance(store, sweep)
    run = store.claim("cpu", NOBODY)
    assert run
    why = sweeping.verdict(store, run, epoch(1, 0.2))
    store.commit(run.id, Checkpoint(8, 1, "w", "a" * 64, None, None), epoch(1, 0.2), verdict=why)
    assert store.requeue_crashed(run.id, NOBODY) == Status.STOPPED
    assert store.get(run.id).message == why


# ---- the steps of a sweep --------------------------------------------------------------------------------------------------------------


def test_a_sweep_makes_one_trial_at_a_time_and_never_one_twice(store: Store) -> None:
    sweep = sweeping.begin(store, spec(trials=3), device="cpu", name="  Learning  rate ")
    for _ in range(3):
        sweep = sweeping.advance(store, sweep)
    assert [run.name for run in store.queue()] == ["Learning rate #1"]
    stale = Sweep(**{**vars(sweep), "proposed": 0})  # another driver, which read the sweep before the first trial was counted
    train_next(store, lambda config: [0.5] * 9)
    sweeping.advance(store, stale)
    assert len(store.runs()) == 1
    assert sweeping.advance(store, Sweeps(store).get(sweep.id)).proposed == 2


def test_one_click_makes_one_sweep(store: Store) -> None:
    made = [sweeping.begin(store, spec(), device="cpu", token="click") for _ in range(2)]
    assert made[0] == made[1]
    assert len(Sweeps(store).all()) == 1


def test_the_budget_in_minutes_counts_training_time(plain_store: Store) -> None:
    """Each trial of 9 epochs takes 9 seconds, so the third one uses up 0.4 minutes."""
    sweep = sweeping.begin(plain_store, spec(trials=None, minutes=0.4), device="cpu")
    sweep = run_to_the_end(plain_store, sweep, lambda config: [0.5] * 9)
    assert sweep.proposed == 3


def test_deleted_and_cancelled_trials_count_as_used(plain_store: Store) -> None:
    sweep = sweeping.begin(plain_store, spec(trials=3), device="cpu")
    sweep = sweeping.advance(plain_store, sweep)
    plain_store.delete(plain_store.runs()[0].id)
    sweep = sweeping.advance(plain_store, sweep)
    plain_store.ask(plain_store.runs()[0].id, Request.CANCEL)
    sweep = run_to_the_end(plain_store, sweep, lambda config: [0.5] * 9)
    assert sweep.proposed == 3
    assert [each.number for each in Sweeps(plain_store).trials(sweep.id)] == [2, 3]


def test_a_paused_sweep_proposes_nothing_and_goes_on_with_the_trial_that_it_paused(store: Store) -> None:
    sweep = sweeping.begin(store, spec(trials=2), device="cpu")
    sweep = sweeping.advance(store, sweep)
    sweep = sweeping.pause(store, sweep)
    assert [run.status for run in store.runs()] == [Status.PAUSED]
    sweeping.advance_all(store)
    assert len(store.runs()) == 1
    sweep = sweeping.resume(store, sweep)
    assert [run.status for run in store.runs()] == [Status.QUEUED]
    sweep = run_to_the_end(store, sweep, lambda config: [0.5] * 9)
    assert sweep.proposed == 2
    with pytest.raises(StoreError, match="is finished"):
        sweeping.resume(store, sweep)


def test_three_failed_trials_in_a_row_make_a_sweep_wait_for_a_person(plain_store: Store) -> None:
    sweep = sweeping.begin(plain_store, spec(trials=10), device="cpu")

    def fail() -> Sweep:
        now = sweeping.advance(plain_store, Sweeps(plain_store).get(sweep.id))
        if run := plain_store.claim("cpu", NOBODY):
            plain_store.end(run.id, Status.FAILED, "The images are gone.")
        return now

    ended = [fail() for _ in range(4)][-1]
    assert (ended.status, ended.message) == (SweepStatus.PAUSED, "The last 3 trials failed. The images are gone.")
    sweeping.resume(plain_store, ended)
    assert [fail().status for _ in range(4)][-2:] == [SweepStatus.RUNNING, SweepStatus.PAUSED]


def test_the_best_trial_is_chosen_by_validation_and_never_by_test(plain_store: Store, some_run: Run) -> None:
    good = Run(**{**vars(some_run), "accuracy": 0.5, "status": Status.FINISHED})
    other = Run(**{**vars(some_run), "accuracy": 0.99, "status": Status.FINISHED})
    stopped = Run(**{**vars(some_run), "status": Status.STOPPED})
    trials = [
        Trial(1, other, (epoch(1, 0.8),)),
        Trial(2, good, (epoch(1, 0.9, loss=0.3),)),
        Trial(3, other, (epoch(1, 0.9, loss=0.4),)),
        Trial(4, stopped, (epoch(1, 0.95),)),
    ]
    assert best(trials) is trials[1]
    assert best([]) is None


def test_a_sweep_is_found_by_its_number_and_its_id(store: Store) -> None:
    made = [sweeping.begin(store, spec(), device="cpu") for _ in range(2)]
    assert [each.name for each in made] == ["Sweep 1", "Sweep 2"]
    assert Sweeps(store).find("2") == made[1]
    assert Sweeps(store).find(made[0].id[:12]) == made[0]
    with pytest.raises(StoreError, match=r"There is no sweep 'nine'. The newest: 2 \(Sweep 2\), 1 \(Sweep 1\)"):
        Sweeps(store).find("nine")


def test_a_forgotten_sweep_leaves_its_trials_as_runs(store: Store) -> None:
    sweep = sweeping.begin(store, spec(), device="cpu")
    sweeping.advance(store, sweep)
    Sweeps(store).forget(sweep.id)
    run = train_next(store, lambda config: [0.1] * 9)
    assert run.status == Status.FINISHED
    assert Sweeps(store).all() == []


def test_a_sweep_that_cannot_be_read_is_left_alone_and_disturbs_no_other(store: Store) -> None:
    damaged, other = (sweeping.begin(store, spec(), device="cpu") for _ in range(2))
    for change in ({"spec": "{broken"}, {"spec": damaged.spec and damaged.spec.model_dump_json(), "status": "dreaming"}):
        Sweeps(store).change(damaged.id, **change)
        sweeping.advance_all(store)
        assert [(each.name, each.spec is None) for each in Sweeps(store).all()] == [("Sweep 2", False), ("Sweep 1", True)]
        with pytest.raises(StoreError, match="cannot be read"):
            sweeping.resume(store, Sweeps(store).get(damaged.id))
    assert [run.sweep for run in store.runs()] == [other.id]


# ---- importance ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("judge", [importance.by_optuna, importance.by_rank])
def test_the_field_that_decides_is_the_important_one(judge: importance.Judge, some_run: Run) -> None:
    found = spec({"learning_rate": "1e-4..1e-1:log", "momentum": "0.1..0.9", "batch_size": "32,64,128"})
    configs = [config for number in range(1, 41) if (config := proposals.propose(found, number, []))]
    for name, domain in found.space.items():
        assert domain
        scale = {"learning_rate": lambda value: math.log10(value) / 10}.get(name, lambda value: value / 1000)
        trials = [trial(k, config, some_run, [0.5 + scale(getattr(config, name))]) for k, config in enumerate(configs, 1)]
        shares = judge(found, trials)
        assert max(shares, key=lambda each: shares[each]) == name
        assert all(0 <= share <= 1.0001 for share in shares.values())


def test_no_importance_is_told_from_a_handful_of_trials(some_run: Run) -> None:
    trials = [trial(number, BASE, some_run, [0.5]) for number in range(importance.FEWEST - 1)]
    assert importance.of_fields(spec(), trials) is None
