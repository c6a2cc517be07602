"""End a job."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.compute.types import JobState
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.jobs import JOB, JobRow, row_of
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class CancelJobArgs(ToolModel):
    """Which job."""

    job_id: str = Field(min_length=1, description=JOB)


class CancelJobResult(ToolModel):
    """The job afterwards."""

    job: JobRow = Field(description="Where it stands.")
    cancelled: bool = Field(
        description="Whether it was ended by being cancelled; false where it had ended otherwise, or is still ending."
    )


def run(args: CancelJobArgs, context: ToolContext) -> CancelJobResult:
    """End the job and its processes; nothing happens where it has ended. Raises `UnknownJobError`."""
    record = context.jobs.cancel(args.job_id)
    return CancelJobResult(job=row_of(record), cancelled=record.state == JobState.CANCELLED)


TOOL = ToolSpec(
    name="cancel_job",
    purpose="End a job that waits or runs; what it has written stays.",
    args=CancelJobArgs,
    result=CancelJobResult,
    side_effect=SideEffect.ENDS_JOB,
    cost_class=CostClass.SECONDS,
    function=run,
)
