"""From an altered exon list to the messenger RNA, the reading frame, the protein, and nonsense-mediated decay."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from agentic_spliceai.splice_engine.consequence.allele import Allele, Edit, Span, sense_cds, sense_exons
from agentic_spliceai.splice_engine.consequence.protein import (
    StopKind,
    Translation,
    first_difference,
    hgvs_p,
    translate,
)
from agentic_spliceai.splice_engine.consequence.types import Frame, NmdPrediction, TranscriptEffect
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.types import Transcript

NMD_DISTANCE = 50
"""nt from a premature stop codon to the last exon junction above which decay is predicted (Nagy and Maquat 1998)."""

NMD_START_PROXIMAL = 150
"""nt from the start codon within which a premature stop often escapes decay (Lindeboom et al. 2016)."""


@dataclass(frozen=True)
class MatureRna:
    """A spliced transcript on one allele.

    Attributes
    ----------
    exons
        Sense spans in the order of transcription, none empty, none touching the next.
    sequence
        Their bases, joined.
    """

    exons: tuple[Span, ...]
    sequence: str

    @classmethod
    def of(cls, exons: tuple[Span, ...], allele: Allele) -> MatureRna:
        """Splice exons together; exons that the variant has emptied drop out, exons that it has joined are one."""
        joined: list[Span] = []
        for start, end in exons:
            if end <= start:
                continue
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return cls(tuple(joined), "".join(allele.sequence(start, end) for start, end in joined))

    @cached_property
    def _offsets(self) -> tuple[list[int], list[int]]:
        starts, offsets, total = [], [], 0
        for start, end in self.exons:
            starts.append(start)
            offsets.append(total)
            total += end - start
        return starts, offsets

    def offset(self, base: int) -> int | None:
        """Return the 0-based place of a sense base in the spliced sequence; None if it is not part of it."""
        starts, offsets = self._offsets
        index = bisect_right(starts, base) - 1
        if index < 0 or base >= self.exons[index][1]:
            return None
        return offsets[index] + base - starts[index]

    def base(self, offset: int) -> int:
        """Return the sense base at a 0-based place of the spliced sequence."""
        starts, offsets = self._offsets
        index = bisect_right(offsets, offset) - 1
        return starts[index] + offset - offsets[index]

    @property
    def last_junction(self) -> int | None:
        """0-based place of the first base after the last exon junction; None for a single exon."""
        return self._offsets[1][-1] if len(self.exons) > 1 else None


class EffectPredictor:
    """Predicts what altered exon lists of one transcript do to its protein.

    Parameters
    ----------
    transcript
        The transcript.
    ref, alt
        Its two alleles.

    Attributes
    ----------
    limits : tuple of str
        Why the protein, or a part of the prediction, is not known.
    """

    def __init__(self, transcript: Transcript, ref: Allele, alt: Allele) -> None:
        if alt.edit is None:
            raise ValueError("the alternate allele has no edit")
        self._edit: Edit = alt.edit
        self._alt = alt
        self._ref = MatureRna.of(sense_exons(transcript), ref)
        self._frame_known = False
        self._protein: str | None = None
        self.limits: tuple[str, ...] = ()
        self._coding = transcript.is_coding
        if self._coding:
            self._read_reference(transcript)

    def _read_reference(self, transcript: Transcript) -> None:
        blocks, name = sense_cds(transcript), transcript.id
        if not transcript.cds_is_complete:
            missing = "end" if transcript.cds_start_known else "start"
            self.limits = (f"{name} holds its coding sequence without its {missing}: no protein was predicted.",)
            return
        lacking = [end - start for start, end in transcript.gaps if _is_within(start, end, transcript.cds)]
        if lacking:
            self.limits = (
                f"The genome has {sum(lacking)} nt inside the coding sequence of {name} that the transcript lacks: "
                "no protein was predicted.",
            )
            return
        first, last = self._ref.offset(blocks[0][0]), self._ref.offset(blocks[-1][1] - 1)
        length = sum(end - start for start, end in blocks)
        if first is None or last is None or last + 1 - first != length:
            self.limits = (f"The coding sequence of {name} is not one stretch of its exons: no protein was predicted.",)
            return
        self._start, self._end = first, last + 1
        coding = self._ref.sequence[self._start : self._end]
        if length % 3 or length < 6:
            self.limits = (f"The coding sequence of {name} has {length} nt, not whole codons: no frame was predicted.",)
            return
        self._frame_known = True
        if canonical_contig(transcript.contig) == "chrM":
            self.limits = ("The mitochondrial genetic code is not the standard one: no protein was predicted.",)
        elif "N" in coding:
            self.limits = (
                f"{coding.count('N')} nt of the coding sequence of {name} are not sequenced: no protein was predicted.",
            )
        else:
            self._read_protein(coding, name)

    def _read_protein(self, coding: str, name: str) -> None:
        whole = translate(coding)
        if not whole.has_stop:
            self.limits = (f"The coding sequence of {name} does not end in a stop codon: no protein was predicted.",)
        elif len(whole.protein) != len(coding) // 3 - 1:
            self.limits = (
                f"The coding sequence of {name} has a stop codon inside, at residue {len(whole.protein) + 1}: "
                "no protein was predicted.",
            )
        else:
            self._protein = whole.protein
            if coding[:3] != "ATG":
                self.limits = (f"{name} starts with {coding[:3]}, not ATG; it was read as methionine.",)

    def predict(self, exons: tuple[Span, ...]) -> TranscriptEffect:
        """Return what the alternate allele with these exons does.

        Parameters
        ----------
        exons
            Sense spans on the alternate allele, in the order of transcription.
        """
        rna = MatureRna.of(exons, self._alt)
        change = len(rna.sequence) - len(self._ref.sequence)
        if not self._coding:
            return _without_protein(
                Frame.NON_CODING, change, "The transcript is non-coding.", NmdPrediction.NOT_APPLICABLE
            )
        if not self._frame_known:
            return _without_protein(Frame.UNKNOWN, change, "The reading frame is not known.")
        start = self._codon(rna, self._start)
        if start is None or rna.sequence[start : start + 3] != self._ref.sequence[self._start : self._start + 3]:
            return TranscriptEffect(
                frame=Frame.START_LOST,
                mrna_length_change=change,
                protein_length_ref=None if self._protein is None else len(self._protein),
                first_changed_residue=1,
                hgvs_p="p.(Met1?)",
                nmd=NmdPrediction.UNKNOWN,
                nmd_reason="The start codon is lost; where translation starts instead is not known.",
            )
        return self._translated(rna, start, change)

    def _codon(self, rna: MatureRna, at: int) -> int | None:
        """Return where the reference's three bases from `at` stand side by side in `rna`."""
        places = [
            {rna.offset(image) for image in self._edit.base_images(self._ref.base(at + i))} - {None} for i in range(3)
        ]
        return next((p for p in places[0] if p is not None and p + 1 in places[1] and p + 2 in places[2]), None)

    def _translated(self, rna: MatureRna, start: int, change: int) -> TranscriptEffect:
        stop = self._codon(rna, self._end - 3)
        if stop is None:
            growth = (len(rna.sequence) - start) - (len(self._ref.sequence) - self._start)
        else:
            growth = (stop - start) - (self._end - 3 - self._start)
        frame = Frame.FRAMESHIFT if growth % 3 else Frame.IN_FRAME
        if self._protein is None:
            return _without_protein(frame, change, "The reference protein is not known.")
        alt = translate(rna.sequence[start:])
        if not alt.is_known:
            return _without_protein(
                frame, change, "The altered transcript reads through bases without sequence.", ref=self._protein
            )
        kind = self._stop_kind(rna, start, stop, alt)
        same = alt.has_stop and alt.protein == self._protein
        at = first_difference(self._protein, alt.protein)
        shorter = kind is StopKind.LATER and len(alt.protein) < len(self._protein)
        premature = kind is StopKind.PREMATURE or shorter
        nmd, reason = self._decay(rna, start, alt, kind)
        return TranscriptEffect(
            frame=Frame.NO_CODING_CHANGE if same else frame,
            mrna_length_change=change,
            protein_length_ref=len(self._protein),
            protein_length_alt=len(alt.protein) if alt.has_stop else None,
            first_changed_residue=None if same else at + 1,
            stop_residue=len(alt.protein) + 1 if premature and not same else None,
            hgvs_p=hgvs_p(
                self._protein,
                alt,
                in_frame=frame is Frame.IN_FRAME,
                stop=kind,
                resumes=self._resumes(rna, start, at),
            ),
            nmd=nmd,
            nmd_reason=reason,
        )

    def _stop_kind(self, rna: MatureRna, start: int, stop: int | None, alt: Translation) -> StopKind:
        if not alt.has_stop:
            return StopKind.NONE
        at = start + 3 * len(alt.protein)
        if stop is None:
            return StopKind.PREMATURE if len(alt.protein) < len(self._protein or "") else StopKind.LATER
        if at == stop:
            return StopKind.REFERENCE
        return StopKind.PREMATURE if at < stop else StopKind.LATER

    def _resumes(self, rna: MatureRna, start: int, at: int) -> int:
        """Return the first residue from `at` on whose codon is intact and in frame in the altered transcript."""
        residues = len(self._protein or "")
        for index in range(at, residues):
            place = self._codon(rna, self._start + 3 * index)
            if place is not None and (place - start) % 3 == 0:
                return index
        return residues

    def _decay(self, rna: MatureRna, start: int, alt: Translation, kind: StopKind) -> tuple[NmdPrediction, str]:
        """Apply the 50-nt rule to the altered transcript."""
        if kind is StopKind.NONE:
            return NmdPrediction.NOT_APPLICABLE, "No stop codon in frame (nonstop): the 50-nt rule does not apply."
        after_stop = start + 3 * (len(alt.protein) + 1)
        distance = None if rna.last_junction is None else rna.last_junction - after_stop
        if kind is StopKind.REFERENCE:
            before = None if self._ref.last_junction is None else self._ref.last_junction - self._end
            if distance is not None and distance > NMD_DISTANCE and (before is None or before <= NMD_DISTANCE):
                return NmdPrediction.PREDICTED, (
                    f"The stop codon lies {distance} nt upstream of the last exon junction of the altered transcript."
                )
            return NmdPrediction.NOT_APPLICABLE, "The stop codon is the reference's."
        if distance is None:
            return NmdPrediction.NOT_APPLICABLE, "The altered transcript has a single exon: there is no exon junction."
        if distance < 0:
            return NmdPrediction.ESCAPES, "The new stop codon lies in the last exon."
        place = f"The new stop codon lies {distance} nt upstream of the last exon junction"
        if distance <= NMD_DISTANCE:
            return NmdPrediction.ESCAPES, f"{place}, within {NMD_DISTANCE} nt."
        near = after_stop - 3 - start
        caution = f"; it is {near} nt from the start codon, where some escape" if near < NMD_START_PROXIMAL else ""
        return NmdPrediction.PREDICTED, f"{place}, more than {NMD_DISTANCE} nt{caution}."


def _is_within(start: int, end: int, blocks: tuple[Span, ...]) -> bool:
    return bool(blocks) and blocks[0][0] < end and start < blocks[-1][1]


def _without_protein(
    frame: Frame, change: int, reason: str, nmd: NmdPrediction = NmdPrediction.UNKNOWN, ref: str | None = None
) -> TranscriptEffect:
    return TranscriptEffect(
        frame=frame,
        mrna_length_change=change,
        protein_length_ref=None if ref is None else len(ref),
        nmd=nmd,
        nmd_reason=reason,
    )
