"""Prepare a data set for training: its variants scored with a base model, kept, and split by exon and chromosome."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from agentic_spliceai.splice_engine.meta_layer.experiments.result import DatasetUse
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class PrepareDataArgs(ToolModel):
    """Which data, which base model, and how much of it."""

    dataset: str = Field(min_length=1, description="Data set of the registry: minigene (simulated), mfass, vexseq, ...")
    base_model: str = Field(default="small", min_length=1, description="Base model of the registry.")
    model: str = Field(
        default="variant_aware", min_length=1, description="Model that will be trained: it says what an example holds."
    )
    task: ExperimentTask = Field(default=ExperimentTask.TRIAGE, description="triage or delta.")
    max_variants: int | None = Field(
        default=None, ge=50, description="At most so many variants, drawn by exon group; null takes all."
    )
    split: str = Field(default="default", description="Which chromosomes are the test: default (1, 3, 5, 7, 9), ...")


class PrepareDataResult(ToolModel):
    """The data as training will see them."""

    dataset: str = Field(description="The data set.")
    title: str = Field(description="What it is, one line.")
    licence: str = Field(description="Its licence.")
    synthetic: bool = Field(description="Simulated: says nothing about a human gene.")
    source_sha256: str = Field(description="Digest of the file, or of the variants where they are simulated.")
    variants: int = Field(ge=0, description="Variants in the data set.")
    rejected_rows: int = Field(ge=0, description="Rows of the file that are no variants.")
    examples: int = Field(ge=0, description="Variants that are scored and can be trained on.")
    left_out: dict[str, int] = Field(description="Drawn variants that could not be scored, by the code of the reason.")
    parts: tuple[DatasetUse, ...] = Field(description="Training, validation and test part, each with its digest.")
    base_model: str = Field(description="Base model and version whose scores the examples hold.")
    cache: str = Field(description="Folder in which the scores are kept; training finds them there.")


def run(args: PrepareDataArgs, context: ToolContext) -> PrepareDataResult:
    """Read, draw, score and split the data; what was scored before is not scored again.

    Raises
    ------
    UnknownDatasetError, MissingDatasetError, UnsupportedExperimentError
        If data, task and model do not fit, or the data are not on this machine.
    SettingError
        If a name is unknown.
    TrainingDataError
        If there are too few variants.
    """
    from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import SCORES_FOLDER, dataset_uses, prepare

    spec = ExperimentSpec(
        name="prepare_data",
        task=args.task,
        dataset=args.dataset,
        base_model=args.base_model,
        model=args.model,
        max_variants=args.max_variants,
        split=args.split,
    )
    settings = context.settings
    prepared = prepare(
        spec,
        resolver=context.resources.resolver,
        # As the worker does, so that training reads what is scored here.
        data_root=settings.data_dir,
        device=settings.device,
        progress=lambda done, total: context.listen(ToolProgress("sequences scored", done, total)),
    )
    examples, source = prepared.data.examples, prepared.source
    info = context.resources.base_model(args.base_model).info
    return PrepareDataResult(
        dataset=source.dataset.name,
        title=source.dataset.title,
        licence=source.dataset.licence,
        synthetic=source.dataset.synthetic,
        source_sha256=source.source_sha256,
        variants=len(source.records),
        rejected_rows=source.rejected,
        examples=len(examples),
        left_out=dict(sorted(Counter(item.reason.code for item in examples.rejected).items())),
        parts=dataset_uses(prepared),
        base_model=f"{info.name} {info.version}",
        cache=str(settings.data_dir.joinpath(*SCORES_FOLDER)),
    )


TOOL = ToolSpec(
    name="prepare_data",
    purpose="Score a data set's variants with a base model, keep the scores for training, and say how it is split.",
    args=PrepareDataArgs,
    result=PrepareDataResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.MINUTES,
    function=run,
)
