"""Genes from a GFF3: NCBI RefSeq, Ensembl, GENCODE."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from agentic_spliceai.splice_engine.errors import AnnotationFileError
from agentic_spliceai.splice_engine.genome.annotation_lines import Header, Row, malformed, rows
from agentic_spliceai.splice_engine.genome.annotation_table import (
    GeneDraft,
    ParsedAnnotation,
    TranscriptDraft,
    normal_tag,
)
from agentic_spliceai.splice_engine.genome.types import CDS_END_UNKNOWN, CDS_START_UNKNOWN, Strand

_logger = logging.getLogger(__name__)

# Types that carry no structure; RefSeq files hold many thousands of them.
_UNWANTED = frozenset({
    "region", "match", "cDNA_match", "five_prime_UTR", "three_prime_UTR", "UTR", "start_codon", "intron", "chromosome",
    "scaffold", "supercontig", "biological_region", "enhancer", "silencer", "sequence_feature", "protein_binding_site",
    "stop_codon_redefined_as_selenocysteine",
})  # fmt: skip
_EXONS = frozenset({"exon", "pseudogenic_exon", "noncoding_exon"})
_CODING = frozenset({"CDS", "stop_codon"})
_OPEN_ENDS = ("start_range=.,", "end_range=")
_PARENT = re.compile(r"(?:^|;)\s*Parent=([^;]+)")
_PREFIX = re.compile(r"^(?:gene|transcript|rna|mrna)[:-]", re.IGNORECASE)

_Key = tuple[str, str]


@dataclass(slots=True)
class _Node:
    """A feature that may be a gene or a transcript."""

    row: Row
    values: Mapping[str, str]
    parents: tuple[str, ...]
    exons: list[tuple[int, int]] = field(default_factory=list)
    cds: list[tuple[int, int]] = field(default_factory=list)
    out_of_phase: set[tuple[int, int]] = field(default_factory=set)
    open_ends: set[str] = field(default_factory=set)

    @property
    def is_gene(self) -> bool:
        return self.row.type.lower().endswith("gene")

    def first(self, *keys: str) -> str:
        return next((self.values[key] for key in keys if self.values.get(key)), "")


def attributes(text: str) -> dict[str, str]:
    """Return a GFF3 attribute column as a mapping, percent-escapes decoded."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        key, equals, value = part.strip().partition("=")
        if equals:
            found[key] = _decoded(value)
    return found


def _decoded(text: str) -> str:
    # An escaped line break inside a name would split it again in the cache.
    return " ".join(unquote(text).splitlines()) if "%" in text else text


def _parents(text: str) -> tuple[str, ...]:
    match = _PARENT.search(text)
    return tuple(_decoded(part.strip()) for part in match[1].split(",")) if match else ()


def parse_gff3(path: Path) -> ParsedAnnotation:
    """Read a GFF3; features may come in any order and an exon may have several parents.

    Raises
    ------
    AnnotationFileError
        If the file cannot be read, a line is malformed, or an exon names a parent that the file does not have.
    """
    header = Header()
    nodes: dict[_Key, _Node] = {}
    parts: list[tuple[Row, tuple[str, ...]]] = []
    without_strand = 0
    for row in rows(path, None, _UNWANTED, header):
        if row.type in _EXONS or row.type in _CODING:
            parents = _parents(row.attributes)
            if not parents:
                raise malformed(path, row.number, f"this {row.type} has no Parent")
            parts.append((row, parents))
            continue
        values = attributes(row.attributes)
        if "ID" not in values:
            continue  # nothing can belong to it
        if row.strand is None:
            without_strand += row.type.lower().endswith("gene")
        key = (row.contig, values["ID"])
        if (known := nodes.get(key)) is not None:  # one feature on several lines
            start, end = min(known.row.start, row.start), max(known.row.end, row.end)
            known.row = known.row._replace(start=start, end=end)
            continue
        nodes[key] = _Node(row, values, _parents(row.attributes))
    for row, parents in parts:
        for parent in parents:
            node = nodes.get((row.contig, parent))
            if node is None:
                raise malformed(path, row.number, f"its parent {parent[:40]!r} is not in the file")
            (node.exons if row.type in _EXONS else node.cds).append((row.start, row.end))
            if row.type == "CDS":
                if row.is_out_of_phase:
                    node.out_of_phase.add((row.start, row.end))
                if "partial=true" in row.attributes:  # NCBI: the end of a range that lies beyond the transcript is open
                    node.open_ends.update(end for end in _OPEN_ENDS if end in row.attributes)
    if without_strand:
        _logger.warning("%s: %d genes without a strand were left out", path.name, without_strand)
    return ParsedAnnotation(_genes(path, nodes), header.build_name, header.source)


def _genes(path: Path, nodes: dict[_Key, _Node]) -> list[GeneDraft]:
    genes: dict[_Key, GeneDraft] = {}
    for key, node in nodes.items():
        has_parts = bool(node.exons or node.cds)
        if node.row.strand is None or not (node.is_gene or has_parts):
            continue
        top_key = _gene_of(path, key, nodes)
        gene = genes.get(top_key)
        if gene is None:
            gene = genes[top_key] = _gene(nodes[top_key], node.row.strand)
        if has_parts:
            gene.transcripts.append(_transcript(node, gene))
    return list(genes.values())


def _gene_of(path: Path, key: _Key, nodes: dict[_Key, _Node]) -> _Key:
    """Follow the parents up to the gene; a transcript without one stands for its own gene."""
    seen = {key}
    while not nodes[key].is_gene:
        above = next(((key[0], parent) for parent in nodes[key].parents if (key[0], parent) in nodes), None)
        if above is None:
            return key
        if above in seen:
            raise AnnotationFileError(
                f"line {nodes[key].row.number} of {path.name}: {key[1][:40]!r} is its own ancestor.",
                "Correct the Parent attributes.",
            )
        seen.add(above)
        key = above
    return key


def _gene(node: _Node, strand: Strand) -> GeneDraft:
    own_id = _PREFIX.sub("", node.values["ID"])
    if not node.is_gene:
        gene_id = node.first("gene_id", "geneID", "gene") or own_id
        name = node.first("gene_name", "gene") or gene_id
    else:
        gene_id = node.first("gene_id") or own_id
        name = node.first("gene_name", "Name", "gene") or gene_id
    return GeneDraft(
        id=gene_id,
        name=name,
        contig=node.row.contig,
        strand=node.row.strand or strand,
        extent=(node.row.start, node.row.end),
        biotype=node.first("gene_biotype", "gene_type", "biotype"),
    )


def _transcript(node: _Node, gene: GeneDraft) -> TranscriptDraft:
    own_id = _PREFIX.sub("", node.values["ID"])
    transcript_id = node.first("transcript_id") or own_id
    if any(other.id == transcript_id for other in gene.transcripts):
        transcript_id = own_id
    tags = [normal_tag(tag) for tag in node.first("tag").split(",") if tag.strip()]
    ends = (CDS_START_UNKNOWN, CDS_END_UNKNOWN)
    named = zip(_OPEN_ENDS, ends if gene.strand is Strand.PLUS else ends[::-1], strict=True)
    tags += [tag for end, tag in named if end in node.open_ends and tag not in tags]
    return TranscriptDraft(
        id=transcript_id,
        biotype=node.first("transcript_biotype", "transcript_type", "biotype") or node.row.type,
        tags=tuple(tags),
        exons=node.exons,
        cds=node.cds,
        out_of_phase=node.out_of_phase,
        extent=(node.row.start, node.row.end),
    )
