"""What a comparison of experiments says: types that need pydantic alone, so that tools load without the science."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

RULE = (
    "keep: the 95 % interval of the difference lies on the better side of 0 and the difference exceeds what seeds "
    "alone do; discard: the interval lies on the worse side of 0, or wholly below what seeds alone do; else undecided, "
    "as always where what seeds do is not known because a trained arm has one seed"
)


class Decision(StrEnum):
    """What the figures say about an arm."""

    KEEP = "keep"
    DISCARD = "discard"
    UNDECIDED = "undecided"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SeedNoise(_Frozen):
    """What seeds alone do to a measure."""

    sd: float = Field(ge=0, description="Standard deviation over seeds.")
    mean_gap: float = Field(ge=0, description="Mean absolute difference between two seeds on the same rows.")
    largest_gap: float = Field(ge=0, description="The largest of these differences.")
    seeds: int = Field(ge=2)

    @property
    def floor(self) -> float:
        """The larger of standard deviation and mean difference."""
        return max(self.sd, self.mean_gap)


class Contrast(_Frozen):
    """An arm against another, or against the base model."""

    other: str = Field(description="Label of the other arm, or 'base model'.")
    other_value: float | None = Field(description="Its value; null where it cannot be measured.")
    difference: float | None = Field(description="Arm minus other, as measured: for errors, negative is better.")
    low: float | None = Field(default=None, description="Lower end of the 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the 95 % interval.")
    p: float | None = Field(default=None, description="Two-sided bootstrap p-value of no difference.")
    better: float | None = Field(default=None, description="Share of draws in which the arm is the better one.")
    noise_floor: float | None = Field(default=None, description="What seeds alone do; null with one seed each.")
    decision: Decision
    reason: str = Field(description="Why, with the figures.")


class ComparedArm(_Frozen):
    """One experiment in a comparison."""

    label: str
    value: float | None = Field(description="Mean over seeds; null where it cannot be measured.")
    low: float | None = Field(default=None, description="Lower end of the 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the 95 % interval.")
    by_seed: dict[int, float] = Field(description="Value of each seed.")
    noise: SeedNoise | None = Field(description="Null with one seed.")
    against_baseline: Contrast | None = Field(description="Null for the baseline itself.")
    against_base_model: Contrast = Field(description="Against the base model's own score.")
    reason: str | None = Field(default=None, description="Why there is no value.")


class Pair(_Frozen):
    """Two arms beside each other, where no arm is the baseline."""

    label: str = Field(description="The arm with the better value.")
    contrast: Contrast = Field(description="That arm against the other.")


class Comparison(_Frozen):
    """Experiments on the same rows."""

    metric: str
    higher_is_better: bool
    part: str = Field(description="test or validation.")
    baseline: str | None = Field(description="Label of the arm that others are compared with; null: the base model.")
    arms: tuple[ComparedArm, ...] = Field(min_length=1)
    pairs: tuple[Pair, ...] = Field(
        default=(), description="Every two arms, where there is no baseline; intervals are of each pair alone."
    )
    n: int = Field(ge=1, description="Rows.")
    positives: int | None = Field(description="True rows; null where the measure is not about true and false.")
    groups: int = Field(ge=1, description="Groups that the intervals are drawn over.")
    draws: int = Field(ge=1)
    evaluator_digest: str
    data_digest: str = Field(description="Of the variants that were measured.")
    rule: str = RULE

    def arm(self, label: str) -> ComparedArm:
        """Return one arm; raises `KeyError` where there is none."""
        for arm in self.arms:
            if arm.label == label:
                return arm
        raise KeyError(label)
