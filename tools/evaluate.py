"""Measure a trained model on the test part of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer.experiments.result import Figure
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import results_folder
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.evaluation.results import Estimate

#: Measures that a result shows; the artifact has all.
MEASURES = ("pr_auc", "roc_auc", "top_k", "f1", "detection_rate", "false_positive_rate", "brier", "ece")


class EvaluateArgs(ToolModel):
    """The model, and what it is measured on."""

    model: Annotated[str, PathAccess.READ] = Field(
        min_length=1, description="A checkpoint, the folder of an ensemble, or the id of an experiment run."
    )
    dataset: str = Field(min_length=1, description="Data set by name: minigene, mfass, ...")
    split: str = Field(default="default", description="Which chromosomes are the test: default (1, 3, 5, 7, 9), ...")
    max_variants: int | None = Field(default=None, ge=50, description="At most so many variants; null for all.")
    draws: int = Field(default=1000, ge=100, le=10_000, description="Bootstrap draws of the intervals.")


class EvaluateResult(ToolModel):
    """The figures."""

    model: str = Field(description="The model.")
    base_model: str = Field(description="The base model and its score that stand beside it.")
    n: int = Field(ge=0, description="Test variants.")
    positives: int = Field(ge=0, description="Of which alter splicing.")
    figures: tuple[Figure, ...] = Field(description="Base model, model and difference, with 95 % intervals.")
    evaluation_sha256: str = Field(description="The whole evaluation in the artifact store.")


def run(args: EvaluateArgs, context: ToolContext) -> EvaluateResult:
    """Evaluate; raises as `experiments.evaluate_stored`."""
    from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate_stored import evaluate_stored

    result = evaluate_stored(
        _checkpoints(args.model, context),
        args.dataset,
        resolver=context.resources.resolver,
        data_root=context.settings.data_dir,
        split=args.split,
        max_variants=args.max_variants,
        draws=args.draws,
        device=context.settings.device,
        progress=lambda done, total: context.listen(ToolProgress("base scores", done, total)),
    )
    rows = [row for row in result.report.rows if row.subset == "all" and row.measure in MEASURES]
    figures = tuple(
        _figure(row.measure, row.of, subject, found)
        for row in rows
        for subject, found in (("base", row.base), ("model", row.model), ("difference", row.difference))
    )
    first = rows[0].model
    return EvaluateResult(
        model=result.model,
        base_model=result.base_model,
        n=first.n,
        positives=first.positives or 0,
        figures=figures,
        evaluation_sha256=context.artifacts.put_bytes(result.model_dump_json(indent=1).encode()),
    )


def _checkpoints(name: str, context: ToolContext) -> list[Path]:
    from agentic_spliceai.splice_engine.meta_layer.inference import checkpoints_in

    path = Path(name).expanduser()
    if not path.exists():
        path = results_folder(context.records.experiments.get(name).id, context) / "ensemble"
    found = [path] if path.is_file() else checkpoints_in(path)
    if not found:
        raise CheckpointError(f"there is no trained model in {path}.", "Give a checkpoint or a run that left one.")
    return found


def _figure(measure: str, of: str, subject: str, found: Estimate) -> Figure:
    return Figure(
        measure=measure,
        of=of,
        subject=subject,
        value=found.value,
        low=found.low,
        high=found.high,
        sd=found.sd,
        n=found.n,
        positives=found.positives,
        groups=found.groups,
        reason=found.reason,
    )


TOOL = ToolSpec(
    name="evaluate",
    purpose="Measure a trained model on the test part of a data set, with intervals, beside its base model.",
    args=EvaluateArgs,
    result=EvaluateResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.MINUTES,
    function=run,
)
