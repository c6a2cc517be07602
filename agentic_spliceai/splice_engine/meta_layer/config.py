"""Configuration of the meta-layer: which base model, where its artifacts are, which model, and how it is trained.

Strict: an unknown key is an error. `MetaLayerConfig.to_yaml` and `from_yaml` are inverse to each other; presets are in
`configs/meta_layer/`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator, model_validator

from agentic_spliceai.splice_engine.base_layer.registry import BaseModelEntry, base_models, find_entry
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild

Fraction = Annotated[float, Field(ge=0, le=1)]

PRESETS = ("laptop", "gpu", "sites", "variants", "hyenadna_finetune", "hyenadna_finetune_deep")
"""Names of the presets in `configs/meta_layer/`."""

_COORDINATES = {GenomeBuild.GRCH37: "hg19", GenomeBuild.GRCH38: "hg38"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(_Strict):
    """What is read, and how it is split."""

    window: int = Field(default=501, ge=3, description="Sequence window, nt; odd, the position in the middle.")
    sequence_form: Literal["one_hot", "tokens"] = Field(default="one_hot", description="Form of the sequence input.")
    floor: float = Field(
        default=1e-4,
        ge=0,
        lt=1,
        description="Positions whose base probability of a site is below are left to the base model: neither trained "
        "on nor changed.",
    )
    split_by: Literal["chromosome", "gene"] = Field(default="chromosome", description="Unit of the split.")
    test_chromosomes: tuple[str, ...] = Field(
        default=("chr1", "chr3", "chr5", "chr7", "chr9"), description="Held out, as the base models hold them out."
    )
    validation_chromosomes: tuple[str, ...] = Field(
        default=("chr13", "chr16"), description="Used to stop, to choose among settings and to set thresholds."
    )
    validation_fraction: Fraction = Field(default=0.15, description="Share of groups, where the split is by gene.")
    test_fraction: Fraction = Field(default=0.15, description="Share of groups, where the split is by gene.")
    seed: int = Field(default=0, ge=0, description="Seed of a split by gene.")

    @field_validator("window")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("the window must be odd, so that the position stands in its middle")
        return value

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        shared = sorted(set(self.test_chromosomes) & set(self.validation_chromosomes))
        if shared:
            raise ValueError(f"chromosomes {', '.join(shared)} are in both test and validation")
        return self


class ModelConfig(_Strict):
    """Which model, and its constructor's arguments."""

    name: str = Field(default="meta_splice", description="Name in `models.registry`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of the model's constructor.")


class ScheduleName(StrEnum):
    """Learning-rate schedules; each scales every parameter group's own rate."""

    CONSTANT = "constant"
    COSINE = "cosine"
    ONE_CYCLE = "one_cycle"
    PLATEAU = "plateau"


class LossName(StrEnum):
    """Losses by name; `auto` takes the task's own."""

    AUTO = "auto"
    CROSS_ENTROPY = "cross_entropy"
    QUANTILE = "quantile"
    MSE = "mse"
    FOCAL = "focal"
    BCE = "bce"
    MULTI_TASK = "multi_task"


class TrainingConfig(_Strict):
    """How a model is trained."""

    batch_size: int = Field(default=32, ge=1)
    max_epochs: int = Field(default=50, ge=1)
    learning_rate: float = Field(
        default=1e-3, gt=0, description="Rate of the head, and of every group without its own."
    )
    encoder_lr_multiplier: float = Field(default=1.0, ge=0, description="The sequence encoder's rate over the head's.")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW; norms, biases and filters are spared.")
    schedule: ScheduleName = ScheduleName.COSINE
    warmup_fraction: Fraction = Field(default=0.05, description="Share of all steps in which the rate rises linearly.")
    plateau_patience: int = Field(default=3, ge=0, description="Epochs without gain before `plateau` divides the rate.")
    loss: LossName = LossName.AUTO
    label_smoothing: Fraction = 0.0
    quantile: float = Field(default=0.9, gt=0, lt=1, description="tau of the quantile loss.")
    focal_gamma: float = Field(default=2.0, ge=0)
    positive_weight: float | None = Field(default=None, gt=0, description="Weight of class 1 in BCE; None for 1.")
    task_weights: dict[Literal["altering", "psi", "site"], Annotated[float, Field(ge=0)]] | Literal["learned"] = Field(
        default_factory=dict,
        description="Factor of each part of the multi-task loss, 1 where none is named; or learned.",
    )
    accumulate: int = Field(default=1, ge=1, description="Batches whose gradients are added up before a step.")
    gradient_clip: float | None = Field(default=1.0, gt=0, description="Largest norm of the gradient; None for none.")
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"
    patience: int = Field(default=7, ge=1, description="Epochs without a better `monitor` before training stops.")
    monitor: str = Field(default="val_loss", description="Validation measure that decides; `val_loss` is minimised.")
    balanced: bool = Field(default=False, description="Draw every class equally often.")
    unfreeze_at: tuple[int, ...] = Field(
        default=(), description="Epochs at which one more encoder layer, from the last, is set free."
    )
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1, description="One training run a seed.")
    deterministic: bool = Field(default=True, description="Same seed, same machine, same weights.")
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = Field(default=1, ge=1, description="GPUs; more than one trains data-parallel.")
    workers: int = Field(default=0, ge=0, description="Processes that load data.")

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("the same seed is given twice")
        return value


class MetaLayerConfig(_Strict):
    """The meta-layer on one base model.

    `genome_build`, `annotation_source` and `coordinate_column` follow from the base model's entry in the registry
    unless they are given.

    Raises
    ------
    RegistryError
        If the base model is not in the registry.
    """

    base_model: str = Field(default="openspliceai", description="Name in `configs/base_models.yaml` or your own file.")
    data_root: Path = Field(default=Path("data"), description="Folder that artifacts are read from and written to.")
    registry: Path | None = Field(default=None, description="Your own base_models.yaml; by default data_root's.")
    genome_build: GenomeBuild | None = Field(default=None, description="Build of artifacts and variants.")
    annotation_source: str | None = Field(default=None, description="Annotation of the artifacts, such as `mane`.")
    coordinate_column: str | None = Field(default=None, description="Column of a variant table: hg19 or hg38.")
    timestamp: str | None = Field(
        default=None, pattern=r"^\d{8}_\d{6}$", description="Names the output folder; by default the time of creation."
    )
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)

    @model_validator(mode="before")
    @classmethod
    def _from_registry(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        name = values.get("base_model", cls.model_fields["base_model"].default)
        root = Path(values.get("data_root") or cls.model_fields["data_root"].default)
        if not isinstance(name, str):
            return values
        entry = _entry(name, values.get("registry"), root)
        build = values.get("genome_build") or entry.training_build
        if build is None:
            raise ValueError(f"the registry names no genome build for {name}; give genome_build")
        build = build if isinstance(build, GenomeBuild) else GenomeBuild.parse(str(build))
        values["genome_build"] = build
        values["annotation_source"] = values.get("annotation_source") or entry.annotation_source
        values["coordinate_column"] = values.get("coordinate_column") or _COORDINATES.get(build, str(build))
        expected = _COORDINATES.get(build)
        if expected is not None and values["coordinate_column"] != expected:
            raise ValueError(f"coordinate_column {values['coordinate_column']!r} is not {build}'s, which is {expected}")
        values["timestamp"] = values.get("timestamp") or datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
        return values

    @field_serializer("genome_build")
    def _build_name(self, value: GenomeBuild | None) -> str | None:
        return None if value is None else str(value)

    @property
    def eval_dir(self) -> Path:
        """Folder of everything about this base model: `<data_root>/<annotation>/<build>/<base model>_eval`."""
        return self.data_root / str(self.annotation_source) / str(self.genome_build) / f"{self.base_model}_eval"

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the base layer's artifacts (`analysis_sequences_*.tsv`)."""
        return self.eval_dir / "meta_models"

    @property
    def output_dir(self) -> Path:
        """Folder of what this run writes."""
        return self.eval_dir / "meta_layer_dev" / str(self.timestamp)

    @property
    def checkpoints_dir(self) -> Path:
        """Folder of this run's checkpoints."""
        return self.output_dir / "checkpoints"

    @property
    def predictions_dir(self) -> Path:
        """Folder of this run's predictions."""
        return self.output_dir / "predictions"

    @property
    def evaluation_dir(self) -> Path:
        """Folder of this run's evaluation."""
        return self.output_dir / "evaluation"

    def to_yaml(self, path: Path | None = None) -> str:
        """Return the configuration as YAML, written to `path` too where one is given."""
        text = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_yaml(cls, source: Path | str, **overrides: Any) -> Self:
        """Read a configuration.

        Parameters
        ----------
        source
            A file, or the YAML text itself.
        overrides
            Top-level fields that win over the file's.

        Raises
        ------
        SettingError
            If the file cannot be read, is no mapping, or has a field that is unknown or out of range.
        """
        name, text = "the YAML text", source
        if isinstance(source, Path):
            name = str(source)
            try:
                text = source.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise SettingError(f"{source} cannot be read: {error}.", "Check the path.") from error
        try:
            values = yaml.safe_load(str(text))
        except yaml.YAMLError as error:
            raise SettingError(f"{name} is no YAML: {' '.join(str(error).split())}.", "Correct the line.") from error
        if not isinstance(values, dict):
            raise SettingError(f"{name} is no mapping of fields to values.", "See configs/meta_layer/ for examples.")
        try:
            return cls(**{**values, **overrides})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "configuration"
            raise SettingError(f"{name}: {where}: {first['msg']}.", "See MetaLayerConfig for the fields.") from error

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """Return a preset.

        `laptop` (gated CNN, batch 32) and `gpu` (HyenaDNA, batch 128) suit a machine, `sites` and `variants` are the
        two studies, `hyenadna_finetune` and `hyenadna_finetune_deep` the documents' experiments of these names.

        Raises
        ------
        SettingError
            If there is no preset of that name.
        """
        if name not in PRESETS:
            raise SettingError(f"No preset is called {name!r}.", f"Known: {', '.join(PRESETS)}.")
        text = files("agentic_spliceai.configs").joinpath("meta_layer", f"{name}.yaml").read_text(encoding="utf-8")
        return cls.from_yaml(text, **overrides)


def _entry(name: str, registry: object, root: Path) -> BaseModelEntry:
    own = Path(str(registry)) if registry else root / "base_models.yaml"
    return find_entry(name, base_models(own))
