"""List recorded experiment runs, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plan_one import METRICS
from agentic_spliceai.tools.settling import SettledRun, settle
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.experiments import ExperimentRunDetail


class ListExperimentsArgs(ToolModel):
    """Which runs."""

    experiment: str | None = Field(default=None, description="Only runs of this experiment, such as triage-mfass.")
    task: str | None = Field(default=None, description="Only this task: triage, delta or sites.")
    dataset: str | None = Field(default=None, description="Only this data set.")
    text: str | None = Field(default=None, description="Only runs whose label, model or hypothesis contains this.")
    limit: int = Field(default=20, ge=1, le=200, description="Most rows.")


class ExperimentRow(ToolModel):
    """One run."""

    run_id: str = Field(description="The experiment run.")
    experiment: str = Field(description="What it belongs to.")
    label: str = Field(description="The arm.")
    model: str = Field(description="The model.")
    dataset: str = Field(description="The data set.")
    base_model: str = Field(description="The base model.")
    seeds: tuple[int, ...] = Field(description="Its seeds.")
    status: str = Field(description="running, succeeded, failed, ...")
    decision: str | None = Field(description="keep, discard, crash or undecided; null before it is decided.")
    metric: str = Field(description="The task's main measure.")
    base: float | None = Field(description="The base model's value of it.")
    value: float | None = Field(description="The model's value of it.")
    low: float | None = Field(description="Lower end of its 95 % interval.")
    high: float | None = Field(description="Upper end of its 95 % interval.")
    n: int | None = Field(description="Rows that it was measured on.")
    cost_usd: float = Field(description="US dollars.")
    started_at: AwareDatetime = Field(description="When it was submitted.")


class ListExperimentsResult(ToolModel):
    """The runs."""

    runs: tuple[ExperimentRow, ...] = Field(description="The latest first.")
    settled: tuple[SettledRun, ...] = Field(
        default=(), description="Runs whose job has ended since the last look, or cannot be asked; now recorded."
    )


def run(args: ListExperimentsArgs, context: ToolContext) -> ListExperimentsResult:
    """List the runs, after recording the end of those whose job has ended."""
    settled = settle(context)
    store = context.records.experiments
    found = store.list(
        experiment=args.experiment, limit=args.limit, task=args.task, dataset=args.dataset, text=args.text
    )
    return ListExperimentsResult(runs=tuple(_row(store.get(summary.id)) for summary in found), settled=settled)


def _row(run: ExperimentRunDetail) -> ExperimentRow:
    metric = METRICS[run.spec.task]
    by_subject = {
        figure.subject: figure for figure in run.figures if figure.measure == metric and figure.subset == "all"
    }
    model, base = by_subject.get("model"), by_subject.get("base")
    return ExperimentRow(
        run_id=run.id,
        experiment=run.experiment,
        label=run.label,
        model=run.spec.model,
        dataset=run.spec.dataset,
        base_model=run.spec.base_model,
        seeds=run.spec.seeds,
        status=run.status,
        decision=run.decision,
        metric=metric,
        base=base.value if base else None,
        value=model.value if model else None,
        low=model.low if model else None,
        high=model.high if model else None,
        n=model.n if model else None,
        cost_usd=run.cost_usd,
        started_at=run.started_at,
    )


TOOL = ToolSpec(
    name="list_experiments",
    purpose="List recorded experiment runs with their main figure, decision and cost, the latest first.",
    args=ListExperimentsArgs,
    result=ListExperimentsResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
