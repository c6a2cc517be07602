"""Read what a job has printed."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.compute.types import JobState
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.jobs import JOB
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

_LONGEST_LINE = 500


class JobLogsArgs(ToolModel):
    """Which job, and which lines."""

    job_id: str = Field(min_length=1, description=JOB)
    lines: int = Field(default=40, ge=1, le=200, description="Most lines.")
    cursor: str | None = Field(
        default=None,
        description="Cursor of an earlier page, to read on from there; '' begins at the beginning; null takes the "
        "last lines.",
    )


class JobLogsResult(ToolModel):
    """A stretch of its output."""

    job_id: str = Field(description="The job.")
    state: JobState = Field(description="Where it stood at the last look.")
    lines: tuple[str, ...] = Field(
        description=f"Standard output and error together; a line is cut at {_LONGEST_LINE} characters."
    )
    cursor: str = Field(description="Where the next page begins.")


def run(args: JobLogsArgs, context: ToolContext) -> JobLogsResult:
    """Read the lines; raises `UnknownJobError`, and `ComputeError` for a cursor that no page gave."""
    record = context.records.jobs.get(args.job_id)
    if args.cursor is None:
        page = context.jobs.tail(record.id, args.lines)
    else:
        page = context.jobs.logs(record.id, args.cursor, args.lines)
    return JobLogsResult(
        job_id=record.id,
        state=JobState(record.state),
        lines=tuple(_cut(line) for line in page.lines),
        cursor=page.cursor,
    )


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


TOOL = ToolSpec(
    name="job_logs",
    purpose="Read what a job has printed: its last lines, or a page from a cursor on.",
    args=JobLogsArgs,
    result=JobLogsResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
)
