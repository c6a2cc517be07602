"""Ask the meta-layer whether a variant alters splicing."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus, TriageResult
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.meta import find_meta_model, no_trained_model
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneScore, GeneTriage


class TriageVerdict(StrEnum):
    """What triage says about the variant as a whole."""

    ALTERING = "altering"
    NOT_ALTERING = "not_altering"
    NO_MODEL = "no_model"


class TriageVariantArgs(ToolModel):
    """Scores and the model to judge them with."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    model: str | None = Field(default=None, description="Trained meta-layer model; null takes the default one.")


class TriageVariantResult(ToolModel):
    """Triage of each gene, and of the variant."""

    verdict: TriageVerdict = Field(description="altering if any gene is, no_model without a trained model.")
    genes: tuple[GeneTriage, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")
    message: str = Field(description="One sentence for a person.")


def run(args: TriageVariantArgs, context: ToolContext) -> TriageVariantResult:
    """Triage every gene; without a trained model say so."""
    model = find_meta_model(args.model)
    if model is None:
        message = no_trained_model(args.model)
        nothing = TriageResult(status=MetaStatus.NO_TRAINED_MODEL, message=message)
        return TriageVariantResult(
            verdict=TriageVerdict.NO_MODEL,
            genes=tuple(GeneTriage(gene_id=score.delta.gene_id, triage=nothing) for score in args.scores),
            message=message,
        )
    genes = tuple(GeneTriage(gene_id=s.delta.gene_id, triage=model.triage(s.delta)) for s in args.scores)
    altering = [gene for gene in genes if _is_altering(gene.triage)]
    return TriageVariantResult(
        verdict=TriageVerdict.ALTERING if altering else TriageVerdict.NOT_ALTERING,
        genes=genes,
        message=(altering or genes)[0].triage.message,
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
