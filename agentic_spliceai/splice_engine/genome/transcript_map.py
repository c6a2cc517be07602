"""Positions on the genome and on a transcript, intronic ones included.

Genomic positions are 1-based on the plus strand. Transcript bases are 1-based in the sense of transcription, exons
only. The text form follows the HGVS recommendations (hgvs-nomenclature.org, "Numbering"): `c.1` is the A of the start
codon, `c.-1` the base before it, `c.*1` the base after the stop codon; an intronic base counts from the nearest exonic
base, and in the middle of an intron of odd length from the exon before it.

A gap between exon blocks that is too short to be an intron (`types.MIN_INTRON`) is a stretch of the genome that the
transcript lacks: its bases lie in an exon and have no number.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from agentic_spliceai.splice_engine.errors import (
    InvalidVariantError,
    NoTranscriptNameError,
    PositionOutOfRangeError,
)
from agentic_spliceai.splice_engine.genome.types import MIN_INTRON, Strand, Transcript

_LABEL = re.compile(r"(?P<zone>[-*]?)(?P<number>\d{1,9})(?P<offset>[+-]\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TranscriptPosition:
    """A place on a transcript.

    Attributes
    ----------
    base
        1-based base of the spliced transcript; for an intronic place the nearest exonic base.
    offset
        0 inside an exon; +k is the k-th base of the intron after `base`, -k the k-th base before `base`.
    """

    base: int
    offset: int = 0

    @property
    def is_intronic(self) -> bool:
        """Whether the place lies in an intron."""
        return self.offset != 0


class TranscriptMap:
    """Two-way mapping between the genome and one transcript.

    Parameters
    ----------
    transcript
        The transcript; its CDS, where it has one, includes the stop codon.

    Attributes
    ----------
    transcript
        As given.
    length : int
        Bases of the spliced transcript.
    cds_start, cds_end : int or None
        1-based transcript positions of the first coding base and the last base of the stop codon; None if non-coding.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self._plus = transcript.strand is Strand.PLUS
        self._lacking = transcript.gaps
        # Exons in the order of transcription, with both ends 1-based on a "sense axis" that always rises along the
        # transcript: the genomic position on the plus strand, its negative on the minus strand.
        self._sense_start: list[int] = []
        self._sense_end: list[int] = []
        self._first_base: list[int] = []
        covered = 0
        for start, end in transcript.exons_in_order:
            self._sense_start.append(start + 1 if self._plus else -end)
            self._sense_end.append(end if self._plus else -(start + 1))
            self._first_base.append(covered + 1)
            covered += end - start
        self.length = covered
        self._spliced = [
            (start + 1, end) if self._plus else (-end, -(start + 1)) for start, end in transcript.spliced_exons_in_order
        ]
        self.cds_start: int | None = None
        self.cds_end: int | None = None
        if transcript.cds:
            ends = (transcript.cds[0][0] + 1, transcript.cds[-1][1])
            first, last = (self._place(position) for position in (ends if self._plus else ends[::-1]))
            if first.offset or last.offset:
                raise InvalidVariantError(
                    f"the coding sequence of {transcript.id} ends outside its exons.",
                    "Correct the annotation of this transcript or use another one.",
                )
            self.cds_start, self.cds_end = first.base, last.base

    def _sense(self, position: int) -> int:
        return position if self._plus else -position

    def _exon_at_or_before(self, sense: int) -> int:
        return bisect_right(self._sense_start, sense) - 1

    def contains(self, position: int) -> bool:
        """Whether the 1-based genomic position lies between the transcript's ends, introns included."""
        return self.transcript.start < position <= self.transcript.end

    def to_transcript(self, position: int) -> TranscriptPosition:
        """Map a genomic position to the transcript.

        Parameters
        ----------
        position
            1-based genomic position.

        Raises
        ------
        PositionOutOfRangeError
            If it lies before the first or after the last exon.
        NoTranscriptNameError
            If the transcript lacks this base of the genome.
        """
        if self.in_gap(position, position):
            place = f"{self.transcript.contig}:{position}"
            raise NoTranscriptNameError(
                f"{self.transcript.id} lacks the genome's base at {place}: it has no number there.",
                "Describe the variant on the genome or on another transcript.",
            )
        return self._place(position)

    def in_gap(self, first: int, last: int) -> bool:
        """Whether the transcript lacks one of the genome's bases from `first` to `last`, 1-based and inclusive."""
        return any(start < last and first <= end for start, end in self._lacking)

    def _place(self, position: int) -> TranscriptPosition:
        if not self.contains(position):
            raise PositionOutOfRangeError(
                f"{self.transcript.contig}:{position} lies outside transcript {self.transcript.id}.",
                f"It runs from {self.transcript.start + 1} to {self.transcript.end}.",
            )
        sense = self._sense(position)
        index = self._exon_at_or_before(sense)
        past = sense - self._sense_end[index]
        if past <= 0:
            return TranscriptPosition(self._first_base[index] + sense - self._sense_start[index])
        ahead = self._sense_start[index + 1] - sense
        following = self._first_base[index + 1]
        return TranscriptPosition(following - 1, past) if past <= ahead else TranscriptPosition(following, -ahead)

    def to_genome(self, base: int, offset: int = 0) -> int:
        """Map a transcript position to the genome.

        Parameters
        ----------
        base
            1-based base of the spliced transcript.
        offset
            Intronic offset; + counts into the intron after an exon's last base, - into the one before a first base.

        Returns
        -------
        int
            1-based genomic position.

        Raises
        ------
        PositionOutOfRangeError
            If the transcript has no such base, or the offset reaches past the intron.
        InvalidVariantError
            If there is an offset and `base` is not at the matching end of an exon.
        """
        name = self.transcript.id
        if not 1 <= base <= self.length:
            raise PositionOutOfRangeError(
                f"base {base} is not in transcript {name}.",
                f"It has {self.length} bases; check the transcript's version.",
            )
        index = bisect_right(self._first_base, base) - 1
        sense = self._sense_start[index] + base - self._first_base[index]
        if offset:
            after = offset > 0
            at_end = sense == (self._sense_end[index] if after else self._sense_start[index])
            other = index + 1 if after else index - 1
            if not at_end or not 0 <= other < len(self._first_base):
                side = "last" if after else "first"
                raise InvalidVariantError(
                    f"{self.label(base)}{offset:+d} is not in an intron of {name}: "
                    f"{self.label(base)} is not the {side} base of an exon with an intron there.",
                    "Check the transcript and its version.",
                )
            room = (
                self._sense_start[other] - self._sense_end[index]
                if after
                else self._sense_start[index] - self._sense_end[other]
            ) - 1
            if room < MIN_INTRON:
                raise InvalidVariantError(
                    f"{self.label(base)}{offset:+d} is not in an intron of {name}: the {room} nt there are a "
                    "difference between transcript and genome.",
                    "Describe the variant on the genome or on another transcript.",
                )
            if abs(offset) > room:
                raise PositionOutOfRangeError(
                    f"offset {offset:+d} reaches past an intron of {room} nt in {name}.",
                    "Check the transcript and its version.",
                )
            sense += offset
        return sense if self._plus else -sense

    def label(self, base: int, offset: int = 0) -> str:
        """Return the HGVS number, without `c.` or `n.`: `1227-13`, `-5`, `*3+2`."""
        if self.cds_start is None or self.cds_end is None:
            text = str(base)
        elif base < self.cds_start:
            text = str(base - self.cds_start)
        elif base > self.cds_end:
            text = f"*{base - self.cds_end}"
        else:
            text = str(base - self.cds_start + 1)
        return f"{text}{offset:+d}" if offset else text

    def label_at(self, position: int) -> str:
        """Return the HGVS number of a 1-based genomic position; raises as `to_transcript` does."""
        place = self.to_transcript(position)
        return self.label(place.base, place.offset)

    def parse_label(self, text: str, coding: bool | None = None) -> int:
        """Return the 1-based genomic position of an HGVS number such as `1227-13`; the inverse of `label_at`.

        Parameters
        ----------
        text
            The number without `c.` or `n.`.
        coding
            True to read it as `c.`, False as `n.`; by default `c.` where the transcript has a coding sequence.

        Raises
        ------
        InvalidVariantError
            If the text is no such number, has `-` or `*` (or `c.`) where there is no coding sequence, or counts from a
            start codon that the transcript does not reach.
        PositionOutOfRangeError
            If the transcript has no such base.
        """
        match = _LABEL.fullmatch(text)
        if match is None or int(match["number"]) == 0:
            raise InvalidVariantError(
                f"{text[:40]!r} is no transcript position.", "Write for example 790+1, -12 or *5."
            )
        number, zone = int(match["number"]), match["zone"]
        offset = int(match["offset"] or 0)
        use_coding = self.cds_start is not None if coding is None else coding
        if not use_coding:
            if zone:
                raise InvalidVariantError(
                    f"{text!r} needs a coding sequence, and it is counted without one here ({self.transcript.id}).",
                    "Count n. positions from the transcript's first base, without - or *.",
                )
            return self.to_genome(number, offset)
        if self.cds_start is None or self.cds_end is None:
            raise InvalidVariantError(
                f"transcript {self.transcript.id} is non-coding: c.{text} means nothing there.", "Use n. positions."
            )
        if not self.transcript.cds_start_known:
            raise InvalidVariantError(
                f"c.{text} cannot be counted on {self.transcript.id}: its coding sequence starts before it.",
                "Use n. positions, or a transcript with its start codon.",
            )
        base = {"": self.cds_start + number - 1, "-": self.cds_start - number, "*": self.cds_end + number}[zone]
        if zone == "" and base > self.cds_end:
            raise PositionOutOfRangeError(
                f"c.{text} is past the stop codon of {self.transcript.id}.",
                f"Its coding sequence has {self.cds_end - self.cds_start + 1} bases; the 3' UTR is counted as c.*1.",
            )
        return self.to_genome(base, offset)

    def cds_offset(self, position: int) -> int | None:
        """Return the 0-based offset of a genomic position within the coding sequence; None outside of it."""
        if self.cds_start is None or self.cds_end is None or not self.contains(position):
            return None
        if self.in_gap(position, position):
            return None
        place = self._place(position)
        if place.offset or not self.cds_start <= place.base <= self.cds_end:
            return None
        return place.base - self.cds_start

    def exon_number(self, position: int) -> int | None:
        """Return the 1-based exon, in the order of transcription, that holds a genomic position; None if none does."""
        if not self.contains(position):
            return None
        sense = self._sense(position)
        return next((n for n, (first, last) in enumerate(self._spliced, 1) if first <= sense <= last), None)

    def intron_number(self, position: int) -> int | None:
        """Return the 1-based intron (intron n follows exon n) that holds a genomic position; None if none does."""
        if not self.contains(position) or self.exon_number(position) is not None:
            return None
        return bisect_left([first for first, _ in self._spliced], self._sense(position))
