"""Wait until jobs have ended, and keep their metrics as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.compute.types import JobState, JobStatus
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import SubmittedArm
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.jobs import JobRecord

#: Seconds between two looks at the jobs.
POLL = 0.5


class FollowJobsArgs(ToolModel):
    """Which jobs."""

    arms: tuple[SubmittedArm, ...] = Field(min_length=1, description="Run and job of each arm.")


class EndedJob(ToolModel):
    """A job that has ended."""

    label: str = Field(description="The arm.")
    run_id: str = Field(description="Its experiment run.")
    job_id: str = Field(description="The job.")
    state: JobState = Field(description="How it ended.")
    message: str = Field(description="Why, in one line.")


class FollowJobsResult(ToolModel):
    """How the jobs ended."""

    jobs: tuple[EndedJob, ...] = Field(min_length=1, description="One an arm.")
    succeeded: int = Field(ge=0, description="Jobs that left a result.")


def run(args: FollowJobsArgs, context: ToolContext) -> FollowJobsResult:
    """Follow the jobs; it may be stopped and called again, the jobs do not mind.

    Raises
    ------
    ToolArgumentError
        If a job is not that of its run.
    """
    for arm in args.arms:
        if context.records.experiments.get(arm.run_id).job_id != arm.job_id:
            raise ToolArgumentError(
                f"job {arm.job_id} is not that of run {arm.run_id}.", "Give them as submit_plan does."
            )
    by_job = {arm.job_id: arm for arm in args.arms}
    cursors = dict.fromkeys(by_job, "")
    last: dict[str, str] = {}

    def listen(job: JobRecord, status: JobStatus) -> None:
        arm = by_job[job.id]
        cursors[job.id], newest = keep_metrics(arm, cursors[job.id], context)
        last[arm.label] = newest or last.get(arm.label, "") or status.state.value
        ended = sum(context.records.jobs.get(id_).state in _ENDED for id_ in by_job)
        text = ", ".join(f"{label}: {what}" for label, what in last.items())
        context.listen(ToolProgress(text, ended, len(by_job)))

    found = context.jobs.wait(tuple(by_job), poll_seconds=POLL, listen=listen)
    for job in found:  # what was written after the last look
        keep_metrics(by_job[job.id], cursors[job.id], context)
    ended = tuple(
        EndedJob(
            label=by_job[job.id].label,
            run_id=by_job[job.id].run_id,
            job_id=job.id,
            state=JobState(job.state),
            message=job.message,
        )
        for job in found
    )
    return FollowJobsResult(jobs=ended, succeeded=sum(job.state is JobState.SUCCEEDED for job in ended))


def keep_metrics(arm: SubmittedArm, cursor: str, context: ToolContext) -> tuple[str, str]:
    """Put new lines of a job's `metrics.jsonl` into the records.

    Returns
    -------
    cursor
        Where the next page begins.
    newest
        The last metric in words; empty where there is none.
    """
    from agentic_spliceai.records.experiments import MetricPoint

    page = context.jobs.metrics(arm.job_id, cursor)
    points = [MetricPoint.model_validate_json(line) for line in page.lines if line.strip()]
    if not points:
        return page.cursor, ""
    context.records.experiments.add_metrics(arm.run_id, points)
    point = points[-1]
    value = "not a number" if point.value is None else f"{point.value:.4g}"
    return page.cursor, f"seed {point.seed}, epoch {point.epoch}, {point.name} {value}"


_ENDED = frozenset(state.value for state in JobState if state.terminal)


TOOL = ToolSpec(
    name="follow_jobs",
    purpose="Wait until the jobs of a plan have ended, keeping their metrics as they come.",
    args=FollowJobsArgs,
    result=FollowJobsResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.HOURS,
    function=run,
    internal=True,
)
