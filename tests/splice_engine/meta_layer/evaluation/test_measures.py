"""Each measure against a case by hand, a loop, scipy or scikit-learn, and against rows given more than once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from torchmetrics.classification import BinaryCalibrationError

from agentic_spliceai.splice_engine.meta_layer.evaluation import measures as m

Pair = tuple[np.ndarray, np.ndarray]


def cases(n: int = 60, seed: int = 0, ties: bool = False) -> Pair:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    truth[:2] = True, False
    scores = np.clip(0.5 + 0.2 * rng.normal(size=n) + 0.15 * truth, 0, 1)
    return truth, scores.round(1) if ties else scores


def number(value: m.Value) -> float:
    assert value.value is not None, value.reason
    return value.value


RANKED: dict[str, Callable[..., m.Value]] = {
    "top_k": lambda t, s, w=None: m.top_k_accuracy(t, s, None, w),
    "top_10": lambda t, s, w=None: m.top_k_accuracy(t, s, 10, w),
    "pr_auc": m.pr_auc,
    "roc_auc": m.roc_auc,
}
BINARY: dict[str, Callable[..., m.Value]] = RANKED | {
    "f1": lambda t, s, w=None: m.f1_at(t, s, 0.5, w),
    "precision": lambda t, s, w=None: m.precision_at(t, s, 0.5, w),
    "detection": lambda t, s, w=None: m.detection_rate(t, s, 0.5, w),
    "false_positives": lambda t, s, w=None: m.false_positive_rate(t, s, 0.5, w),
    "brier": m.brier,
    "ece": m.calibration_error,
    "accuracy": lambda t, s, w=None: m.accuracy(t, s >= 0.5, w),
}
CONTINUOUS: dict[str, Callable[..., m.Value]] = {
    "pearson": m.pearson,
    "spearman": m.spearman,
    "pearson_unsigned": lambda x, y, w=None: m.pearson(x, y, w, unsigned=True),
    "spearman_unsigned": lambda x, y, w=None: m.spearman(x, y, w, unsigned=True),
    "mse": m.mean_squared_error,
    "mae": m.mean_absolute_error,
}


def test_top_k_is_the_mean_over_all_orders_of_tied_rows() -> None:
    """The k-th place is shared by three rows, of which one is true: every way to break the tie counts the same."""
    truth = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    scores = np.array([0.9, 0.8, 0.5, 0.5, 0.5, 0.1])
    for k in range(1, 7):
        found = []
        for order in permutations(range(6)):
            index = np.array(order)
            ranked = index[np.argsort(-scores[index], kind="stable")]
            found.append(truth[ranked[:k]].mean())
        assert number(m.top_k_accuracy(truth, scores, k)) == pytest.approx(np.mean(found))
    assert number(m.top_k_accuracy(truth, scores)) == number(m.top_k_accuracy(truth, scores, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30), st.integers(1, 30))
def test_top_k_by_a_loop(rows: list[tuple[bool, int]], k: int) -> None:
    truth = np.array([row[0] for row in rows])
    scores = np.array([float(row[1]) for row in rows])
    found = m.top_k_accuracy(truth, scores, k)
    if not truth.any() or k > len(rows):
        assert found.value is None
        assert found.reason
        return
    left, hits = float(k), 0.0
    for score in sorted(set(scores.tolist()), reverse=True):
        tied = truth[scores == score]
        taken = min(left, len(tied))
        hits += taken * tied.mean()
        left -= taken
    assert number(found) == pytest.approx(hits / k)


@pytest.mark.parametrize("ties", [False, True])
def test_ranking_measures_are_scikit_learns(ties: bool) -> None:
    truth, scores = cases(ties=ties)
    weights = np.random.default_rng(1).random(len(truth))
    for given_weights in (None, weights):
        assert number(m.pr_auc(truth, scores, given_weights)) == pytest.approx(
            metrics.average_precision_score(truth, scores, sample_weight=given_weights)
        )
        assert number(m.roc_auc(truth, scores, given_weights)) == pytest.approx(
            metrics.roc_auc_score(truth, scores, sample_weight=given_weights)
        )


def test_roc_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    truth, scores = cases(ties=True)
    pairs = [(a > b) + (a == b) / 2 for a in scores[truth] for b in scores[~truth]]
    assert number(m.roc_auc(truth, scores)) == pytest.approx(np.mean(pairs))


def test_calls_by_hand() -> None:
    """Four true rows of which three are called; two of six false ones are."""
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    scores = np.array([0.9, 0.5, 0.7, 0.2, 0.5, 0.8, 0.1, 0.1, 0.4, 0.0])
    assert number(m.detection_rate(truth, scores, 0.5)) == pytest.approx(3 / 4)
    assert number(m.false_positive_rate(truth, scores, 0.5)) == pytest.approx(2 / 6)
    assert number(m.precision_at(truth, scores, 0.5)) == pytest.approx(3 / 5)
    assert number(m.f1_at(truth, scores, 0.5)) == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))
    assert number(m.f1_at(truth, scores, 0.95)) == 0.0
    assert m.precision_at(truth, scores, 0.95) == m.Value(None, "no score reaches 0.95")


def test_calibration_by_hand() -> None:
    """Of 15 bins, two have rows: [1/15, 2/15) with 0.1, 0.1, 0.12 and the last with 0.95 and 1."""
    truth = np.array([0, 1, 0, 1, 0], dtype=bool)
    scores = np.array([0.1, 0.1, 0.12, 1.0, 0.95])
    first, last = m.reliability_curve(truth, scores)
    assert (first.positions, last.positions) == (3, 2)
    assert (first.mean_score, last.mean_score) == (pytest.approx(0.32 / 3), pytest.approx(0.975))
    assert (first.site_fraction, last.site_fraction) == (pytest.approx(1 / 3), 0.5)
    by_hand = 3 / 5 * abs(0.32 / 3 - 1 / 3) + 2 / 5 * abs(0.975 - 0.5)
    assert number(m.calibration_error(truth, scores)) == pytest.approx(by_hand)
    assert number(m.brier(truth, scores)) == pytest.approx(np.mean([0.01, 0.81, 0.0144, 0.0, 0.9025]))


def test_calibration_is_torchmetrics() -> None:
    truth, scores = cases(500)
    theirs = BinaryCalibrationError(n_bins=15, norm="l1")(
        torch.as_tensor(scores, dtype=torch.float64), torch.as_tensor(truth).long()
    )
    assert number(m.calibration_error(truth, scores)) == pytest.approx(float(theirs), abs=1e-6)


def test_confusion_has_the_true_class_in_rows() -> None:
    table = m.confusion([0, 0, 2, 1], [0, 1, 2, 1], 3, np.array([1.0, 2.0, 0.5, 1.0]))
    assert table.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0.5]]


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_are_scipys(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=80)
    y = x + rng.normal(size=80)
    if ties:
        x, y = x.round(), y.round()
    assert number(m.pearson(x, y)) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert number(m.spearman(x, y)) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert number(m.pearson(x, y, unsigned=True)) == pytest.approx(stats.pearsonr(abs(x), abs(y)).statistic)
    assert number(m.spearman(x, y, unsigned=True)) == pytest.approx(stats.spearmanr(abs(x), abs(y)).statistic)


def test_a_sign_error_shows_in_the_signed_correlation_only() -> None:
    x = np.array([-0.9, 0.4, -0.1, 0.7, 0.2])
    assert number(m.pearson(x, -x)) == pytest.approx(-1)
    assert number(m.pearson(x, -x, unsigned=True)) == pytest.approx(1)


@pytest.mark.parametrize("name", BINARY)
def test_an_integer_weight_is_the_row_so_often(name: str) -> None:
    for ties in (False, True):
        truth, scores = cases(ties=ties)
        times = np.random.default_rng(5).integers(0, 4, len(truth))
        times[:2] = 1
        weighted = BINARY[name](truth, scores, times.astype(float))
        repeated = BINARY[name](np.repeat(truth, times), np.repeat(scores, times))
        assert number(weighted) == pytest.approx(number(repeated), abs=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_an_integer_weight_is_the_row_so_often_in_regression(name: str) -> None:
    rng = np.random.default_rng(6)
    x, y, times = rng.normal(size=50).round(1), rng.normal(size=50).round(1), rng.integers(0, 4, 50)
    weighted = CONTINUOUS[name](x, y, times.astype(float))
    assert number(weighted) == pytest.approx(number(CONTINUOUS[name](np.repeat(x, times), np.repeat(y, times))))


def test_inverse_sampling_weights_estimate_the_whole() -> None:
    """One in ten false rows is kept and counts ten times: the figure of all rows comes back, unweighted it does not."""
    truth, scores = cases(60_000, seed=9)
    kept = truth | (np.random.default_rng(10).random(len(truth)) < 0.1)
    weights = np.where(truth, 1.0, 10.0)[kept]
    whole = number(m.pr_auc(truth, scores))
    assert number(m.pr_auc(truth[kept], scores[kept], weights)) == pytest.approx(whole, abs=0.02)
    assert number(m.pr_auc(truth[kept], scores[kept])) > whole + 0.2


@pytest.mark.parametrize("name", BINARY)
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    truth, scores = cases(ties=True)
    order = np.random.default_rng(2).permutation(len(truth))
    assert number(BINARY[name](truth[order], scores[order])) == pytest.approx(number(BINARY[name](truth, scores)))


@pytest.mark.parametrize("name", RANKED)
def test_ranking_measures_see_the_order_only(name: str) -> None:
    truth, scores = cases(ties=True)
    assert number(RANKED[name](truth, np.exp(7 * scores) - 30)) == number(RANKED[name](truth, scores))


@pytest.mark.parametrize(
    ("name", "truth", "reason"),
    [
        ("top_k", False, "no row is true"),
        ("pr_auc", False, "no row is true"),
        ("roc_auc", False, "no row is true"),
        ("roc_auc", True, "no row is false"),
        ("f1", False, "no row is true"),
        ("detection", False, "no row is true"),
        ("false_positives", True, "no row is false"),
    ],
)
def test_one_class_has_a_reason(name: str, truth: bool, reason: str) -> None:
    scores = np.linspace(0, 1, 20)
    assert BINARY[name](np.full(20, truth), scores) == m.Value(None, reason)
    # A class whose rows weigh nothing is not there either.
    marks = np.full(20, truth)
    marks[0] = not truth
    weights = np.ones(20)
    weights[0] = 0
    assert BINARY[name](marks, scores, weights) == m.Value(None, reason)


def test_what_else_is_undefined_has_a_reason() -> None:
    x = np.arange(4.0)
    assert m.pearson(x, np.ones(4)) == m.Value(None, "the prediction is the same in every row")
    assert m.spearman(np.ones(4), x) == m.Value(None, "the target is the same in every row")
    assert m.pearson(x[:0], x[:0]) == m.Value(None, "no rows")
    assert m.top_k_accuracy(np.array([True, False]), x[:2], 10) == m.Value(None, "fewer than 10 rows (2)")
    with pytest.raises(ValueError, match="either a number or a reason"):
        m.Value(None)


def test_position_hits_by_hand() -> None:
    true, found = np.array([10, 10, 10, 10]), np.array([10, 11, 5, 30])
    assert [number(m.position_hit_rate(true, found, d)) for d in (0, 1, 5)] == [0.25, 0.5, 0.75]
    assert number(m.position_hit_rate(true, found, 0, np.array([3.0, 1.0, 0.0, 0.0]))) == 0.75


def test_curves_end_where_they_should() -> None:
    truth, scores = cases()
    precision, recall = m.precision_recall_points(truth, scores)
    assert (recall[0], recall[-1], precision[0]) == (1, 0, pytest.approx(truth.mean()))
    false, true = m.roc_points(truth, scores)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    with pytest.raises(ValueError, match="no row is true"):
        m.precision_recall_points(truth & False, scores)
