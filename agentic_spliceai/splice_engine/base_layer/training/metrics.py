"""Top-k accuracy, area under the precision-recall curve, calibration, and intervals by bootstrap over genes.

Every position is a case. Genes are the unit that is drawn again, because positions of a gene are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]

# A matrix product does this many cells of a table in the time in which one entry is looked up.
_FASTER = 20
# Cells of the largest table, and of what one batch of draws may hold.
_LARGEST, _BATCH = 60_000_000, 20_000_000


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """What the ranking of all positions says about its sites, gene by gene.

    Ranking measures depend on the order of sites among positions only. A *block* is a score that at least one true site
    has, or the gap between two such scores; positions of one gene in one block are counted together, which loses
    nothing.

    Attributes
    ----------
    block, gene : int64 [entries]
        Block and gene of each count; blocks rise while scores fall.
    sites, positions : float64 [entries]
        True sites, and all positions, each counted by its weight.
    genes
        Number of genes.
    """

    block: npt.NDArray[np.int64]
    gene: npt.NDArray[np.int64]
    sites: Floats
    positions: Floats
    genes: int

    @classmethod
    def of(cls, scores: Sequence[Scores], truth: Sequence[Marks]) -> Ranking:
        """Count positions that are given gene by gene, which needs little memory beside them.

        Parameters
        ----------
        scores, truth : one array a gene
            Score of each position and whether it is a site.
        """
        levels = np.unique(np.concatenate([s[t] for s, t in zip(scores, truth, strict=True)]))
        genes = len(scores)
        parts = [
            _count(levels, s, t, np.full(len(s), g), np.ones(len(s)), genes)
            for g, (s, t) in enumerate(zip(scores, truth, strict=True))
        ]
        block, gene, sites, positions = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(block, kind="stable")
        return cls(block[order], gene[order], sites[order], positions[order], genes)

    @classmethod
    def of_rows(
        cls,
        scores: npt.NDArray[np.floating],
        truth: Marks,
        gene: npt.NDArray[np.int64],
        genes: int,
        weights: Floats | None = None,
    ) -> Ranking:
        """Count positions that are given as rows.

        Parameters
        ----------
        scores, truth, gene : [N]
            Score of each position, whether it is a site, and its gene's number, 0 to `genes` - 1.
        weights : float64 [N]
            How many positions each row stands for; one by default.
        """
        weights = np.ones(len(scores)) if weights is None else weights
        return cls(*_count(np.unique(scores[truth]), scores, truth, gene, weights, genes), genes)

    def measures(self, times: Floats | None = None) -> tuple[float, float]:
        """Return top-k accuracy and average precision where gene `g` is counted `times[g]` times (once by default).

        See `values`.
        """
        weight = np.ones(self.genes) if times is None else times
        topk, area, _ = self.values(weight[None])
        return float(topk[0]), float(area[0])

    def values(self, times: Floats, at: Sequence[int] = ()) -> Floats:
        """Return the measures of several draws of genes.

        Top-k accuracy: the share of true sites among the k highest scores, k the number of true sites (Jaganathan et
        al., Cell 2019); positions tied at the k-th place count in proportion. Average precision: the mean over sites
        of the precision at their score, which is scikit-learn's definition. Area under the ROC curve: the share of
        pairs of a site and another position that are in the right order, ties counting half.

        Parameters
        ----------
        times : float64 [draws, genes]
            How often each gene counts.
        at
            Further k, as numbers of positions.

        Returns
        -------
        float64 [3 + len(at), draws]
            Top-k accuracy, average precision, area under the ROC curve, and top-k accuracy for each k of `at`. NaN
            without a site (the area also without another position), and where there are fewer than k positions.
        """
        draws = len(times)
        found = np.full((3 + len(at), draws), np.nan)
        if not len(self.block):
            return found
        hits = self._cumulate(self.sites, times)
        if self._table is None:
            through = self._cumulate(self.positions, times)
        else:
            through = np.zeros_like(hits)
            np.cumsum(times @ self._table, axis=1, out=through[:, 1:])
        sites, total = hits[:, -1], through[:, -1]
        gained = np.diff(hits, axis=1)
        precision = np.divide(hits[:, 1:], through[:, 1:], out=np.zeros_like(gained), where=through[:, 1:] > 0)
        some, both = sites > 0, (sites > 0) & (total - sites > 1e-12 * total)
        np.divide((gained * precision).sum(axis=1), sites, out=found[1], where=some)
        others = np.diff(through, axis=1) - gained
        pairs = (others * (hits[:, :-1] + gained / 2)).sum(axis=1)
        np.divide(pairs, sites * (total - sites), out=found[2], where=both)
        for draw in np.flatnonzero(some):
            k = np.array([sites[draw], *at])
            # Between two blocks sites rise in proportion: that is how ties count.
            topk = np.interp(k, through[draw], hits[draw]) / k
            found[[0, *range(3, 3 + len(at))], draw] = np.where(k <= total[draw] * (1 + 1e-12), topk, np.nan)
        return found

    def estimates(self, *, draws: int, seed: int) -> tuple[Estimate, Estimate]:
        """Return top-k accuracy and average precision with 95 % percentile intervals, genes drawn with replacement."""
        at_once = min(100, max(1, _BATCH // max(1, len(self.block))))
        parts = [self.values(times)[:2] for times in draw_genes(self.genes, draws=draws, seed=seed, at_once=at_once)]
        low, high = np.nanpercentile(np.concatenate(parts, axis=1), [2.5, 97.5], axis=1)
        topk, area = (
            Estimate(value, float(a), float(b)) for value, a, b in zip(self.measures(), low, high, strict=True)
        )
        return topk, area

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        """Number of entries up to the end of each block."""
        return np.flatnonzero(np.append(np.diff(self.block) != 0, True)) + 1

    @cached_property
    def _table(self) -> Floats | None:
        """Positions as [genes, blocks], where so many cells are filled that a matrix product is faster."""
        cells = len(self._ends) * self.genes
        if cells > min(_FASTER * len(self.block), _LARGEST):
            return None
        number = np.repeat(np.arange(len(self._ends)), np.diff(self._ends, prepend=0))
        table = np.zeros((self.genes, len(self._ends)))
        table[self.gene, number] = self.positions
        return table

    def _cumulate(self, column: Floats, times: Floats) -> Floats:
        """Return the sum up to the end of each block, [draws, 1 + blocks]; the first is 0."""
        filled = np.flatnonzero(column)
        running = np.zeros((len(times), len(filled) + 1))
        np.cumsum(np.take(times, self.gene[filled], axis=1) * column[filled], axis=1, out=running[:, 1:])
        return np.asarray(running[:, np.concatenate([[0], np.searchsorted(filled, self._ends)])])


def draw_genes(genes: int, *, draws: int, seed: int, at_once: int = 50) -> Iterator[Floats]:
    """Yield how often each gene is drawn, float64 [up to `at_once`, genes], until there are `draws` rows.

    As many genes as there are, with replacement. The rows do not depend on `at_once`, which bounds memory.
    """
    rng = np.random.default_rng(seed)
    share = np.full(genes, 1 / genes)
    for begin in range(0, draws, at_once):
        yield rng.multinomial(genes, share, size=min(at_once, draws - begin)).astype(np.float64)


def _count(
    levels: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    truth: Marks,
    gene: npt.NDArray[np.int64],
    weights: Floats,
    genes: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, Floats]:
    """Return block, gene, sites and positions of a `Ranking`, in the order of blocks."""
    # Below the first level 0, at it 1, above it 2, and so on; turned round, so that the highest score comes first.
    rising = np.searchsorted(levels, scores, side="left") + np.searchsorted(levels, scores, side="right")
    keys, entry = np.unique((2 * len(levels) - rising) * genes + gene, return_inverse=True)
    sites, positions = np.zeros(len(keys)), np.zeros(len(keys))
    np.add.at(sites, entry[truth], weights[truth])
    np.add.at(positions, entry, weights)
    return keys // genes, keys % genes, sites, positions


@dataclass(frozen=True)
class ReliabilityBin:
    """Positions whose score lies in one bin; `weight` is the sum of their weights, their number by default."""

    low: float
    high: float
    positions: int
    mean_score: float
    site_fraction: float
    weight: float


def reliability(
    scores: npt.NDArray[np.floating], truth: Marks, edges: Sequence[float], weights: Floats | None = None
) -> tuple[ReliabilityBin, ...]:
    """Return mean score and share of true sites by bin of score; empty bins are left out."""
    bins = bin_of(scores, edges)
    found = []
    for i, (low, high) in enumerate(pairwise(edges)):
        inside = bins == i
        weight = np.ones(int(inside.sum())) if weights is None else weights[inside]
        total = float(weight.sum())
        if total > 0:
            mean, share = (float(np.dot(weight, x[inside].astype(np.float64)) / total) for x in (scores, truth))
            found.append(ReliabilityBin(low, high, len(weight), mean, share, total))
    return tuple(found)


def bin_of(scores: npt.NDArray[np.floating], edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """Return the bin of each score; a bin holds its lower edge, the last one both."""
    return np.clip(np.searchsorted(np.array(edges), scores, side="right") - 1, 0, len(edges) - 2)


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean of |mean score - share of sites| over bins, weighted by positions."""
    total = sum(b.weight for b in bins)
    return sum(b.weight * abs(b.mean_score - b.site_fraction) for b in bins) / total
