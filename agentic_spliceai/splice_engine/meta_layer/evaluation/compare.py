"""Base model and model, measured on the same rows and the same draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from agentic_spliceai.splice_engine.meta_layer.evaluation import measures as m
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap, draw, interval, paired
from agentic_spliceai.splice_engine.meta_layer.evaluation.figures import (
    Figures,
    RankingFigures,
    Rows,
    SpearmanFigures,
    calibration_figures,
    call_figures,
    mean_figures,
    pearson_figures,
)
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import Floats, Marks, Value
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import ComparisonRow, Difference, Estimate

BASE: Final = "base"

Who = int | Literal["base"] | None
"""Whose scores: the base model's, or those of a training seed, None where no seed is known."""

_LOWER_IS_BETTER = ("brier", "ece", "mse", "mae", "false_positive_rate", "distance")
_NO_PROBABILITIES = "scores are no probabilities"


@dataclass(frozen=True, eq=False)
class Measured:
    """Some measures of one model on some rows: their values, and how they are drawn again."""

    points: dict[str, Value] = field(default_factory=dict)
    figures: tuple[Figures, ...] = ()

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.points | other.points, self.figures + other.figures)


@dataclass(frozen=True, eq=False)
class Panel:
    """Measures of some rows, for whichever model's scores.

    Attributes
    ----------
    of, subset
        Class or output, and which rows.
    rows
        Group and weight of these rows.
    truth : bool [N]
        True rows; None where the measures are not about true and false.
    measure
        From the scores of all rows, and whose they are, to the measures.
    """

    of: str
    subset: str
    rows: Rows
    truth: Marks | None
    measure: Callable[[Floats, Who], Measured]

    @property
    def case(self) -> _Case:
        """Number of rows and groups, and of true rows with their weighted share."""
        counts, truth = self.rows.counts, self.truth
        n, groups = len(counts), self.rows.present
        if truth is None:
            return _Case(n, None, None, groups)
        share = float(counts[truth].sum() / counts.sum()) if counts.sum() > 0 else None
        return _Case(n, int(truth.sum()), share, groups)


def ranking(truth: Marks, scores: Floats, rows: Rows, at: Sequence[int] = ()) -> Measured:
    """Measure the ranking: top-k accuracy, average precision, area under the ROC curve."""
    points = {
        "top_k": m.top_k_accuracy(truth, scores, None, rows.weights),
        "pr_auc": m.pr_auc(truth, scores, rows.weights),
        "roc_auc": m.roc_auc(truth, scores, rows.weights),
    } | {f"top_{k}": m.top_k_accuracy(truth, scores, k, rows.weights) for k in at}
    return Measured(points, (RankingFigures.of(truth, scores, rows, at),))


def rates(truth: Marks, scores: Floats, threshold: float, rows: Rows, suffix: str = "") -> Measured:
    """Measure detection rate and false positive rate at a threshold."""
    points = {
        f"detection_rate{suffix}": m.detection_rate(truth, scores, threshold, rows.weights),
        f"false_positive_rate{suffix}": m.false_positive_rate(truth, scores, threshold, rows.weights),
    }
    return Measured(points, (call_figures(truth, scores, threshold, rows, suffix),))


def calls(truth: Marks, scores: Floats, threshold: float, rows: Rows) -> Measured:
    """Measure F1 and precision at a threshold too."""
    points = {
        "f1": m.f1_at(truth, scores, threshold, rows.weights),
        "precision": m.precision_at(truth, scores, threshold, rows.weights),
    }
    return Measured(points) + rates(truth, scores, threshold, rows)


def calibration(truth: Marks, scores: Floats, rows: Rows) -> Measured:
    """Measure calibration, where scores are within 0 and 1."""
    if not is_probability(scores):
        return Measured({name: Value(None, _NO_PROBABILITIES) for name in ("brier", "ece")})
    points = {
        "brier": m.brier(truth, scores, rows.weights),
        "ece": m.calibration_error(truth, scores, rows.weights),
    }
    squares = {"brier": (scores - truth) ** 2}
    return Measured(points, (mean_figures(squares, rows), calibration_figures(truth, scores, rows)))


def correlations(target: Floats, predicted: Floats, rows: Rows, *, unsigned: bool) -> Measured:
    """Measure Pearson's and Spearman's correlation."""
    end = "_unsigned" if unsigned else ""
    x, y = (np.abs(target), np.abs(predicted)) if unsigned else (target, predicted)
    points = {
        f"pearson{end}": m.pearson(target, predicted, rows.weights, unsigned=unsigned),
        f"spearman{end}": m.spearman(target, predicted, rows.weights, unsigned=unsigned),
    }
    return Measured(
        points, (pearson_figures(x, y, rows, f"pearson{end}"), SpearmanFigures.of(x, y, rows, f"spearman{end}"))
    )


def errors(target: Floats, predicted: Floats, rows: Rows) -> Measured:
    """Measure squared and absolute error."""
    points = {
        "mse": m.mean_squared_error(target, predicted, rows.weights),
        "mae": m.mean_absolute_error(target, predicted, rows.weights),
    }
    gap = predicted - target
    return Measured(points, (mean_figures({"mse": gap**2, "mae": np.abs(gap)}, rows),))


def is_probability(scores: Floats) -> bool:
    """Whether all are within 0 and 1."""
    return bool(len(scores) and scores.min() >= 0 and scores.max() <= 1)


def compare(
    panels: Sequence[Panel],
    base: Floats,
    model: Mapping[int | None, Floats],
    plan: Bootstrap,
    means: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[ComparisonRow, ...]:
    """Measure base model and model on every panel.

    Parameters
    ----------
    panels
        What is measured.
    base
        The base model's scores.
    model
        The model's scores by seed. Its figure is the mean over seeds; in each draw of groups the seeds are
        drawn with replacement too, so that the interval holds both uncertainties.
    plan
        Number of draws, and seed.
    means
        Further values of `of`, each the plain mean of what is measured of others: `{"site": ("donor", "acceptor")}`.
    """
    found = [
        [panel.measure(base, BASE), *(panel.measure(scores, seed) for seed, scores in model.items())]
        for panel in panels
    ]
    families = {f"{i}:{j}": measured.figures for i, row in enumerate(found) for j, measured in enumerate(row)}
    draws = draw(families, panels[0].rows.groups, plan, max(len(panel.rows.group) for panel in panels))
    shares = _draw_seeds(len(model), plan)
    nothing = np.full(plan.draws, np.nan)
    cells: dict[tuple[str, str, str], _Cell] = {}
    for i, (panel, row) in enumerate(zip(panels, found, strict=True)):
        for name, value in row[0].points.items():
            own, *others = (draws.get(f"{i}:{j}/{name}", nothing) for j in range(len(row)))
            drawn, gaps = _over_seeds(np.stack(others), shares), _over_seeds(np.stack(others) - own, shares)
            cells[panel.of, panel.subset, name] = _Cell(
                panel.case, value, tuple(x.points[name] for x in row[1:]), own, drawn, gaps
            )
    for of, parts in (means or {}).items():
        for part, subset, name in [key for key in cells if key[0] == parts[0]]:
            members = [cells[key] for key in ((part, subset, name) for part in parts) if key in cells]
            if len(members) == len(parts):
                cells[of, subset, name] = _mean_cell(members, parts)
    return tuple(_compared(name, of, subset, cell) for (of, subset, name), cell in cells.items())


@dataclass(frozen=True)
class _Case:
    """What a figure rests on."""

    n: int
    positives: int | None
    prevalence: float | None
    groups: int


@dataclass(frozen=True, eq=False)
class _Cell:
    """A measure: value of the base model and of each seed; draws of the base model, the model, and the difference."""

    case: _Case
    base: Value
    model: tuple[Value, ...]
    base_draws: Floats
    model_draws: Floats
    gap_draws: Floats


def _draw_seeds(seeds: int, plan: Bootstrap) -> Floats:
    """Return the share of each seed in each draw, [seeds, draws]."""
    rng = np.random.default_rng([plan.seed, 1])
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=plan.draws).T / seeds


def _over_seeds(draws: Floats, shares: Floats) -> Floats:
    return np.asarray(np.where(shares > 0, draws * shares, 0.0).sum(axis=0))


def _mean_cell(members: Sequence[_Cell], parts: Sequence[str]) -> _Cell:
    cases = [cell.case for cell in members]
    positives, prevalence = ([getattr(case, name) for case in cases] for name in ("positives", "prevalence"))
    case = _Case(
        cases[0].n,
        None if None in positives else sum(positives),
        None if None in prevalence else min(1.0, sum(prevalence)),
        cases[0].groups,
    )
    base_draws, model_draws, gap_draws = (
        np.mean([getattr(cell, name) for cell in members], axis=0)
        for name in ("base_draws", "model_draws", "gap_draws")
    )
    return _Cell(
        case,
        _mean_value([cell.base for cell in members], parts),
        tuple(_mean_value(seed, parts) for seed in zip(*(cell.model for cell in members), strict=True)),
        base_draws,
        model_draws,
        gap_draws,
    )


def _mean_value(values: Sequence[Value], parts: Sequence[str]) -> Value:
    for value, part in zip(values, parts, strict=True):
        if value.value is None:
            return Value(None, f"{part}: {value.reason}")
    return Value(float(np.mean([value.value for value in values])))


def _compared(name: str, of: str, subset: str, cell: _Cell) -> ComparisonRow:
    upward = not name.startswith(_LOWER_IS_BETTER)
    base = _estimate([cell.base], cell.base_draws, cell.case)
    model = _estimate(cell.model, cell.model_draws, cell.case)
    if base.value is None or model.value is None:
        gap = Value(None, base.reason if base.value is None else model.reason)
        estimate = _estimate([gap], cell.gap_draws, cell.case)
    else:
        # The mean of differences, not the difference of means: equal models differ by exactly 0.
        gaps = [Value(seed.value - base.value) for seed in cell.model if seed.value is not None]
        estimate = _estimate(gaps, cell.gap_draws, cell.case)
    test = None if estimate.low is None else paired(cell.gap_draws, higher_is_better=upward)
    tested = {} if test is None else {"better": test.better, "p": test.p}
    return ComparisonRow(
        measure=name,
        of=of,
        subset=subset,
        higher_is_better=upward,
        prevalence=cell.case.prevalence,
        base=base,
        model=model,
        difference=Difference(**estimate.model_dump(), **tested),
    )


def _estimate(values: Sequence[Value], draws: Floats, case: _Case) -> Estimate:
    rests_on = {"n": case.n, "positives": case.positives, "groups": case.groups}
    missing = next((value.reason for value in values if value.value is None), None)
    if missing:
        return Estimate(value=None, reason=missing, **rests_on)
    numbers = np.array([value.value for value in values], dtype=np.float64)
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    bounds = interval(draws) if case.groups > 1 else None
    if bounds is None:
        reason = "one group only: no interval" if case.groups < 2 else "most draws do not define it: no interval"
        return Estimate(value=float(numbers.mean()), sd=sd, reason=reason, **rests_on)
    return Estimate(value=float(numbers.mean()), low=bounds[0], high=bounds[1], sd=sd, **rests_on)
