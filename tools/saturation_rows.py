"""Scores of single-base changes as columns: one row a change and gene, small enough for whole genes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, SpliceDelta
from agentic_spliceai.tools.batch_types import BatchResult

KINDS = {
    "ag": ChangeKind.ACCEPTOR_GAIN,
    "al": ChangeKind.ACCEPTOR_LOSS,
    "dg": ChangeKind.DONOR_GAIN,
    "dl": ChangeKind.DONOR_LOSS,
}
"""Columns' endings, in the order of SpliceAI's INFO field."""

DECIMALS = 4
"""Of scores and probabilities: a ten-thousandth is a hundred times finer than the field prints, and well above what two
orders of the same float32 sums differ by, so that the same settings give the same table."""

UNITS = 10**DECIMALS

_TEXTS = ("ref", "alt", "gene", "strand", "transcript")
DTYPES: dict[str, Any] = {
    "position": np.int32,
    **dict.fromkeys(_TEXTS, np.str_),
    **{f"ds_{kind}": np.float32 for kind in KINDS},
    # An effect lies at most `scoring.MAX_DISTANCE` = 10,000 nt from a single base.
    **{f"dp_{kind}": np.int16 for kind in KINDS},
    **{f"{allele}_{kind}": np.float32 for allele in ("ref", "alt") for kind in KINDS},
    "max": np.float32,
}
"""Type of each column; see `docs/saturation.md` for what they hold."""


class Rows:
    """Rows of one contig, by rising position, then ALT, then gene.

    Parameters
    ----------
    contig
        Canonical name.
    columns
        By the names of `DTYPES`, all of one length.
    """

    def __init__(self, contig: str, columns: dict[str, npt.NDArray[Any]]) -> None:
        self.contig = contig
        self.columns = columns

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(DTYPES)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["position"])

    def units(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column of scores in units of 10^-`DECIMALS`, exactly."""
        whole: npt.NDArray[np.int64] = np.rint(self[name].astype(np.float64) * UNITS).astype(np.int64)
        return whole

    def strongest_first(self) -> npt.NDArray[np.int64]:
        """Return the number of one row a change, that of its strongest gene, by falling score."""
        new = (np.diff(self["position"], prepend=-1) != 0) | (self["alt"] != np.roll(self["alt"], 1))
        change = np.cumsum(new)
        order = np.lexsort((np.arange(len(self)), -self.units("max")))
        _, first = np.unique(change[order], return_index=True)
        picked: npt.NDArray[np.int64] = order[np.sort(first)]
        return picked


def rows_of(results: Iterable[BatchResult], contig: str, *, masked: bool) -> Rows:
    """Return the scores of results as rows; those without scores give none.

    Parameters
    ----------
    results
        Of single-base changes on one contig, in the order of rows.
    contig
        Its name.
    masked
        Whether to take masked scores.
    """
    cells = [_cells(delta, masked) for result in results for delta in result.deltas]
    listed: Sequence[Sequence[object]] = list(zip(*cells, strict=True)) if cells else [()] * len(DTYPES)
    columns = {
        name: np.array(values, dtype=dtype) for (name, dtype), values in zip(DTYPES.items(), listed, strict=True)
    }
    return Rows(contig, columns)


def _cells(delta: SpliceDelta, masked: bool) -> tuple[object, ...]:
    scores = delta.masked if masked else delta.raw
    changes = [getattr(scores, kind.value) for kind in KINDS.values()]
    variant = delta.variant
    return (
        variant.position,
        variant.ref,
        variant.alt,
        delta.gene_name,
        str(delta.strand),
        delta.transcript_id,
        *(round(change.score, DECIMALS) for change in changes),
        *(change.offset for change in changes),
        *(round(change.ref_score, DECIMALS) for change in changes),
        *(round(change.alt_score, DECIMALS) for change in changes),
        round(scores.max_score, DECIMALS),
    )


@dataclass(frozen=True)
class Unscored:
    """Neighbouring positions of which no change has a score, for one reason.

    Attributes
    ----------
    start, end
        1-based, both included.
    code, message, advice
        Of the reason; the message is that of the first position.
    """

    start: int
    end: int
    code: str
    message: str
    advice: str


def join_unscored(runs: Iterable[Unscored]) -> list[Unscored]:
    """Join runs, by rising position, that touch each other and share their reason."""
    joined: list[Unscored] = []
    for run in runs:
        if joined and joined[-1].code == run.code and run.start <= joined[-1].end + 1:
            first = joined[-1]
            joined[-1] = Unscored(first.start, max(first.end, run.end), first.code, first.message, first.advice)
        else:
            joined.append(run)
    return joined
