"""Jobs and their events in the database."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue


class JobEvent(BaseModel):
    """A change of a job's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    at: AwareDatetime
    state: str
    message: str


class JobRecord(BaseModel):
    """A job as the database knows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    key: str
    name: str
    backend: str
    state: str
    spec: dict[str, JsonValue]
    handle: dict[str, JsonValue] | None
    run_id: str | None
    exit_code: int | None
    message: str
    cost_usd: float
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class JobStore:
    """The jobs of a database."""
