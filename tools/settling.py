"""Bring experiment runs whose job has ended to their end, whoever started them and whether or not somebody waited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from agentic_spliceai.compute.errors import UnknownJobError
from agentic_spliceai.compute.types import JobState
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.collect_results import collect
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.follow_jobs import EndedJob
from agentic_spliceai.tools.spec import ToolModel

if TYPE_CHECKING:
    from agentic_spliceai.records.experiments import ExperimentRunSummary
    from agentic_spliceai.records.jobs import JobRecord

#: A run that has no job after this time has none: a submission writes both down within moments.
PATIENCE = timedelta(minutes=1)
#: Error of a run whose job did not start; such a job may be started later, and the run may yet succeed.
NOT_STARTED = "not_started"
_MOST = 1000


class SettledRun(ToolModel):
    """An experiment run that was looked at because its job has ended, or because it has none."""

    run_id: str = Field(description="The experiment run.")
    label: str = Field(description="The arm.")
    job_id: str | None = Field(description="Its job; null where there is none.")
    status: Literal["succeeded", "failed", "cancelled", "running"] = Field(
        description="What it is now; running where it could not be settled."
    )
    message: str = Field(description="Why; empty where it succeeded.")


def settle(context: ToolContext, *, now: datetime | None = None) -> tuple[SettledRun, ...]:
    """Record the end of every experiment run whose job has ended, as `collect_results` does; again it does nothing.

    A run that has no job after a minute, or whose job could not be started, failed. What cannot be settled, because
    its backend cannot be asked or its files cannot be brought back, is told of and left as it is.

    Parameters
    ----------
    context
        Where the records are; nothing is done where nothing may be recorded.
    now
        The time; by default that of the clock.
    """
    if not context.keep_record:
        return ()
    return tuple(_settled(context, now or datetime.now(UTC)))


def _settled(context: ToolContext, now: datetime) -> Iterator[SettledRun]:
    store = context.records.experiments
    for run in store.list(status="running", limit=_MOST):
        try:
            found = _settle(run, now, context)
        except SpliceEngineError as error:
            yield _row(run, run.job_id, "running", f"left as it is: {error.message}")
        else:
            if found is not None:
                yield found
    for run in store.list(status="failed", limit=_MOST):
        # Its job was refused at first, and started afterwards: by `jobs reconcile`, or by the workflow gone on.
        if run.job_id is None or (why := store.get(run.id).error) is None or why.code != NOT_STARTED:
            continue
        try:
            job = context.jobs.refresh(run.job_id)
            if job.state == JobState.SUCCEEDED:
                yield _collect(run, job, context)
        except SpliceEngineError as problem:
            yield _row(run, run.job_id, "failed", f"left as it is: {problem.message}")


def _settle(run: ExperimentRunSummary, now: datetime, context: ToolContext) -> SettledRun | None:
    job = _job_of(run, context)
    if job is None:
        why = "its job was never written down" if run.job_id is None else f"there is no job {run.job_id}"
        return _without_job(run, None, why, context) if now - run.started_at > PATIENCE else None
    if run.job_id is None:
        context.records.experiments.set_job(run.id, job.id)
    job = context.jobs.refresh(job.id)
    if JobState(job.state).terminal:
        return _collect(run, job, context)
    if job.state == JobState.CREATED and job.handle is None and job.message and now - run.started_at > PATIENCE:
        return _without_job(run, job.id, f"its job could not be started: {job.message}", context)
    return None


def _job_of(run: ExperimentRunSummary, context: ToolContext) -> JobRecord | None:
    """Return the job of a run; where a submission broke off, the one whose key the run is named by."""
    if run.job_id is not None:
        try:
            return context.records.jobs.get(run.job_id)
        except UnknownJobError:
            return None
    return next((job for job in context.records.jobs.list(_MOST) if job.key.startswith(run.id)), None)


def _collect(run: ExperimentRunSummary, job: JobRecord, context: ToolContext) -> SettledRun:
    unreadable = _keep_metrics(run.id, job.id, context)
    ended = EndedJob(
        label=run.label, run_id=run.id, job_id=job.id, state=JobState(job.state), message=job.message or ""
    )
    found = collect(ended, context)
    notes = [found.message] if found.message else []
    if unreadable:
        notes.append(f"{unreadable} lines of its metrics cannot be read")
    return _row(run, job.id, found.status, "; ".join(notes))


def _keep_metrics(run_id: str, job_id: str, context: ToolContext) -> int:
    """Put what a job measured into the records; returns how many lines are no metric, as where a kill cut one."""
    from agentic_spliceai.records.experiments import MetricPoint

    unreadable, cursor = 0, ""
    while (page := context.jobs.metrics(job_id, cursor)).lines:
        points = []
        for line in page.lines:
            try:
                points.append(MetricPoint.model_validate_json(line))
            except ValidationError:
                unreadable += bool(line.strip())
        context.records.experiments.add_metrics(run_id, points)
        cursor = page.cursor
    return unreadable


def _without_job(run: ExperimentRunSummary, job_id: str | None, why: str, context: ToolContext) -> SettledRun:
    from agentic_spliceai.records.experiments import ExperimentStatus
    from agentic_spliceai.records.models import RecordedError

    error = RecordedError(code=NOT_STARTED, message=why)
    context.records.experiments.finish_run(run.id, ExperimentStatus.FAILED, error=error, seconds=0.0, cost_usd=0.0)
    context.records.experiments.decide(run.id, RunDecision.CRASH, why)
    return _row(run, job_id, "failed", why)


def _row(
    run: ExperimentRunSummary,
    job_id: str | None,
    status: Literal["succeeded", "failed", "cancelled", "running"],
    message: str,
) -> SettledRun:
    return SettledRun(run_id=run.id, label=run.label, job_id=job_id, status=status, message=message)
