"""A variant seen along the transcript: sense coordinates, and how places of the reference map onto the alternate.

Sense coordinates
-----------------
Everything in this room happens on an axis that rises along the transcript. A *boundary* is a place between two bases:
the 0-based genomic boundary on the plus strand, its negative on the minus strand; a base is named by the boundary
before it. An acceptor is the boundary before its exon's first base, a donor the boundary after its exon's last base.
The alternate allele has the same axis up to the variant and is shifted by `Edit.shift` after it.

Insertions and deletions in repeats have no single place. A boundary inside the stretch over which the indel can be
moved without changing the sequence therefore has two images on the alternate. A site is kept if the image that leaves
its exon's length as it was is a site there; a site at the other image is a shift by the length of the indel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Interval, Strand, Transcript, Variant

Span = tuple[int, int]
"""A stretch between two boundaries in sense coordinates, start before end."""

_MAX_ROLL = 500  # nt; a longer repeat around an indel is treated as if it ended there


class SequenceSource(Protocol):
    """What this room needs of a reference genome."""

    def fetch_padded(self, contig: str, start: int, end: int) -> str:
        """Return plus-strand bases [start, end), 0-based, upper-case, N where there is no sequence."""
        ...


@dataclass(frozen=True)
class Sense:
    """Conversion between the genome and the sense axis of one transcript."""

    contig: str
    strand: Strand

    def span(self, start: int, end: int) -> Span:
        """Return the sense span of a 0-based half-open genomic stretch."""
        return (start, end) if self.strand is Strand.PLUS else (-end, -start)

    def base(self, position: int) -> int:
        """Return the sense base of a 1-based genomic position."""
        return position - 1 if self.strand is Strand.PLUS else -position

    def position(self, base: int) -> int:
        """Return the 1-based genomic position of a sense base of the reference."""
        return base + 1 if self.strand is Strand.PLUS else -base

    def interval(self, start: int, end: int) -> Interval:
        """Return the genomic interval of a sense span of the reference."""
        low, high = self.span(start, end)
        return Interval(contig=self.contig, start=low, end=high)

    def fetch(self, genome: SequenceSource, start: int, end: int) -> str:
        """Return the reference's bases of a sense span, in the sense of the transcript."""
        low, high = self.span(start, end)
        bases = genome.fetch_padded(self.contig, low, high)
        return bases if self.strand is Strand.PLUS else reverse_complement(bases)


@dataclass(frozen=True)
class Edit:
    """A variant on the sense axis, trimmed of bases that both alleles share.

    Attributes
    ----------
    start, end
        The replaced span of the reference; empty for an insertion.
    alt
        The bases that stand there instead, in the sense of the transcript.
    left, right
        How far a pure insertion or deletion can be moved up- and downstream without changing the sequence, nt.
    """

    start: int
    end: int
    alt: str
    left: int = 0
    right: int = 0

    @property
    def shift(self) -> int:
        """Length of the alternate minus the reference's, nt."""
        return len(self.alt) - (self.end - self.start)

    def images(self, boundary: int) -> tuple[int, ...]:
        """Return the boundaries of the alternate that a boundary of the reference corresponds to; none if lost."""
        low, high, length = self.start - self.left, self.start + self.right, abs(self.shift)
        if self.start == self.end:
            kept = (boundary <= high, boundary >= low)
            return tuple(b for b, ok in zip((boundary, boundary + length), kept, strict=True) if ok)
        if not self.alt:
            kept = (boundary <= high, boundary >= low + length)
            return tuple(b for b, ok in zip((boundary, boundary - length), kept, strict=True) if ok)
        if self.shift == 0 or boundary <= self.start:
            return (boundary,)
        return (boundary + self.shift,) if boundary >= self.end else ()

    def preimages(self, boundary: int) -> tuple[int, ...]:
        """Return the boundaries of the reference that a boundary of the alternate corresponds to; none if it is new."""
        near = (boundary, boundary - self.shift)
        return tuple(b for b in dict.fromkeys(near) if boundary in self.images(b))

    def base_images(self, base: int) -> tuple[int, ...]:
        """Return the bases of the alternate that a base of the reference corresponds to; none if it is deleted."""
        return tuple(b for b in self.images(base) if b + 1 in self.images(base + 1))

    def start_image(self, boundary: int) -> int:
        """Return where an exon that starts there starts on the alternate, an indel left outside it if possible."""
        images = self.images(boundary)
        if not images:
            return self.end + self.shift - self.left
        return max(images) if self.shift > 0 else min(images)

    def end_image(self, boundary: int) -> int:
        """Return where an exon that ends there ends on the alternate, an indel left outside it if possible."""
        images = self.images(boundary)
        if not images:
            return self.start + self.right
        return min(images) if self.shift > 0 else max(images)

    def nearest_preimage(self, boundary: int) -> int:
        """Return a boundary of the reference for one of the alternate.

        Inside new bases it is where they begin, as far upstream as they can be placed.
        """
        before = self.preimages(boundary)
        return before[0] if before else self.start - self.left

    def replaces(self, start: int, end: int) -> bool:
        """Return whether the edit, in one of its places, takes in the whole stretch between two boundaries."""
        return max(end - self.end, -self.left) <= min(start - self.start, self.right)


def edit_of(variant: Variant, sense: Sense, genome: SequenceSource) -> Edit:
    """Put a variant on the sense axis of a transcript."""
    ref, alt, start = variant.ref, variant.alt, variant.position - 1
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, start = ref[1:], alt[1:], start + 1
    low, high = sense.span(start, start + len(ref))
    if sense.strand is Strand.MINUS:
        ref, alt = reverse_complement(ref), reverse_complement(alt)
    if ref and alt:
        return Edit(low, high, alt)
    unit = ref or alt
    downstream = sense.fetch(genome, high, high + _MAX_ROLL)
    upstream = sense.fetch(genome, low - _MAX_ROLL, low)[::-1]
    return Edit(low, high, alt, left=_repeated(unit[::-1], upstream), right=_repeated(unit, downstream))


def _repeated(unit: str, sequence: str) -> int:
    """Return how many bases of `sequence` go on repeating `unit`."""
    size = len(unit)
    return next((i for i, base in enumerate(sequence) if base != unit[i % size]), len(sequence))


@dataclass
class Allele:
    """Sequence of one allele along the sense axis, read where it is needed.

    Parameters
    ----------
    sense
        The axis.
    genome
        Where the reference is read.
    edit
        The variant; None for the reference allele.
    """

    sense: Sense
    genome: SequenceSource
    edit: Edit | None = None
    _cache: dict[Span, str] = field(default_factory=dict, repr=False)

    def sequence(self, start: int, end: int) -> str:
        """Return the bases between two boundaries of this allele, in the sense of the transcript."""
        if (start, end) not in self._cache:
            self._cache[start, end] = self._read(start, end)
        return self._cache[start, end]

    def _read(self, start: int, end: int) -> str:
        if end <= start:
            return ""
        edit = self.edit
        if edit is None or end <= edit.start:
            return self.sense.fetch(self.genome, start, end)
        after = edit.start + len(edit.alt)
        if start >= after:
            return self.sense.fetch(self.genome, start - edit.shift, end - edit.shift)
        upstream = self._read(start, edit.start)
        middle = edit.alt[max(start - edit.start, 0) : end - edit.start]
        return upstream + middle + self._read(max(start, after), end)


def sense_exons(transcript: Transcript) -> tuple[Span, ...]:
    """Return the exons, merged over gaps that are no introns, in the order of transcription, in sense coordinates."""
    sense = Sense(transcript.contig, transcript.strand)
    return tuple(sense.span(start, end) for start, end in transcript.spliced_exons_in_order)


def sense_cds(transcript: Transcript) -> tuple[Span, ...]:
    """Return the coding parts in the order of transcription, in sense coordinates; empty if non-coding."""
    sense = Sense(transcript.contig, transcript.strand)
    return tuple(sorted(sense.span(start, end) for start, end in transcript.cds))
