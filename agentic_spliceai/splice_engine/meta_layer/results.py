"""What the meta-layer says about a variant: result types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.genome.types import Strand, Variant


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
    probability_low: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Lower end of the spread over seeds: 1.96 standard deviations of the log-odds; no interval.",
    )
    probability_high: float | None = Field(default=None, ge=0, le=1, description="Upper end of the spread over seeds.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="From this on: splice-altering.")
    caveats: tuple[str, ...] = Field(
        default=(), description="In what the variant lies outside of what the model was trained on."
    )
    model_card_sha256: str | None = None


class DeltaPrediction(BaseModel):
    """Deltas as the meta-layer predicts them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: MetaStatus
    message: str = Field(description="One sentence for a person.")
    donor: float | None = Field(default=None, ge=-1, le=1, description="Change of the donor's probability.")
    acceptor: float | None = Field(default=None, ge=-1, le=1, description="Change of the acceptor's probability.")
    inclusion: float | None = Field(
        default=None, ge=-1, le=1, description="Change of the exon's inclusion (delta PSI)."
    )
    caveats: tuple[str, ...] = Field(
        default=(), description="In what the variant lies outside of what the model was trained on."
    )
    site: str | None = Field(default=None, description="Annotated site that is hit most: none, acceptor, donor, both.")
    model_card_sha256: str | None = None


class VariantPrediction(BaseModel):
    """One row of a batch: what the meta-layer says of one input on one gene, or why it says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int = Field(ge=0, description="Which input, 0-based.")
    text: str = Field(description="The input as given.")
    id: str | None = Field(default=None, description="The input's own id, such as the VCF's.")
    base_model: str | None = Field(default=None, description="Name and version of the model that made the scores.")
    genome_id: str | None = Field(default=None, description="Which genome file.")
    annotation_sha256: str | None = Field(default=None, description="Which annotation file.")
    variant: Variant | None = None
    gene_id: str | None = None
    gene_name: str | None = None
    triage: TriageResult | None = None
    delta: DeltaPrediction | None = None
    not_scored: NotScored | None = None

    @model_validator(mode="after")
    def _prediction_or_reason(self) -> Self:
        if (self.triage is None and self.delta is None) == (self.not_scored is None):
            raise ValueError("a row has either a prediction or the reason why it has none")
        return self


@dataclass(frozen=True, eq=False)
class RecalibratedTrack:
    """Recalibrated splice-site probabilities along a gene, first transcribed base first.

    Attributes
    ----------
    gene_id, gene_name, contig, strand
        Whose, and where.
    positions : int64 [L]
        1-based genomic position of each entry.
    base : float32 [L, 3]
        The base model's ensemble probability, `SpliceClass` order.
    probabilities : float32 [L, 3]
        The meta-layer's.
    recalibrated : bool [L]
        Where the meta-layer has spoken; elsewhere the base model's probability stands.
    model_card_sha256
        Of the model.
    """

    gene_id: str
    gene_name: str
    contig: str
    strand: Strand
    positions: npt.NDArray[np.int64]
    base: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    recalibrated: npt.NDArray[np.bool_]
    model_card_sha256: str
