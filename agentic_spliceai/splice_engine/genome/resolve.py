"""From what a person wrote, in any accepted form, to a checked variant."""

from __future__ import annotations

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.hgvs import parse_hgvs_c
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import is_transcript_hgvs, parse_raw


def resolve_variant(text: str, genome: ReferenceGenome, annotation: GeneAnnotation | None = None) -> Variant:
    """Read a variant in any accepted form, compare it with the genome, and return its normal form.

    Parameters
    ----------
    text
        Genomic, SPDI, VCF line, or, with an annotation, HGVS on a transcript.
    genome
        Reference.
    annotation
        Genes, for descriptions on a transcript.

    Raises
    ------
    SpliceEngineError
        The typed errors of `parse_raw`, `parse_hgvs_c` and `normalize_variant`.
    """
    if is_transcript_hgvs(text) and annotation is not None:
        return parse_hgvs_c(text, annotation, genome)
    return normalize_variant(parse_raw(text), genome)
