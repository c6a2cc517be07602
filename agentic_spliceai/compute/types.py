"""Jobs: what to run, where it stands, what it left."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

#: Files that a job's command writes into its folder, beside whatever else it leaves there.
METRICS_FILE = "metrics.jsonl"
RESULT_FILE = "result.json"

#: First word of a command that stands for the backend's Python interpreter.
PYTHON = "{python}"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JobState(StrEnum):
    """Where a job stands."""

    CREATED = "created"
    """Written down; nothing was started yet."""
    QUEUED = "queued"
    """Handed to the backend; waits for its turn."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    """Its time limit or budget was used up."""
    LOST = "lost"
    """Its process or machine is gone and left no result."""

    @property
    def terminal(self) -> bool:
        """Whether it stays so."""
        return self not in (JobState.CREATED, JobState.QUEUED, JobState.RUNNING)


class JobSpec(_Frozen):
    """A command to run, with its limits."""

    key: str = Field(
        min_length=1, max_length=200, description="Idempotency key: two submissions with one key are one job."
    )
    name: str = Field(min_length=1, max_length=200, description="What it is, for a person.")
    command: tuple[str, ...] = Field(
        min_length=1, description="Program and arguments; '{python}' as the first stands for the backend's Python."
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables beside those of the backend. Never a secret: they are recorded."
    )
    files: dict[str, str] = Field(
        default_factory=dict, description="Small text files that are put into the job's folder, by relative path."
    )
    outputs: tuple[str, ...] = Field(
        default=(RESULT_FILE, METRICS_FILE),
        description="Glob patterns, relative to the job's folder, of what is fetched.",
    )
    cpus: int = Field(default=1, ge=1, description="CPU slots that it takes.")
    gpus: int = Field(default=0, ge=0, description="GPU slots that it takes.")
    time_limit: float = Field(gt=0, description="Seconds of running after which it is ended.")
    budget_usd: float | None = Field(default=None, ge=0, description="Most that it may cost, US dollars.")

    @field_validator("files")
    @classmethod
    def _inside(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} is no path inside the job's folder")
        return value


class JobHandle(_Frozen):
    """How a backend finds a job again; kept in the database."""

    backend: str = Field(description="Name of the backend.")
    job_id: str = Field(description="Our id.")
    external_id: str = Field(default="", description="The backend's id: a process group, a pod, a Slurm job.")
    details: dict[str, str] = Field(default_factory=dict, description="What else the backend needs; no secrets.")


class JobStatus(_Frozen):
    """What a backend knows about a job now."""

    state: JobState
    message: str = Field(default="", description="Why, in one line.")
    exit_code: int | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    cost_usd: float = Field(default=0.0, ge=0, description="Spent so far.")


class LogPage(_Frozen):
    """A stretch of a job's output."""

    lines: tuple[str, ...]
    cursor: str = Field(description="Where the next page begins; give it back.")


class FetchedFile(_Frozen):
    """A file that a job left."""

    path: str = Field(description="Relative to the destination.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class CostEstimate(_Frozen):
    """What a job of a given length costs on a backend."""

    usd_per_hour: float = Field(ge=0)
    usd: float = Field(ge=0, description="For the length that was asked about.")
    basis: str = Field(description="Where the price comes from.")


class Finding(_Frozen):
    """What reconciliation found out about one job."""

    job_id: str
    state: JobState
    action: str = Field(description="What was done: adopted, marked lost, stopped an orphan, ...")


class ComputeBackend(Protocol):
    """Somewhere to run jobs. Every method may be called again after a crash: none has an effect twice."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    def estimate(self, spec: JobSpec, seconds: float) -> CostEstimate:
        """Return the price of `seconds` of this job."""
        ...

    def submit(self, job_id: str, spec: JobSpec) -> JobHandle:
        """Start or queue the job; with an id that it knows already, return that job's handle and start nothing.

        Raises
        ------
        ComputeError
            If it cannot be started.
        """
        ...

    def poll(self, handle: JobHandle) -> JobStatus:
        """Return where the job stands; LOST where nothing is left of it."""
        ...

    def logs(self, handle: JobHandle, cursor: str = "", limit: int = 1000) -> LogPage:
        """Return output from `cursor` on, standard output and error together; '' begins at the beginning."""
        ...

    def metrics(self, handle: JobHandle, cursor: str = "") -> LogPage:
        """Return lines of `metrics.jsonl` from `cursor` on."""
        ...

    def cancel(self, handle: JobHandle) -> None:
        """End the job; nothing happens where it has ended."""
        ...

    def fetch(self, handle: JobHandle, destination: str) -> tuple[FetchedFile, ...]:
        """Copy what matches `outputs` into the folder `destination`, verified; may be repeated."""
        ...

    def reconcile(self, known: Mapping[str, JobHandle | None]) -> tuple[Finding, ...]:
        """Compare what runs with the jobs that the database holds as not ended, by id; stop what nobody knows."""
        ...
