"""List jobs, the latest first."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.compute.errors import ComputeError
from agentic_spliceai.compute.types import JobState
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.jobs import JobRow, row_of
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class ListJobsArgs(ToolModel):
    """Which jobs."""

    states: tuple[JobState, ...] = Field(default=(), description="Only jobs in these states; empty for all.")
    workflow_run_id: str | None = Field(default=None, description="Only jobs that this workflow run started.")
    limit: int = Field(default=20, ge=1, le=200, description="Most rows.")


class ListJobsResult(ToolModel):
    """The jobs."""

    jobs: tuple[JobRow, ...] = Field(description="The latest first.")
    problems: tuple[str, ...] = Field(
        description="Jobs whose backend could not be asked, and why; they are shown as they stood at the last look."
    )


def run(args: ListJobsArgs, context: ToolContext) -> ListJobsResult:
    """List the jobs, after asking their backends about those that have not ended."""
    store = context.records.jobs
    problems = []
    for record in store.open():
        try:
            context.jobs.refresh(record.id)
        except ComputeError as error:  # one that cannot be asked does not hide the others
            problems.append(f"{record.id}: {error}")
    states = [state.value for state in args.states] or None
    found = store.list(args.limit, states=states, run_id=args.workflow_run_id)
    return ListJobsResult(jobs=tuple(row_of(record) for record in found), problems=tuple(problems))


TOOL = ToolSpec(
    name="list_jobs",
    purpose="List jobs with their state, time and cost, the latest first.",
    args=ListJobsArgs,
    result=ListJobsResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
