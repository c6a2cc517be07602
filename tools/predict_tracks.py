"""Predict donors and acceptors along whole genes, as files for genome browsers and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.errors import NotScored, SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.meta import base_model_of, find_meta_model
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.track_types import TrackOptions, TracksSummary
from agentic_spliceai.tools.types import WEIGHTS, GenomeArgs

NAME = "tracks"
"""What files are called unless they are named."""

_SHOWN = 100


class PredictTracksArgs(GenomeArgs, TrackOptions):
    """Which genes or regions, by which models, and where to."""

    targets: tuple[str, ...] = Field(
        default=(), description="Genes by symbol or id, and regions: chr7:117559500-117559700, 1-based."
    )
    bed: Annotated[str | None, PathAccess.READ] = Field(default=None, description="BED file with further regions.")
    all_genes: bool = Field(default=False, description="Every gene of the annotation.")
    contigs: tuple[str, ...] = Field(
        default=(), description="With all_genes, only those of these contigs; empty takes all."
    )
    base_model: str | None = Field(
        default=None, min_length=1, description="Base model of the registry; null takes the meta model's, else small."
    )
    weights: Annotated[str | None, PathAccess.READ] = Field(default=None, description=WEIGHTS)
    meta_model: Annotated[str | None, PathAccess.READ] = Field(
        default=None, description="Trained meta-layer model of sites, for recalibrated probabilities beside the base's."
    )
    precision: Precision = Field(
        default=Precision.FLOAT32, description="In which numbers the base model's convolutions are computed."
    )
    folder: Annotated[str, PathAccess.WRITE] = Field(min_length=1, description="Folder to write to.")
    name: str = Field(
        default=NAME, pattern=r"^[^/\\]+$", max_length=100, description="What the names of all files begin with."
    )
    parts: Annotated[str | None, PathAccess.WRITE] = Field(
        default=None, description="Folder that keeps finished genes for later runs; null keeps them until it is done."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.targets or self.bed or self.all_genes):
            raise ValueError("give genes, regions or a BED file, or all_genes")
        if self.contigs and not self.all_genes:
            raise ValueError("contigs: they go with all_genes; name regions instead")
        if self.meta_model is not None and self.precision is not Precision.FLOAT32:
            raise ValueError("precision: a meta-layer model reads float32 scores")
        return self


class RefusedTarget(ToolModel):
    """A target, or a gene, without values."""

    target: str = Field(description="As given, or the gene's name.")
    reason: NotScored = Field(description="Why.")


class PredictTracksResult(ToolModel):
    """What was predicted and written."""

    summary: TracksSummary = Field(description="Counts, provenance and files.")
    refused: tuple[RefusedTarget, ...] = Field(
        description=f"The first {_SHOWN} targets and genes without values; all of them are in the table of genes."
    )


class NothingPredictedError(SpliceEngineError):
    """None of the targets has values: no file is written.

    Attributes
    ----------
    problems
        One line a target.
    """

    code: ClassVar[str] = "nothing_predicted"

    def __init__(self, refused: list[RefusedTarget]) -> None:
        first = refused[0].reason if refused else NotScored(code="", message="No gene was named.", advice="")
        super().__init__(first.message, first.advice)
        self.problems = [f"{item.target}: {item.reason.message} {item.reason.advice}" for item in refused[:_SHOWN]]


def run(args: PredictTracksArgs, context: ToolContext) -> PredictTracksResult:
    """Predict and write.

    Raises
    ------
    NothingPredictedError
        If no target has values.
    SettingError
        If the files cannot be written there, or would replace what is read.
    MissingExtraError
        If a format needs a library that is not installed.
    SpliceEngineError
        If genome, annotation, BED file or models cannot be opened, or do not belong together.
    """
    from agentic_spliceai.splice_engine.tracks import Refused, find_targets
    from agentic_spliceai.tools.track_run import write_tracks

    meta = find_meta_model(args.meta_model, context)
    if meta is not None and args.base_model is None:
        if args.weights is not None:
            raise ToolArgumentError("weights: of which base model?", "Name the base model too.")
        model = base_model_of(meta, context)
    else:
        model = context.resources.base_model(args.base_model or "small", args.weights)
    bundle = context.resources.genome(args.genome, args.annotation)
    given = {
        "genome": str(bundle.genome.path), "annotation": args.annotation, "weights": args.weights,
        "BED file": args.bed, "meta-layer model": args.meta_model,
    }  # fmt: skip
    targets = find_targets(
        args.targets, bundle.genome, bundle.annotation,
        bed=None if args.bed is None else Path(args.bed).expanduser(),
        everything=args.all_genes, contigs=args.contigs,
    )  # fmt: skip
    files = FileSet(Path(args.folder).expanduser(), args.name, given)
    refused: list[RefusedTarget] = []

    def refuse(item: Refused) -> None:
        if len(refused) < _SHOWN:
            refused.append(RefusedTarget(target=item.target, reason=item.reason))

    options = TrackOptions.model_validate({field: getattr(args, field) for field in TrackOptions.model_fields})
    with files:
        summary = write_tracks(
            targets, bundle, model, files, options, meta=meta, precision=args.precision,
            parts=None if args.parts is None else Path(args.parts).expanduser(),
            listen=context.listen, refuse=refuse,
        )  # fmt: skip
        if not summary.genes:
            raise NothingPredictedError(refused)
    return PredictTracksResult(summary=summary, refused=tuple(refused))


TOOL = ToolSpec(
    name="predict_tracks",
    purpose="Predict donors and acceptors along whole genes or regions, as bedGraph, bigWig, BED and tables.",
    args=PredictTracksArgs,
    result=PredictTracksResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.HOURS,
    function=run,
)
