"""One form for each variant: compared with the genome, trimmed and left-aligned.

The algorithm is that of Tan, Abecasis & Kang, Bioinformatics 2015;31:2202 (`vt normalize`).
"""

from __future__ import annotations

from dataclasses import replace

from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    NoSequenceError,
    PositionOutOfRangeError,
    ReferenceMismatchError,
)
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Interval, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import (
    RawVariant,
    as_variant,
    invalid,
    is_transcript_hgvs,
    shortened,
)

_STRIDE = 512  # bases fetched at a time while a change is shifted


def normalize_variant(raw: RawVariant | Variant, genome: ReferenceGenome) -> Variant:
    """Compare a variant with the genome and bring it to its one normal form.

    Parameters
    ----------
    raw
        What a parser made, or a variant made by hand.
    genome
        Reference; the result carries its build where the variant names none.

    Returns
    -------
    Variant
        Trimmed and left-aligned; an insertion or deletion has one anchor base, its left neighbour (at base 1 of a
        contig the right one, as VCF prescribes).

    Raises
    ------
    BuildMismatchError
        If variant and genome name different builds.
    UnknownContigError, PositionOutOfRangeError
        If the genome has no such place.
    NoSequenceError
        If the genome has N where the variant lies.
    ReferenceMismatchError
        If REF is not what the genome has; the advice names what would fit.
    InvalidVariantError
        If the variant changes nothing.
    """
    if isinstance(raw, Variant):
        raw = RawVariant.from_variant(raw)
    if raw.build is not None and genome.build is not None and raw.build is not genome.build:
        raise BuildMismatchError(
            f"{shortened(raw.text)} is on {raw.build}, the genome file on {genome.build}.",
            f"Give the position on {genome.build}, or use the genome of {raw.build}.",
        )
    raw = replace(raw, build=raw.build or genome.build)
    found = _reference_bases(raw, genome)
    alt = found + found if raw.duplicated else raw.alt
    if found == alt:
        raise invalid(raw.text, "it leaves the reference as it is", "Give the changed allele as ALT.")
    start, ref, alt = trim(raw.position - 1, found, alt)
    if ref and alt:
        return as_variant(raw, start + 1, ref, alt)
    start, ref, alt = shift_left(raw.contig, start, ref, alt, genome)
    before = start > 0
    anchor = genome.fetch_padded(raw.contig, start - 1, start) if before else ""
    if not before:
        anchor = genome.fetch_padded(raw.contig, start + len(ref), start + len(ref) + 1)
    if anchor == "N":
        raise _no_sequence(raw, "beside")
    if before:
        return as_variant(raw, start, anchor + ref, anchor + alt)
    return as_variant(raw, 1, ref + anchor, alt + anchor)


def trim(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Take off the bases that both alleles share, first at the end, then at the start.

    Parameters
    ----------
    start
        0-based position of the first REF base.
    ref, alt
        Alleles; one of the results may be empty.

    Returns
    -------
    start, ref, alt
        The smallest change that is left.
    """
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[-1 - shared] == alt[-1 - shared]:
        shared += 1
    ref, alt = ref[: len(ref) - shared], alt[: len(alt) - shared]
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[shared] == alt[shared]:
        shared += 1
    return start + shared, ref[shared:], alt[shared:]


def shift_left(
    contig: str, start: int, ref: str, alt: str, genome: ReferenceGenome, limit: int = 0
) -> tuple[int, str, str]:
    """Move a pure insertion or deletion as far left as it means the same.

    Parameters
    ----------
    contig, start
        Place of the change; `start` is 0-based, and for an insertion the base that it stands before.
    ref, alt
        Exactly one of them is empty.
    genome
        Reference.
    limit
        0-based position that the start does not go below.

    Returns
    -------
    start, ref, alt
        The leftmost equivalent.
    """
    bases = ref or alt
    size = len(bases)
    rotated = 0  # bases[(-1 - rotated) % size] is the last base after `rotated` steps to the left
    moving = True
    while moving and start > limit:
        window = genome.fetch_padded(contig, max(limit, start - _STRIDE), start)
        for base in reversed(window):
            if base != bases[(-1 - rotated) % size]:
                moving = False
                break
            rotated += 1
            start -= 1
    turn = size - rotated % size
    bases = bases[turn:] + bases[:turn]
    return (start, bases, alt) if ref else (start, ref, bases)


def shift_right(
    contig: str, start: int, ref: str, alt: str, genome: ReferenceGenome, limit: int
) -> tuple[int, str, str]:
    """Move a pure insertion or deletion right as far as it means the same, its end not past 0-based `limit`.

    The mirror image of `shift_left`.
    """
    bases = ref or alt
    size = len(bases)
    end = start + len(ref)
    rotated = 0
    moving = True
    while moving and end < limit:
        window = genome.fetch_padded(contig, end, min(end + _STRIDE, limit))
        for base in window:
            if base != bases[rotated % size]:
                moving = False
                break
            rotated += 1
            end += 1
    turn = rotated % size
    bases = bases[turn:] + bases[:turn]
    start = end - len(ref)
    return (start, bases, alt) if ref else (start, ref, bases)


def _reference_bases(raw: RawVariant, genome: ReferenceGenome) -> str:
    """Return what the genome has where the variant lies, after comparing it with the REF given."""
    length = genome.contig_length(raw.contig)
    start, end = raw.position - 1, raw.position - 1 + raw.ref_length
    if start < 0 or end > length or start > length:
        raise PositionOutOfRangeError(
            f"{shortened(raw.text)} lies past the end of {raw.contig}, which has {length} bases.",
            "Check the position and the genome build.",
        )
    found = genome.fetch(Interval(contig=raw.contig, start=start, end=end))
    if "N" in found:
        raise _no_sequence(raw, "at")
    if raw.ref is not None and raw.ref != found:
        raise _mismatch(raw, found, genome)
    return found


def _no_sequence(raw: RawVariant, where: str) -> NoSequenceError:
    return NoSequenceError(
        f"the genome file has no sequence (N) {where} {shortened(raw.text)}, near {raw.contig}:{raw.position}.",
        "Use a genome file that covers this place; nothing can be scored here.",
    )


def _mismatch(raw: RawVariant, found: str, genome: ReferenceGenome) -> ReferenceMismatchError:
    given = raw.ref or ""
    start, end = raw.position - 1, raw.position - 1 + raw.ref_length
    hints: list[str] = []
    if not is_transcript_hgvs(raw.text):
        if reverse_complement(given) == found:
            hints.append("REF fits the other strand: give both alleles on the plus strand")
        hints.extend(
            f"REF fits {raw.position + step}: check whether the position is 0- or 1-based"
            for step in (1, -1)
            if genome.fetch_padded(raw.contig, start + step, end + step) == given
        )
    advice = "; ".join(hints) or f"Check position, alleles and build (the genome is {genome.build or genome.path.name})"
    return ReferenceMismatchError(
        f"REF of {shortened(raw.text)} is {_few(given)} on the plus strand, but the genome has {_few(found)} "
        f"at {raw.contig}:{raw.position}.",
        f"{advice}.",
    )


def _few(bases: str) -> str:
    return bases if len(bases) <= 20 else f"{bases[:17]}... ({len(bases)} nt)"
