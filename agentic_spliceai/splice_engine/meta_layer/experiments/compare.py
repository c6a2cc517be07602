"""Experiments compared on the rows that they share, with intervals and the noise of their seeds, and a decision.

The rule, also in every comparison as `rule`. The *difference* is the measure of an arm, the mean over its seeds, minus
that of what it is compared with, turned so that positive is better. Its 95 % interval is a paired bootstrap: whole
groups of test rows are drawn with replacement, the same for both, and seeds of either are drawn too. Drawing n seeds
again understates what seeds do: its variance is (n - 1) / n of the seeds', and few seeds tell their spread poorly. So
what a draw of seeds adds to the mean is stretched by sqrt(n / (n - 1)) and by the ratio of the t quantile with n - 1
degrees of freedom to the normal one; with two seeds an interval is therefore wide. The *noise floor* is what seeds
alone do: the largest, over the trained arms of the two, of the standard deviation of the measure over seeds and of the
mean absolute difference between two seeds on the same rows.

- keep: the interval lies above 0, and the difference exceeds the noise floor;
- discard: the interval lies below 0, or the whole of it below the noise floor;
- undecided: anything else, also where the noise is not known, for a trained arm has one seed, or there is no interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.evaluation import compare as c
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap, draw, interval, paired
from agentic_spliceai.splice_engine.meta_layer.evaluation.checks import check_rows
from agentic_spliceai.splice_engine.meta_layer.evaluation.figures import Rows
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import Floats, Value
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import (
    ComparedArm,
    Comparison,
    Contrast,
    Decision,
    Pair,
    SeedNoise,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import IncomparableError
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import PartScores
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult
from agentic_spliceai.splice_engine.meta_layer.experiments.run import SCORES_FILE
from agentic_spliceai.splice_engine.meta_layer.experiments.scores import load_scores
from agentic_spliceai.splice_engine.resources import sha256_of

TRIAGE_MEASURES = ("pr_auc", "roc_auc", "top_k", "brier", "ece")
DELTA_MEASURES = ("pearson", "spearman", "pearson_unsigned", "spearman_unsigned", "mse", "mae")
LOWER_IS_BETTER = ("brier", "ece", "mse", "mae")

BASE_MODEL = "base model"


def compare_results(
    results: Mapping[str, ExperimentResult],
    scores: Mapping[str, Path | PartScores],
    metric: str = "pr_auc",
    baseline: str | None = None,
    *,
    part: str = "test",
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare experiments.

    Parameters
    ----------
    results
        By label.
    scores
        `scores.npz` of each, or what was read from it.
    metric
        For triage one of `TRIAGE_MEASURES` or top_K; for delta one of `DELTA_MEASURES`.
    baseline
        Label of the arm that the others are compared with; None for the base model's own score.
    part
        `test` or `validation`.
    draws, seed
        Of the bootstrap.

    Raises
    ------
    IncomparableError
        If the results are of other data, another evaluator, or other rows, or scores are not those of their result.
    SettingError
        If metric or baseline are unknown.
    TrainingDataError
        If scores cannot be read.

    Notes
    -----
    The rule of the decision is in the module's description.
    """
    if not results or set(results) != set(scores):
        raise IncomparableError("each result needs its scores.", "Give results and scores by the same labels.")
    if baseline is not None and baseline not in results:
        raise SettingError(f"the baseline {baseline!r} is none of the arms.", f"Arms: {', '.join(results)}.")
    tables = {label: _table(label, results[label], scores[label], part) for label in results}
    first = next(iter(results))
    for label in results:
        _check_same(first, label, results, tables, part)
    rows = check_rows(tables[first].group, None, len(tables[first].truth))
    plan = Bootstrap(draws=draws, seed=seed)
    measured = _measure(tables, rows, metric, plan)
    triage = _is_triage(tables[first])
    return Comparison(
        metric=metric,
        higher_is_better=metric not in LOWER_IS_BETTER,
        part=part,
        baseline=baseline,
        arms=tuple(_arm(label, measured, metric, baseline, rows) for label in results),
        pairs=_pairs(tuple(results), measured, metric, rows) if baseline is None else (),
        n=len(tables[first].truth),
        positives=int(tables[first].truth.sum()) if triage else None,
        groups=rows.present,
        draws=draws,
        evaluator_digest=results[first].evaluator_digest,
        data_digest=_data_digest(results[first], part),
    )


def seed_noise(by_seed: Mapping[int, float]) -> SeedNoise | None:
    """Return what seeds alone do to a measure; None with fewer than two."""
    values = list(by_seed.values())
    if len(values) < 2:
        return None
    gaps = [abs(a - b) for a, b in combinations(values, 2)]
    return SeedNoise(
        sd=float(np.std(values, ddof=1)), mean_gap=float(np.mean(gaps)), largest_gap=max(gaps), seeds=len(values)
    )


def decide(difference: float, low: float, high: float, floor: float | None, *, higher_is_better: bool) -> Decision:
    """Return the decision by the module's rule; numbers as measured, so for errors negative is better."""
    if not higher_is_better:
        difference, low, high = -difference, -high, -low
    if floor is None:
        return Decision.UNDECIDED
    if high < 0:
        return Decision.DISCARD
    if low > 0 and difference > floor:
        return Decision.KEEP
    return Decision.DISCARD if high < floor else Decision.UNDECIDED


@dataclass(frozen=True, eq=False)
class _Measured:
    """A measure of one arm or base model: value and draws by seed; the base model's seed is None."""

    values: Mapping[int | None, Value]
    draws: Floats
    """Mean over seeds, seeds drawn with replacement, [draws]."""

    @property
    def value(self) -> float | None:
        numbers = [value.value for value in self.values.values()]
        if any(number is None for number in numbers):
            return None
        return float(np.mean([number for number in numbers if number is not None]))

    @property
    def by_seed(self) -> dict[int, float]:
        return {
            seed: value.value for seed, value in self.values.items() if seed is not None and value.value is not None
        }

    @property
    def reason(self) -> str | None:
        return next((value.reason for value in self.values.values() if value.value is None), None)


def _table(label: str, result: ExperimentResult, scores: Path | PartScores, part: str) -> PartScores:
    if isinstance(scores, PartScores):
        return scores
    expected = next((file.sha256 for file in result.files if file.kind == "scores"), None)
    if scores.is_file() and expected is not None and sha256_of(scores) != expected:
        raise IncomparableError(
            f"{label}: {scores.name} is not the file that its result names.", f"Fetch {SCORES_FILE} of this run again."
        )
    return load_scores(scores, part)


def _check_same(
    first: str, label: str, results: Mapping[str, ExperimentResult], tables: Mapping[str, PartScores], part: str
) -> None:
    if results[label].evaluator_digest != results[first].evaluator_digest:
        raise IncomparableError(
            f"{first} and {label} were measured by different evaluators.", "Run the older one again with this version."
        )
    if _data_digest(results[label], part) != _data_digest(results[first], part):
        raise IncomparableError(
            f"{first} and {label} were measured on different variants of {part}.",
            "Give them the same data set, split and max_variants.",
        )
    one, other = tables[first], tables[label]
    for name in ("id", "group", "truth"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            raise IncomparableError(
                f"the rows of {first} and {label} differ in {name}.",
                "Give them the same task, data set, split and max_variants.",
            )


def _data_digest(result: ExperimentResult, part: str) -> str:
    for use in result.datasets:
        if use.role == part:
            return use.digest
    raise IncomparableError(f"{result.name} names no {part} data.", "Run the experiment again.")


def _is_triage(table: PartScores) -> bool:
    return bool(np.isin(table.truth, (0.0, 1.0)).all())


def _measure(
    tables: Mapping[str, PartScores], rows: Rows, metric: str, plan: Bootstrap
) -> dict[tuple[str, str], _Measured]:
    """Measure every arm and its base model, by (label, `model` or `base`), on the same draws."""
    found: dict[tuple[str, str, int | None], c.Measured] = {}
    for label, table in tables.items():
        found[label, "base", None] = _measures(table, table.base, rows, metric)
        for seed, scores in table.model.items():
            found[label, "model", seed] = _measures(table, scores, rows, metric)
    families = {str(number): one.figures for number, one in enumerate(found.values())}
    drawn = draw(families, rows.groups, plan, len(rows.group))
    nothing = np.full(plan.draws, np.nan)
    by_key = {key: drawn.get(f"{number}/{metric}", nothing) for number, key in enumerate(found)}
    measured = {}
    for position, label in enumerate(tables):
        for who in ("base", "model"):
            keys = [key for key in found if key[:2] == (label, who)]
            stacked = np.stack([by_key[key] for key in keys])
            values = {key[2]: found[key].points[metric] for key in keys}
            measured[label, who] = _Measured(values, _over_seeds(stacked, plan, position))
    return measured


def _measures(table: PartScores, scores: Floats, rows: Rows, metric: str) -> c.Measured:
    if _is_triage(table):
        truth = table.truth > 0.5
        at = (int(metric.removeprefix("top_")),) if metric.removeprefix("top_").isdigit() else ()
        found = c.ranking(truth, scores, rows, at) + c.calibration(truth, scores, rows)
    else:
        found = c.correlations(table.truth, scores, rows, unsigned=False)
        found += c.correlations(table.truth, scores, rows, unsigned=True) + c.errors(table.truth, scores, rows)
    if metric not in found.points:
        known = (*TRIAGE_MEASURES, "top_K") if _is_triage(table) else DELTA_MEASURES
        raise SettingError(f"experiments of this task have no measure {metric!r}.", f"Known: {', '.join(known)}.")
    return c.Measured({metric: found.points[metric]}, tuple(f for f in found.figures if metric in f.names))


def _over_seeds(draws: Floats, plan: Bootstrap, position: int) -> Floats:
    """Return the mean over seeds in each draw, the seeds drawn with replacement too; see the module's description."""
    seeds = len(draws)
    mean = np.asarray(draws.mean(axis=0))
    if seeds == 1:
        return mean
    rng = np.random.default_rng([plan.seed, 1, position])
    shares = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=plan.draws).T / seeds
    drawn = np.where(shares > 0, draws * shares, 0.0).sum(axis=0)
    return np.asarray(mean + _stretch(seeds) * (drawn - mean))


def _stretch(seeds: int) -> float:
    """Return by how much the spread of drawn seeds falls short of a t interval of their mean."""
    from scipy.stats import norm, t

    return float(np.sqrt(seeds / (seeds - 1)) * t.ppf(0.975, seeds - 1) / norm.ppf(0.975))


def _arm(
    label: str, measured: Mapping[tuple[str, str], _Measured], metric: str, baseline: str | None, rows: Rows
) -> ComparedArm:
    own = measured[label, "model"]
    bounds = interval(own.draws) if rows.present > 1 and own.value is not None else None
    base = _contrast(label, own, BASE_MODEL, measured[label, "base"], metric, rows)
    if baseline is None:
        against: Contrast | None = base
    elif baseline == label:
        against = None
    else:
        against = _contrast(label, own, baseline, measured[baseline, "model"], metric, rows)
    return ComparedArm(
        label=label,
        value=own.value,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        by_seed=own.by_seed,
        noise=seed_noise(own.by_seed),
        against_baseline=against,
        against_base_model=base,
        reason=own.reason,
    )


def _pairs(
    labels: tuple[str, ...], measured: Mapping[tuple[str, str], _Measured], metric: str, rows: Rows
) -> tuple[Pair, ...]:
    """Compare every two arms, the better one first."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found = []
    for one, other in combinations(labels, 2):
        first, second = measured[one, "model"].value, measured[other, "model"].value
        if first is None or second is None:
            continue  # the arm itself says why it has no value
        better, worse = (one, other) if sign * first >= sign * second else (other, one)
        contrast = _contrast(better, measured[better, "model"], worse, measured[worse, "model"], metric, rows)
        found.append(Pair(label=better, contrast=contrast))
    return tuple(found)


def _contrast(label: str, own: _Measured, name: str, other: _Measured, metric: str, rows: Rows) -> Contrast:
    if own.value is None or other.value is None:
        why = own.reason if own.value is None else other.reason
        who = label if own.value is None else name
        return Contrast(
            other=name,
            other_value=other.value,
            difference=None,
            decision=Decision.UNDECIDED,
            reason=f"{metric} of {who} cannot be measured: {why}",
        )
    upward = metric not in LOWER_IS_BETTER
    floor = _floor(own, other)
    difference = own.value - other.value
    test = paired(own.draws - other.draws, higher_is_better=upward) if rows.present > 1 else None
    if test is None:
        return Contrast(
            other=name,
            other_value=other.value,
            difference=difference,
            noise_floor=floor,
            decision=Decision.UNDECIDED,
            reason=f"{metric} differs by {difference:+.4f}, without an interval: too few groups",
        )
    decision = decide(difference, test.low, test.high, floor, higher_is_better=upward)
    return Contrast(
        other=name,
        other_value=other.value,
        difference=difference,
        low=test.low,
        high=test.high,
        p=test.p,
        better=test.better,
        noise_floor=floor,
        decision=decision,
        reason=_reason(metric, label, own.value, name, other.value, test.low, test.high, floor, decision, upward),
    )


def _floor(*sides: _Measured) -> float | None:
    """Return what seeds alone do, the larger of the trained sides; None where one of them has a single seed."""
    noises = [seed_noise(side.by_seed) for side in sides if side.by_seed]  # a base model has no seed
    if any(noise is None for noise in noises):
        return None
    return max((noise.floor for noise in noises if noise is not None), default=None)


def _reason(
    metric: str, label: str, value: float, name: str, other: float, low: float, high: float, floor: float | None,
    decision: Decision, upward: bool,
) -> str:  # fmt: skip
    noise = "one seed: what seeds alone do is not known" if floor is None else f"seeds alone do {floor:.4f}"
    gain_low, gain_high = (low, high) if upward else (-high, -low)
    why = {
        Decision.KEEP: "better, and by more than seeds alone do",
        Decision.DISCARD: "worse" if gain_high < 0 else "no gain beyond what seeds alone do",
        Decision.UNDECIDED: (
            "worse, but with one seed that may be chance"
            if gain_high < 0
            else "the interval holds 0"
            if gain_low <= 0
            else "better, but with one seed that may be chance"
            if floor is None
            else "better, but by less than seeds alone do"
        ),
    }[decision]
    conclusion = why if decision is Decision.UNDECIDED else f"{label} is {why}"
    return (
        f"{metric} {value:.4f} against {other:.4f} of {name}: {value - other:+.4f} ({low:+.4f} to {high:+.4f}); "
        f"{noise}; {conclusion}"
    )
