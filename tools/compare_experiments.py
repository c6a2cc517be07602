"""Compare recorded runs on the rows that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agentic_spliceai.records.errors import RecordError
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import Comparison
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plan_one import METRICS
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.experiment_types import ExperimentRunDetail
    from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult


class CompareExperimentsArgs(ToolModel):
    """Which runs, by what, and against what."""

    runs: tuple[str, ...] = Field(min_length=1, description="Experiment runs that left a result; ids or beginnings.")
    metric: str | None = Field(default=None, description="The measure that decides; null takes the task's main one.")
    baseline: str | None = Field(
        default=None, description="Label of the run that the others are compared with; null takes the base model."
    )
    missing_baseline: Literal["refuse", "base_model"] = Field(
        default="refuse", description="What to do where the baseline is none of the runs, for it left no result."
    )


class NamedRun(ToolModel):
    """Which run a label stands for."""

    label: str = Field(description="The label in the comparison.")
    run_id: str = Field(description="The experiment run.")


class CompareExperimentsResult(ToolModel):
    """The comparison."""

    comparison: Comparison = Field(
        description="Figures, differences with intervals, the noise of the seeds, decisions."
    )
    runs: tuple[NamedRun, ...] = Field(min_length=1, description="The run of each label.")


def run(args: CompareExperimentsArgs, context: ToolContext) -> CompareExperimentsResult:
    """Compare the runs on their test rows.

    Raises
    ------
    UnknownRecordError
        If there is no such run.
    RecordError
        If a run left no result or no scores.
    IncomparableError
        If they were measured on other rows, or by another evaluator.
    """
    from agentic_spliceai.splice_engine.meta_layer.experiments.compare import compare_results

    details = {detail.id: detail for detail in (context.records.experiments.get(name) for name in args.runs)}
    named = labels_of(list(details.values()))
    baseline = args.baseline
    if baseline is not None and baseline not in named and any(d.label == baseline for d in details.values()):
        # Several runs have the label: the latest of them is meant.
        baseline = next(label for label, detail in named.items() if detail.label == baseline)
    elif baseline is not None and baseline not in named and args.missing_baseline == "base_model":
        baseline = None
    first = next(iter(details.values()))
    comparison = compare_results(
        {label: _result(detail) for label, detail in named.items()},
        {label: context.artifacts.path(_scores(detail)) for label, detail in named.items()},
        args.metric or METRICS[first.spec.task],
        baseline,
        draws=first.spec.draws,
    )
    return CompareExperimentsResult(
        comparison=comparison,
        runs=tuple(NamedRun(label=label, run_id=detail.id) for label, detail in named.items()),
    )


def labels_of(details: Sequence[ExperimentRunDetail]) -> dict[str, ExperimentRunDetail]:
    """Return runs by label; where several have one label, by label and id."""
    count = Counter(detail.label for detail in details)
    return {
        detail.label if count[detail.label] == 1 else f"{detail.label}-{detail.id[:6]}": detail for detail in details
    }


def _result(detail: ExperimentRunDetail) -> ExperimentResult:
    if detail.result is None:
        why = detail.error.message if detail.error else f"it is {detail.status}"
        raise RecordError(f"run {detail.id} ({detail.label}) left no result: {why}", "Compare runs that succeeded.")
    return detail.result


def _scores(detail: ExperimentRunDetail) -> str:
    for artifact in detail.artifacts:
        if artifact.kind == "scores":
            return artifact.sha256
    raise RecordError(f"run {detail.id} ({detail.label}) left no scores.", "Run the experiment again.")


TOOL = ToolSpec(
    name="compare_experiments",
    purpose="Compare runs on the rows that they share: differences with intervals, seeds' noise, keep or discard.",
    args=CompareExperimentsArgs,
    result=CompareExperimentsResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
