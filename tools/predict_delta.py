"""Ask the meta-layer for its own deltas."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, MetaStatus
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.meta import MODEL, base_model_of, find_meta_model, no_trained_model, not_judged
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneDeltaPrediction, GeneScore, GenomeArgs


class PredictDeltaArgs(GenomeArgs):
    """Scores, the genome that they were made on, and the model to predict with."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    model: Annotated[str | None, PathAccess.READ] = Field(default=None, description=MODEL)


class PredictDeltaResult(ToolModel):
    """Deltas of each gene as the meta-layer predicts them."""

    genes: tuple[GeneDeltaPrediction, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")
    status: MetaStatus = Field(description="Whether a trained model has spoken.")


def run(args: PredictDeltaArgs, context: ToolContext) -> PredictDeltaResult:
    """Predict the deltas of every gene; without a trained model say so. Raises as `triage_variant.run`."""
    predictor = find_meta_model(args.model, context)
    if predictor is None:
        nothing = DeltaPrediction(status=MetaStatus.NO_TRAINED_MODEL, message=no_trained_model())
        return PredictDeltaResult(
            genes=tuple(GeneDeltaPrediction(gene_id=score.delta.gene_id, prediction=nothing) for score in args.scores),
            status=MetaStatus.NO_TRAINED_MODEL,
        )
    bundle = context.resources.genome(args.genome, args.annotation)
    base_model = base_model_of(predictor, context)
    genes = []
    for score in args.scores:
        gene = score.delta.gene_id
        (row,) = predictor.predict_delta([score.delta.variant], bundle.genome, bundle.annotation, base_model, gene=gene)
        if row.delta is None:
            raise not_judged(score.delta.gene_name, row)
        genes.append(GeneDeltaPrediction(gene_id=gene, prediction=row.delta))
    return PredictDeltaResult(genes=tuple(genes), status=MetaStatus.PREDICTED)


TOOL = ToolSpec(
    name="predict_delta",
    purpose="Give the meta-layer's predicted donor and acceptor deltas, if a model is trained.",
    args=PredictDeltaArgs,
    result=PredictDeltaResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
