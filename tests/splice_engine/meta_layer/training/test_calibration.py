"""Calibration recovers what was done to scores; thresholds are those that a search over all of them finds."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.special import expit, softmax
from sklearn.metrics import f1_score, precision_recall_curve, roc_curve

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.training.calibration import (
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    Threshold,
    choose_threshold,
    fit_calibration,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def log_loss(p: np.ndarray, t: np.ndarray) -> float:
    return float(-np.log(np.where(t == 1, p, 1 - p)).mean())


def test_temperature_is_recovered(random: np.random.Generator) -> None:
    z = random.normal(scale=2, size=20000)
    target = random.random(20000) < expit(z)
    fitted = fit_calibration("temperature", expit(3 * z), target)
    assert isinstance(fitted, Temperature)
    assert fitted.temperature == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(fitted.apply(expit(3 * z)), expit(3 * z / fitted.temperature), atol=1e-6)


def test_temperature_of_several_classes_is_that_of_the_logits(random: np.random.Generator) -> None:
    z = random.normal(scale=2, size=(20000, 3))
    target = (softmax(z, axis=1).cumsum(axis=1) < random.random((20000, 1))).sum(axis=1)
    score = softmax(2 * z, axis=1)
    fitted = fit_calibration("temperature", score, target)
    assert isinstance(fitted, Temperature)
    assert fitted.temperature == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(
        Temperature(temperature=2).apply(score[:100]), softmax(z[:100], axis=1), rtol=1e-3, atol=1e-6
    )


def test_platt_recovers_slope_and_intercept(random: np.random.Generator) -> None:
    z = random.normal(size=40000)
    fitted = fit_calibration("platt", expit(z), random.random(40000) < expit(0.5 * z - 2))
    assert isinstance(fitted, Platt)
    assert (*fitted.slope, *fitted.intercept) == pytest.approx((0.5, -2), abs=0.05)


def test_platt_stays_finite_on_separable_scores() -> None:
    fitted = fit_calibration("platt", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert np.isfinite(fitted.apply([0.0, 0.5, 1.0])).all()


def test_isotonic_is_monotone_and_undoes_a_monotone_distortion(random: np.random.Generator) -> None:
    p = random.random(40000)
    target = random.random(40000) < p
    fitted = fit_calibration("isotonic", p**3, target)
    assert isinstance(fitted, Isotonic)
    grid = np.linspace(0.1, 0.9, 50)
    found = fitted.apply(grid**3)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found, grid, atol=0.06)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_rows_sum_to_one_and_calibration_survives_json(method: str, random: np.random.Generator) -> None:
    score = random.dirichlet([1, 1, 1], 300)
    target = np.append(random.integers(0, 3, 299), -100)
    fitted = fit_calibration(method, score, target)
    np.testing.assert_allclose(fitted.apply(score).sum(axis=1), 1)
    again = TypeAdapter(Calibration).validate_json(TypeAdapter(Calibration).dump_json(fitted))
    np.testing.assert_array_equal(again.apply(score), fitted.apply(score))


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibration_never_worsens_the_log_loss_it_was_fitted_on(method: str, random: np.random.Generator) -> None:
    z = random.normal(size=500)
    target = (random.random(500) < expit(z)).astype(float)
    score = expit(4 * z)
    fitted = fit_calibration(method, score, target).apply(score)
    # Isotonic regression may say 0 or 1, and then rightly so.
    assert log_loss(np.clip(fitted, 1e-12, 1 - 1e-12), target) < log_loss(score, target)


def test_unusable_calibration_data_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="all are of one class"):
        fit_calibration("temperature", [0.1, 0.2], [1, np.nan])
    with pytest.raises(SettingError, match="no probabilities"):
        fit_calibration("platt", [-3.0, 2.0], [0, 1])
    with pytest.raises(SettingError, match="No calibration"):
        fit_calibration("beta", [0.1, 0.9], [0, 1])
    with pytest.raises(TrainingDataError, match="class 2"):
        fit_calibration("platt", np.full((4, 3), 1 / 3), [0, 1, 0, 1])
    with pytest.raises(SettingError, match="for 1 classes, the scores have 3"):
        Platt(slope=(1.0,), intercept=(0.0,)).apply(np.full((4, 3), 1 / 3))


def brute_force(score: np.ndarray, target: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Return threshold, F1, recall and false positive rate for every score, from the highest, by counting."""
    rows = []
    for value in sorted(set(score), reverse=True):
        called = score >= value
        tp, fp = (called & (target == 1)).sum(), (called & (target == 0)).sum()
        precision, recall = tp / (tp + fp), tp / (target == 1).sum()
        f1 = 0.0 if tp == 0 else 2 * precision * recall / (precision + recall)
        rows.append((float(value), float(f1), float(recall), float(fp / (target == 0).sum())))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_those_of_an_exhaustive_search(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, 60)
    score = np.round(random.normal(size=60) + target, 1)
    rows = brute_force(score, target)

    found = choose_threshold(score, target)
    best = max(f1 for _, f1, _, _ in rows)
    assert found.f1 == pytest.approx(best)
    assert found.value == max(value for value, f1, _, _ in rows if f1 == pytest.approx(best))
    assert (found.n, found.positives) == (60, target.sum())

    found = choose_threshold(score, target, criterion="recall", requested=0.8)
    assert found.value == max(value for value, _, recall, _ in rows if recall >= 0.8)
    found = choose_threshold(score, target, criterion="fpr", requested=0.1)
    allowed = [value for value, _, _, fpr in rows if fpr <= 0.1]
    assert found.fpr <= 0.1
    assert found.value == min(allowed, default=pytest.approx(score.max()))


def test_a_false_positive_rate_that_nothing_keeps_calls_nothing() -> None:
    score = np.array([0.9, 0.9, 0.1, 0.2])
    found = choose_threshold(score, [0, 1, 0, 1], criterion="fpr", requested=0.0)
    assert found.value > 0.9
    assert (found.recall, found.fpr, found.precision) == (0, 0, 0)


@pytest.mark.parametrize("criterion", ["f1", "recall", "fpr"])
def test_a_weight_of_three_is_a_row_three_times(criterion: str) -> None:
    random = np.random.default_rng(4)
    target, score = random.integers(0, 2, 80), np.round(random.normal(size=80), 1)
    weights = random.integers(0, 4, 80)
    options = {"criterion": criterion, "requested": None if criterion == "f1" else 0.3}
    weighted = choose_threshold(score, target, weights=weights, **options)  # type: ignore[arg-type]
    repeated = choose_threshold(score.repeat(weights), target.repeat(weights), **options)  # type: ignore[arg-type]
    for name in ("value", "precision", "recall", "f1", "fpr"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name))


def test_weighted_f1_is_scikit_learn_s() -> None:
    random = np.random.default_rng(5)
    target, score, weights = random.integers(0, 2, 80), random.normal(size=80), random.random(80)
    found = choose_threshold(score, target, weights=weights)
    by_value = {x: f1_score(target, score >= x, sample_weight=weights) for x in score}
    assert found.f1 == pytest.approx(max(by_value.values()))
    assert by_value[found.value] == pytest.approx(found.f1)


@pytest.mark.parametrize("seed", range(5))
def test_the_weighted_threshold_is_the_best_point_of_scikit_learn_s_curves(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Sums of eighths are exact in binary, so that scores of equal F1 tie and the higher one has to win.
    target, weights = random.integers(0, 2, 60), random.integers(1, 9, 60) / 8
    score = np.round(random.normal(size=60) + target, 1)
    precision, recall, level = precision_recall_curve(target, score, sample_weight=weights)
    precision, recall = precision[:-1], recall[:-1]
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)

    found = choose_threshold(score, target, weights=weights)
    assert found.value == level[np.isclose(f1, f1.max(), rtol=1e-12)].max()
    at = level == found.value
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision[at][0], recall[at][0], f1.max()))
    false, _, levels = roc_curve(target, score, sample_weight=weights, drop_intermediate=False)
    assert found.fpr == pytest.approx(false[levels == found.value][0])

    found = choose_threshold(score, target, weights=weights, criterion="recall", requested=0.8)
    assert found.value == level[recall >= 0.8].max()
    found = choose_threshold(score, target, weights=weights, criterion="fpr", requested=0.2)
    assert found.fpr == pytest.approx(false[levels == found.value][0])
    assert found.value == levels[(false <= 0.2) & np.isfinite(levels)].min()


def test_examples_without_label_lose_their_weight_too() -> None:
    score, target = [0.9, 0.8, 0.7, 0.1], [1, np.nan, 0, 0]
    found = choose_threshold(score, target, weights=[1, 5, 2, 3])
    assert found == choose_threshold([0.9, 0.7, 0.1], [1, 0, 0], weights=[1, 2, 3])


def test_test_data_choose_no_threshold() -> None:
    with pytest.raises(SettingError, match="never chosen on test data"):
        choose_threshold([0.1, 0.2], [0, 1], split="Test")
    assert choose_threshold([0.1, 0.2], [0, 1], split="held out").chosen_on == "held out"
    with pytest.raises(TrainingDataError, match="do not fit"):
        choose_threshold([0.1, 0.2], [0, 1], weights=[1.0])
    with pytest.raises(TrainingDataError, match="with a weight is true"):
        choose_threshold([0.1, 0.2], [0, 1], weights=[1.0, 0.0])


@pytest.mark.parametrize("weights", [[1.0, -1.0], [1.0, np.nan], [1.0, np.inf], [0.0, 0.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(TrainingDataError, match=r"no weights|with a weight"):
        choose_threshold([0.1, 0.2], [0, 1], weights=weights)


@pytest.mark.parametrize("target", [[0, 1], [0, 1, 1, 0], [[0], [1], [1]], [0, 1, 2], [0, 1, np.inf], [0, 1, 0.5]])
def test_targets_that_are_not_true_or_false_for_each_score_are_refused(target: list[float]) -> None:
    with pytest.raises(TrainingDataError, match="do not fit scores of shape"):
        choose_threshold([0.1, 0.2, 0.3], target)


def test_scores_of_several_classes_and_scores_that_are_not_finite_choose_no_threshold() -> None:
    with pytest.raises(SettingError, match="scores of one class"):
        choose_threshold([[0.1, 0.9], [0.8, 0.2]], [1, 0])
    with pytest.raises(TrainingDataError, match="not finite"):
        choose_threshold([0.1, np.nan], [0, 1])


def test_a_threshold_written_before_it_named_its_split_is_of_validation() -> None:
    written = (
        '{"value": 0.25, "criterion": "recall", "requested": 0.9, "precision": 0.5, "recall": 0.92, "f1": 0.65,'
        ' "fpr": 0.1, "n": 200, "positives": 20}'
    )
    found = Threshold.model_validate_json(written)
    assert (found.value, found.chosen_on, found.recall, found.positives) == (0.25, "validation", 0.92, 20)


def test_thresholds_without_meaning_are_refused() -> None:
    for options in ({"requested": 0.5}, {"criterion": "recall"}, {"criterion": "fpr", "requested": 2.0}):
        with pytest.raises(SettingError, match="no meaning"):
            choose_threshold([0.1, 0.9], [0, 1], **options)  # type: ignore[arg-type]
    for same in ([1, 1], [0, 0]):
        with pytest.raises(TrainingDataError, match="one class"):
            choose_threshold([0.1, 0.9], same)


def test_a_ranking_is_never_turned_around(random: np.random.Generator) -> None:
    target = random.integers(0, 2, 400)
    backwards = expit(random.normal(size=400) - 2 * target)
    with pytest.raises(TrainingDataError, match="fall where the class is true"):
        fit_calibration("platt", backwards, target)
    for seed in range(20):  # scores that say nothing: half of them would get a slope below 0
        noise = expit(np.random.default_rng(seed).normal(size=60))
        fitted = fit_calibration("platt", noise, target[:60])
        assert isinstance(fitted, Platt)
        assert fitted.slope[0] >= 0
