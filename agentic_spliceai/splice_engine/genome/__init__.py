"""Where things are: variants, reference sequence, genes and transcripts, and how people write them."""

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.contigs import (
    ContigAliases,
    canonical_contig,
    refseq_accession,
    refseq_build,
)
from agentic_spliceai.splice_engine.genome.hgvs import (
    described_transcript,
    hgvs_c,
    hgvs_c_of_gene,
    hgvs_g,
    parse_hgvs_c,
    reading_notes,
)
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.resolve import resolve_variant
from agentic_spliceai.splice_engine.genome.sequence import BASES, one_hot, reverse_complement
from agentic_spliceai.splice_engine.genome.snvs import snvs_of
from agentic_spliceai.splice_engine.genome.transcript_map import TranscriptMap, TranscriptPosition
from agentic_spliceai.splice_engine.genome.types import (
    Gene,
    GenomeBuild,
    Interval,
    SiteType,
    SpliceSite,
    Strand,
    Transcript,
    Variant,
)
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant, parse_raw, parse_variant
from agentic_spliceai.splice_engine.genome.vcf import VcfAllele, iter_vcf, read_vcf_header

__all__ = [
    "BASES",
    "ContigAliases",
    "Gene",
    "GeneAnnotation",
    "GenomeBuild",
    "Interval",
    "RawVariant",
    "ReferenceGenome",
    "SiteType",
    "SpliceSite",
    "Strand",
    "Transcript",
    "TranscriptMap",
    "TranscriptPosition",
    "Variant",
    "VcfAllele",
    "canonical_contig",
    "described_transcript",
    "hgvs_c",
    "hgvs_c_of_gene",
    "hgvs_g",
    "iter_vcf",
    "normalize_variant",
    "one_hot",
    "parse_hgvs_c",
    "parse_raw",
    "parse_variant",
    "read_vcf_header",
    "reading_notes",
    "refseq_accession",
    "refseq_build",
    "resolve_variant",
    "reverse_complement",
    "snvs_of",
]
