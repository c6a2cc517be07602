"""What the picture of a saturation shows, free of any drawing library: effects by position, columns, labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass, Thresholds
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Transcript


@dataclass(frozen=True, eq=False)
class Effects:
    """The largest gain, or the largest loss, of every single-base change.

    Attributes
    ----------
    score : float32 [L, 4]
        By position along the plus strand and by ALT (A, C, G, T of the plus strand); NaN where there is no such change
        or it has no score.
    site : int8 [L, 4]
        `SpliceClass` of the site: donor or acceptor.
    position : int64 [L, 4]
        1-based position of the site.
    """

    score: npt.NDArray[np.float32]
    site: npt.NDArray[np.int8]
    position: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Effects:
        """Return effects without any score."""
        return cls(np.full(shape, np.nan, np.float32), np.zeros(shape, np.int8), np.zeros(shape, np.int64))


@dataclass(frozen=True)
class SaturationMap:
    """What is drawn of one gene.

    Attributes
    ----------
    contig
        Canonical name.
    start
        First position, 0-based.
    bases
        Plus-strand bases, N where there is none.
    transcript
        Whose exons are drawn, and whose strand is the direction of reading.
    build
        Of the genome.
    gain, loss
        What changes do.
    thresholds
        Of the predictor.
    title
        What it is, one line.
    footer
        What made it, some lines.
    """

    contig: str
    start: int
    bases: str
    transcript: Transcript
    build: GenomeBuild | None
    gain: Effects
    loss: Effects
    thresholds: Thresholds
    title: str
    footer: tuple[str, ...]

    @property
    def minus(self) -> bool:
        """Whether the transcript lies on the minus strand."""
        return self.transcript.strand is Strand.MINUS


@dataclass(frozen=True, eq=False)
class Columns:
    """Effects as the picture's columns: one a position, or of several positions the largest.

    Attributes
    ----------
    left : int64 [W]
        First position of each column, 1-based.
    width
        Positions of a column; the last one may have fewer.
    score : float32 [W, 4]
        NaN where no change has a score.
    site : int8 [W, 4]
        `SpliceClass` of the site that has this score.
    """

    left: npt.NDArray[np.int64]
    width: int
    score: npt.NDArray[np.float32]
    site: npt.NDArray[np.int8]


def columns_of(effects: Effects, start: int, most: int) -> Columns:
    """Put effects into at most `most` columns of equal width.

    Parameters
    ----------
    effects
        Of neighbouring positions.
    start
        The first of them, 0-based.
    most
        Columns that can be told apart.
    """
    length = len(effects.score)
    width = max(1, -(-length // most))
    count = -(-length // width)
    rest = ((0, count * width - length), (0, 0))
    score = np.pad(np.nan_to_num(effects.score, nan=-1), rest, constant_values=-1).reshape(count, width, 4)
    site = np.pad(effects.site, rest).reshape(count, width, 4)
    best = score.argmax(axis=1)[:, None]
    largest = np.take_along_axis(score, best, axis=1)[:, 0]
    return Columns(
        left=start + 1 + width * np.arange(count),
        width=width,
        score=np.where(largest < 0, np.float32(np.nan), largest),
        site=np.take_along_axis(site, best, axis=1)[:, 0],
    )


@dataclass(frozen=True)
class Strongest:
    """A change that is worth a label.

    Attributes
    ----------
    position
        1-based.
    alt
        Plus-strand base.
    score
        Of the gain or loss.
    site
        Donor or acceptor.
    at
        1-based position of the site.
    """

    position: int
    alt: str
    score: float
    site: SpliceClass
    at: int


def strongest(effects: Effects, start: int, *, least: float, most: int) -> list[Strongest]:
    """Return the strongest changes by falling score: of each site that is gained or lost, the strongest only.

    Parameters
    ----------
    effects
        Of neighbouring positions.
    start
        The first of them, 0-based.
    least
        Score from which one counts.
    most
        How many.
    """
    flat = np.nan_to_num(effects.score, nan=-1).ravel()
    found: dict[tuple[int, int], Strongest] = {}
    for index in np.argsort(-flat, kind="stable"):
        if flat[index] < np.float32(least) or len(found) == most:
            break
        row, column = divmod(int(index), 4)
        site, at = SpliceClass(int(effects.site[row, column])), int(effects.position[row, column])
        if (site, at) not in found:
            found[site, at] = Strongest(start + 1 + row, "ACGT"[column], float(flat[index]), site, at)
    return list(found.values())


def unscored_runs(effects: Effects, start: int) -> list[tuple[int, int]]:
    """Return stretches of positions without any score, 1-based, both ends included."""
    empty = np.isnan(effects.score).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty, [False])).astype(np.int8)))
    return [(start + 1 + int(a), start + int(b)) for a, b in edges.reshape(-1, 2)]
