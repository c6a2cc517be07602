"""Genes from a GTF: GENCODE, Ensembl, NCBI RefSeq, UCSC."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from agentic_spliceai.splice_engine.genome.annotation_lines import Header, malformed, rows
from agentic_spliceai.splice_engine.genome.annotation_table import (
    GeneDraft,
    ParsedAnnotation,
    TranscriptDraft,
    normal_tag,
)

_logger = logging.getLogger(__name__)

_WANTED = frozenset({"gene", "transcript", "mRNA", "exon", "CDS", "stop_codon"})
_ATTRIBUTE = re.compile(r'([^\s;"]+)\s+(?:"([^"]*)"|([^;\s]+))\s*(?:;|$)')
_GENE_ID = re.compile(r'(?:^|[;\s])gene_id\s+"?([^";]+)')
_TRANSCRIPT_ID = re.compile(r'(?:^|[;\s])transcript_id\s+"?([^";]+)')


def attributes(text: str) -> dict[str, list[str]]:
    """Return the values of each key of a GTF attribute column, in order (`tag` occurs several times)."""
    found: dict[str, list[str]] = {}
    for key, quoted, bare in _ATTRIBUTE.findall(text):
        found.setdefault(key, []).append(quoted or bare)
    return found


def _first(values: dict[str, list[str]], *keys: str) -> str:
    return next((values[key][0] for key in keys if values.get(key) and values[key][0]), "")


def parse_gtf(path: Path) -> ParsedAnnotation:
    """Read a GTF.

    Gene and transcript rows are used where the file has them and made up from the exons where it has not. GTF keeps
    the stop codon out of the CDS (`stop_codon` rows); here it is part of it. One gene id on two contigs or strands is
    two genes.

    Raises
    ------
    AnnotationFileError
        If the file cannot be read or a line is malformed.
    """
    header = Header()
    genes: dict[tuple[str, str, str], GeneDraft] = {}
    transcripts: dict[tuple[str, str, str, str], TranscriptDraft] = {}
    without_strand = 0
    for row in rows(path, _WANTED, frozenset(), header):
        if row.strand is None:
            without_strand += 1
            continue
        found_gene, found_transcript = _GENE_ID.search(row.attributes), _TRANSCRIPT_ID.search(row.attributes)
        transcript_id = found_transcript[1].strip() if found_transcript else ""
        gene_id = found_gene[1].strip() if found_gene else transcript_id
        if not gene_id:
            raise malformed(path, row.number, "it has neither gene_id nor transcript_id")
        gene_key = (row.contig, str(row.strand), gene_id)
        gene = genes.get(gene_key)
        if gene is None or row.type == "gene":
            values = attributes(row.attributes)
            if gene is None:
                gene = genes[gene_key] = GeneDraft(gene_id, gene_id, row.contig, row.strand)
            gene.name = _first(values, "gene_name", "gene", "gene_id") or gene_id
            gene.biotype = _first(values, "gene_biotype", "gene_type") or gene.biotype
            if row.type == "gene":
                gene.extent = _joined(gene.extent, (row.start, row.end))
                continue
        transcript_key = (*gene_key, transcript_id or gene_id)
        transcript = transcripts.get(transcript_key)
        is_transcript = row.type in ("transcript", "mRNA")
        if transcript is None or is_transcript:
            values = attributes(row.attributes)
            if transcript is None:
                transcript = transcripts[transcript_key] = TranscriptDraft(transcript_key[-1])
                gene.transcripts.append(transcript)
            transcript.biotype = _first(values, "transcript_biotype", "transcript_type") or transcript.biotype
            transcript.tags = tuple(dict.fromkeys((*transcript.tags, *map(normal_tag, values.get("tag", [])))))
        if is_transcript:
            transcript.extent = _joined(transcript.extent, (row.start, row.end))
        else:
            (transcript.exons if row.type == "exon" else transcript.cds).append((row.start, row.end))
            if row.type == "CDS" and row.is_out_of_phase:
                transcript.out_of_phase.add((row.start, row.end))
    if without_strand:
        _logger.warning("%s: %d rows without a strand were left out", path.name, without_strand)
    return ParsedAnnotation(list(genes.values()), header.build_name, header.source)


def _joined(extent: tuple[int, int] | None, other: tuple[int, int]) -> tuple[int, int]:
    return other if extent is None else (min(extent[0], other[0]), max(extent[1], other[1]))
