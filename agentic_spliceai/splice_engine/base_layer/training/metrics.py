"""Top-k accuracy, area under the precision-recall curve, calibration, and intervals by bootstrap over genes.

Every position is a case. Genes are the unit that is drawn again, because positions of a gene are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """What the ranking of all positions says about its sites, gene by gene.

    A *level* is a score that at least one true site has; only the counts there decide both measures.

    Attributes
    ----------
    hits, above, through : float64 [levels, genes]
        Sites at or above the level, positions above it, and positions at or above it. Levels fall.
    """

    hits: Floats
    above: Floats
    through: Floats

    @classmethod
    def of(cls, scores: Sequence[Scores], truth: Sequence[Marks]) -> Ranking:
        """Count.

        Parameters
        ----------
        scores, truth : one array a gene
            Score of each position and whether it is a site.
        """
        sites = [s[t] for s, t in zip(scores, truth, strict=True)]
        levels = np.unique(np.concatenate(sites))[::-1]
        shape = (len(levels), len(scores))
        hits, above, through = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for g, (every, true) in enumerate(zip(scores, sites, strict=True)):
            rising = np.sort(every)
            above[:, g] = len(rising) - np.searchsorted(rising, levels, side="right")
            through[:, g] = len(rising) - np.searchsorted(rising, levels, side="left")
            hits[:, g] = len(true) - np.searchsorted(np.sort(true), levels, side="left")
        return cls(hits, above, through)

    def measures(self, times: Floats | None = None) -> tuple[float, float]:
        """Return top-k accuracy and average precision where gene `g` is counted `times[g]` times (once by default).

        Top-k accuracy: the share of true sites among the k highest scores, k the number of true sites (Jaganathan et
        al., Cell 2019); positions tied at the k-th place count in proportion. Average precision: the mean over sites
        of the precision at their score, which is scikit-learn's definition. Without a site both are NaN.
        """
        weight = np.ones(self.hits.shape[1]) if times is None else times
        topk, area = self._measures(weight[:, None])
        return float(topk[0]), float(area[0])

    def _measures(self, times: Floats) -> tuple[Floats, Floats]:
        """Do `measures` for each column of `times` [genes, draws]."""
        hits, above, through = self.hits @ times, self.above @ times, self.through @ times
        if not len(hits):
            nothing = np.full(times.shape[1], np.nan)
            return nothing, nothing
        k = np.where(hits[-1] > 0, hits[-1], np.nan)
        gained = np.diff(hits, axis=0, prepend=0.0)
        size = through - above
        share = np.clip(np.divide(k - above, size, out=np.zeros_like(size), where=size > 0), 0.0, 1.0)
        precision = np.divide(hits, through, out=np.zeros_like(hits), where=through > 0)
        return (gained * share).sum(axis=0) / k, (gained * precision).sum(axis=0) / k

    def estimates(self, *, draws: int, seed: int) -> tuple[Estimate, Estimate]:
        """Return top-k accuracy and average precision with 95 % percentile intervals, genes drawn with replacement."""
        genes = self.hits.shape[1]
        rng = np.random.default_rng(seed)
        times = rng.multinomial(genes, np.full(genes, 1 / genes), size=draws).T.astype(np.float64)
        # A hundred draws at once keep the tables small beside the scores.
        parts = [np.stack(self._measures(times[:, at : at + 100])) for at in range(0, draws, 100)]
        low, high = np.nanpercentile(np.concatenate(parts, axis=1), [2.5, 97.5], axis=1)
        topk, area = (
            Estimate(value, float(a), float(b)) for value, a, b in zip(self.measures(), low, high, strict=True)
        )
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
    for i, (low, high) in enumerate(pairwise(edges)):
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
