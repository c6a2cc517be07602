"""Variants in the HGVS nomenclature, on a transcript and on the genome (hgvs-nomenclature.org, version 21).

Written are substitution, deletion, duplication, insertion and delins. A change in a repeat stands at its most 3' place
in the direction of the reference it is written on; the shift follows the genome, so it may cross an exon's end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agentic_spliceai.splice_engine.errors import (
    InvalidVariantError,
    NoSequenceError,
    NoTranscriptNameError,
    OutsideGenesError,
    PositionOutOfRangeError,
    ReferenceMismatchError,
    SpliceEngineError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.annotation_table import MANE_SELECT
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig, refseq_accession
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant, shift_left, shift_right, trim
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.transcript_map import TranscriptMap
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Transcript, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import (
    RawVariant,
    clean,
    invalid,
    parse_change,
    shortened,
)

_NUMBER = r"[-*]?\d+(?:[+-]\d+)?"
_DESCRIPTION = re.compile(
    rf"(?P<reference>[^:()\s]+)(?:\((?P<inner>[^()\s]+)\))?(?:\s*:\s*|\s+)(?P<kind>[cn])\.\s*"
    rf"(?P<start>{_NUMBER})(?:_(?P<end>{_NUMBER}))?\s*(?P<change>[A-Za-z][A-Za-z0-9>\s]*?)(?:\s*\(?p\..*)?",
    re.ASCII,
)
_TRANSCRIPT_LIKE = re.compile(r"(?:[NX][MR]_\d+|ENS[A-Z]*T\d+|LRG_\d+t\d+)(?:\.\d+)?", re.IGNORECASE | re.ASCII)


def hgvs_g(variant: Variant, genome: ReferenceGenome) -> str:
    """Return the genomic description, `NC_000011.10:g.47343158C>T`.

    The contig's own name stands where it has no RefSeq accession in this build. Raises as `normalize_variant` does.
    """
    variant = normalize_variant(variant, genome)
    name = refseq_accession(variant.contig, variant.build) or variant.contig
    start, ref, alt = trim(variant.position - 1, variant.ref, variant.alt)
    length = genome.contig_length(variant.contig)
    if not (ref and alt):
        start, ref, alt = shift_right(variant.contig, start, ref, alt, genome, length)
    kind = "m" if variant.contig == "chrM" else "g"
    copied = _copied(variant.contig, start, ref, alt, genome, Strand.PLUS, (0, length))
    return f"{name}:{kind}.{_describe(start, ref, alt, copied, Strand.PLUS, str)}"


def hgvs_c(variant: Variant, transcript: Transcript, genome: ReferenceGenome) -> str:
    """Return the description on a transcript, `NM_000256:c.1227-13G>A`; `n.` for a non-coding one.

    Parameters
    ----------
    variant
        The variant; it is normalised first.
    transcript
        A transcript that holds it, introns included.
    genome
        Reference.

    Raises
    ------
    OutsideGenesError
        If a base of the change lies before the first or after the last exon.
    NoTranscriptNameError
        If the transcript lacks a base that the description would count, or does not reach its start codon.
    ReferenceMismatchError, NoSequenceError, UnknownContigError, PositionOutOfRangeError
        As `normalize_variant`.
    """
    variant = normalize_variant(variant, genome)
    mapping = TranscriptMap(transcript)
    start, ref, alt = trim(variant.position - 1, variant.ref, variant.alt)
    contig, strand = variant.contig, transcript.strand
    # Of an insertion, the two bases that it stands between must lie in the transcript.
    first, last = (start, start + 1) if not ref else (start + 1, start + len(ref))
    if contig != transcript.contig or not (mapping.contains(first) and mapping.contains(last)):
        raise OutsideGenesError(
            f"{variant} does not lie wholly inside transcript {transcript.id}.",
            f"It runs from {transcript.start + 1} to {transcript.end} on {transcript.contig}; "
            "describe the variant on the genome instead.",
        )
    if transcript.is_coding and not transcript.cds_start_known:
        raise NoTranscriptNameError(
            f"the coding sequence of {transcript.id} starts before it, so that c. numbers cannot be counted.",
            "Describe the variant on the genome or on a complete transcript.",
        )
    bounds = (transcript.start, transcript.end)
    if not (ref and alt):
        room = 0 if ref else 1  # an insertion keeps a neighbour on either side
        if strand is Strand.PLUS:
            start, ref, alt = shift_right(contig, start, ref, alt, genome, bounds[1] - room)
        else:
            start, ref, alt = shift_left(contig, start, ref, alt, genome, bounds[0] + room)
    copied = _copied(contig, start, ref, alt, genome, strand, bounds)
    if ref:
        low, high = start + 1, start + len(ref)
    elif copied:
        low, high = (start - len(alt) + 1, start) if strand is Strand.PLUS else (start + 1, start + len(alt))
    else:
        low, high = start, start + 1
    if mapping.in_gap(low, high):
        raise NoTranscriptNameError(
            f"{variant} touches bases of the genome that {transcript.id} lacks.",
            "Describe the variant on the genome or on another transcript.",
        )
    prefix = "c" if transcript.is_coding else "n"
    return f"{transcript.id}:{prefix}.{_describe(start, ref, alt, copied, strand, mapping.label_at)}"


def hgvs_c_of_gene(variant: Variant, gene: Gene, genome: ReferenceGenome) -> dict[str, str]:
    """Return the description on each transcript of a gene that holds the variant, the representative first."""
    ordered = sorted(gene.transcripts, key=lambda transcript: transcript.id != gene.representative_id)
    found: dict[str, str] = {}
    for transcript in ordered:
        try:
            found[transcript.id] = hgvs_c(variant, transcript, genome)
        except (OutsideGenesError, NoTranscriptNameError):
            continue  # this transcript is shorter than the gene, or has no number there
    return found


def parse_hgvs_c(text: str, annotation: GeneAnnotation, genome: ReferenceGenome) -> Variant:
    """Read a description on a transcript and return the normal form of the variant.

    `NM_000249.4:c.790+1G>A`, `NM_000249.4(MLH1):c.790+1G>A`, `MLH1:c.790+1G>A` and `n.` for non-coding transcripts.
    After a gene's name its MANE Select transcript is meant, if the annotation tags one; otherwise the description has
    to mean the same on every transcript of the gene that it fits.

    Raises
    ------
    InvalidVariantError
        If the text is no such description, does not fit the transcript, or means different variants on different
        transcripts of the gene named (the message lists them).
    UnknownGeneError
        If the annotation lacks the transcript or gene.
    ReferenceMismatchError, NoSequenceError, UnknownContigError, PositionOutOfRangeError, BuildMismatchError
        As `normalize_variant`.
    """
    match = _DESCRIPTION.fullmatch(clean(text))
    if match is None:
        raise invalid(
            text, "its description is not read", "Write for example NM_000249.4:c.790+1G>A or MLH1:c.790+1G>A."
        )
    outer, inner = match["reference"], match["inner"]
    named = next((name for name in (inner, outer) if name and _TRANSCRIPT_LIKE.fullmatch(name)), None)
    if named is not None:
        transcript = annotation.transcript(named)
        _check_gene_name(text, inner if named == outer else outer, transcript, annotation)
        return _from_transcript(text, match, transcript, annotation, genome)
    gene_or_transcript = _gene_or_transcript(outer, annotation)
    if isinstance(gene_or_transcript, Transcript):
        return _from_transcript(text, match, gene_or_transcript, annotation, genome)
    return _from_gene(text, match, gene_or_transcript, annotation, genome)


def described_transcript(
    text: str, variant: Variant, annotation: GeneAnnotation, genome: ReferenceGenome
) -> str | None:
    """Return the id of the transcript that `text` describes `variant` on.

    None for a genomic description, and where the gene's representative fits the text as well as any. After a gene's
    name it is the first transcript on which the text means this variant: `BRCA1:c.5467+1G>A` speaks of NM_007294, even
    if another transcript is the representative.

    Parameters
    ----------
    text
        What `parse_hgvs_c` has read.
    variant
        What it has returned.
    """
    match = _DESCRIPTION.fullmatch(clean(text))
    if match is None:
        return None
    names = [name for name in (match["inner"], match["reference"]) if name]
    named = next((name for name in names if _TRANSCRIPT_LIKE.fullmatch(name)), None)
    found = annotation.transcript(named) if named is not None else _gene_or_transcript(match["reference"], annotation)
    if isinstance(found, Transcript):
        return found.id
    for transcript in (found.representative, *found.transcripts):
        try:
            meant = _from_transcript(text, match, transcript, annotation, genome)
        except (InvalidVariantError, PositionOutOfRangeError, ReferenceMismatchError, NoSequenceError):
            continue  # the text fits another transcript
        if meant == variant:
            return None if transcript.id == found.representative_id else transcript.id
    return None


def version_note(text: str, annotation: GeneAnnotation) -> str | None:
    """Return a sentence if `text` names a version of a transcript and the annotation names none; else None.

    Parameters
    ----------
    text
        What a person wrote; anything that is no description on a transcript gives None.

    Raises
    ------
    UnknownGeneError
        If the annotation lacks the transcript.
    """
    match = _DESCRIPTION.fullmatch(clean(text))
    names = (match["inner"], match["reference"]) if match else ()
    named = next((name for name in names if name and _TRANSCRIPT_LIKE.fullmatch(name)), None)
    if named is None or not (version := re.search(r"\.\d+$", named)):
        return None
    found = annotation.transcript(named).id
    if found != named[: version.start()]:
        return None
    return f"{named} was asked for; the annotation names no versions, and positions may differ between versions."


def reading_notes(text: str, variant: Variant, annotation: GeneAnnotation, genome: ReferenceGenome) -> tuple[str, ...]:
    """Say how a description on a transcript was read, where it could have been meant otherwise.

    Parameters
    ----------
    text, variant
        What `parse_hgvs_c` has read, and what it has returned; any other text gives no notes.

    Returns
    -------
    tuple of str
        A sentence if a version was named that the annotation does not know, and one if a description after a gene's
        name does not fit the gene's representative transcript and was read on another.
    """
    notes = [note] if (note := version_note(text, annotation)) is not None else []
    match = _DESCRIPTION.fullmatch(clean(text))
    if match is None or any(name and _TRANSCRIPT_LIKE.fullmatch(name) for name in (match["inner"], match["reference"])):
        return tuple(notes)
    read_on = described_transcript(text, variant, annotation, genome)
    gene = _gene_or_transcript(match["reference"], annotation)
    if read_on is not None and isinstance(gene, Gene):
        notes.append(
            f"{shortened(text)} does not fit {gene.representative_id}, the representative transcript of {gene.name}; "
            f"it was read on {read_on}."
        )
    return tuple(notes)


def _check_gene_name(text: str, name: str | None, transcript: Transcript, annotation: GeneAnnotation) -> None:
    """Refuse `NM_000546.6(BRCA1):c.`: the name beside a transcript has to be its gene's, or its contig's."""
    if name is None or name.lower() in (transcript.gene_name.lower(), transcript.gene_id.lower()):
        return
    if canonical_contig(name) == transcript.contig:
        return
    raise InvalidVariantError(
        f"{shortened(text)}: {transcript.id} is a transcript of {transcript.gene_name}, not of {shortened(name)}.",
        "Check the gene and the transcript.",
    )


def _gene_or_transcript(name: str, annotation: GeneAnnotation) -> Gene | Transcript:
    try:
        return annotation.gene(name)
    except UnknownGeneError as unknown:
        try:
            return annotation.transcript(name)
        except UnknownGeneError:
            raise unknown from None


def _from_gene(
    text: str, match: re.Match[str], gene: Gene, annotation: GeneAnnotation, genome: ReferenceGenome
) -> Variant:
    """Read a description on whichever transcripts of the gene it fits; refuse to guess between different meanings."""
    meanings: dict[Variant, list[str]] = {}
    refusals: dict[str, SpliceEngineError] = {}
    for transcript in gene.transcripts:
        try:
            variant = _from_transcript(text, match, transcript, annotation, genome)
        except (InvalidVariantError, PositionOutOfRangeError, ReferenceMismatchError, NoSequenceError) as refusal:
            refusals[transcript.id] = refusal
            continue
        if MANE_SELECT in transcript.tags:
            return variant
        meanings.setdefault(variant, []).append(transcript.id)
    standard = next((transcript.id for transcript in gene.transcripts if MANE_SELECT in transcript.tags), None)
    if standard is not None and meanings:
        others = ", ".join(name for names in meanings.values() for name in names)
        raise InvalidVariantError(
            f"{shortened(text)} does not fit {standard}, the MANE Select transcript of {gene.name}, but fits {others}.",
            f"Name the transcript that is meant. ({refusals[standard].message})",
        )
    if len(meanings) == 1:
        return next(iter(meanings))
    if not meanings:
        raise refusals[gene.representative_id]
    listed = "; ".join(f"{', '.join(sorted(ids))}: {variant}" for variant, ids in meanings.items())
    raise InvalidVariantError(
        f"{shortened(text)} means different variants on the transcripts of {gene.name}: {listed}.",
        "Name the transcript in place of the gene.",
    )


def _from_transcript(
    text: str, match: re.Match[str], transcript: Transcript, annotation: GeneAnnotation, genome: ReferenceGenome
) -> Variant:
    mapping = TranscriptMap(transcript)
    coding = match["kind"] == "c"
    change = parse_change(text, match["change"])
    start = mapping.parse_label(match["start"], coding)
    end = mapping.parse_label(match["end"], coding) if match["end"] else start
    plus = transcript.strand is Strand.PLUS
    if (end < start) if plus else (end > start):
        raise invalid(text, "its range ends before it starts")
    low, high = min(start, end), max(start, end)
    if change.inserts_between:
        if high != low + 1:
            raise invalid(
                text,
                "an insertion stands between two bases that are neighbours on the genome",
                "Write for example c.100_101insA.",
            )
        low, length = high, 0
    else:
        length = high - low + 1
        change.check_length(text, length)
    ref, alt = change.ref, change.alt
    if not plus:
        ref, alt = None if ref is None else reverse_complement(ref), reverse_complement(alt)
    raw = RawVariant(text, transcript.contig, low, ref, length, alt, change.duplicated, annotation.build)
    return normalize_variant(raw, genome)


def _copied(
    contig: str,
    start: int,
    ref: str,
    alt: str,
    genome: ReferenceGenome,
    strand: Strand,
    bounds: tuple[int, int],
) -> bool:
    """Whether inserted bases repeat those just before them in the direction of the strand, within the bounds."""
    if ref:
        return False
    low, high = (start - len(alt), start) if strand is Strand.PLUS else (start, start + len(alt))
    return bounds[0] <= low and high <= bounds[1] and genome.fetch_padded(contig, low, high) == alt


def _describe(start: int, ref: str, alt: str, copied: bool, strand: Strand, label: Callable[[int], str]) -> str:
    """Write the description of a trimmed change; `start` is 0-based, `label` takes 1-based positions."""
    plus = strand is Strand.PLUS

    def span(first: int, last: int) -> str:
        if first == last:
            return label(first)
        ends = (label(first), label(last))
        return "_".join(ends if plus else ends[::-1])

    own_ref, own_alt = (ref, alt) if plus else (reverse_complement(ref), reverse_complement(alt))
    if not ref:
        if copied:
            return f"{span(start - len(alt) + 1, start) if plus else span(start + 1, start + len(alt))}dup"
        return f"{span(start, start + 1)}ins{own_alt}"
    place = span(start + 1, start + len(ref))
    if not alt:
        return f"{place}del"
    return f"{place}{own_ref}>{own_alt}" if len(ref) == len(alt) == 1 else f"{place}delins{own_alt}"
