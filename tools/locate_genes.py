"""Find the genes that a variant lies in."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.splice_engine.errors import OutsideGenesError
from agentic_spliceai.splice_engine.genome.types import Gene, Interval, Strand, Variant
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GenomeArgs


class LocateGenesArgs(GenomeArgs):
    """The variant and the genome."""

    variant: Variant = Field(description="The variant, normalised.")


class GeneSummary(ToolModel):
    """A gene in a few words."""

    gene_id: str = Field(description="Identifier in the annotation.")
    gene_name: str = Field(description="Symbol.")
    strand: Strand = Field(description="Strand that it is transcribed from.")
    interval: Interval = Field(description="Extent, 0-based half-open.")
    biotype: str = Field(description="Biotype in the annotation; empty where it names none.")
    transcript_id: str = Field(description="The representative transcript.")
    other_transcripts: tuple[str, ...] = Field(description="The gene's other transcripts.")


class LocateGenesResult(ToolModel):
    """Every gene that overlaps the variant, on either strand."""

    genes: tuple[GeneSummary, ...] = Field(min_length=1, description="In the annotation's order.")


def run(args: LocateGenesArgs, context: ToolContext) -> LocateGenesResult:
    """List the genes.

    Raises
    ------
    OutsideGenesError
        If there is none.
    """
    annotation = context.resources.genome(args.genome, args.annotation).annotation
    genes = annotation.genes_at_variant(args.variant)
    if not genes:
        raise OutsideGenesError(
            f"{args.variant} lies in no gene of {annotation.source}.",
            "Splicing is scored inside genes; check build and annotation.",
        )
    return LocateGenesResult(genes=tuple(_summary(gene) for gene in genes))


def _summary(gene: Gene) -> GeneSummary:
    return GeneSummary(
        gene_id=gene.id,
        gene_name=gene.name,
        strand=gene.strand,
        interval=gene.interval,
        biotype=gene.biotype,
        transcript_id=gene.representative_id,
        other_transcripts=tuple(t.id for t in gene.transcripts if t.id != gene.representative_id),
    )


TOOL = ToolSpec(
    name="locate_genes",
    purpose="List every gene that a variant lies in, on either strand, with its representative transcript.",
    args=LocateGenesArgs,
    result=LocateGenesResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
