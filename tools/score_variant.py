"""Score a variant with a base model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import TRANSCRIPT, WEIGHTS, GeneScore, GenomeArgs


class ScoreVariantArgs(GenomeArgs):
    """The variant, the genome and the model."""

    variant: Variant = Field(description="The variant, normalised.")
    base_model: str = Field(min_length=1, description="Base model of the registry: small, openspliceai, spliceai, ...")
    weights: Annotated[str | None, PathAccess.READ] = Field(default=None, description=WEIGHTS)
    transcript: str | None = Field(default=None, description=TRANSCRIPT)
    distance: int = Field(default=50, ge=1, le=10_000, description="How far from the variant changes are sought, nt.")


class ScoreVariantResult(ToolModel):
    """Scores on every overlapping gene."""

    scores: tuple[GeneScore, ...] = Field(min_length=1, description="One a gene, in the annotation's order.")
    max_score: float = Field(ge=0, le=1, description="The largest raw gain or loss of all.")


def run(args: ScoreVariantArgs, context: ToolContext) -> ScoreVariantResult:
    """Score the variant; raises the typed errors of `base_layer.scoring.score_variant`."""
    from agentic_spliceai.splice_engine.base_layer.scoring import score_variant

    bundle = context.resources.genome(args.genome, args.annotation)
    model = context.resources.base_model(args.base_model, args.weights)
    deltas = score_variant(
        args.variant,
        bundle.genome,
        bundle.annotation,
        model,
        distance=args.distance,
        transcripts=[args.transcript] if args.transcript else [],
    )
    return ScoreVariantResult(
        scores=tuple(GeneScore(delta=delta, tracks_sha256=_keep_tracks(delta, context)) for delta in deltas),
        max_score=max(delta.raw.max_score for delta in deltas),
    )


def _keep_tracks(delta: SpliceDelta, context: ToolContext) -> str | None:
    """Put per-position scores into the artifact store: they are too large for a result."""
    if delta.tracks is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracks.npz"
        delta.tracks.save(path)
        return context.artifacts.put_file(path)


TOOL = ToolSpec(
    name="score_variant",
    purpose="Score REF and ALT with a base model: gain and loss of donor and acceptor, with positions, per gene.",
    args=ScoreVariantArgs,
    result=ScoreVariantResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.SECONDS,
    function=run,
)
