"""Both alleles of a variant on one axis, in transcript sense, from an assay's constructs or from the genome.

Columns of the axis hold a base of the reference, of the alternate, or of both. Changed bases stand one on one as far as
both alleles have some; what is left over is an insertion or deletion, whose columns have a gap in the other allele. A
pure insertion or deletion that may stand in several places stands at the first of them in transcript sense, whatever
the strand of the gene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.windows import variant_window
from agentic_spliceai.splice_engine.errors import OutsideGenesError
from agentic_spliceai.splice_engine.genome.normalization import shift_right, trim
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Strand, Transcript, Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import Construct

OUTSIDE = -1
"""Index of a column that lies before or after an allele's sequence: nothing is known there."""

GAP = -2
"""Index of a column in which an allele has no base, because it is deleted or not inserted."""

IndexArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class AllelePair:
    """A variant's two sequences in transcript sense, and the exon that it may change.

    Attributes
    ----------
    ref, alt
        Scored sequences; N where nothing is known. Offsets below are 0-based and count from their first base.
    flank
        Bases that stand before and after each of them for the base model alone, as (before ref, after ref) for both
        alleles.
    ref_at, alt_at
        Where the changed bases begin.
    ref_allele, alt_allele
        Changed bases, trimmed; one may be empty.
    acceptor, donor
        Offset in `ref` of the exon's first and last base, if they are annotated splice sites; None for the outer ends
        of a transcript. They may lie outside `ref` (negative, or past its end).
    exon_start, exon_end
        The exon in `ref`, 0-based half-open; may reach outside.
    exon_sequence
        Bases of the exon, N where not known.
    """

    ref: str
    alt: str
    flank: tuple[str, str]
    ref_at: int
    alt_at: int
    ref_allele: str
    alt_allele: str
    acceptor: int | None
    donor: int | None
    exon_start: int
    exon_end: int
    exon_sequence: str

    def scored(self) -> tuple[str, str]:
        """Return both sequences as the base model reads them."""
        before, after = self.flank
        return before + self.ref + after, before + self.alt + after


@dataclass(frozen=True, slots=True)
class AlignedColumns:
    """The axis of a pair.

    Attributes
    ----------
    ref_index, alt_index : int32 [C]
        For each column the 0-based offset in the allele's sequence, `OUTSIDE` or `GAP`.
    ref_start
        Column of the reference's first base.
    start, end
        Columns of the changed bases, half-open; never empty.
    """

    ref_index: IndexArray
    alt_index: IndexArray
    ref_start: int
    start: int
    end: int

    def __len__(self) -> int:
        return len(self.ref_index)

    def column_of(self, ref_offset: int, change_end: int) -> int:
        """Return the column of an offset in the reference, which may lie outside its sequence.

        Parameters
        ----------
        ref_offset
            0-based.
        change_end
            Offset of the first reference base after the changed ones.
        """
        inserted = int((self.ref_index == GAP).sum())
        return self.ref_start + ref_offset + (inserted if ref_offset >= change_end else 0)

    def window(self, first: int, length: int) -> tuple[IndexArray, IndexArray]:
        """Return both index rows of `length` columns from column `first` on, `OUTSIDE` beyond the axis."""
        columns = np.arange(first, first + length)
        inside = (columns >= 0) & (columns < len(self))
        columns = columns.clip(0, len(self) - 1)
        return (
            np.where(inside, self.ref_index[columns], np.int32(OUTSIDE)),
            np.where(inside, self.alt_index[columns], np.int32(OUTSIDE)),
        )


def align(pair: AllelePair) -> AlignedColumns:
    """Put both alleles on one axis."""
    n_ref, n_alt = len(pair.ref_allele), len(pair.alt_allele)
    left = max(pair.ref_at, pair.alt_at)
    changed = max(n_ref, n_alt)
    after_ref = len(pair.ref) - pair.ref_at - n_ref
    after_alt = len(pair.alt) - pair.alt_at - n_alt
    right = max(after_ref, after_alt)

    def row(before: int, own: int, after: int) -> IndexArray:
        index = np.full(left + changed + right, OUTSIDE, dtype=np.int32)
        index[left - before : left + own] = np.arange(before + own)
        index[left + own : left + changed] = GAP
        index[left + changed : left + changed + after] = np.arange(before + own, before + own + after)
        return index

    return AlignedColumns(
        ref_index=row(pair.ref_at, n_ref, after_ref),
        alt_index=row(pair.alt_at, n_alt, after_alt),
        ref_start=left - pair.ref_at,
        start=left,
        end=left + changed,
    )


def construct_pair(construct: Construct, *, context: int) -> AllelePair:
    """Return the pair of an assay's construct; the base model sees N beyond it.

    Parameters
    ----------
    construct
        Assay sequences.
    context
        The base model's context, both sides together, nt.
    """
    padding = "N" * (context // 2)
    pair = AllelePair(
        ref=construct.ref,
        alt=construct.alt,
        flank=(padding, padding),
        ref_at=construct.ref_at,
        alt_at=construct.alt_at,
        ref_allele=construct.ref_allele,
        alt_allele=construct.alt_allele,
        acceptor=construct.exon_offset,
        donor=construct.exon_offset + construct.exon_length - 1,
        exon_start=construct.exon_offset,
        exon_end=construct.exon_offset + construct.exon_length,
        exon_sequence=construct.exon,
    )
    return _leftmost(pair)


def genomic_pair(
    variant: Variant, transcript: Transcript, genome: ReferenceGenome, *, reach: int, context: int
) -> AllelePair:
    """Return the pair of a variant on a transcript; everything outside the transcript is N.

    The exon is the one that holds the variant's first base, else the nearest, of two equally near the first in the
    order of transcription.

    Parameters
    ----------
    variant
        Normalised, REF checked against `genome`.
    transcript
        Must contain the variant.
    genome
        Reference.
    reach
        Bases that are scored on either side of the changed ones, nt; fewer at a contig's end.
    context
        The base model's context, both sides together, nt.

    Raises
    ------
    OutsideGenesError
        If the variant does not lie in the transcript.
    UnknownContigError
        If the genome lacks the contig.
    """
    start, ref_allele, alt_allele = trim(variant.position - 1, variant.ref, variant.alt)
    last = max(start + len(ref_allele) - 1, start)
    if variant.contig != transcript.contig or not (transcript.start <= start and last < transcript.end):
        raise OutsideGenesError(
            f"{variant} does not lie in transcript {transcript.id} ({transcript.interval}).",
            "Choose a transcript that contains the variant.",
        )
    if transcript.strand is Strand.MINUS and start > 0 and not (ref_allele and alt_allele):
        # A normal form stands leftmost on the plus strand; the transcript's first place is the rightmost.
        start, ref_allele, alt_allele = shift_right(
            variant.contig, start, ref_allele, alt_allele, genome, transcript.end
        )
        anchor = genome.fetch_padded(variant.contig, start - 1, start)
        variant = variant.model_copy(update={"position": start, "ref": anchor + ref_allele, "alt": anchor + alt_allele})
    # Counted from the variant's position, an anchor or the changed bases themselves take up some of the reach.
    distance = reach + len(variant.ref) + len(variant.alt)
    window = variant_window(variant, transcript, genome, distance=distance, context=context)
    half = context // 2
    first = window.start - 1  # genomic offset, 0-based, of the first scored base
    end = window.end
    at = start - first
    ref, alt = window.ref, window.alt
    exons = transcript.spliced_exons_in_order
    if transcript.strand is Strand.MINUS:
        ref, alt = reverse_complement(ref), reverse_complement(alt)
        ref_allele, alt_allele = reverse_complement(ref_allele), reverse_complement(alt_allele)
        at = end - first - at - len(ref_allele)
        offsets = [(end - stop, end - begin) for begin, stop in exons]
    else:
        offsets = [(begin - first, stop - first) for begin, stop in exons]
    nearest = min(range(len(offsets)), key=lambda i: max(offsets[i][0] - at, at - (offsets[i][1] - 1), 0))
    exon_start, exon_end = offsets[nearest]
    begin, stop = exons[nearest]
    exon = genome.fetch_padded(variant.contig, begin, stop)
    return AllelePair(
        ref=ref[half : len(ref) - half],
        alt=alt[half : len(alt) - half],
        flank=(ref[:half], ref[len(ref) - half :]),
        ref_at=at,
        alt_at=at,
        ref_allele=ref_allele,
        alt_allele=alt_allele,
        acceptor=exon_start if nearest > 0 else None,
        donor=exon_end - 1 if nearest < len(offsets) - 1 else None,
        exon_start=exon_start,
        exon_end=exon_end,
        exon_sequence=reverse_complement(exon) if transcript.strand is Strand.MINUS else exon,
    )


def _leftmost(pair: AllelePair) -> AllelePair:
    """Shift a pure insertion or deletion as far to the start as it means the same."""
    deleted, inserted = pair.ref_allele, pair.alt_allele
    if bool(deleted) == bool(inserted):
        return pair
    bases = deleted or inserted
    limit = min(pair.ref_at, pair.alt_at)
    steps = 0
    while steps < limit and pair.ref[pair.ref_at - steps - 1] == bases[-1]:
        bases = bases[-1] + bases[:-1]
        steps += 1
    return replace(
        pair,
        ref_at=pair.ref_at - steps,
        alt_at=pair.alt_at - steps,
        ref_allele=bases if deleted else "",
        alt_allele=bases if inserted else "",
    )
