"""How much each searched field mattered for the validation accuracy of the trials of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fmnist import proposals
from fmnist.search_space import Range
from fmnist.sweep import Spec, Trial

FEWEST = 8  # trials below which any answer is chance
Judge = Callable[[Spec, Sequence[Trial]], Mapping[str, float]]


@dataclass(frozen=True)
class Importance:
    """The share of each field, 0-1, the largest first, and how it was found out."""

    shares: Mapping[str, float]
    method: str


def of_fields(spec: Spec, trials: Sequence[Trial]) -> Importance | None:
    """None while there are too few trials, or all are equally good. A stopped trial counts with the accuracy that it was stopped at."""
    judged = [trial for trial in trials if trial.accuracy is not None and trial.run.config is not None]
    if len(judged) < FEWEST or len({trial.accuracy for trial in judged}) == 1:
        return None
    by, method = (by_optuna, "fANOVA") if proposals.has_optuna() else (by_rank, "rank correlation")
    shares = by(spec, judged)
    return Importance(dict(sorted(shares.items(), key=lambda item: -item[1])), method)


def by_optuna(spec: Spec, trials: Sequence[Trial]) -> dict[str, float]:
    """The share of the variance that a forest of regression trees explains by each field; the shares add up to 1.

    Source: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance" (ICML 2014), as in Optuna.
    """
    import optuna

    study, ranges = optuna.create_study(direction="maximize"), proposals.distributions(spec)
    for trial in trials:
        values = {name: getattr(trial.run.config, name) for name in ranges}
        study.add_trial(optuna.trial.create_trial(params=values, distributions=ranges, value=trial.accuracy))
    return optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))


def by_rank(spec: Spec, trials: Sequence[Trial]) -> dict[str, float]:
    """How closely the accuracy follows each field by rank: Spearman's correlation for ranges, the correlation ratio for lists of values."""
    from scipy.stats import rankdata

    ranks = rankdata([trial.accuracy for trial in trials])
    found = {}
    for name, domain in spec.space.items():
        values = [getattr(trial.run.config, name) for trial in trials]
        found[name] = _correlation(values, ranks) if isinstance(domain, Range) else _correlation_ratio(values, ranks)
    return found


def _correlation(values: Sequence[float], ranks: Sequence[float]) -> float:
    """Spearman's: that of the ranks."""
    import numpy as np
    from scipy.stats import rankdata

    return abs(float(np.corrcoef(rankdata(values), ranks)[0, 1])) if len(set(values)) > 1 else 0.0


def _correlation_ratio(values: Sequence[object], ranks: Sequence[float]) -> float:
    """The square root of the share of the variance that lies between the groups of equal values."""
    import numpy as np

    every = np.asarray(ranks, dtype=float)
    groups = [every[[value == kind for value in values]] for kind in dict.fromkeys(values)]
    between = sum(len(group) * (group.mean() - every.mean()) ** 2 for group in groups)
    return float((between / ((every - every.mean()) ** 2).sum()) ** 0.5)
