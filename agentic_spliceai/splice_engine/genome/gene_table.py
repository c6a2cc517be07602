"""Genes from the table that SpliceAI and OpenSpliceAI read: one transcript a gene, one gene a row."""

from __future__ import annotations

from pathlib import Path

from agentic_spliceai.splice_engine.genome.annotation_lines import lines, malformed
from agentic_spliceai.splice_engine.genome.annotation_table import GeneDraft, ParsedAnnotation, TranscriptDraft
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.types import Strand

COLUMNS = ("#NAME", "CHROM", "STRAND", "TX_START", "TX_END", "EXON_START", "EXON_END")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


def parse_gene_table(path: Path) -> ParsedAnnotation:
    """Read the table `#NAME CHROM STRAND TX_START TX_END EXON_START EXON_END`; starts are 0-based.

    The row's bounds are the extent of the gene; its exons are kept as they stand, and there is no coding sequence.

    Raises
    ------
    AnnotationFileError
        If the file cannot be read or a row is malformed.
    """
    genes: list[GeneDraft] = []
    for number, line in lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) < len(COLUMNS):
            raise malformed(path, number, f"it has {len(fields)} tab-separated columns instead of {len(COLUMNS)}")
        name, contig, strand = fields[0].strip(), fields[1], fields[2]
        if not name or strand not in tuple(Strand):
            raise malformed(path, number, f"name {name[:20]!r} or strand {strand[:20]!r} cannot be used")
        try:
            extent = (int(fields[3]), int(fields[4]))
            starts, ends = _numbers(fields[5]), _numbers(fields[6])
        except ValueError as problem:
            raise malformed(path, number, f"a coordinate is no number ({problem})") from problem
        if len(starts) != len(ends) or not starts:
            raise malformed(path, number, f"{len(starts)} exon starts and {len(ends)} exon ends")
        exons = list(zip(starts, ends, strict=True))
        if not 0 <= extent[0] < extent[1] or any(start < 0 or start >= end for start, end in exons):
            raise malformed(path, number, "an interval ends before it starts")
        transcript = TranscriptDraft(name, exons=exons, extent=extent)
        genes.append(GeneDraft(name, name, canonical_contig(contig), Strand(strand), extent, transcripts=[transcript]))
    return ParsedAnnotation(genes)
