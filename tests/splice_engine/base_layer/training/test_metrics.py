"""Measures against cases computed by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from agentic_spliceai.splice_engine.base_layer.training.metrics import (
    Ranking,
    draw_genes,
    expected_calibration_error,
    reliability,
)


def ranking(scores: list[float], truth: list[int], gene: list[int]) -> Ranking:
    s, t, g = np.array(scores, dtype=np.float32), np.array(truth, dtype=bool), np.array(gene)
    return Ranking.of([s[g == i] for i in range(g.max() + 1)], [t[g == i] for i in range(g.max() + 1)])


def test_top_k_and_area_by_hand() -> None:
    # Ranked: site .9, no .8, site .7, no .6, site .5. k = 3: two of the first three are sites.
    topk, area = ranking([0.6, 0.9, 0.5, 0.8, 0.7], [0, 1, 1, 0, 1], [0, 0, 0, 1, 1]).measures()
    assert topk == pytest.approx(2 / 3)
    assert area == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)


def test_ties_at_the_last_place_count_in_proportion() -> None:
    # Two places, one site above; site and three others share the second place.
    topk, _ = ranking([0.9, 0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]).measures()
    assert topk == pytest.approx((1 + 1 / 4) / 2)


def test_a_gene_drawn_twice_counts_twice() -> None:
    scores, truth, gene = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 2, 2]
    twice = ranking(scores, truth, gene).measures(np.array([1.0, 2.0, 0.0]))
    by_hand = ranking([0.9, 0.8, 0.8, 0.7, 0.7, 0.6], [1, 0, 0, 1, 1, 0], [0] * 6).measures()
    assert twice == pytest.approx(by_hand)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 3)), min_size=1, max_size=60))
def test_area_is_scikit_learns(cases: list[tuple[int, bool, int]]) -> None:
    scores = np.array([c[0] / 8 for c in cases], dtype=np.float32)
    truth = np.array([c[1] for c in cases])
    if not truth.any():
        truth[0] = True
    gene = [c[2] for c in cases]
    _, area = ranking(scores.tolist(), truth.astype(int).tolist(), gene).measures()
    assert area == pytest.approx(average_precision_score(truth, scores), abs=1e-9)


@pytest.mark.parametrize("genes", [4, 200])
def test_weighted_rows_of_few_and_of_many_genes(genes: int) -> None:
    """Few genes are summed by a matrix product, many are looked up."""
    rng = np.random.default_rng(genes)
    truth, gene = rng.random(300) < 0.2, rng.integers(0, genes, 300)
    scores, weights = (rng.normal(size=300) + truth).round(1), rng.random(300)
    times = rng.integers(0, 3, (5, genes)).astype(float)
    found = Ranking.of_rows(scores, truth, gene, genes, weights).values(times, at=(20,))
    for drawn, (_, area, roc, top) in zip(times, found.T, strict=True):
        counts = weights * drawn[gene]
        assert area == pytest.approx(average_precision_score(truth, scores, sample_weight=counts))
        assert roc == pytest.approx(roc_auc_score(truth, scores, sample_weight=counts))
        left, hits = 20.0, 0.0
        for score in np.unique(scores)[::-1]:
            tied, right = counts[scores == score].sum(), counts[(scores == score) & truth].sum()
            taken = min(left, tied)
            hits += taken * right / tied if tied else 0.0
            left -= taken
        assert top == pytest.approx(hits / 20)


def test_rows_and_genes_one_by_one_are_the_same_ranking() -> None:
    rng = np.random.default_rng(0)
    truth, gene = rng.random(500) < 0.2, rng.integers(0, 30, 500)
    scores = rng.random(500).astype(np.float32).round(2)
    apart = Ranking.of([scores[gene == g] for g in range(30)], [truth[gene == g] for g in range(30)])
    times = next(draw_genes(30, draws=6, seed=0))
    np.testing.assert_allclose(Ranking.of_rows(scores, truth, gene, 30).values(times), apart.values(times))


def test_interval_holds_the_value_and_narrows_with_genes() -> None:
    rng = np.random.default_rng(0)

    def width(genes: int) -> float:
        truth = [rng.random(50) < 0.1 for _ in range(genes)]
        scores = [(rng.normal(size=50) + 2 * t).astype(np.float32) for t in truth]
        _, area = Ranking.of(scores, truth).estimates(draws=100, seed=1)
        assert area.low < area.value < area.high
        return area.high - area.low

    assert width(200) < 0.7 * width(20)


def test_reliability_by_hand() -> None:
    scores = np.array([0.05, 0.05, 0.9, 0.7, 1.0], dtype=np.float32)
    bins = reliability(scores, np.array([0, 0, 1, 0, 1], dtype=bool), (0.0, 0.5, 1.0))
    assert [(b.positions, b.site_fraction) for b in bins] == [(2, 0.0), (3, pytest.approx(2 / 3))]
    expected = (2 * 0.05 + 3 * abs(2.6 / 3 - 2 / 3)) / 5
    assert expected_calibration_error(bins) == pytest.approx(expected, rel=1e-6)
