"""A backend that does nothing and fails where it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentic_spliceai.compute.errors import ComputeError
from agentic_spliceai.compute.types import (
    CostEstimate,
    FetchedFile,
    Finding,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogPage,
)


class CrashError(BaseException):
    """Stands for the death of the process."""


@dataclass
class FakeBackend:
    """Keeps its jobs in memory.

    Attributes
    ----------
    jobs
        Where each job stands.
    started
        Ids in the order in which they were really started.
    fail
        What the next call of a method raises, before or after its effect: ("submit", "after") -> error.
    """

    name: str = "fake"
    jobs: dict[str, JobStatus] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    fail: dict[tuple[str, str], BaseException] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def _maybe(self, method: str, when: str) -> None:
        error = self.fail.pop((method, when), None)
        if error is not None:
            raise error

    def estimate(self, spec: JobSpec, seconds: float) -> CostEstimate:
        return CostEstimate(usd_per_hour=1.0, usd=seconds / 3600, basis="a test")

    def submit(self, job_id: str, spec: JobSpec) -> JobHandle:
        self._maybe("submit", "before")
        if job_id not in self.jobs:
            self.started.append(job_id)
            self.jobs[job_id] = JobStatus(state=JobState.QUEUED)
        self._maybe("submit", "after")
        return JobHandle(backend=self.name, job_id=job_id, external_id=f"x-{job_id}")

    def poll(self, handle: JobHandle) -> JobStatus:
        self._maybe("poll", "before")
        return self.jobs.get(handle.job_id, JobStatus(state=JobState.LOST, message="nothing is known of it"))

    def logs(self, handle: JobHandle, cursor: str = "", limit: int = 1000) -> LogPage:
        start = int(cursor or 0)
        lines = self.printed[start : start + min(limit, 3)]
        return LogPage(lines=tuple(lines), cursor=str(start + len(lines)))

    def metrics(self, handle: JobHandle, cursor: str = "") -> LogPage:
        return self.logs(handle, cursor)

    def cancel(self, handle: JobHandle) -> None:
        self._maybe("cancel", "before")
        status = self.jobs.get(handle.job_id)
        if status is not None and not status.state.terminal:
            self.jobs[handle.job_id] = JobStatus(state=JobState.CANCELLED, message="cancelled")
        self._maybe("cancel", "after")

    def fetch(self, handle: JobHandle, destination: str) -> tuple[FetchedFile, ...]:
        return ()

    def reconcile(self, known: Mapping[str, JobHandle | None]) -> tuple[Finding, ...]:
        self._maybe("reconcile", "before")
        found = [
            Finding(
                job_id=job_id, state=self.jobs[job_id].state if job_id in self.jobs else JobState.CREATED, action="?"
            )
            for job_id in known
        ]
        return (*found, *self.findings)


def unreachable() -> ComputeError:
    return ComputeError("the backend cannot be reached", "Try again later.")
