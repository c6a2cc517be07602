"""From a specification to what training needs: data, split, configuration, a model that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from agentic_spliceai.splice_engine.base_layer.model import pick_device
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig, MetaLayerConfig, ModelConfig, TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import Progress
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import VariantExamples
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.data.variant_splits import TEST_CHROMOSOMES
from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import array_digest
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import (
    Center,
    Records,
    draw_groups,
    read_dataset,
    score_records,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import UnsupportedExperimentError
from agentic_spliceai.splice_engine.meta_layer.experiments.result import DatasetUse
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.pipelines.variants import VariantData, split_variants
from agentic_spliceai.splice_engine.resources import ResourceResolver

SPLITS: Mapping[str, tuple[str, ...]] = {
    "default": TEST_CHROMOSOMES,
    "chr21_chr22": ("chr21", "chr22"),
}
"""Test chromosomes by the name of the split; the second is that of the documents' own experiments."""

MODEL_TASKS: Mapping[ExperimentTask, tuple[str, ...]] = {
    ExperimentTask.TRIAGE: ("multi_task", "binary", "delta", "paired_delta", "effect_type"),
    ExperimentTask.DELTA: ("multi_task", "delta", "paired_delta"),
    ExperimentTask.SITES: (),
}
"""Tasks of models (see `training.tasks`) whose output answers the question of an experiment."""

BATCH_KEYS = frozenset(
    {"ref", "alt", "gap", "ref_base", "alt_base", "base_ref", "base_alt", "place", "base_delta", "features"}
)
"""Entries of a batch that hold nothing of the answer."""

SCORES_FOLDER = ("experiments", "base_scores")

#: A run's paths and time of start are no part of what its checkpoints say: the same run leaves the same files.
_TIMESTAMP, _NOWHERE = "20260101_000000", Path("data")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that training needs.

    Attributes
    ----------
    spec
        What was asked for.
    config
        Its configuration.
    source
        The data set as it was read.
    data
        Scored and split.
    model_task
        Task of the model; see `training.tasks`.
    device
        `cpu`, `cuda` or `mps`.
    pretrained
        False where a pretrained encoder of the model starts from random weights; None where it has none.
    left_out
        Variants that could not be scored.
    """

    spec: ExperimentSpec
    config: MetaLayerConfig
    source: Records
    data: VariantData
    model_task: str
    device: str
    pretrained: bool | None
    left_out: int


def check_spec(spec: ExperimentSpec) -> tuple[ModelConfig, MetaModule]:
    """Build the model of a specification once, and see that it answers the specification's question.

    Returns
    -------
    ModelConfig, MetaModule
        The model with all options that it needs, and the model itself.

    Raises
    ------
    UnsupportedExperimentError
        If the task is `sites`, the model gives something else, or reads what only the truth knows.
    SettingError
        If the model or one of its options is unknown.
    """
    if spec.task == ExperimentTask.SITES:
        raise UnsupportedExperimentError(
            "experiments on splice sites are not supported here.",
            "Use agentic-spliceai meta sites, which trains and evaluates on canonical sites.",
        )
    split_chromosomes(spec)
    options = dict(spec.options)
    if spec.model == "variant_aware":
        options.setdefault("num_features", len(VARIANT_FEATURES))
    model = build_model(spec.model, **options)
    if model.task not in MODEL_TASKS[spec.task]:
        raise UnsupportedExperimentError(
            f"the model {spec.model} (task {model.task}) does not answer {spec.task}.",
            f"Take a model of one of the tasks {', '.join(MODEL_TASKS[spec.task])}.",
        )
    unknown = [name for name in model.inputs if name not in BATCH_KEYS]
    if unknown:
        raise UnsupportedExperimentError(
            f"the model {spec.model} reads {', '.join(unknown)}, which these data do not give before the answer is "
            "known.",
            "Take a model that reads alleles, base scores or features; see models_for.",
        )
    return ModelConfig(name=spec.model, options=options), model


def training_config(spec: ExperimentSpec, accelerator: str) -> TrainingConfig:
    """Return how a specification is trained.

    Raises
    ------
    SettingError
        If a field is unknown or out of range.
    """
    if "seeds" in spec.training:
        raise SettingError("training.seeds cannot be given.", "Give seeds beside training, not in it.")
    values: dict[str, Any] = {"accelerator": accelerator} | spec.training | {"seeds": spec.seeds}
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("training", *(str(part) for part in first["loc"])))
        raise SettingError(f"{where}: {first['msg']}.", "See TrainingConfig for the fields.") from error


def split_chromosomes(spec: ExperimentSpec) -> tuple[str, ...]:
    """Return the test chromosomes; raises `SettingError` where the split has no such name."""
    if spec.split not in SPLITS:
        raise SettingError(f"there is no split {spec.split!r}.", f"Known: {', '.join(SPLITS)}.")
    return SPLITS[spec.split]


def prepare(
    spec: ExperimentSpec,
    *,
    resolver: ResourceResolver,
    data_root: Path,
    device: str = "auto",
    progress: Progress | None = None,
) -> Prepared:
    """Read, draw, score and split the data; raises as `run_experiment`."""
    model_config, model = check_spec(spec)
    where = pick_device(device)
    accelerator = {"cuda": "gpu"}.get(where.type, where.type)
    training = training_config(spec, accelerator)
    registry = resolver.data_dir / "base_models.yaml"
    try:
        config = MetaLayerConfig(
            base_model=spec.base_model,
            registry=registry if registry.is_file() else None,
            data_root=_NOWHERE,
            timestamp=_TIMESTAMP,
            data=DataConfig(test_chromosomes=split_chromosomes(spec), validation_chromosomes=()),
            model=model_config,
            training=training,
        ).model_copy(update={"registry": None})
    except ValidationError as error:
        raise SettingError(f"{spec.name}: {error.errors()[0]['msg']}.", "Correct the experiment.") from error
    source = read_dataset(spec.dataset, resolver)
    records = draw_groups(source.records, spec.max_variants, test_chromosomes=split_chromosomes(spec))
    base = load_base_model(spec.base_model, resolver, device=device)
    center: Center = "construct" if "place" in model.inputs else "variant"
    examples = score_records(
        source.dataset,
        records,
        base,
        center=center,
        cache=data_root.joinpath(*SCORES_FOLDER),
        progress=progress,
    )
    data = split_variants(examples, config)
    _check_truth(spec, data)
    return Prepared(
        spec=spec,
        config=config,
        source=source,
        data=data,
        model_task=model.task,
        device=where.type,
        pretrained=_pretrained(model),
        left_out=len(examples.rejected),
    )


def dataset_uses(prepared: Prepared) -> tuple[DatasetUse, ...]:
    """Return what each part of the data is."""
    dataset, uses = prepared.source.dataset, []
    for role in (TRAIN, VALIDATION, TEST):
        part = prepared.data.part(role)
        positives = None if np.isnan(part.altering).all() else int(np.nansum(part.altering))
        uses.append(
            DatasetUse(
                name=dataset.name,
                role=role,
                digest=rows_digest(part),
                n=len(part),
                positives=positives,
                source_sha256=prepared.source.source_sha256,
                licence=dataset.licence,
                synthetic=dataset.synthetic,
            )
        )
    return tuple(uses)


def rows_digest(examples: VariantExamples) -> str:
    """Return the sha256 of which variants these are and what was measured of them.

    Neither the base model nor the window is in it: two experiments on the same variants have the same digest.
    """
    names = examples.names
    columns = [(name, names[name]) for name in ("id", "source", "variant", "chrom", "group", "exon")]
    return array_digest([*columns, ("altering", examples.altering), ("psi", examples.psi)])


def _pretrained(model: MetaModule) -> bool | None:
    encoders = [encoder for encoder in model.encoder_modules() if "pretrained" in encoder.config]
    if not encoders:
        return None
    return all(bool(encoder.config["pretrained"]) for encoder in encoders)


def _check_truth(spec: ExperimentSpec, data: VariantData) -> None:
    """Refuse data on which nothing can be measured before anything is trained.

    Raises
    ------
    TrainingDataError
        If a part has no measured effect, or for triage one class only.
    """
    for role in (TRAIN, VALIDATION, TEST):
        part = data.part(role)
        if spec.task == ExperimentTask.DELTA:
            if not (~np.isnan(part.psi)).any():
                raise TrainingDataError(
                    f"No variant of {role} has a measured change of inclusion.", "Take a data set that has them."
                )
            continue
        known = part.altering[~np.isnan(part.altering)]
        positives = int(known.sum())
        if not 0 < positives < len(known):
            share = float(np.nanmean(data.examples.altering))
            raise TrainingDataError(
                f"{positives} of the {len(known)} labelled variants of {role} alter splicing: both kinds are needed.",
                f"Take more variants (max_variants): {share:.1%} of those that were drawn from {spec.dataset} alter.",
            )
