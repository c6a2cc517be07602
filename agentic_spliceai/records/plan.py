"""A plan of an experiment: what was asked, what will run, and what it may cost."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Arm(_Frozen):
    """One of the models that a plan trains and compares."""

    label: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Names it in tables.")
    spec: ExperimentSpec


class ExperimentPlan(_Frozen):
    """What a person approves."""

    schema_version: Literal["1"] = "1"
    request: str = Field(description="What the person asked, in their words.")
    planner: str = Field(description="'offline', 'form', or 'model:NAME'.")
    hypothesis: str = Field(min_length=1, description="What the experiment can show to be wrong.")
    arms: tuple[Arm, ...] = Field(min_length=1, max_length=12)
    baseline: str | None = Field(
        default=None,
        description="Label of the arm that the others are compared with; null compares with the base model.",
    )
    metric: str = Field(default="pr_auc", description="Measure that decides: pr_auc, roc_auc, pearson, ...")
    backend: str = Field(default="local", description="Where it runs: local, runpod, ...")
    device: str = Field(default="auto", description="auto, cpu, cuda or mps.")
    budget_usd: float = Field(default=0.0, ge=0, description="Most that all arms together may cost, US dollars.")
    time_limit_hours: float = Field(default=12.0, gt=0, le=240, description="Longest that one arm may run.")
    parent: str | None = Field(default=None, description="Experiment run whose finding led to this plan.")
    notes: tuple[str, ...] = Field(default=(), description="What the planner assumed.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        labels = [arm.label for arm in self.arms]
        if len(set(labels)) != len(labels):
            raise ValueError("two arms have one label")
        if self.baseline is not None and self.baseline not in labels:
            raise ValueError(f"the baseline {self.baseline!r} is no arm; arms: {', '.join(labels)}")
        tasks = {(arm.spec.task, arm.spec.dataset, arm.spec.split) for arm in self.arms}
        if len(tasks) > 1:
            raise ValueError("arms of one plan share task, data set and split: else they cannot be compared")
        return self

    @property
    def digest(self) -> str:
        """sha256 of the whole plan."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    @property
    def id(self) -> str:
        """First 12 digits of the digest."""
        return self.digest[:12]


class PlanEstimate(_Frozen):
    """What a plan will take."""

    seconds_low: float = Field(ge=0)
    seconds: float = Field(ge=0, description="All arms together, one after the other.")
    seconds_high: float = Field(ge=0)
    usd: float = Field(ge=0)
    usd_high: float = Field(ge=0)
    basis: str = Field(description="What the estimate rests on.")
    within_budget: bool
    warnings: tuple[str, ...] = ()


class ApprovalDecision(StrEnum):
    """What a person said."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Approval(_Frozen):
    """A person's decision about one exact plan."""

    id: str
    subject: str = Field(description="'plan:ID'.")
    subject_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Of what was shown: another plan needs another approval."
    )
    decision: ApprovalDecision
    decided_by: str = Field(default="", description="Who: the user's name, or '--approve'.")
    reason: str = ""
    requested_at: AwareDatetime
    decided_at: AwareDatetime | None = None


class RunDecision(StrEnum):
    """What is done with an arm after it ran."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    UNDECIDED = "undecided"
