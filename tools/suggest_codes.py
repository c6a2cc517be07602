"""Suggest ACMG/AMP codes for a variant's effect on splicing, by rules kept as data."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.splice_engine.consequence.codes import CodeAssessment
from agentic_spliceai.splice_engine.errors import UnknownGeneError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneConsequence, GeneScore, GeneTriage, GenomeArgs


class SuggestCodesArgs(GenomeArgs):
    """Scores, triage and consequences of one variant, and the genome that they were made on."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    consequences: tuple[GeneConsequence, ...] = Field(description="Consequences, one a gene.")
    triage: tuple[GeneTriage, ...] = Field(default=(), description="Triage, at most one a gene.")


class GeneCodes(ToolModel):
    """What the rules say of the variant on one gene."""

    gene_id: str = Field(description="The gene.")
    codes: CodeAssessment = Field(description="Suggested codes with rule and citation, and why others are not.")


class SuggestCodesResult(ToolModel):
    """Suggestions on each gene's transcript; a person weighs and signs."""

    genes: tuple[GeneCodes, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")


def run(args: SuggestCodesArgs, context: ToolContext) -> SuggestCodesResult:
    """Apply the rules to every gene.

    Raises
    ------
    ToolArgumentError
        If a gene has a score, but no consequence.
    UnknownGeneError
        If a consequence speaks of a transcript that the annotation does not have at the variant.
    """
    from agentic_spliceai.splice_engine.consequence.codes import suggest_codes
    from agentic_spliceai.splice_engine.consequence.place import place_of

    bundle = context.resources.genome(args.genome, args.annotation)
    consequences = {item.gene_id: item.consequence for item in args.consequences}
    triage = {item.gene_id: item.triage for item in args.triage}
    found: list[GeneCodes] = []
    for score in args.scores:
        delta = score.delta
        consequence = consequences.get(delta.gene_id)
        if consequence is None:
            raise ToolArgumentError(f"{delta.gene_name} has a score, but no consequence.", "Give one for every gene.")
        transcript = next(
            (
                transcript
                for gene in bundle.annotation.genes_at_variant(delta.variant)
                for transcript in gene.transcripts
                if gene.id == delta.gene_id and transcript.id == consequence.transcript_id
            ),
            None,
        )
        if transcript is None:
            raise UnknownGeneError(
                f"{bundle.annotation.source} does not have {consequence.transcript_id} at {delta.variant}.",
                "Give the genome and annotation that the scores were made with.",
            )
        place = place_of(delta.variant, transcript, bundle.genome)
        codes = suggest_codes(delta, consequence, place, triage.get(delta.gene_id))
        found.append(GeneCodes(gene_id=delta.gene_id, codes=codes))
    return SuggestCodesResult(genes=tuple(found))


TOOL = ToolSpec(
    name="suggest_codes",
    purpose="Suggest ACMG/ClinGen codes for splicing by cited rules, or say why none; suggestions, never assignments.",
    args=SuggestCodesArgs,
    result=SuggestCodesResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
)
