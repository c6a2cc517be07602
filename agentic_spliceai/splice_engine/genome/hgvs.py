"""Variants in the HGVS nomenclature, on a transcript and on the genome (hgvs-nomenclature.org, version 21).

Written are substitution, deletion, duplication, insertion and delins. A change in a repeat stands at its most 3' place, in
the direction of the reference it is written on; the shift follows the genome, so it may cross an exon's end.
"""

from __future__ import annotations

import re

from agentic_spliceai.splice_engine.errors import InvalidVariantError, OutsideGenesError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.annotation_table import MANE_SELECT
from agentic_spliceai.splice_engine.genome.contigs import refseq_accession
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant, shift_left, shift_right, trim
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.transcript_map import TranscriptMap
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Transcript, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import (
    RawVariant,
    clean,
    invalid,
    is_transcript_hgvs,
    parse_change,
    parse_raw,
    shortened,
)

_NUMBER = r"[-*]?\d+(?:[+-]\d+)?"
_DESCRIPTION = re.compile(
    rf"(?P<reference>[^:()\s]+)(?:\((?P<inner>[^()\s]+)\))?\s*:\s*(?P<kind>[cn])\.\s*"
    rf"(?P<start>{_NUMBER})(?:_(?P<end>{_NUMBER}))?(?P<change>[A-Za-z][A-Za-z0-9>\s]*?)(?:\s*\(?p\..*)?",
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
    copied = _copied(variant.contig, start, ref, alt, genome, Strand.PLUS)
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
    if not (ref and alt):
        room = 0 if ref else 1  # an insertion keeps a neighbour on either side
        if strand is Strand.PLUS:
            start, ref, alt = shift_right(contig, start, ref, alt, genome, transcript.end - room)
        else:
            moved, new_ref, new_alt = shift_left(contig, start, ref, alt, genome)
            floor = transcript.start + room
            if moved >= floor:
                start, ref, alt = moved, new_ref, new_alt
            else:
                start, ref, alt = _unshift(moved, new_ref, new_alt, floor)
    copied = _copied(contig, start, ref, alt, genome, strand)
    prefix = "c" if transcript.is_coding else "n"
    return f"{transcript.id}:{prefix}.{_describe(start, ref, alt, copied, strand, mapping.label_at)}"


def hgvs_c_of_gene(variant: Variant, gene: Gene, genome: ReferenceGenome) -> dict[str, str]:
    """Return the description on each transcript of a gene that holds the variant, the representative first."""
    ordered = sorted(gene.transcripts, key=lambda transcript: transcript.id != gene.representative_id)
    found: dict[str, str] = {}
    for transcript in ordered:
        try:
            found[transcript.id] = hgvs_c(variant, transcript, genome)
        except OutsideGenesError:
            continue  # this transcript is shorter than the gene
    return found
