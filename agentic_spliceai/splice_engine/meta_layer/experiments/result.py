"""What an experiment leaves: figures with intervals, the data's digests, files by sha256."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Frozen):
    """One measured number."""

    measure: str = Field(description="pr_auc, roc_auc, pearson, ...")
    of: str = Field(description="Class or output: altering, psi, donor, ...")
    subset: str = Field(default="all", description="Which rows.")
    subject: str = Field(description="base, model, or difference (model - base).")
    value: float | None = Field(description="Null where it cannot be measured.")
    low: float | None = Field(default=None, description="Lower end of the 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the 95 % interval.")
    sd: float | None = Field(default=None, description="Standard deviation over seeds.")
    n: int = Field(ge=0, description="Rows.")
    positives: int | None = None
    groups: int | None = Field(default=None, description="Exon groups or genes that the interval is drawn over.")
    reason: str | None = Field(default=None, description="Why there is no value.")


class DatasetUse(_Frozen):
    """A data set as an experiment used it."""

    name: str
    role: str = Field(description="train, validation or test.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the examples of this part.")
    n: int = Field(ge=0)
    positives: int | None = None
    source_sha256: str | None = Field(default=None, description="Of the file that it was read from.")
    licence: str = ""
    synthetic: bool = Field(default=False, description="Simulated: says nothing about a human gene.")


class SeedOutcome(_Frozen):
    """One seed's training."""

    seed: int
    epochs: int
    best_epoch: int = Field(description="0-based.")
    best: float = Field(description="Best value of what was monitored.")
    stopped_early: bool
    seconds: float


class LeftFile(_Frozen):
    """A file beside the result."""

    path: str = Field(description="Relative to the result.")
    kind: str = Field(description="scores, checkpoint, page, ...")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class ExperimentResult(_Frozen):
    """Everything that a run of an experiment found; `result.json`."""

    schema_version: str = "1"
    name: str
    spec_digest: str
    evaluator_digest: str
    code_digest: str
    base_model: str
    datasets: tuple[DatasetUse, ...]
    figures: tuple[Figure, ...]
    seeds: tuple[SeedOutcome, ...]
    parameters: int
    trainable: int
    device: str
    seconds: float
    files: tuple[LeftFile, ...]
    caveats: tuple[str, ...] = ()
