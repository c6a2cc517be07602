"""Records of variants with the sequences of both alleles, from an assay's constructs or from the genome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agentic_spliceai.splice_engine.errors import NotScored, OutsideGenesError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Transcript, Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.data.variant_alignment import AllelePair, construct_pair, genomic_pair
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass

GENOMIC_WINDOW = 401
"""Columns of a genomic example; the documents' 401 nt."""


class LabelledVariant(Protocol):
    """What a record must have to become an example: `MeasuredVariant` and `SpliceVarDBRecord` do."""

    @property
    def id(self) -> str:
        """Name."""
        ...

    @property
    def source(self) -> str:
        """Table."""
        ...

    @property
    def variant(self) -> Variant:
        """The change on the plus strand."""
        ...

    @property
    def group(self) -> str:
        """Unit of splitting."""
        ...

    @property
    def gene(self) -> str | None:
        """Id or symbol."""
        ...

    @property
    def classification(self) -> VariantClass | None:
        """Class."""
        ...

    @property
    def altering(self) -> bool | None:
        """Label."""
        ...

    @property
    def psi(self) -> float | None:
        """Measured change of exon inclusion."""
        ...

    @property
    def published(self) -> Mapping[str, float]:
        """Scores of other predictors."""
        ...


@dataclass(frozen=True, slots=True)
class VariantInput:
    """A record with its two sequences."""

    record: LabelledVariant
    pair: AllelePair
    gene: str
    strand: Strand


@dataclass(frozen=True, slots=True)
class RejectedInput:
    """A record that gives no example.

    Attributes
    ----------
    index
        Which input, 0-based.
    id
        The record's name.
    reason
        Why.
    """

    index: int
    id: str
    reason: NotScored


def construct_inputs(records: Iterable[MeasuredVariant], *, context: int) -> list[VariantInput | RejectedInput]:
    """Take the assay sequences of measured variants; the base model sees N beyond them.

    Parameters
    ----------
    records
        One input each, in this order.
    context
        The base model's context, both sides together, nt.
    """
    inputs: list[VariantInput | RejectedInput] = []
    for index, record in enumerate(records):
        if record.construct is None:
            reason = NotScored(
                code="no_construct",
                message=f"{record.id} of {record.source} was not measured in a construct.",
                advice="Use genomic_inputs with a reference genome.",
            )
            inputs.append(RejectedInput(index, record.id, reason))
        else:
            pair = construct_pair(record.construct, context=context)
            inputs.append(VariantInput(record, pair, record.gene or "", record.strand))
    return inputs


def genomic_inputs(
    records: Iterable[LabelledVariant],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    *,
    context: int,
    window: int = GENOMIC_WINDOW,
) -> list[VariantInput | RejectedInput]:
    """Cut the sequences of variants out of the genome.

    Each record gives one input, on one gene: the one that it names, by id or symbol, else the gene whose nearest splice
    site is closest to the variant. Of that gene the representative transcript is taken if it holds the variant, else
    the longest.

    Parameters
    ----------
    records
        Their variants are normalised and compared with the genome.
    genome, annotation
        Of the variants' build.
    context
        The base model's context, both sides together, nt.
    window
        Columns that examples will have; odd.
    """
    inputs: list[VariantInput | RejectedInput] = []
    for index, record in enumerate(records):
        try:
            variant = normalize_variant(record.variant, genome)
            transcript = _transcript(variant, record.gene, annotation)
            pair = genomic_pair(variant, transcript, genome, reach=window // 2, context=context)
            inputs.append(VariantInput(record, pair, transcript.gene_name, transcript.strand))
        except SpliceEngineError as error:
            inputs.append(RejectedInput(index, record.id, error.as_not_scored()))
    return inputs


def _transcript(variant: Variant, name: str | None, annotation: GeneAnnotation) -> Transcript:
    genes = list(annotation.genes_at_variant(variant))
    # An id first: genes that overlap may share a name, or have none.
    named = [gene for gene in genes if name and gene.id == name]
    named = named or [gene for gene in genes if name and gene.name.upper() == name.upper()]
    candidates = [found for gene in named or genes if (found := _holding(gene, variant)) is not None]
    if not candidates:
        raise OutsideGenesError(
            f"{variant} lies in no transcript of {annotation.source}.", "Check the build and the annotation."
        )

    def distance(transcript: Transcript) -> int:
        return min((abs(site.position - variant.position) for site in transcript.splice_sites), default=1 << 40)

    return min(candidates, key=distance)


def _holding(gene: Gene, variant: Variant) -> Transcript | None:
    holding = [t for t in gene.transcripts if t.start < variant.position and variant.end <= t.end]
    return min(holding, key=lambda t: (t.id != gene.representative_id, t.start - t.end, t.id), default=None)
