"""Ask the meta-layer whether a variant alters splicing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus, TriageResult
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.meta import MODEL, base_model_of, find_meta_model, no_trained_model, not_judged
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneScore, GeneTriage, GenomeArgs


class TriageVerdict(StrEnum):
    """What triage says about the variant as a whole."""

    ALTERING = "altering"
    NOT_ALTERING = "not_altering"
    NO_MODEL = "no_model"


class TriageVariantArgs(GenomeArgs):
    """Scores, the genome that they were made on, and the model to judge the variant with."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    model: Annotated[str | None, PathAccess.READ] = Field(default=None, description=MODEL)


class TriageVariantResult(ToolModel):
    """Triage of each gene, and of the variant."""

    verdict: TriageVerdict = Field(description="altering if any gene is, no_model without a trained model.")
    genes: tuple[GeneTriage, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")
    message: str = Field(description="One sentence for a person.")


def run(args: TriageVariantArgs, context: ToolContext) -> TriageVariantResult:
    """Triage every gene; without a trained model say so.

    The trained model reads its own base model, which may be another than the one that made the scores.

    Raises
    ------
    CheckpointError
        If the model cannot be used.
    ToolArgumentError
        If it cannot judge the variant on a gene.
    """
    predictor = find_meta_model(args.model, context)
    if predictor is None:
        message = no_trained_model()
        nothing = TriageResult(status=MetaStatus.NO_TRAINED_MODEL, message=message)
        return TriageVariantResult(
            verdict=TriageVerdict.NO_MODEL,
            genes=tuple(GeneTriage(gene_id=score.delta.gene_id, triage=nothing) for score in args.scores),
            message=message,
        )
    bundle = context.resources.genome(args.genome, args.annotation)
    base_model = base_model_of(predictor, context)
    found: list[GeneTriage] = []
    for score in args.scores:
        gene = score.delta.gene_id
        (row,) = predictor.triage([score.delta.variant], bundle.genome, bundle.annotation, base_model, gene=gene)
        if row.triage is None:
            raise not_judged(score.delta.gene_name, row)
        found.append(GeneTriage(gene_id=gene, triage=row.triage))
    altering = [gene for gene in found if _is_altering(gene.triage)]
    return TriageVariantResult(
        verdict=TriageVerdict.ALTERING if altering else TriageVerdict.NOT_ALTERING,
        genes=tuple(found),
        message=(altering or found)[0].triage.message,
    )


def _is_altering(triage: TriageResult) -> bool:
    return triage.probability is not None and triage.threshold is not None and triage.probability >= triage.threshold


TOOL = ToolSpec(
    name="triage_variant",
    purpose="Give the meta-layer's calibrated probability that a variant alters splicing, if a model is trained.",
    args=TriageVariantArgs,
    result=TriageVariantResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
