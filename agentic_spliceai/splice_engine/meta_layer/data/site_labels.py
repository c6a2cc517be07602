"""What the annotation says about each position of a gene: donor, acceptor, neither, or nothing that can be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX


@dataclass(frozen=True, eq=False)
class SiteLabels:
    """Labels along a track, in transcript sense.

    Attributes
    ----------
    labels : int64 [L]
        `SpliceClass`, or `IGNORE_INDEX` for a position that is left out.
    transcripts : int64 [L]
        Transcripts of the gene that have the site.
    contradicting, other_gene, unknown
        Positions left out because they are donor and acceptor in different transcripts, because only another gene of
        the same strand has a site there, or because the genome has no base there.
    """

    labels: npt.NDArray[np.int64]
    transcripts: npt.NDArray[np.int64]
    contradicting: int
    other_gene: int
    unknown: int


def label_track(track: GeneTrack, gene: Gene, others: Iterable[Gene] = ()) -> SiteLabels:
    """Label every position of a track.

    A donor stands on the last exonic base, an acceptor on the first; sites of all the gene's transcripts count.

    Parameters
    ----------
    track
        Scores of the gene, or of a part of it.
    gene
        The annotated gene.
    others
        Further genes that may overlap it; those of another strand, and `gene` itself, are passed over.
    """
    counts = _site_counts(track, gene)
    foreign = np.zeros(len(track), dtype=bool)
    for other in others:
        if other.id != gene.id and other.strand is gene.strand and other.contig == gene.contig:
            foreign |= _site_counts(track, other).any(axis=0)
    is_site = counts > 0
    labels = np.full(len(track), int(SpliceClass.NEITHER), dtype=np.int64)
    labels[is_site[SpliceClass.DONOR]] = SpliceClass.DONOR
    labels[is_site[SpliceClass.ACCEPTOR]] = SpliceClass.ACCEPTOR
    unknown = np.frombuffer(track.bases.encode("ascii"), dtype=np.uint8) == ord("N")
    contradicting = is_site.all(axis=0) & ~unknown
    foreign &= ~is_site.any(axis=0) & ~unknown
    labels[unknown | contradicting | foreign] = IGNORE_INDEX
    return SiteLabels(
        labels=labels,
        transcripts=counts.sum(axis=0),
        contradicting=int(contradicting.sum()),
        other_gene=int(foreign.sum()),
        unknown=int(unknown.sum()),
    )


def _site_counts(track: GeneTrack, gene: Gene) -> npt.NDArray[np.int64]:
    """Count the transcripts that have a donor (row 0) or an acceptor (row 1) at each position, int64 [2, L]."""
    counts = np.zeros((2, len(track)), dtype=np.int64)
    for transcript in gene.transcripts:
        for site in transcript.splice_sites:
            if track.start < site.position <= track.end:
                kind = SpliceClass.DONOR if site.type is SiteType.DONOR else SpliceClass.ACCEPTOR
                counts[kind, track.index_of(site.position)] += 1
    return counts
