"""The tables of runs, and the strict models through which everything enters and leaves them.

SQLModel's table classes do not validate when they are constructed, so the store takes the frozen models below, and
gives `RunSummary` and `RunDetail` back, which hold no session.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, JsonValue
from pydantic import Field as Described
from sqlalchemy import JSON
from sqlmodel import Field

from agentic_spliceai.records.base import Border, Table, UtcDateTime


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StepStatus(StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Run(Table, table=True):
    """One execution of one workflow."""

    __tablename__ = "run"

    id: str = Field(primary_key=True)
    graph_name: str = Field(index=True)
    graph_sha256: str
    software_version: str
    inputs: dict[str, Any] = Field(sa_type=JSON)
    status: str = Field(index=True)
    started_at: datetime = Field(sa_type=UtcDateTime, index=True)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    environment: dict[str, Any] = Field(sa_type=JSON)
    host: str
    pid: int
    process_token: str = Field(default="")
    #: How many processes have worked on it: 1, and one more for each time it was taken up again.
    attempts: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class StepRecord(Table, table=True):
    """One attempt at one node of a run."""

    __tablename__ = "step"

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    node: str
    tool: str
    attempt: int
    started_at: datetime = Field(sa_type=UtcDateTime)
    seconds: float
    status: str
    error: dict[str, Any] | None = Field(default=None, sa_type=JSON)


class InterpretationRecord(Table, table=True):
    """The interpretation that a run made; columns to find it by, and the whole as JSON."""

    __tablename__ = "interpretation"

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="run.id", unique=True)
    variant: str = Field(index=True)
    build: str | None = Field(default=None)
    genes: list[str] = Field(sa_type=JSON)
    verdict: str
    max_score: float
    schema_version: str
    provenance: list[dict[str, Any]] = Field(sa_type=JSON)
    document: dict[str, Any] = Field(sa_type=JSON)


class ArtifactRecord(Table, table=True):
    """A file in the artifact store that a run made."""

    __tablename__ = "artifact"

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    sha256: str = Field(index=True)
    kind: str
    bytes: int


class RecordedError(Border):
    """Why a run or a step failed."""

    code: str
    message: str
    advice: str = ""
    node: str | None = None


class NewRun(Border):
    """What is known about a run when it starts."""

    id: str = Described(min_length=1, max_length=64)
    graph_name: str = Described(min_length=1)
    graph_sha256: str = Described(pattern=r"^[0-9a-f]{64}$")
    software_version: str
    inputs: dict[str, JsonValue]
    started_at: AwareDatetime
    environment: dict[str, JsonValue]
    host: str
    pid: int = Described(ge=0)
    process_token: str = ""


class NewStep(Border):
    """One attempt at one node, after it ended."""

    node: str = Described(min_length=1)
    tool: str = Described(min_length=1)
    attempt: int = Described(ge=1)
    started_at: AwareDatetime
    seconds: float = Described(ge=0)
    status: StepStatus
    error: RecordedError | None = None


class NewArtifact(Border):
    """A file in the artifact store."""

    sha256: str = Described(pattern=r"^[0-9a-f]{64}$")
    kind: str = Described(min_length=1)
    bytes: int = Described(ge=0)


class RunSummary(Border):
    """A run as a list shows it."""

    id: str
    graph_name: str
    status: RunStatus
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    inputs: dict[str, JsonValue]
    variant: str | None = None
    verdict: str | None = None
    error: RecordedError | None = None


class RunDetail(RunSummary):
    """Everything that is recorded about a run."""

    graph_sha256: str
    software_version: str
    environment: dict[str, JsonValue]
    attempts: int = 1
    steps: tuple[NewStep, ...]
    artifacts: tuple[NewArtifact, ...]
    interpretation: dict[str, JsonValue] | None = None
