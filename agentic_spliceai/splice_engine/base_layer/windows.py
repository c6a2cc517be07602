"""From a variant and a transcript to the sequences that a base model sees.

This is the one place where transcript orientation is made: a minus-strand gene is scored on the reverse complement,
and its scores are turned back to plus-strand order right after the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import FloatArray, Prediction
from agentic_spliceai.splice_engine.base_layer.regions import AlleleRequest
from agentic_spliceai.splice_engine.base_layer.results import ContextReport, SiteTrack
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Strand, Transcript, Variant

_CODES = np.full(256, 4, dtype=np.uint8)
_CODES[[ord(base) for base in "ACGT"]] = np.arange(4)
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
_ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


@dataclass(frozen=True)
class VariantWindow:
    """The two sequences of a variant on one transcript's strand.

    Attributes
    ----------
    start, end
        First and last position whose scores are compared, 1-based, inclusive; on the contig.
    strand
        Strand of the transcript.
    ref, alt
        Plus-strand sequence of each allele with half the context on either side; N where nothing is known, and outside
        the transcript.
    alt_positions : int64 [L_alt]
        1-based genomic position of each scored base of the alternate; inserted bases repeat their anchor's.
    insert_offsets : int32 [L_alt]
        0, or k for the k-th inserted base.
    context
        How much of the reference window was real.
    """

    start: int
    end: int
    strand: Strand
    ref: str
    alt: str
    alt_positions: npt.NDArray[np.int64]
    insert_offsets: npt.NDArray[np.int32]
    context: ContextReport


def variant_window(
    variant: Variant, transcript: Transcript, genome: ReferenceGenome, *, distance: int, context: int
) -> VariantWindow:
    """Cut the window of a variant, as SpliceAI 1.3.1 does, and extend it to what that leaves out.

    The compared positions are `distance` either side of the variant's position. A REF that reaches past that moves the
    right end to `distance` past its last base (the published tools misplace the scores of such a REF, and refuse one
    longer than twice the distance). Everything outside the
    transcript is N. Any REF and ALT may be exchanged: ALT bases stand one to one on REF bases as far as both go; more
    ALT bases count as inserted after the last REF base, missing ones as deleted.

    Parameters
    ----------
    variant
        Normalised, REF checked.
    transcript
        Its extent bounds the sequence, its strand is scored.
    genome
        The reference.
    distance
        nt either side.
    context
        Context of the network, both sides together, nt.
    """
    n_ref, n_alt = len(variant.ref), len(variant.alt)
    right = distance if n_ref - 1 <= distance else n_ref - 1 + distance
    length = genome.contig_length(variant.contig)
    start, end = max(variant.position - distance, 1), min(variant.position + right, length)
    left_edge, right_edge = start - 1 - context // 2, end + context // 2  # 0-based half-open
    raw = genome.fetch_padded(variant.contig, left_edge, right_edge)
    head = min(max(transcript.start - left_edge, 0), len(raw))
    tail = min(max(right_edge - transcript.end, 0), len(raw))
    ref = "N" * head + raw[head : len(raw) - tail] + "N" * tail
    at = variant.position - 1 - left_edge
    alt = ref[:at] + variant.alt + ref[at + n_ref :]

    shared = min(n_ref, n_alt)
    before = np.arange(start, variant.position + shared, dtype=np.int64)
    inserted = np.full(max(n_alt - n_ref, 0), variant.position + shared - 1, dtype=np.int64)
    after = np.arange(variant.end + 1, end + 1, dtype=np.int64)
    offsets = np.concatenate(
        [np.zeros(len(before)), np.arange(1, len(inserted) + 1), np.zeros(len(after))], dtype=np.int32, casting="unsafe"
    )
    return VariantWindow(
        start=start,
        end=end,
        strand=transcript.strand,
        ref=ref,
        alt=alt,
        alt_positions=np.concatenate([before, inserted, after]),
        insert_offsets=offsets,
        context=_context_report(raw, left_edge, head, tail, length),
    )


def encode(sequence: str, strand: Strand) -> FloatArray:
    """One-hot encode a plus-strand sequence in the sense of `strand`: float32 [L, 4], A, C, G, T; N is all zero."""
    one_hot: FloatArray = _ONE_HOT[_CODES[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]]
    return np.ascontiguousarray(one_hot[::-1, ::-1]) if strand is Strand.MINUS else one_hot


def allele_request(window: VariantWindow, variant: Variant, transcript: Transcript, *, context: int) -> AlleleRequest:
    """Say what the incremental scorer has to compute for a variant's window.

    Bases that the alleles share at their ends are no part of the edit; there are some that only the window knows, where
    the alternate reaches out of the transcript.
    """
    left_edge = window.start - 1 - context // 2
    at = variant.position - 1 - left_edge
    ref = window.ref[at : at + len(variant.ref)]
    alt = window.alt[at : at + len(variant.alt)]
    shared = min(len(ref), len(alt))
    head = next((i for i in range(shared) if ref[i] != alt[i]), shared)
    tail = next((i for i in range(shared - head) if ref[-1 - i] != alt[-1 - i]), shared - head)
    start, end = left_edge + at + head, left_edge + at + len(ref) - tail
    reference = _CODES[np.frombuffer(window.ref.encode("ascii"), dtype=np.uint8)]
    inserted = _CODES[np.frombuffer(alt[head : len(alt) - tail].encode("ascii"), dtype=np.uint8)]
    first = left_edge
    if window.strand is Strand.MINUS:
        # The axis of a minus strand runs from the last base of the contig to the first, which is position -1.
        first, start, end = -(left_edge + len(reference)), -end, -start
        reference, inserted = _COMPLEMENT[reference[::-1]], _COMPLEMENT[inserted[::-1]]
    return AlleleRequest(
        sequence=(transcript.contig, transcript.strand, transcript.start, transcript.end),
        start=first,
        reference=reference,
        edit=(start, end),
        inserted=inserted,
    )


def track(window: VariantWindow, prediction: Prediction, *, alt: bool, context: int) -> SiteTrack:
    """Put the network's output on one allele ([1, M, L, 3], transcript sense) onto the genome."""
    probabilities, logits = prediction.probabilities[0], prediction.logits[0]
    if window.strand is Strand.MINUS:
        probabilities, logits = probabilities[:, ::-1], logits[:, ::-1]
    flank = context // 2
    sequence = window.alt if alt else window.ref
    n_ref = window.end - window.start + 1
    return SiteTrack(
        strand=window.strand,
        positions=window.alt_positions if alt else np.arange(window.start, window.end + 1, dtype=np.int64),
        insert_offsets=window.insert_offsets if alt else np.zeros(n_ref, dtype=np.int32),
        bases=sequence[flank : len(sequence) - flank],
        probabilities=np.ascontiguousarray(probabilities),
        logits=np.ascontiguousarray(logits),
    )


def _context_report(raw: str, left_edge: int, head: int, tail: int, contig_length: int) -> ContextReport:
    """Count what the reference window holds; a position past the contig's end counts as that alone."""
    past = min(max(-left_edge, 0), len(raw)) + min(max(left_edge + len(raw) - contig_length, 0), len(raw))
    inside = raw[head : len(raw) - tail]
    unknown = inside.count("N")
    return ContextReport(
        total=len(raw),
        real=len(inside) - unknown,
        outside_gene=head + tail - past,
        no_sequence=unknown,
        past_contig_end=past,
    )
