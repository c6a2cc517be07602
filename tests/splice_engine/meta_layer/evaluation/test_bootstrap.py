"""The fast form of each measure against the plain one, and what an interval promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.training.metrics import draw_genes
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.evaluation import figures as f
from agentic_spliceai.splice_engine.meta_layer.evaluation import measures as m
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap, draw, interval, paired

N, GROUPS = 120, 15


def rows(weighted: bool = True, groups: int = GROUPS) -> f.Rows:
    rng = np.random.default_rng(1)
    return f.Rows(rng.integers(0, groups, N), groups, rng.integers(0, 4, N).astype(float) if weighted else None)


def binary() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    truth = rng.random(N) < 0.3
    # Rounded, so that there are ties.
    return truth, np.clip(0.5 + 0.2 * rng.normal(size=N) + 0.2 * truth, 0, 1).round(2)


def continuous() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=N).round(1)
    return x, (x + rng.normal(size=N)).round(1)


TRUTH, SCORES = binary()
X, Y = continuous()
Plain = Callable[[np.ndarray], m.Value]
PLAIN: dict[str, Plain] = {
    "top_k": lambda w: m.top_k_accuracy(TRUTH, SCORES, None, w),
    "pr_auc": lambda w: m.pr_auc(TRUTH, SCORES, w),
    "roc_auc": lambda w: m.roc_auc(TRUTH, SCORES, w),
    "top_10": lambda w: m.top_k_accuracy(TRUTH, SCORES, 10, w),
    "top_500": lambda w: m.top_k_accuracy(TRUTH, SCORES, 500, w),
    "f1": lambda w: m.f1_at(TRUTH, SCORES, 0.6, w),
    "precision": lambda w: m.precision_at(TRUTH, SCORES, 0.6, w),
    "detection_rate": lambda w: m.detection_rate(TRUTH, SCORES, 0.6, w),
    "false_positive_rate": lambda w: m.false_positive_rate(TRUTH, SCORES, 0.6, w),
    "brier": lambda w: m.brier(TRUTH, SCORES, w),
    "ece": lambda w: m.calibration_error(TRUTH, SCORES, w),
    "pearson": lambda w: m.pearson(X, Y, w),
    "spearman": lambda w: m.spearman(X, Y, w),
    "mse": lambda w: m.mean_squared_error(X, Y, w),
}


def families(r: f.Rows) -> list[f.Figures]:
    return [
        f.RankingFigures.of(TRUTH, SCORES, r, (10, 500)),
        f.call_figures(TRUTH, SCORES, 0.6, r),
        f.mean_figures({"brier": (SCORES - TRUTH) ** 2, "mse": (X - Y) ** 2}, r),
        f.calibration_figures(TRUTH, SCORES, r),
        f.pearson_figures(X, Y, r, "pearson"),
        f.SpearmanFigures.of(X, Y, r, "spearman"),
    ]


# Few groups are summed by a matrix product, many are looked up.
@pytest.mark.parametrize("groups", [GROUPS, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_draw_is_the_plain_measure_of_the_rows_drawn(weighted: bool, groups: int) -> None:
    r = rows(weighted, groups)
    times = np.concatenate([np.ones((1, groups)), *draw_genes(groups, draws=8, seed=4)])
    seen = set()
    for figures in families(r):
        for name, values in zip(figures.names, figures.values(times), strict=True):
            seen.add(name)
            for drawn, value in zip(times, values, strict=True):
                plain = PLAIN[name](r.counts * drawn[r.group])
                assert (plain.value is None) == bool(np.isnan(value)), name
                if plain.value is not None:
                    assert value == pytest.approx(plain.value, abs=1e-10), name
    assert seen == set(PLAIN)


def test_a_draw_is_copies_of_whole_groups() -> None:
    """No weights, no formula of ours: rows are copied as the draw says, and scikit-learn measures them."""
    from sklearn.metrics import average_precision_score

    r = rows(weighted=False)
    times = next(draw_genes(GROUPS, draws=5, seed=0))
    found = f.RankingFigures.of(TRUTH, SCORES, r).values(times)[1]
    for drawn, value in zip(times.astype(int), found, strict=True):
        index = np.repeat(np.arange(N), drawn[r.group])
        assert value == pytest.approx(average_precision_score(TRUTH[index], SCORES[index]))


def test_any_function_of_weights_can_be_drawn() -> None:
    r = rows()
    slow = f.FunctionFigures("mean", lambda w: float(np.average(X, weights=w)), r)
    fast = f.mean_figures({"mean": X}, r)
    times = next(draw_genes(GROUPS, draws=6, seed=1))
    np.testing.assert_allclose(slow.values(times), fast.values(times))


def test_draws_do_not_depend_on_how_many_are_made_at_once() -> None:
    r = rows()
    plan = Bootstrap(draws=130, seed=7)
    small, large = (draw({"a": families(r)}, GROUPS, plan, rows=n) for n in (10, 10**7))
    assert small.keys() == large.keys()
    for name, values in small.items():
        np.testing.assert_allclose(values, large[name], rtol=1e-12, equal_nan=True)


def test_same_seed_same_interval() -> None:
    r = rows()

    def bounds(seed: int) -> tuple[float, float] | None:
        return interval(
            draw({"a": [f.RankingFigures.of(TRUTH, SCORES, r)]}, GROUPS, Bootstrap(200, seed), N)["a/pr_auc"]
        )

    assert bounds(1) == bounds(1)
    assert bounds(1) != bounds(2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Means of 40 groups of 5 alike rows; the truth is 0."""
    group = np.repeat(np.arange(40), 5)
    covered = 0
    for study in range(300):
        rng = np.random.default_rng(study)
        x = np.repeat(rng.normal(size=40), 5) + 0.1 * rng.normal(size=200)
        figures = f.mean_figures({"mean": x}, f.Rows(group, 40))
        bounds = interval(draw({"a": [figures]}, 40, Bootstrap(400, study), 200)["a/mean"])
        assert bounds is not None
        covered += bounds[0] <= 0 <= bounds[1]
    assert 0.90 <= covered / 300 <= 0.98


def test_copies_within_a_group_are_no_more_information() -> None:
    """Every row ten times in its group: the interval over groups stays; over rows it would shrink to a third."""
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.3
    scores = rng.normal(size=200) + truth
    own = np.arange(200)

    def width(truth: np.ndarray, scores: np.ndarray, group: np.ndarray) -> float:
        groups = int(group.max()) + 1
        figures = f.RankingFigures.of(truth, scores, f.Rows(group, groups))
        bounds = interval(draw({"a": [figures]}, groups, Bootstrap(600), len(group))["a/roc_auc"])
        assert bounds is not None
        return bounds[1] - bounds[0]

    once = width(truth, scores, own)
    copies = [np.repeat(x, 10) for x in (truth, scores, own)]
    assert width(*copies) == pytest.approx(once, rel=1e-6)
    assert width(copies[0], copies[1], np.arange(2000)) < 0.5 * once


def test_a_planted_difference_is_found_and_equality_is_exactly_zero() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(600) < 0.3
    group = rng.integers(0, 60, 600)
    noise = rng.normal(size=600)
    r = f.Rows(group, 60)
    good, bad = (f.RankingFigures.of(truth, noise + strength * truth, r) for strength in (2.0, 1.5))
    found = draw({"good": [good], "bad": [bad], "again": [good]}, 60, Bootstrap(500), 600)
    better = paired(found["good/pr_auc"] - found["bad/pr_auc"])
    assert better is not None
    assert better.low > 0
    assert better.better > 0.99
    assert better.p < 0.01
    worse = paired(found["bad/pr_auc"] - found["good/pr_auc"])
    assert worse is not None
    assert worse.p == better.p
    assert worse.better == pytest.approx(1 - better.better)
    equal = paired(found["again/pr_auc"] - found["good/pr_auc"])
    assert equal is not None
    assert (equal.low, equal.high, equal.better, equal.p) == (0.0, 0.0, 0.5, 1.0)
    # The noise that both share is taken out: apart, the intervals overlap.
    apart = interval(found["good/pr_auc"]), interval(found["bad/pr_auc"])
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[1][1] > apart[0][0]


def test_lower_can_be_better() -> None:
    test = paired(np.array([-0.1, -0.2, -0.3, 0.1]), higher_is_better=False)
    assert test is not None
    assert test.better == 0.75


def test_p_values_are_uniform_where_nothing_differs() -> None:
    """Two noises of equal strength: about one study in twenty is below 0.05."""
    group = np.arange(50)
    hits = 0
    for study in range(300):
        rng = np.random.default_rng(1000 + study)
        figures = f.mean_figures({"gap": rng.normal(size=50)}, f.Rows(group, 50))
        test = paired(draw({"a": [figures]}, 50, Bootstrap(300, study), 50)["a/gap"])
        assert test is not None
        hits += test.p < 0.05
    assert 0.01 <= hits / 300 <= 0.10


def test_no_interval_where_most_draws_say_nothing() -> None:
    assert interval(np.array([np.nan, np.nan, 1.0])) is None
    assert interval(np.array([1.0, 1.0, np.nan])) == (1.0, 1.0)
    assert paired(np.full(5, np.nan)) is None


def test_a_plan_without_draws_is_refused() -> None:
    with pytest.raises(SettingError, match="0 draws"):
        Bootstrap(draws=0)
