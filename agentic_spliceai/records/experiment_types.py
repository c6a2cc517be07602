"""What enters and leaves the records of experiments."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field, JsonValue, field_validator

from agentic_spliceai.records.base import Border, finite
from agentic_spliceai.records.models import NewArtifact, RecordedError
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.splice_engine.meta_layer.experiments.result import (
    DatasetUse,
    ExperimentResult,
    Figure,
    SeedOutcome,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec


class ExperimentStatus(StrEnum):
    """Where a run of an experiment stands."""

    RUNNING = "running"
    """Submitted; its job has not ended."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class ExperimentSummary(Border):
    """Runs that belong together."""

    id: str
    name: str
    description: str
    created_at: AwareDatetime
    runs: int = Field(ge=0, description="How many it has.")


class NewExperimentRun(Border):
    """What is known about a run when it is submitted."""

    id: str = Field(min_length=1, max_length=64)
    experiment: str = Field(min_length=1, description="Name of an experiment that is there.")
    label: str = Field(min_length=1, description="Which arm of its plan it is.")
    spec: ExperimentSpec
    parent_id: str | None = Field(default=None, description="Run whose finding led to it, or the beginning of its id.")
    plan_id: str | None = None
    approval_id: str | None = None
    workflow_run_id: str | None = Field(default=None, description="Run of the workflow that submitted it.")
    job_id: str | None = None
    hypothesis: str = ""
    environment: dict[str, JsonValue] = Field(default_factory=dict)
    git_commit: str | None = Field(default=None, description="Of the code; null outside a repository.")
    git_dirty_sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Artifact with the code's difference from the commit."
    )
    started_at: AwareDatetime


class MetricPoint(Border):
    """One value that was measured while a run trained."""

    name: str = Field(min_length=1, description="loss, pr_auc, ...")
    value: float | None = Field(description="Null where it was not a finite number.")
    step: int = Field(default=0, ge=0)
    epoch: int | None = Field(default=None, ge=0, description="0-based.")
    seed: int | None = Field(default=None, ge=0, description="Null where it belongs to no seed.")
    split: str = Field(default="", description="train, validation, test; empty where it belongs to none.")
    at: AwareDatetime | None = None

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        return finite(value)


class ExperimentRunSummary(Border):
    """A run as a list shows it."""

    id: str
    experiment: str = Field(description="Name of its experiment.")
    label: str
    status: ExperimentStatus
    decision: RunDecision | None = Field(description="Null before it is decided.")
    decision_reason: str
    task: str
    dataset: str
    base_model: str
    model: str
    seeds: tuple[int, ...]
    hypothesis: str
    parent_id: str | None
    plan_id: str | None
    job_id: str | None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    cost_usd: float


class ExperimentRunDetail(ExperimentRunSummary):
    """Everything that is recorded about a run."""

    spec: ExperimentSpec
    spec_digest: str
    approval_id: str | None
    workflow_run_id: str | None
    decided_at: AwareDatetime | None
    environment: dict[str, JsonValue]
    git_commit: str | None
    git_dirty_sha256: str | None
    seconds: float | None
    device: str | None
    evaluator_digest: str | None = Field(description="Of the code that measured; null before the run succeeded.")
    code_digest: str | None
    error: RecordedError | None
    outcome_sha256: str | None = Field(description="Of how it ended: status, result, error and files.")
    params: dict[str, JsonValue] = Field(description="The specification's values by dotted name.")
    figures: tuple[Figure, ...]
    datasets: tuple[DatasetUse, ...]
    artifacts: tuple[NewArtifact, ...]
    result: ExperimentResult | None = Field(description="The whole result; null before the run succeeded.")

    @property
    def seed_outcomes(self) -> tuple[SeedOutcome, ...]:
        """How each seed's training went."""
        return () if self.result is None else self.result.seeds
