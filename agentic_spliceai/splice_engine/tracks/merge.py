"""Genes of one strand laid over each other: one value a position and track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.genome.types import Strand
from agentic_spliceai.splice_engine.tracks.genes import CLASSES, GenePrediction
from agentic_spliceai.splice_engine.tracks.parts import FloatArray
from agentic_spliceai.splice_engine.tracks.targets import GeneSpans


@dataclass(frozen=True, eq=False)
class MergedStretch:
    """Values of one strand along a stretch that genes cover.

    Where several genes of the strand cover a position, the highest probability of each class stands: it hides no
    gene's site, and does not depend on the order of the genes.

    Attributes
    ----------
    contig, strand, start
        Where; `start` is 0-based.
    values
        By predictor, float32 [L, 2]: donor and acceptor; NaN where nothing was predicted.
    owners : int32 [L, 2] by predictor
        Index into `genes` of the gene whose value stands, of several with the same value the first; -1 for none.
    sites : bool [L, 2]
        Where a transcript of one of the genes has a donor or an acceptor.
    genes
        The genes, by their beginning.
    """

    contig: str
    strand: Strand
    start: int
    values: dict[str, FloatArray]
    owners: dict[str, npt.NDArray[np.int32]]
    sites: npt.NDArray[np.bool_]
    genes: tuple[GeneSpans, ...]


def groups(wanted: Sequence[GeneSpans]) -> Iterator[tuple[GeneSpans, ...]]:
    """Cut genes into groups that share no position of a strand, in the order of contig, strand and place.

    Parameters
    ----------
    wanted
        In any order.
    """
    ordered = sorted(
        wanted, key=lambda gene: (gene.contig, gene.strand is Strand.MINUS, gene.spans[0][0], gene.spans[-1][1])
    )
    group: list[GeneSpans] = []
    reach = -1
    for gene in ordered:
        same = group and (gene.contig, gene.strand) == (group[0].contig, group[0].strand)
        if group and (not same or gene.spans[0][0] >= reach):
            yield tuple(group)
            group = []
        reach = max(reach, gene.spans[-1][1]) if group else gene.spans[-1][1]
        group.append(gene)
    if group:
        yield tuple(group)


def merge(predictions: Iterable[GenePrediction]) -> MergedStretch:
    """Lay genes of one contig and strand over each other.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = tuple(predictions)
    if not found:
        raise ValueError("nothing to merge")
    start = min(int(item.positions[0]) for item in found)
    length = max(int(item.positions[-1]) for item in found) + 1 - start
    names = tuple(found[0].values.tracks())
    shape = (length, len(CLASSES))
    values = {name: np.full(shape, np.nan, dtype=np.float32) for name in names}
    owners = {name: np.full(shape, -1, dtype=np.int32) for name in names}
    sites = np.zeros(shape, dtype=bool)
    for index, item in enumerate(found):
        at = item.positions - start
        sites[at] |= item.sites()
        for name, given in item.values.tracks().items():
            here = values[name][at]
            higher = (given > here) | (np.isnan(here) & ~np.isnan(given))
            values[name][at] = np.where(higher, given, here)
            owners[name][at] = np.where(higher, index, owners[name][at])
    first = found[0].spans
    return MergedStretch(first.contig, first.strand, start, values, owners, sites, tuple(item.spans for item in found))
