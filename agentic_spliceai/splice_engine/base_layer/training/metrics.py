"""Top-k accuracy, area under the precision-recall curve, calibration, and intervals by bootstrap over genes.

Every position is a case. Genes are the unit that is drawn again, because positions of a gene are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """Positions of one class from the highest score to the lowest, cut below the last that can matter.

    Attributes
    ----------
    truth : bool [P]
        Whether the position is a site.
    gene : int64 [P]
        Which gene it belongs to.
    last_of_tie : bool [P]
        Whether the next position has a lower score.
    """

    truth: Marks
    gene: Weights
    last_of_tie: Marks

    @classmethod
    def of(cls, scores: Scores, truth: Marks, gene: Weights) -> Ranking:
        """Rank positions; those below the lowest-scored site change neither measure and are dropped."""
        keep = scores >= scores[truth].min() if truth.any() else np.zeros(len(scores), dtype=bool)
        scores, truth, gene = scores[keep], truth[keep], gene[keep]
        order = np.argsort(-scores, kind="stable")
        scores = scores[order]
        last = np.append(scores[1:] < scores[:-1], True) if len(scores) else np.zeros(0, dtype=bool)
        return cls(truth[order], gene[order], last)

    def measures(self, times: Weights) -> tuple[float, float]:
        """Return top-k accuracy and average precision where gene `g` is counted `times[g]` times.

        Top-k accuracy: the share of true sites among the k highest scores, k the number of true sites (Jaganathan et
        al., Cell 2019). Average precision: sum over sites of precision at their rank / number of sites, positions of
        equal score taken together, which is scikit-learn's definition. Ties at the k-th place count in proportion.
        """
        weight = times[self.gene]
        hits = np.cumsum(weight * self.truth)[self.last_of_tie].astype(np.float64)
        seen = np.cumsum(weight)[self.last_of_tie].astype(np.float64)
        if not len(hits) or hits[-1] == 0:
            return float("nan"), float("nan")
        k = hits[-1]
        topk = float(np.interp(k, np.concatenate([[0.0], seen]), np.concatenate([[0.0], hits]))) / k
        gained = np.diff(hits, prepend=0.0)
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        return topk, float((gained * precision).sum() / k)


def ranked_measures(
    scores: Scores, truth: Marks, gene: Weights, genes: int, *, draws: int, seed: int
) -> tuple[Estimate, Estimate]:
    """Return top-k accuracy and average precision with 95 % percentile intervals over genes.

    Parameters
    ----------
    scores, truth, gene : [P]
        Score, whether it is a site, and gene index of each position.
    genes
        Number of genes.
    draws
        Bootstrap samples.
    """
    ranking = Ranking.of(scores, truth, gene)
    whole = ranking.measures(np.ones(genes, dtype=np.int64))
    rng = np.random.default_rng(seed)
    sampled = [
        ranking.measures(np.bincount(rng.integers(genes, size=genes), minlength=genes).astype(np.int64))
        for _ in range(draws)
    ]
    low, high = np.nanpercentile(np.array(sampled), [2.5, 97.5], axis=0) if draws else (whole, whole)
    topk, area = (Estimate(v, float(a), float(b)) for v, a, b in zip(whole, low, high, strict=True))
    return topk, area


@dataclass(frozen=True)
class ReliabilityBin:
    """Positions whose score lies in one bin."""

    low: float
    high: float
    positions: int
    mean_score: float
    site_fraction: float


def reliability(scores: Scores, truth: Marks, edges: tuple[float, ...]) -> tuple[ReliabilityBin, ...]:
    """Return mean score and share of true sites by bin of score; empty bins are left out."""
    bins = np.clip(np.searchsorted(np.array(edges), scores, side="right") - 1, 0, len(edges) - 2)
    found = []
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        inside = bins == i
        n = int(inside.sum())
        if n:
            mean = float(scores[inside].mean(dtype=np.float64))
            found.append(ReliabilityBin(low, high, n, mean, float(truth[inside].mean())))
    return tuple(found)


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean of |mean score - share of sites| over bins, weighted by positions."""
    total = sum(b.positions for b in bins)
    return sum(b.positions * abs(b.mean_score - b.site_fraction) for b in bins) / total
