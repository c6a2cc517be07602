"""Bring back what jobs left, verify it, and record it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from agentic_spliceai.compute.errors import JobFailedError
from agentic_spliceai.compute.types import RESULT_FILE, JobState
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import results_folder
from agentic_spliceai.tools.follow_jobs import EndedJob
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec, describe_validation

if TYPE_CHECKING:
    from agentic_spliceai.records.jobs import JobRecord
    from agentic_spliceai.records.models import RecordedError

#: Why nothing is decided about a run whose job was cancelled.
CANCELLED = "cancelled by a person"


class CollectResultsArgs(ToolModel):
    """Jobs that have ended."""

    jobs: tuple[EndedJob, ...] = Field(min_length=1, description="As they ended.")


class CollectedRun(ToolModel):
    """A run as it is recorded."""

    label: str = Field(description="The arm.")
    run_id: str = Field(description="The experiment run.")
    status: Literal["succeeded", "failed", "cancelled"] = Field(
        description="Whether it left a result, or a person ended it."
    )
    message: str = Field(description="Why not; empty where it did.")
    result_sha256: str | None = Field(description="The result in the artifact store.")
    seconds: float = Field(ge=0, description="How long it ran.")
    cost_usd: float = Field(ge=0, description="What it cost, US dollars.")


class CollectResultsResult(ToolModel):
    """What was recorded."""

    runs: tuple[CollectedRun, ...] = Field(min_length=1, description="One an arm.")
    run_ids: tuple[str, ...] = Field(min_length=1, description="Those that left a result.")


def run(args: CollectResultsArgs, context: ToolContext) -> CollectResultsResult:
    """Record each run; repeated it records nothing twice.

    Raises
    ------
    JobFailedError
        If no job left a result, after each has been recorded as crashed.
    FetchError, ArtifactError
        If what a job left cannot be brought back as it was.
    """
    runs = tuple(collect(ended, context) for ended in args.jobs)
    good = tuple(run.run_id for run in runs if run.status == "succeeded")
    if not good:
        why = "; ".join(f"{run.label}: {run.message}" for run in runs)
        raise JobFailedError(
            f"no arm left a result ({why}).", f"Their output: agentic-spliceai jobs logs {args.jobs[0].job_id}"
        )
    return CollectResultsResult(runs=runs, run_ids=good)


def collect(ended: EndedJob, context: ToolContext) -> CollectedRun:
    """Record how one run ended; raises as `run`, except that a run without a result is recorded and no error."""
    from agentic_spliceai.records.experiments import ExperimentStatus
    from agentic_spliceai.records.models import NewArtifact, RecordedError

    job = context.records.jobs.get(ended.job_id)
    seconds = _seconds(job)
    if ended.state is JobState.CANCELLED:
        message = f"{CANCELLED}: {ended.message}" if ended.message else CANCELLED
        return _without_result(ended, job, RecordedError(code=ended.state.value, message=message), context)
    if ended.state is not JobState.SUCCEEDED:
        message = ended.message or f"the job ended as {ended.state}"
        return _without_result(ended, job, RecordedError(code=ended.state.value, message=message), context)
    folder = results_folder(ended.run_id, context)
    files = context.jobs.fetch(ended.job_id, folder)
    try:
        result = ExperimentResult.model_validate_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        what = describe_validation(error) if isinstance(error, ValidationError) else str(error.strerror)
        return _without_result(
            ended, job, RecordedError(code="result", message=f"result.json cannot be read: {what}"), context
        )
    kinds = {left.path: left.kind for left in result.files}
    artifacts = []
    for file in files:
        digest = context.artifacts.put_file(folder / file.path)
        kind = kinds.get(file.path, Path(file.path).stem)
        artifacts.append(NewArtifact(sha256=digest, kind=kind, bytes=file.bytes))
    context.records.experiments.finish_run(
        ended.run_id,
        ExperimentStatus.SUCCEEDED,
        result=result,
        error=None,
        artifacts=tuple(artifacts),
        seconds=seconds,
        cost_usd=job.cost_usd,
    )
    digest = next(file.sha256 for file in files if file.path == RESULT_FILE)
    return CollectedRun(
        label=ended.label,
        run_id=ended.run_id,
        status="succeeded",
        message="",
        result_sha256=digest,
        seconds=seconds,
        cost_usd=job.cost_usd,
    )


def _without_result(ended: EndedJob, job: JobRecord, error: RecordedError, context: ToolContext) -> CollectedRun:
    """Record a run that left nothing: a crash, or nothing to decide about where a person ended it."""
    from agentic_spliceai.records.experiments import ExperimentStatus

    cancelled = ended.state is JobState.CANCELLED
    seconds = _seconds(job)
    context.records.experiments.finish_run(
        ended.run_id,
        ExperimentStatus.CANCELLED if cancelled else ExperimentStatus.FAILED,
        result=None,
        error=error,
        artifacts=(),
        seconds=seconds,
        cost_usd=job.cost_usd,
    )
    decision, reason = (RunDecision.UNDECIDED, CANCELLED) if cancelled else (RunDecision.CRASH, error.message)
    context.records.experiments.decide(ended.run_id, decision, reason)
    return CollectedRun(
        label=ended.label,
        run_id=ended.run_id,
        status="cancelled" if cancelled else "failed",
        message=error.message,
        result_sha256=None,
        seconds=seconds,
        cost_usd=job.cost_usd,
    )


def _seconds(job: JobRecord) -> float:
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return max(0.0, (job.finished_at - job.started_at).total_seconds())


TOOL = ToolSpec(
    name="collect_results",
    purpose="Fetch and verify what the jobs of a plan left, and record figures, files, time and cost of each run.",
    args=CollectResultsArgs,
    result=CollectResultsResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.SECONDS,
    function=run,
    internal=True,
)
