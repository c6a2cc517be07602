"""Comparisons of hand-made scores whose answer is known, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.experiments.compare import (
    Comparison,
    Decision,
    _over_seeds,
    compare_results,
    decide,
    seed_noise,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import IncomparableError
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import PartScores
from tests.splice_engine.meta_layer.experiments.toys import hand_made_result, hand_made_scores, right


def compared(metric: str = "roc_auc", baseline: str | None = None, **scores: PartScores) -> Comparison:
    return compare_results({label: hand_made_result(label) for label in scores}, scores, metric, baseline, draws=200)


def test_a_clear_gain_is_kept_and_its_numbers_are_right() -> None:
    old, new = hand_made_scores(*3 * [right(0.5)]), hand_made_scores(right(1.0), right(0.95), right(0.975))
    found = compared(baseline="old", old=old, new=new)
    contrast = found.arm("new").against_baseline
    assert contrast is not None
    assert found.arm("new").value == pytest.approx(0.975, abs=0.01)
    assert contrast.other_value == pytest.approx(0.5)
    assert contrast.difference == pytest.approx(0.475, abs=0.01)
    assert contrast.low is not None
    assert contrast.low > 0
    # Three seeds, 1, 0.95 and one between: their mean gap exceeds their deviation.
    assert contrast.noise_floor == pytest.approx(found.arm("new").noise.mean_gap)
    assert contrast.noise_floor == pytest.approx(0.033, abs=0.005)
    assert contrast.decision is Decision.KEEP
    assert "better, and by more than seeds alone do" in contrast.reason
    assert found.arm("old").against_baseline is None
    assert (found.n, found.positives, found.groups) == (40, 20, 20)


def test_two_arms_without_a_baseline_stand_beside_each_other_the_better_first() -> None:
    weak, good = hand_made_scores(*3 * [right(0.5)]), hand_made_scores(*3 * [right(0.95)])
    (pair,) = compared(weak=weak, good=good).pairs
    assert (pair.label, pair.contrast.other) == ("good", "weak")
    assert pair.contrast.difference == pytest.approx(0.45)
    assert pair.contrast.decision is Decision.KEEP
    (error,) = compared("brier", weak=weak, good=good).pairs
    assert error.label == "good"
    assert error.contrast.difference is not None
    assert error.contrast.difference < 0
    assert compared(baseline="weak", weak=hand_made_scores(right(0.5)), good=hand_made_scores(right(1.0))).pairs == ()


def test_a_loss_is_discarded() -> None:
    found = compared(baseline="old", old=hand_made_scores(right(1.0), right(1.0)),
                     new=hand_made_scores(right(0.5), right(0.5)))  # fmt: skip
    contrast = found.arm("new").against_baseline
    assert contrast is not None
    assert contrast.decision is Decision.DISCARD
    assert contrast.reason.endswith("new is worse")


def test_a_difference_that_seeds_make_too_is_not_kept() -> None:
    found = compared(baseline="old", old=hand_made_scores(right(0.5), right(1.0)),
                     new=hand_made_scores(right(0.6), right(1.0)))  # fmt: skip
    contrast = found.arm("new").against_baseline
    assert contrast is not None
    assert contrast.noise_floor == pytest.approx(0.5)
    assert contrast.decision is not Decision.KEEP


def test_with_one_seed_each_a_gain_stays_undecided() -> None:
    found = compared(baseline="old", old=hand_made_scores(right(0.5)), new=hand_made_scores(right(1.0)))
    contrast = found.arm("new").against_baseline
    assert contrast is not None
    assert contrast.noise_floor is None
    assert contrast.decision is Decision.UNDECIDED
    assert "not known" in contrast.reason


def test_the_base_model_s_score_is_compared_with_as_well() -> None:
    found = compared(new=hand_made_scores(right(1.0), right(1.0), base=right(0.6)))
    arm = found.arm("new")
    assert arm.against_baseline == arm.against_base_model
    assert arm.against_base_model.other == "base model"
    assert arm.against_base_model.other_value == pytest.approx(0.6)
    assert arm.against_base_model.decision is Decision.KEEP


def test_for_errors_less_is_better() -> None:
    assert decide(-0.2, -0.3, -0.1, 0.05, higher_is_better=False) is Decision.KEEP
    assert decide(0.2, 0.1, 0.3, 0.05, higher_is_better=False) is Decision.DISCARD
    truth = np.linspace(-1, 0.2, 40)
    table = replace(hand_made_scores(truth + 0.01, truth - 0.01, base=truth + 0.3), truth=truth)
    found = compared("mae", new=table)
    contrast = found.arm("new").against_base_model
    assert contrast.difference == pytest.approx(0.01 - 0.3)
    assert contrast.decision is Decision.KEEP
    assert found.positives is None


@pytest.mark.parametrize(
    ("difference", "low", "high", "floor", "decision"),
    [
        (0.10, 0.05, 0.15, 0.02, Decision.KEEP),
        (0.10, 0.05, 0.15, 0.12, Decision.UNDECIDED),
        (0.10, 0.05, 0.15, 0.20, Decision.DISCARD),
        (0.10, -0.05, 0.15, 0.02, Decision.UNDECIDED),
        (0.00, -0.01, 0.01, 0.02, Decision.DISCARD),
        (-0.10, -0.15, -0.05, 0.02, Decision.DISCARD),
        (-0.10, -0.15, -0.05, None, Decision.UNDECIDED),
        (0.10, 0.05, 0.15, None, Decision.UNDECIDED),
    ],
)
def test_the_rule(difference: float, low: float, high: float, floor: float | None, decision: Decision) -> None:
    assert decide(difference, low, high, floor, higher_is_better=True) is decision


def test_noise_of_seeds() -> None:
    noise = seed_noise({1: 0.5, 2: 0.7, 3: 0.6})
    assert noise is not None
    assert noise.sd == pytest.approx(0.1)
    assert noise.mean_gap == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert noise.largest_gap == pytest.approx(0.2)
    assert noise.floor == pytest.approx(noise.mean_gap)
    assert seed_noise({1: 0.5}) is None


def test_what_cannot_be_measured_says_why() -> None:
    found = compared("brier", new=hand_made_scores(right(1.0), right(1.0), base=right(1.0) * 9))
    contrast = found.arm("new").against_base_model
    assert contrast.difference is None
    assert contrast.decision is Decision.UNDECIDED
    assert "no probabilities" in contrast.reason


def test_other_data_evaluators_and_rows_are_refused() -> None:
    scores = hand_made_scores(right(1.0))
    for other, match in (
        (hand_made_result(data="b"), "different variants"),
        (hand_made_result(evaluator="f"), "different evaluators"),
    ):
        with pytest.raises(IncomparableError, match=match):
            compare_results({"a": hand_made_result(), "b": other}, {"a": scores, "b": scores})
    shuffled = replace(scores, id=scores.id[::-1])
    with pytest.raises(IncomparableError, match="differ in id"):
        compare_results({"a": hand_made_result(), "b": hand_made_result()}, {"a": scores, "b": shuffled})


def test_names_that_are_not_there() -> None:
    with pytest.raises(SettingError, match="no measure 'pearson'"):
        compared("pearson", new=hand_made_scores(right(1.0)))
    with pytest.raises(SettingError, match="'older' is none of the arms"):
        compared(baseline="older", new=hand_made_scores(right(1.0)))


def test_an_arm_of_one_seed_does_not_borrow_the_noise_of_the_other() -> None:
    found = compared(baseline="old", old=hand_made_scores(*3 * [right(0.5)]), new=hand_made_scores(right(1.0)))
    contrast = found.arm("new").against_baseline
    assert contrast is not None
    assert (contrast.noise_floor, contrast.decision) == (None, Decision.UNDECIDED)
    assert contrast.reason.endswith("better, but with one seed that may be chance")
    worse = compared(baseline="old", old=hand_made_scores(*3 * [right(1.0)]), new=hand_made_scores(right(0.0)))
    contrast = worse.arm("new").against_baseline
    assert contrast is not None
    assert contrast.decision is Decision.UNDECIDED
    assert contrast.reason.endswith("worse, but with one seed that may be chance")


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_an_interval_holds_the_truth_where_seeds_are_all_the_noise(seeds: int) -> None:
    random = np.random.default_rng(0)
    plan = Bootstrap(draws=400, seed=0)
    covered = 0
    for _ in range(400):
        of_seeds = np.repeat(random.normal(size=(seeds, 1)), plan.draws, axis=1)
        low, high = np.percentile(_over_seeds(of_seeds, plan, 0), [2.5, 97.5])
        covered += low <= 0 <= high
    assert 0.90 <= covered / 400 <= 0.985
