"""Where a variant lies, seen from the splice sites of a transcript, and what it does to its codons."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.consequence.allele import (
    Allele,
    Edit,
    Sense,
    SequenceSource,
    Span,
    edit_of,
    sense_cds,
    sense_exons,
)
from agentic_spliceai.splice_engine.consequence.effects import EffectPredictor
from agentic_spliceai.splice_engine.consequence.types import Frame
from agentic_spliceai.splice_engine.genome.types import SiteType, Transcript, Variant

_DINUCLEOTIDE = {SiteType.DONOR: "GT", SiteType.ACCEPTOR: "AG"}


class Region(StrEnum):
    """Part of the transcript that holds the variant."""

    EXON = "exon"
    INTRON = "intron"
    BOUNDARY = "boundary"
    OUTSIDE = "outside"


class CodingChange(StrEnum):
    """What the variant does to the protein if splicing stays as it is."""

    NONE = "none"
    SYNONYMOUS = "synonymous"
    ALTERED = "altered"
    UNKNOWN = "unknown"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AlteredSite(_Frozen):
    """A splice site whose two intronic bases (+1,+2 of a donor, -2,-1 of an acceptor) the variant changes."""

    type: SiteType
    intron_number: int = Field(ge=1, description="1-based; intron n follows exon n.")
    reference: str = Field(description="The two bases before, in the sense of the transcript.")
    alternate: str | None = Field(description="After; None where the site has no place on the alternate.")

    @property
    def is_canonical(self) -> bool:
        """Whether the reference has GT (donor) or AG (acceptor) there."""
        return self.reference == _DINUCLEOTIDE[self.type]


class SplicePlace(_Frozen):
    """Where a variant lies on one transcript.

    An insertion or deletion in a repeat has no single place: distances are the smallest over all its placements, and a
    site counts as altered only if no placement keeps its bases beside the exon.
    """

    region: Region
    intron_number: int | None = Field(default=None, ge=1, description="Of a variant inside one intron, 1-based.")
    donor_distance: int | None = Field(
        default=None, ge=1, description="n of +n, the nearest base to the intron's donor; inside one intron only."
    )
    acceptor_distance: int | None = Field(default=None, ge=1, description="n of -n, likewise for the acceptor.")
    altered_sites: tuple[AlteredSite, ...] = ()
    coding: CodingChange


def place_of(variant: Variant, transcript: Transcript, genome: SequenceSource) -> SplicePlace:
    """Say where a variant lies on a transcript."""
    sense = Sense(transcript.contig, transcript.strand)
    edit = edit_of(variant, sense, genome)
    exons = sense_exons(transcript)
    ref, alt = Allele(sense, genome), Allele(sense, genome, edit)
    first, last = _touched(edit)
    region, intron = _region(first, last, exons)
    return SplicePlace(
        region=region,
        intron_number=None if intron is None else intron + 1,
        donor_distance=None if intron is None else first - exons[intron][1] + 1,
        acceptor_distance=None if intron is None else exons[intron + 1][0] - last,
        altered_sites=tuple(_altered_sites(edit, exons, ref, alt)),
        coding=_coding(transcript, edit, (first, last), ref, alt),
    )


def _touched(edit: Edit) -> tuple[int, int]:
    """Return the first and last base that the edit may touch, wherever it is placed; its neighbours, if it inserts."""
    low, high = edit.start - edit.left, edit.end + edit.right
    return (low - 1, high) if edit.start == edit.end else (low, high - 1)


def _region(first: int, last: int, exons: tuple[Span, ...]) -> tuple[Region, int | None]:
    if last < exons[0][0] or first >= exons[-1][1]:
        return Region.OUTSIDE, None
    if any(start <= first and last < end for start, end in exons):
        return Region.EXON, None
    for index in range(len(exons) - 1):
        if exons[index][1] <= first and last < exons[index + 1][0]:
            return Region.INTRON, index
    return Region.BOUNDARY, None


def _altered_sites(edit: Edit, exons: tuple[Span, ...], ref: Allele, alt: Allele) -> list[AlteredSite]:
    found = []
    low, high = edit.start - edit.left, edit.end + edit.right
    for index in range(len(exons) - 1):
        for kind, boundary in ((SiteType.DONOR, exons[index][1]), (SiteType.ACCEPTOR, exons[index + 1][0])):
            if boundary + 2 < low or boundary - 2 > high:
                continue
            before = _two(ref, kind, boundary)
            after = [_two(alt, kind, image) for image in edit.images(boundary)]
            if before not in after:
                found.append(
                    AlteredSite(
                        type=kind,
                        intron_number=index + 1,
                        reference=before,
                        alternate=after[0] if len(after) == 1 else None,
                    )
                )
    return found


def _two(allele: Allele, kind: SiteType, boundary: int) -> str:
    return (
        allele.sequence(boundary, boundary + 2) if kind is SiteType.DONOR else allele.sequence(boundary - 2, boundary)
    )


def _coding(transcript: Transcript, edit: Edit, touched: Span, ref: Allele, alt: Allele) -> CodingChange:
    first, last = touched
    if not any(start <= last and first < end for start, end in sense_cds(transcript)):
        return CodingChange.NONE
    if edit.shift:
        return CodingChange.ALTERED
    normal = tuple((edit.start_image(start), edit.end_image(end)) for start, end in sense_exons(transcript))
    effect = EffectPredictor(transcript, ref, alt).predict(normal)
    if effect.hgvs_p is None:
        return CodingChange.UNKNOWN
    same = effect.frame is Frame.NO_CODING_CHANGE and effect.hgvs_p == "p.(=)"
    return CodingChange.SYNONYMOUS if same else CodingChange.ALTERED
