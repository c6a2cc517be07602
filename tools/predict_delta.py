"""Ask the meta-layer for its own deltas."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, MetaStatus
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.meta import find_meta_model, no_trained_model
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import GeneDeltaPrediction, GeneScore


class PredictDeltaArgs(ToolModel):
    """Scores and the model to recalibrate them with."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    model: str | None = Field(default=None, description="Trained meta-layer model; null takes the default one.")


class PredictDeltaResult(ToolModel):
    """Deltas of each gene as the meta-layer predicts them."""

    genes: tuple[GeneDeltaPrediction, ...] = Field(min_length=1, description="One a gene, in the order of the scores.")
    status: MetaStatus = Field(description="Whether a trained model has spoken.")


def run(args: PredictDeltaArgs, context: ToolContext) -> PredictDeltaResult:
    """Predict the deltas of every gene; without a trained model say so."""
    model = find_meta_model(args.model)
    status = MetaStatus.NO_TRAINED_MODEL if model is None else MetaStatus.PREDICTED
    nothing = DeltaPrediction(status=MetaStatus.NO_TRAINED_MODEL, message=no_trained_model(args.model))
    return PredictDeltaResult(
        genes=tuple(
            GeneDeltaPrediction(
                gene_id=score.delta.gene_id, prediction=nothing if model is None else model.predict_delta(score.delta)
            )
            for score in args.scores
        ),
        status=status,
    )


TOOL = ToolSpec(
    name="predict_delta",
    purpose="Give the meta-layer's predicted donor and acceptor deltas, if a model is trained.",
    args=PredictDeltaArgs,
    result=PredictDeltaResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
