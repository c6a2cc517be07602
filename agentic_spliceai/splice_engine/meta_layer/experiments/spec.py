"""What an experiment is: data, models, seeds, limits."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ExperimentTask(StrEnum):
    """What a model is trained to say."""

    TRIAGE = "triage"
    """Whether a variant alters splicing."""
    DELTA = "delta"
    """How much the inclusion of the exon changes."""
    SITES = "sites"
    """Which positions are splice sites."""


class ExperimentSpec(BaseModel):
    """One training and evaluation: a data set, a base model, a model, and several seeds.

    Two specifications with one digest give one result on one machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Short name.")
    description: str = Field(default="", description="One sentence.")
    task: ExperimentTask
    dataset: str = Field(min_length=1, description="Name in the registry of data sets: minigene, mfass, ...")
    base_model: str = Field(default="small", min_length=1, description="Base model of the registry.")
    model: str = Field(default="variant_aware", min_length=1, description="Name in `models.registry`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of the model's constructor.")
    training: dict[str, Any] = Field(
        default_factory=dict, description="Fields of TrainingConfig that differ from its defaults; seeds excepted."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(1,), min_length=1, description="One run a seed.")
    max_variants: int | None = Field(
        default=None, ge=50, description="At most so many examples, drawn by exon group; None takes all."
    )
    split: str = Field(default="default", description="Which chromosomes are the test: default (1, 3, 5, 7, 9), ...")
    draws: int = Field(default=1000, ge=100, description="Bootstrap draws of the intervals.")

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("the same seed is given twice")
        return value

    @property
    def digest(self) -> str:
        """sha256 of everything but name and description."""
        values = self.model_dump(mode="json", exclude={"name", "description"})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
