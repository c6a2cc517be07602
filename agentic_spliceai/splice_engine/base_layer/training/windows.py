"""Sampling windows: all with a splice site, a fraction of the empty ones, weighted so that the loss stays honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, UNKNOWN, Corpus, Locus


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """Windows of one pass over the data, one row each.

    Attributes
    ----------
    start : int64 [N]
        Corpus index of the first position that is predicted; may lie before the locus.
    low, high : int64 [N]
        Corpus indices, half-open, outside of which the network sees N.
    low_label, high_label : int64 [N]
        Corpus indices, half-open, outside of which labels are ignored.
    weight : float32 [N]
        1 / probability that the window was sampled.
    width
        Positions that a window predicts.
    """

    start: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    low_label: npt.NDArray[np.int64]
    high_label: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: npt.NDArray[np.int64]) -> WindowPlan:
        """Return the named rows."""
        return WindowPlan(
            self.start[rows],
            self.low[rows],
            self.high[rows],
            self.low_label[rows],
            self.high_label[rows],
            self.weight[rows],
            self.width,
        )


@dataclass(frozen=True, eq=False)
class Counts:
    """Running counts along a corpus, so that any window is counted in constant time."""

    known: npt.NDArray[np.int64]
    sites: npt.NDArray[np.int64]

    @classmethod
    def of(cls, corpus: Corpus) -> Counts:
        """Count labelled positions and splice sites before each index."""
        known = np.concatenate([[0], np.cumsum(corpus.labels != IGNORE)])
        sites = np.concatenate([[0], np.cumsum(corpus.labels < SpliceClass.NEITHER)])
        return cls(known.astype(np.int64), sites.astype(np.int64))


def plan_windows(
    corpus: Corpus,
    loci: Sequence[Locus],
    counts: Counts,
    rng: np.random.Generator,
    *,
    width: int,
    empty_fraction: float,
    mask_fraction: float,
) -> WindowPlan:
    """Tile each locus from a random phase and choose windows.

    Parameters
    ----------
    width
        Positions that a window predicts.
    empty_fraction
        Probability to keep a window without splice site; kept ones weigh its reciprocal. Windows without a single
        labelled position are never kept.
    mask_fraction
        Share of windows that see N beyond the locus, as variant scoring has it; the others see the real flank.

    Returns
    -------
    WindowPlan
        In random order.
    """
    starts, owner = [], []
    for index, locus in enumerate(loci):
        phase = int(rng.integers(width))
        tiles = np.arange(locus.offset - phase, locus.offset + locus.length, width, dtype=np.int64)
        starts.append(tiles)
        owner.append(np.full(len(tiles), index))
    start, who = np.concatenate(starts), np.concatenate(owner)
    begin = np.array([locus.offset for locus in loci])[who]
    end = begin + np.array([locus.length for locus in loci])[who]
    left, right = np.clip(start, begin, end), np.clip(start + width, begin, end)
    has_site = counts.sites[right] > counts.sites[left]
    keep = has_site | (rng.random(len(start)) < empty_fraction)
    keep &= counts.known[right] > counts.known[left]
    rows = rng.permutation(np.flatnonzero(keep))
    flank = np.where(rng.random(len(rows)) < mask_fraction, 0, corpus.flank)
    weight = np.where(has_site[rows], 1.0, 1.0 / empty_fraction).astype(np.float32)
    return WindowPlan(start[rows], begin[rows] - flank, end[rows] + flank, begin[rows], end[rows], weight, width)


def gather(corpus: Corpus, plan: WindowPlan, context: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Cut the windows out.

    Returns
    -------
    codes : uint8 [N, width + context]
        Sequence codes, `UNKNOWN` outside of what the window may see.
    labels : uint8 [N, width]
        `SpliceClass` or `IGNORE`.
    """
    at = plan.start[:, None] + np.arange(-(context // 2), plan.width + context // 2)
    seen = (at >= plan.low[:, None]) & (at < plan.high[:, None])
    codes = np.where(seen, corpus.codes[np.clip(at, 0, len(corpus.codes) - 1)], UNKNOWN)
    at = plan.start[:, None] + np.arange(plan.width)
    inside = (at >= plan.low_label[:, None]) & (at < plan.high_label[:, None])
    labels = np.where(inside, corpus.labels[np.clip(at, 0, len(corpus.labels) - 1)], IGNORE)
    return codes.astype(np.uint8), labels.astype(np.uint8)
