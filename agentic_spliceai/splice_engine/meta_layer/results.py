"""What the meta-layer says about a variant: result types."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class MetaStatus(StrEnum):
    """Whether the meta-layer has spoken."""

    PREDICTED = "predicted"
    NO_TRAINED_MODEL = "no_trained_model"


class TriageResult(BaseModel):
    """Calibrated probability that a variant alters splicing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: MetaStatus
    message: str = Field(description="One sentence for a person.")
    probability: float | None = Field(default=None, ge=0, le=1)
    probability_low: float | None = Field(default=None, ge=0, le=1, description="Lower end of the 95 % interval.")
    probability_high: float | None = Field(default=None, ge=0, le=1, description="Upper end of the 95 % interval.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="From this on: splice-altering.")
    model_card_sha256: str | None = None


class DeltaPrediction(BaseModel):
    """Deltas as the meta-layer predicts them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: MetaStatus
    message: str = Field(description="One sentence for a person.")
    donor: float | None = Field(default=None, ge=-1, le=1)
    acceptor: float | None = Field(default=None, ge=-1, le=1)
    model_card_sha256: str | None = None
