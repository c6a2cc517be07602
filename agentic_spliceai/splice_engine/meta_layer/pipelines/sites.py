"""Canonical splice sites: artifacts in, a recalibrating model and its figures beside the base model's out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import pick_device
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import CheckpointError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    load_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig, MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.data.dataset import MetaLayerDataset
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader, ArtifactTable
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.splits import DataSplit, group_rows, split_table
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_classification
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Threshold, choose_threshold
from agentic_spliceai.splice_engine.meta_layer.training.predict import predict_scores
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.trainer import MetaTrainer

BASE_LOGITS = ("donor_logodds", "acceptor_logodds", "site_logodds")
"""Features from which `MetaSpliceModel` starts, in the order of its `base_logits`."""

Probabilities = npt.NDArray[np.float32]

BySeed = Probabilities | Mapping[int, Probabilities]
"""Probabilities of one model (or the mean of several), or of each seed's."""


@dataclass(frozen=True, eq=False)
class SiteData:
    """Positions of one base model, split.

    Attributes
    ----------
    table
        All positions.
    split
        Rows of each part.
    groups : str [N]
        Group of each row: genes that overlap or are copies of each other.
    base
        The base model that made the scores; None where the artifacts do not say.
    """

    table: ArtifactTable
    split: DataSplit
    groups: npt.NDArray[np.str_]
    base: BaseProvenance | None

    @property
    def digest(self) -> str:
        """SHA-256 of the split."""
        return self.split.digest


def load_sites(config: MetaLayerConfig) -> SiteData:
    """Read the artifacts of `config.artifacts_dir` and split them as `config.data` says.

    Raises
    ------
    ResourceError, SchemaError
        If there are none, or a column is missing or wrong.
    TrainingDataError
        If a part of the split is empty.
    """
    loader = ArtifactLoader(config)
    loader.verify()
    table = loader.load_analysis_sequences()
    made_by = loader.manifest().get("base_model")
    base = None
    if made_by is not None:
        digests = tuple(made_by["weights_sha256"])
        base = BaseProvenance(predictor=made_by["name"], version=made_by["version"], weights_sha256=digests)
    return SiteData(table, split_table(table, config.data), group_rows(table), base)


def judged(data: SiteData, rows: npt.NDArray[np.int64], floor: float) -> npt.NDArray[np.int64]:
    """Return those of `rows` that the base model does not exclude: a site's probability is at least `floor`."""
    chosen: npt.NDArray[np.int64] = rows[data.table.base_scores()[rows, :2].max(axis=1) >= floor]
    return chosen


def folds_of(data: SiteData, count: int, *, seed: int = 0) -> tuple[SiteData, ...]:
    """Cut the test part into folds of whole groups; in each, one fold is the test part and the others train.

    A base model scores the genes that it was trained on too well, so a meta-layer that learns from such genes trusts it
    too much. On the chromosomes that the base model held out its scores are as they are on new genes. Predictions of
    all folds together cover the test part, each made by a model that saw neither the gene nor any of its group; the
    original training part is not used.

    Parameters
    ----------
    data
        Test part on chromosomes that the base model was not trained on.
    count
        Number of folds.
    seed
        Of the assignment of groups to folds.

    Raises
    ------
    TrainingDataError
        If there are fewer groups than folds.
    """
    test = data.split.test
    names, index = np.unique(data.groups[test], return_inverse=True)
    if not 2 <= count <= len(names):
        raise TrainingDataError(f"{len(names)} groups make no {count} folds.", "Give 2 to the number of groups.")
    fold = np.empty(len(names), dtype=np.int64)
    fold[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % count
    parts = []
    for number in range(count):
        here = fold[index] == number
        split = DataSplit(train=test[~here], validation=data.split.validation, test=test[here])
        parts.append(replace(data, split=split))
    return tuple(parts)


def train_sites(
    config: MetaLayerConfig,
    data: SiteData,
    *,
    output_dir: Path | None = None,
    progress: bool = False,
) -> TrainingResult:
    """Train the model of `config.model` to tell donor, acceptor and neither, one run a seed.

    Positions below `config.data.floor` are left out of training and validation. A `meta_splice` model starts as the
    base model, unless its options say otherwise (`base_logits: null`).

    Parameters
    ----------
    config
        Base model, data, model and training.
    data
        See `load_sites`.
    output_dir
        Where the runs go; by default `config.checkpoints_dir`.
    progress
        Show a progress bar on a terminal.

    Raises
    ------
    TrainingDataError, CheckpointError, SettingError
        As `training.trainer.train`.
    """
    parts: dict[str, MetaLayerDataset] = {}
    normalizer: Normalizer | None = None
    for part in (TRAIN, VALIDATION):
        parts[part] = MetaLayerDataset(
            data.table,
            judged(data, data.split.part(part), config.data.floor),
            part=part,
            normalizer=normalizer,
            form=config.data.sequence_form,
            window=config.data.window,
            groups=data.groups,
            # Balanced drawing gives every class its share; weights would take it away again.
            weight="uniform" if config.training.balanced else "sampling",
        )
        normalizer = parts[part].normalizer
    assert normalizer is not None
    model = with_base_logits(config.model, normalizer)
    card = ModelCard(features=normalizer.names, normaliser=normalizer.as_dict(), base=data.base)
    trainer = MetaTrainer(
        config.model_copy(update={"model": model}), output_dir=output_dir or config.checkpoints_dir, progress=progress
    )
    return trainer.train(parts[TRAIN], parts[VALIDATION], card=card)


def with_base_logits(model: ModelConfig, normalizer: Normalizer) -> ModelConfig:
    """Return the model's configuration with what it must know of the features: their number and the base log-odds."""
    if model.name != "meta_splice":
        return model
    names = normalizer.names
    options = {"num_features": len(names), **model.options}
    if "base_logits" not in options and options.get("head", "classification") == "classification":
        columns = [names.index(name) for name in BASE_LOGITS]
        options |= {
            "base_logits": columns,
            "base_scale": [normalizer.std[c] for c in columns],
            "base_shift": [normalizer.mean[c] for c in columns],
        }
    return ModelConfig(name=model.name, options=options)


def predict_sites(
    checkpoints: Sequence[Path], data: SiteData, part: str, *, batch_size: int = 256, device: str = "cpu"
) -> dict[int, Probabilities]:
    """Predict the positions of one part with the models of several seeds.

    Parameters
    ----------
    checkpoints
        One a seed.
    data, part
        Positions, and which of them.
    batch_size
        Positions at once.
    device
        `cpu`, `cuda`, `mps` or `auto`.

    Returns
    -------
    dict of seed to float32 [n, 3]
        Probabilities, `SpliceClass` order; the base model's own below the floor that the model was trained with.

    Raises
    ------
    CheckpointError
        If a checkpoint was trained on other features or on another base model's scores.
    """
    found: dict[int, Probabilities] = {}
    for path in checkpoints:
        content = load_checkpoint(path, expect_schema=data.table.feature_names, expect_base=data.base)
        if (content.card.seed or 0) in found:
            raise CheckpointError(f"Two checkpoints are of seed {content.card.seed}.", "Give one a seed.")
        found[content.card.seed or 0] = _predict(content, data, part, batch_size, device)
    return found


def _predict(content: CheckpointContent, data: SiteData, part: str, batch_size: int, device: str) -> Probabilities:
    card = content.card
    if card.normaliser is None:
        raise TrainingDataError("The checkpoint names no normalisation of its features.", "Train with `train_sites`.")
    settings = DataConfig.model_validate(card.config["data"]) if card.config else DataConfig()
    rows = data.split.part(part)
    found = _distribution(data.table.base_scores()[rows])
    at = np.flatnonzero(found[:, :2].max(axis=1) >= settings.floor)
    if len(at):
        dataset = MetaLayerDataset(
            data.table,
            rows[at],
            part=part,
            normalizer=Normalizer.from_dict(card.normaliser),
            form=settings.sequence_form,
            window=settings.window,
        )
        scores = predict_scores(content.model, dataset, batch_size=batch_size, device=pick_device(device))
        found[at] = scores["score"]
    return found


def evaluate_sites(
    data: SiteData,
    predictions: BySeed,
    validation: BySeed,
    *,
    model_name: str,
    part: str = TEST,
    sampled: bool = True,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate predictions of one part, the base model beside them.

    Parameters
    ----------
    data, predictions, part
        Positions, probabilities of `part`, and which part that is.
    validation
        Probabilities of the validation part, from which the thresholds are chosen.
    model_name
        How the tables call the model.
    sampled
        Weigh each row by the positions that it stands for, so that figures are about all positions of the genes.
        Without, they are about the kept rows alone, which is what a table of 10 % of the positions shows.
    bootstrap
        Draws and seed of the intervals.
    """
    rows, held = data.split.part(part), data.split.part(VALIDATION)
    weights = data.table.weights[rows] if sampled else None
    held_weights = data.table.weights[held] if sampled else None
    base = _distribution(data.table.base_scores())
    pooled = np.mean(list(validation.values()), axis=0) if isinstance(validation, Mapping) else validation
    thresholds: dict[str, Threshold] = {}
    base_thresholds: dict[str, Threshold] = {}
    for kind in (SpliceClass.DONOR, SpliceClass.ACCEPTOR):
        truth = data.table.labels[held] == kind
        name = kind.name.lower()
        thresholds[name] = choose_threshold(pooled[:, kind], truth, split=VALIDATION, weights=held_weights)
        base_thresholds[name] = choose_threshold(base[held, kind], truth, split=VALIDATION, weights=held_weights)
    return evaluate_classification(
        data.table.labels[rows],
        {seed: _distribution(values) for seed, values in predictions.items()}
        if isinstance(predictions, Mapping)
        else _distribution(predictions),
        data.groups[rows],
        base_probabilities=base[rows],
        subject=Subject(model_name, data.base.predictor if data.base else "base model", part),
        weights=weights,
        thresholds=thresholds,
        base_thresholds=base_thresholds,
        bootstrap=bootstrap,
    )


def _distribution(probabilities: Probabilities) -> Probabilities:
    """Make rows that were rounded on disk add up to 1 again."""
    result: Probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    return result
