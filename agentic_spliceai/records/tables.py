"""The tables of experiments, plans, jobs, evidence, predictions and chats.

Ids of workflow runs (`run_id`, `workflow_run_id`) point to no row by force: a tool may be called outside a recorded
workflow. Everything else that names another row must find it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Field

from agentic_spliceai.records import models as _models  # noqa: F401 - its tables belong to the same metadata
from agentic_spliceai.records.base import JsonText, Table, UtcDateTime


class JobRow(Table, table=True):
    """A job, found again by its key."""

    __tablename__ = "job"

    id: str = Field(primary_key=True)
    key: str = Field(unique=True)
    name: str
    backend: str
    state: str = Field(index=True)
    spec: dict[str, Any] = Field(sa_type=JSON)
    handle: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    run_id: str | None = Field(default=None, index=True)
    exit_code: int | None = Field(default=None)
    message: str = Field(default="", sa_type=Text)
    cost_usd: float = Field(default=0.0)
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class JobEventRow(Table, table=True):
    """A change of a job's state."""

    __tablename__ = "job_event"

    job_id: str = Field(primary_key=True, foreign_key="job.id")
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    state: str
    message: str = Field(default="", sa_type=Text)


class PlanRow(Table, table=True):
    """A plan of an experiment."""

    __tablename__ = "plan"

    id: str = Field(primary_key=True)
    digest: str = Field(unique=True)
    request: str = Field(sa_type=Text)
    planner: str
    hypothesis: str = Field(sa_type=Text)
    document: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)


class ApprovalRow(Table, table=True):
    """A request for a person's approval, and the answer."""

    __tablename__ = "approval"
    __table_args__ = (UniqueConstraint("subject_sha256", "workflow_run_id", "attempt"),)

    id: str = Field(primary_key=True)
    subject: str = Field(index=True)
    subject_sha256: str
    workflow_run_id: str = Field(default="", index=True)
    attempt: int
    decision: str = Field(index=True)
    decided_by: str = Field(default="")
    reason: str = Field(default="", sa_type=Text)
    requested_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ExperimentRow(Table, table=True):
    """Runs that belong together."""

    __tablename__ = "experiment"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    description: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ExperimentRunRow(Table, table=True):
    """One training and evaluation."""

    __tablename__ = "experiment_run"

    id: str = Field(primary_key=True)
    experiment_id: str = Field(foreign_key="experiment.id", index=True)
    label: str
    status: str = Field(index=True)
    task: str = Field(index=True)
    dataset: str = Field(index=True)
    base_model: str
    model: str
    spec: dict[str, Any] = Field(sa_type=JSON)
    spec_digest: str = Field(index=True)
    parent_id: str | None = Field(default=None, foreign_key="experiment_run.id", index=True)
    hypothesis: str = Field(default="", sa_type=Text)
    plan_id: str | None = Field(default=None, foreign_key="plan.id", index=True)
    approval_id: str | None = Field(default=None, foreign_key="approval.id", index=True)
    workflow_run_id: str | None = Field(default=None, index=True)
    job_id: str | None = Field(default=None, foreign_key="job.id", index=True)
    decision: str | None = Field(default=None)
    decision_reason: str = Field(default="", sa_type=Text)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    environment: dict[str, Any] = Field(sa_type=JSON)
    git_commit: str | None = Field(default=None)
    git_dirty_sha256: str | None = Field(default=None)
    started_at: datetime = Field(sa_type=UtcDateTime, index=True)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seconds: float | None = Field(default=None)
    cost_usd: float = Field(default=0.0)
    device: str | None = Field(default=None)
    evaluator_digest: str | None = Field(default=None, index=True)
    code_digest: str | None = Field(default=None)
    error: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    # Text, because JSON in PostgreSQL has no place for a loss that is not a number.
    result: str | None = Field(default=None, sa_type=Text)
    outcome_sha256: str | None = Field(default=None)


class ParamRow(Table, table=True):
    """One value of a run's specification."""

    __tablename__ = "param"

    run_id: str = Field(primary_key=True, foreign_key="experiment_run.id")
    name: str = Field(primary_key=True)
    value: Any = Field(default=None, sa_type=JsonText)


class MetricRow(Table, table=True):
    """One value that was measured while a run trained; seed -1 where it belongs to no seed."""

    __tablename__ = "metric"

    run_id: str = Field(primary_key=True, foreign_key="experiment_run.id")
    name: str = Field(primary_key=True)
    split: str = Field(primary_key=True)
    seed: int = Field(primary_key=True)
    step: int = Field(primary_key=True)
    epoch: int | None = Field(default=None)
    value: float | None = Field(default=None)
    at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class FigureRow(Table, table=True):
    """One figure of a run's result, in the result's order."""

    __tablename__ = "figure"
    __table_args__ = (Index("ix_figure_measure_of", "measure", "of"),)

    run_id: str = Field(primary_key=True, foreign_key="experiment_run.id")
    position: int = Field(primary_key=True)
    measure: str
    of: str
    subset: str
    subject: str
    value: float | None = Field(default=None)
    low: float | None = Field(default=None)
    high: float | None = Field(default=None)
    sd: float | None = Field(default=None)
    n: int
    positives: int | None = Field(default=None)
    groups: int | None = Field(default=None)
    reason: str | None = Field(default=None, sa_type=Text)


class DatasetRow(Table, table=True):
    """A data set, or a part of one, by the digest of its examples."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("name", "digest"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str
    digest: str = Field(index=True)
    source_sha256: str | None = Field(default=None)
    licence: str = Field(default="")
    synthetic: bool = Field(default=False)


class DatasetUseRow(Table, table=True):
    """What a run used a data set for."""

    __tablename__ = "dataset_use"

    run_id: str = Field(primary_key=True, foreign_key="experiment_run.id")
    position: int = Field(primary_key=True)
    dataset_id: int = Field(foreign_key="dataset.id", index=True)
    role: str
    n: int
    positives: int | None = Field(default=None)


class ExperimentArtifactRow(Table, table=True):
    """A file in the artifact store that a run left."""

    __tablename__ = "experiment_artifact"

    run_id: str = Field(primary_key=True, foreign_key="experiment_run.id")
    kind: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True, index=True)
    bytes: int


class PredictionRow(Table, table=True):
    """What a predictor said about a variant; empty texts stand for what does not apply."""

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("run_id", "variant", "build", "gene", "transcript", "predictor", "kind"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str
    variant: str = Field(index=True)
    build: str
    gene: str = Field(index=True)
    transcript: str
    predictor: str
    kind: str
    score: float | None = Field(default=None)
    probability: float | None = Field(default=None)
    document: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)


class EvidenceRow(Table, table=True):
    """A fact, named by its content."""

    __tablename__ = "evidence"

    id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    statement: str = Field(sa_type=Text)
    value: Any = Field(default=None, sa_type=JsonText)
    display: str = Field(sa_type=Text)
    unit: str
    source: str = Field(index=True)
    source_sha256: str | None = Field(default=None)
    created_at: datetime = Field(sa_type=UtcDateTime)


class EvidenceTermRow(Table, table=True):
    """A name that a fact allows a text to use."""

    __tablename__ = "evidence_term"

    evidence_id: str = Field(primary_key=True, foreign_key="evidence.id")
    term: str = Field(primary_key=True, index=True)
    position: int


class EvidenceUseRow(Table, table=True):
    """A workflow run that gathered a fact."""

    __tablename__ = "evidence_use"
    __table_args__ = (UniqueConstraint("run_id", "evidence_id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str
    evidence_id: str = Field(foreign_key="evidence.id", index=True)


class ClaimRow(Table, table=True):
    """A sentence of a summary."""

    __tablename__ = "claim"
    __table_args__ = (UniqueConstraint("run_id", "sha256"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str
    sha256: str
    text: str = Field(sa_type=Text)
    rendered: str = Field(sa_type=Text)
    author: str
    status: str
    problems: list[str] = Field(sa_type=JSON)
    evidence_ids: list[str] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ClaimEvidenceRow(Table, table=True):
    """A fact that a verified claim rests on."""

    __tablename__ = "claim_evidence"

    claim_id: int = Field(primary_key=True, foreign_key="claim.id")
    evidence_id: str = Field(primary_key=True, foreign_key="evidence.id")


class ChatSessionRow(Table, table=True):
    """A conversation."""

    __tablename__ = "chat_session"

    id: str = Field(primary_key=True)
    title: str = Field(sa_type=Text)
    model: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime, index=True)
    model_calls: int = Field(default=0)
    tool_calls: int = Field(default=0)
    cost_usd: float = Field(default=0.0)
    evidence: int = Field(default=0)


class ChatMessageRow(Table, table=True):
    """One message of a conversation."""

    __tablename__ = "chat_message"

    session_id: str = Field(primary_key=True, foreign_key="chat_session.id")
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    role: str
    kind: str
    content: str = Field(sa_type=Text)
    payload: Any = Field(default=None, sa_type=JsonText)
