"""The interpretation of one variant: all that the report shows and the database keeps, as versioned JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.records.evidence import Claim, Evidence
from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.consequence.codes import CodeAssessment
from agentic_spliceai.splice_engine.consequence.types import Consequence
from agentic_spliceai.splice_engine.genome.types import Transcript, Variant
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, TriageResult


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GeneInterpretation(_Frozen):
    """Everything about the variant on one gene."""

    gene_id: str
    gene_name: str
    transcript: Transcript = Field(description="The representative transcript: the exon model of the plot.")
    other_transcripts: tuple[str, ...] = Field(
        default=(), description="The gene's other transcripts: the variant's HGVS description, or the id alone."
    )
    delta: SpliceDelta
    triage: TriageResult
    delta_prediction: DeltaPrediction | None = None
    consequence: Consequence
    codes: CodeAssessment | None = Field(
        default=None, description="ACMG/AMP codes that rules suggest, and why others are not; null in old records."
    )
    tracks_sha256: str | None = Field(default=None, description="Artifact with the per-position scores.")


class Interpretation(_Frozen):
    """One variant, interpreted."""

    schema_version: Literal["1"] = "1"
    run_id: str
    created_at: datetime
    software_version: str
    text: str = Field(description="The variant as the person gave it.")
    variant: Variant = Field(description="The variant as it was scored: left-aligned, trimmed, REF checked.")
    genes: tuple[GeneInterpretation, ...] = Field(
        min_length=1, description="Every overlapping gene, most affected first."
    )
    verdict: str = Field(description="One sentence for a person.")
    is_demo: bool = Field(default=False, description="Synthetic demonstration data: no human gene is spoken of.")
    unknowns: tuple[str, ...] = Field(default=(), description="What was not known.")
    evidence: tuple[Evidence, ...] = Field(default=(), description="The facts that the summary may refer to.")
    claims: tuple[Claim, ...] = Field(
        default=(), description="The summary, and what a language model wrote before it that was refused."
    )
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds by step.")
