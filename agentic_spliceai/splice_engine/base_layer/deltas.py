"""From the two alleles' tracks to gains and losses, raw and masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import FloatArray
from agentic_spliceai.splice_engine.base_layer.results import (
    ChangeKind,
    DeltaScores,
    Mask,
    SiteChange,
    SpliceClass,
    VariantTracks,
)
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Transcript, Variant

SitePositions = dict[SiteType, npt.NDArray[np.int64]]

_KINDS = (
    (ChangeKind.ACCEPTOR_GAIN, SiteType.ACCEPTOR, SpliceClass.ACCEPTOR, 1.0),
    (ChangeKind.ACCEPTOR_LOSS, SiteType.ACCEPTOR, SpliceClass.ACCEPTOR, -1.0),
    (ChangeKind.DONOR_GAIN, SiteType.DONOR, SpliceClass.DONOR, 1.0),
    (ChangeKind.DONOR_LOSS, SiteType.DONOR, SpliceClass.DONOR, -1.0),
)


def annotated_sites(gene: Gene) -> SitePositions:
    """Collect the splice sites of all transcripts of a gene, 1-based and ascending, by type."""
    return {
        site_type: np.array(
            sorted({s.position for t in gene.transcripts for s in t.splice_sites if s.type is site_type}),
            dtype=np.int64,
        )
        for site_type in SiteType
    }


def delta_scores(
    variant: Variant, tracks: VariantTracks, transcript: Transcript, sites: SitePositions, mask: Mask
) -> tuple[DeltaScores, DeltaScores]:
    """Find the largest gain and loss of donor and acceptor.

    Parameters
    ----------
    variant
        Offsets are counted from its position.
    tracks
        Both alleles.
    transcript
        Its exon ends serve `Mask.NEAREST_BOUNDARY`.
    sites
        Annotated sites of the gene.
    mask
        How the masked scores are made.

    Returns
    -------
    raw, masked : DeltaScores
        On ties the first position along the plus strand.
    """
    positions, ref, alt = tracks.aligned()
    change = alt - ref
    raw = _largest(variant, tracks, positions, ref, alt, change, sites)
    if mask is Mask.NEAREST_BOUNDARY:
        return raw, _nearest_boundary(raw, variant, transcript)
    return raw, _largest(variant, tracks, positions, ref, alt, _keep_unexpected(change, positions, sites), sites)


def _keep_unexpected(change: FloatArray, positions: npt.NDArray[np.int64], sites: SitePositions) -> FloatArray:
    """Set gains at annotated sites and losses elsewhere to 0, by class."""
    masked = change.copy()
    for site_type, column in ((SiteType.DONOR, SpliceClass.DONOR), (SiteType.ACCEPTOR, SpliceClass.ACCEPTOR)):
        values = masked[:, column]
        annotated = _is_among(positions, sites[site_type])
        masked[:, column] = np.where(annotated, np.minimum(values, 0), np.maximum(values, 0))
    return masked


def _is_among(positions: npt.NDArray[np.int64], ascending: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which positions stand in an ascending array; many times as fast as `np.isin`, which sorts both."""
    place = np.searchsorted(ascending, positions)
    inside = place < len(ascending)
    inside[inside] = ascending[place[inside]] == positions[inside]
    return inside


def _largest(
    variant: Variant,
    tracks: VariantTracks,
    positions: npt.NDArray[np.int64],
    ref: FloatArray,
    alt: FloatArray,
    change: FloatArray,
    sites: SitePositions,
) -> DeltaScores:
    found: dict[str, SiteChange] = {}
    for kind, site_type, column, sign in _KINDS:
        signed = sign * change[:, column]
        index = int(signed.argmax())
        position = int(positions[index])
        found[kind.value] = SiteChange(
            kind=kind,
            # A class that only rises has a negative "loss" in the published tools; nothing was lost, so it is 0 here.
            score=min(max(float(signed[index]), 0.0), 1.0) + 0.0,  # no -0.0
            position=position,
            offset=position - variant.position,
            insert_offset=_insert_offset(tracks, position, column),
            ref_score=float(ref[index, column]),
            alt_score=float(alt[index, column]),
            annotated=bool(_is_among(positions[index : index + 1], sites[site_type])[0]),
        )
    return DeltaScores(**found)


def _insert_offset(tracks: VariantTracks, position: int, column: SpliceClass) -> int:
    """Tell which of the bases that share an anchor's position has the class's largest probability on the alternate."""
    rows = np.flatnonzero(tracks.alt.positions == position)
    if len(rows) < 2:
        return 0
    best = rows[int(tracks.alt.mean[rows, column].argmax())]
    return int(tracks.alt.insert_offsets[best])


def _nearest_boundary(raw: DeltaScores, variant: Variant, transcript: Transcript) -> DeltaScores:
    """Mask as the published tools do: one boundary counts, and what the mask hits becomes 0 where it stands."""
    ends = sorted({start + 1 for start, _ in transcript.exons} | {end for _, end in transcript.exons})
    boundary = min(ends, key=lambda end: abs(end - variant.position))
    masked: dict[str, SiteChange] = {}
    for change in raw.changes():
        is_gain = change.kind in (ChangeKind.ACCEPTOR_GAIN, ChangeKind.DONOR_GAIN)
        hit = (change.position == boundary) == is_gain
        masked[change.kind.value] = change.model_copy(update={"score": 0.0}) if hit else change
    return DeltaScores(**masked)
