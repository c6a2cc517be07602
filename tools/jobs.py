"""Parts that the tools about jobs share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from agentic_spliceai.compute.types import JobState
from agentic_spliceai.tools.spec import ToolModel

if TYPE_CHECKING:
    from agentic_spliceai.records.jobs import JobRecord

JOB = "Id of a job, or an unambiguous beginning of it."


class JobRow(ToolModel):
    """One job."""

    job_id: str = Field(description="The job.")
    name: str = Field(description="What it is.")
    backend: str = Field(description="Where it runs.")
    state: JobState = Field(description="created, queued, running, succeeded, failed, cancelled, timed_out or lost.")
    message: str = Field(description="Why, in one line; empty where there is nothing to say.")
    exit_code: int | None = Field(description="Of its command; negative for a signal, null where it has not ended.")
    workflow_run_id: str | None = Field(description="The workflow run that started it.")
    created_at: AwareDatetime = Field(description="When it was written down.")
    started_at: AwareDatetime | None = Field(description="When its command was started.")
    finished_at: AwareDatetime | None = Field(description="When it ended.")
    seconds: float | None = Field(description="How long it has run, or ran; null where it has not started.")
    cost_usd: float = Field(description="Spent so far, US dollars.")


def row_of(record: JobRecord) -> JobRow:
    """Return a job as tools show it."""
    return JobRow(
        job_id=record.id,
        name=record.name,
        backend=record.backend,
        state=JobState(record.state),
        message=record.message,
        exit_code=record.exit_code,
        workflow_run_id=record.run_id,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        seconds=seconds_of(record),
        cost_usd=record.cost_usd,
    )


def seconds_of(record: JobRecord) -> float | None:
    """Return how long a job has run, None where it has not started."""
    if record.started_at is None:
        return None
    end = record.finished_at or datetime.now(UTC)
    return round(max(0.0, (end - record.started_at).total_seconds()), 3)
