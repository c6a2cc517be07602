"""What an evaluation found: frozen, with everything that makes a figure citable, and the same after JSON."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentic_spliceai.splice_engine.base_layer.training.metrics import ReliabilityBin
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Threshold

__all__ = [
    "ClassificationReport",
    "ComparisonRow",
    "Confusion",
    "DeltaReport",
    "Difference",
    "Estimate",
    "EvaluationResult",
    "PositionReport",
    "ReliabilityBin",
    "Threshold",
    "TriageReport",
]

Share = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(_Frozen):
    """A figure with its 95 % interval; or the reason why there is none."""

    value: float | None
    low: float | None = Field(default=None, description="Lower end of the 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the 95 % interval.")
    sd: float | None = Field(default=None, ge=0, description="Standard deviation over seeds, where there are several.")
    n: int = Field(ge=0, description="Rows.")
    positives: int | None = Field(
        default=None, ge=0, description="True rows, where the figure is about true and false."
    )
    groups: int = Field(ge=0, description="Groups that have a row: the unit of the bootstrap.")
    reason: str | None = Field(default=None, description="Why there is no figure, or no interval.")

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if (self.value is None or self.low is None) and not self.reason:
            raise ValueError("an estimate without figure or interval needs its reason")
        if (self.low is None) != (self.high is None) or (self.value is None and self.low is not None):
            raise ValueError("an interval has a figure and two ends")
        return self


class Difference(Estimate):
    """Model minus base model on the same rows and the same draws."""

    better: Share | None = Field(
        default=None, description="Share of draws in which the model is the better one; ties count half."
    )
    p: Share | None = Field(default=None, description="Two-sided bootstrap p-value of no difference.")


class ComparisonRow(_Frozen):
    """One measure of base model and model."""

    measure: str = Field(description="Name, for example `pr_auc`.")
    of: str = Field(description="Class or output, for example `donor`.")
    subset: str = Field(default="all", description="Which rows: `all`, or for example `region = intronic`.")
    higher_is_better: bool
    prevalence: Share | None = Field(default=None, description="Weighted share of true rows.")
    base: Estimate
    model: Estimate
    difference: Difference


class Confusion(_Frozen):
    """Weighted counts; rows are the true class, columns the predicted one. The mean over seeds."""

    classes: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _square(self) -> Self:
        if {len(self.counts), *map(len, self.counts)} != {len(self.classes)}:
            raise ValueError("a confusion matrix is square")
        return self


class _Report(_Frozen):
    rows: tuple[ComparisonRow, ...]

    def row(self, measure: str, of: str, subset: str = "all") -> ComparisonRow:
        """Return one row.

        Raises
        ------
        KeyError
            If there is none.
        """
        for row in self.rows:
            if (row.measure, row.of, row.subset) == (measure, of, subset):
                return row
        raise KeyError((measure, of, subset))


class ClassificationReport(_Report):
    """Donor, acceptor or neither, position by position. Reliability curves pool the seeds."""

    kind: Literal["classification"] = "classification"
    prevalence: dict[str, Share] = Field(description="Weighted share of each class.")
    thresholds: dict[str, tuple[Threshold, ...]] = Field(description="The model's by class, in the order of seeds.")
    base_thresholds: dict[str, Threshold]
    base_confusion: Confusion
    model_confusion: Confusion
    base_reliability: dict[str, tuple[ReliabilityBin, ...]]
    model_reliability: dict[str, tuple[ReliabilityBin, ...]]


class TriageReport(_Report):
    """Splice-altering or not, variant by variant. A curve is None where scores are no probabilities."""

    kind: Literal["triage"] = "triage"
    prevalence: Share
    thresholds: tuple[Threshold, ...] = Field(description="The model's, in the order of seeds; empty for none.")
    base_threshold: Threshold | None
    base_confusion: Confusion | None = Field(description="At the base model's threshold.")
    model_confusion: Confusion | None = Field(description="At the model's threshold.")
    base_reliability: tuple[ReliabilityBin, ...] | None
    model_reliability: tuple[ReliabilityBin, ...] | None


class DeltaReport(_Report):
    """Predicted changes, variant by variant."""

    kind: Literal["delta"] = "delta"
    outputs: tuple[str, ...] = Field(description="Names of the columns of target and prediction.")
    prevalence: Share | None = Field(description="Weighted share of splice-altering variants, where that is known.")


class PositionReport(_Report):
    """Predicted positions, variant by variant."""

    kind: Literal["position"] = "position"
    within: tuple[int, ...] = Field(description="Distances, nt, that count as a hit.")


class EvaluationResult(_Frozen):
    """A report, and what is needed to make it again."""

    model: str = Field(min_length=1)
    base_model: str = Field(min_length=1)
    split: str = Field(min_length=1, description="Name of the split that was evaluated.")
    group_unit: str = Field(description="What a group is, for example `gene`.")
    data_digest: str = Field(description="SHA-256 of labels, groups, weights, subgroups and base scores, in order.")
    evaluator_digest: str = Field(description="SHA-256 of the evaluator's sources.")
    seeds: tuple[int, ...] = Field(description="Training seeds of the model's predictions; empty where none is known.")
    weighted: bool = Field(description="Whether rows had weights.")
    draws: int = Field(ge=1, description="Draws of the bootstrap.")
    bootstrap_seed: int = Field(ge=0)
    report: Annotated[ClassificationReport | TriageReport | DeltaReport | PositionReport, Field(discriminator="kind")]
