"""Turn scores into what happens to the transcript and the protein."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.splice_engine.errors import UnknownGeneError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneConsequence, GeneScore, GenomeArgs, with_tracks


class InferConsequenceArgs(GenomeArgs):
    """Scores and the genome that they were made on."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")


class InferConsequenceResult(ToolModel):
    """Consequence on each gene's transcript."""

    genes: tuple[GeneConsequence, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")


def run(args: InferConsequenceArgs, context: ToolContext) -> InferConsequenceResult:
    """Infer events, reading frame and protein change of every gene.

    Raises
    ------
    UnknownGeneError
        If a score speaks of a gene that this annotation does not have at the variant.
    ArtifactError
        If its per-position scores are missing or damaged.
    """
    from agentic_spliceai.splice_engine.consequence.infer import infer_consequence

    bundle = context.resources.genome(args.genome, args.annotation)
    results = []
    for score in args.scores:
        genes = {gene.id: gene for gene in bundle.annotation.genes_at_variant(score.delta.variant)}
        gene = genes.get(score.delta.gene_id)
        if gene is None:
            raise UnknownGeneError(
                f"{score.delta.gene_name} ({score.delta.gene_id}) was scored, but {bundle.annotation.source} lacks it.",
                "Give the genome and annotation that the scores were made with.",
            )
        consequence = infer_consequence(with_tracks(score, context), gene, bundle.genome)
        results.append(GeneConsequence(gene_id=gene.id, consequence=consequence))
    return InferConsequenceResult(genes=tuple(results))


TOOL = ToolSpec(
    name="infer_consequence",
    purpose="Infer exon skipping, cryptic sites, retention or pseudoexon, reading frame, protein and NMD from scores.",
    args=InferConsequenceArgs,
    result=InferConsequenceResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
