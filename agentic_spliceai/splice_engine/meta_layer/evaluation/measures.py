"""Each measure as a pure function of arrays: scikit-learn's where it has the measure, weighted throughout.

Rows are examples; `weights` says how many positions of the genome (or variants) a row stands for, so that a sample with
known inclusion probabilities estimates the figure of all of them. A weight of 2 is the row given twice. A measure that
its data do not define is a `Value` without a number and with the reason, never a silent NaN.

Thresholds are arguments: nothing here looks for one on the data that it measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from agentic_spliceai.splice_engine.base_layer.training.metrics import (
    Ranking,
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]
Weights = Floats | None

EDGES = tuple(float(edge) for edge in np.linspace(0, 1, 16))
"""Edges of the bins of reliability curve and calibration error: 15 of equal width, torchmetrics' default."""


@dataclass(frozen=True)
class Value:
    """A figure, or why there is none."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a value has either a number or a reason")


def accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike, weights: Weights = None) -> Value:
    """Return the share of rows whose class is right."""
    labels = np.asarray(labels)
    return _nothing(labels, weights) or _number(metrics.accuracy_score(labels, predicted, sample_weight=weights))


def top_k_accuracy(truth: Marks, scores: Floats, k: int | None = None, weights: Weights = None) -> Value:
    """Return the share of true rows among the `k` with the highest score.

    Parameters
    ----------
    truth, scores : [N]
        Whether the row is a true one, and its score.
    k
        By default the number (sum of weights) of true rows, and the measure is SpliceAI's top-k accuracy (Jaganathan et
        al., Cell 2019). With a larger `k` it cannot reach 1. Rows tied at the k-th place count in proportion, so the
        order of rows does not matter. scikit-learn's measure of this name is another one.
    """
    missing = _nothing(truth, weights) or _one_class(truth, weights, need_false=False)
    if missing:
        return missing
    total = _sum(np.ones(len(truth)), weights)
    if k is not None and total < k:
        return Value(None, f"fewer than {k} rows ({total:g})")
    ranking = Ranking.of_rows(scores, truth, np.zeros(len(truth), dtype=np.int64), 1, weights)
    row = 0 if k is None else 3
    return _number(ranking.values(np.ones((1, 1)), () if k is None else (k,))[row, 0])


def pr_auc(truth: Marks, scores: Floats, weights: Weights = None) -> Value:
    """Return average precision, the area under the precision-recall curve without interpolation."""
    return (
        _nothing(truth, weights)
        or _one_class(truth, weights, need_false=False)
        or _number(metrics.average_precision_score(truth, scores, sample_weight=weights))
    )


def roc_auc(truth: Marks, scores: Floats, weights: Weights = None) -> Value:
    """Return the area under the ROC curve."""
    return (
        _nothing(truth, weights)
        or _one_class(truth, weights)
        or _number(metrics.roc_auc_score(truth, scores, sample_weight=weights))
    )


def precision_at(truth: Marks, scores: Floats, threshold: float, weights: Weights = None) -> Value:
    """Return the share of true rows among those with a score of `threshold` or more."""
    called = scores >= threshold
    if not _sum(called, weights):
        return Value(None, f"no score reaches {threshold:g}")
    return _number(metrics.precision_score(truth, called, sample_weight=weights))


def detection_rate(truth: Marks, scores: Floats, threshold: float, weights: Weights = None) -> Value:
    """Return the share of true rows that have a score of `threshold` or more (recall, sensitivity)."""
    return (
        _nothing(truth, weights)
        or _one_class(truth, weights, need_false=False)
        or _number(metrics.recall_score(truth, scores >= threshold, sample_weight=weights))
    )


def false_positive_rate(truth: Marks, scores: Floats, threshold: float, weights: Weights = None) -> Value:
    """Return the share of false rows that have a score of `threshold` or more."""
    return (
        _nothing(truth, weights)
        or _one_class(truth, weights, need_true=False)
        or _number(metrics.recall_score(~truth, scores >= threshold, sample_weight=weights))
    )


def f1_at(truth: Marks, scores: Floats, threshold: float, weights: Weights = None) -> Value:
    """Return the harmonic mean of precision and recall where a score of `threshold` or more is a call."""
    return (
        _nothing(truth, weights)
        or _one_class(truth, weights, need_false=False)
        or _number(metrics.f1_score(truth, scores >= threshold, sample_weight=weights))
    )


def brier(truth: Marks, probabilities: Floats, weights: Weights = None) -> Value:
    """Return the mean squared difference of probability and truth (0 or 1)."""
    return _nothing(truth, weights) or _number(
        metrics.mean_squared_error(truth.astype(float), probabilities, sample_weight=weights)
    )


def reliability_curve(
    truth: Marks, probabilities: Floats, weights: Weights = None, edges: Sequence[float] = EDGES
) -> tuple[ReliabilityBin, ...]:
    """Return mean probability and share of true rows of each bin that has rows."""
    return reliability(probabilities, truth, edges, weights)


def calibration_error(
    truth: Marks, probabilities: Floats, weights: Weights = None, edges: Sequence[float] = EDGES
) -> Value:
    """Return the expected calibration error: mean over rows of |mean probability - share of true rows| of their bin.

    It is the binary one, about the probability of the true class, as torchmetrics' `BinaryCalibrationError` with norm
    `l1`, which takes no weights.
    """
    return _nothing(truth, weights) or _number(
        expected_calibration_error(reliability_curve(truth, probabilities, weights, edges))
    )


def confusion(labels: npt.ArrayLike, predicted: npt.ArrayLike, classes: int, weights: Weights = None) -> Floats:
    """Return sums of weights, float64 [classes, classes]; rows are the true class, columns the predicted one."""
    table = metrics.confusion_matrix(labels, predicted, labels=range(classes), sample_weight=weights)
    return np.asarray(table, dtype=np.float64)


def pearson(target: Floats, predicted: Floats, weights: Weights = None, *, unsigned: bool = False) -> Value:
    """Return Pearson's correlation; `unsigned` correlates absolute values."""
    if unsigned:
        target, predicted = np.abs(target), np.abs(predicted)
    missing = _nothing(target, weights) or _constant(target, predicted, weights)
    if missing:
        return missing
    spread = np.cov(target, predicted, aweights=weights, ddof=0)
    scale = float(np.sqrt(spread[0, 0]) * np.sqrt(spread[1, 1]))
    if not scale:
        return Value(None, "the spread of target or prediction is too small for a float")
    return _number(np.clip(spread[0, 1] / scale, -1, 1))


def spearman(target: Floats, predicted: Floats, weights: Weights = None, *, unsigned: bool = False) -> Value:
    """Return Spearman's correlation, Pearson's of the ranks; ties share their mean rank."""
    if unsigned:
        target, predicted = np.abs(target), np.abs(predicted)
    return pearson(weighted_ranks(target, weights), weighted_ranks(predicted, weights), weights)


def weighted_ranks(values: Floats, weights: Weights = None) -> Floats:
    """Return the mean rank of each value, from 1, where a row of weight w takes w ranks."""
    weights = np.ones(len(values)) if weights is None else weights
    _, level = np.unique(values, return_inverse=True)
    size = np.bincount(level, weights=weights)
    return np.asarray((np.cumsum(size) - (size - 1) / 2)[level], dtype=np.float64)


def mean_squared_error(target: Floats, predicted: Floats, weights: Weights = None) -> Value:
    """Return the mean of the squared difference."""
    return _nothing(target, weights) or _number(metrics.mean_squared_error(target, predicted, sample_weight=weights))


def mean_absolute_error(target: Floats, predicted: Floats, weights: Weights = None) -> Value:
    """Return the mean of the absolute difference."""
    return _nothing(target, weights) or _number(metrics.mean_absolute_error(target, predicted, sample_weight=weights))


def position_hit_rate(true: Ints, predicted: Ints, within: int = 0, weights: Weights = None) -> Value:
    """Return the share of rows whose predicted position lies within `within` nt of the true one."""
    hit = np.abs(predicted - true) <= within
    return _nothing(true, weights) or _number(np.average(hit, weights=weights))


def precision_recall_points(truth: Marks, scores: Floats, weights: Weights = None) -> tuple[Floats, Floats]:
    """Return precision and recall at every score, recall falling to 0.

    Raises
    ------
    ValueError
        If no row is true.
    """
    if not _sum(truth, weights):
        raise ValueError("no row is true: there is no precision-recall curve")
    precision, recall, _ = metrics.precision_recall_curve(truth, scores, sample_weight=weights)
    return precision, recall


def roc_points(truth: Marks, scores: Floats, weights: Weights = None) -> tuple[Floats, Floats]:
    """Return false positive rate and true positive rate at every score, both rising.

    Raises
    ------
    ValueError
        If rows are of one class.
    """
    if not _sum(truth, weights) or not _sum(~truth, weights):
        raise ValueError("rows are of one class: there is no ROC curve")
    false, true, _ = metrics.roc_curve(truth, scores, sample_weight=weights)
    return false, true


def _sum(values: npt.ArrayLike, weights: Weights) -> float:
    return float(np.sum(values) if weights is None else np.dot(np.asarray(values, dtype=np.float64), weights))


def _number(value: float) -> Value:
    return Value(float(value))


def _nothing(rows: npt.NDArray[np.generic], weights: Weights) -> Value | None:
    empty = not len(rows) or (weights is not None and not weights.sum() > 0)
    return Value(None, "no rows") if empty else None


def _one_class(truth: Marks, weights: Weights, *, need_true: bool = True, need_false: bool = True) -> Value | None:
    if need_true and not _sum(truth, weights):
        return Value(None, "no row is true")
    if need_false and not _sum(~truth, weights):
        return Value(None, "no row is false")
    return None


def _constant(target: Floats, predicted: Floats, weights: Weights) -> Value | None:
    kept = slice(None) if weights is None else weights > 0
    for name, values in (("target", target[kept]), ("prediction", predicted[kept])):
        if np.ptp(values) == 0:
            return Value(None, f"the {name} is the same in every row")
    return None
