"""Measured variants: examples in, a model of splice-altering variants and its figures beside the base model's out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import BaseModel, pick_device
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    load_checkpoint,
    read_card,
    save_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import Progress
from agentic_spliceai.splice_engine.meta_layer.data.measured import load_mfass
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.variant_dataset import VariantDataset
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import (
    CONSTRUCT_WINDOW,
    VariantExamples,
    build_examples,
    site_distance,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES, variant_features
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import GENOMIC_WINDOW, construct_inputs
from agentic_spliceai.splice_engine.meta_layer.data.variant_splits import VariantSplit, split_by_group, split_keys
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_delta, evaluate_triage
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.models.registry import model_class
from agentic_spliceai.splice_engine.meta_layer.training.calibration import choose_threshold, fit_calibration
from agentic_spliceai.splice_engine.meta_layer.training.predict import predict_scores
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Scores
from agentic_spliceai.splice_engine.meta_layer.training.trainer import MetaTrainer, MetricsListener

PEERS = ("spliceai", "pangolin")
"""Predictors whose published scores the table of variants carries."""

BASE_SCORES = ("drop_sum", "max_delta")
"""Features that are the base model's own scores: summed drop in log-odds at the exon's sites; largest |delta|."""


@dataclass(frozen=True, eq=False)
class VariantData:
    """Scored variants of one base model, split by exon group.

    Attributes
    ----------
    examples
        All of them.
    split
        Rows of each part.
    """

    examples: VariantExamples
    split: VariantSplit

    @property
    def base(self) -> BaseProvenance:
        """The base model that scored them."""
        made_by = self.examples.base_model
        return BaseProvenance(
            predictor=made_by["name"], version=made_by["version"], weights_sha256=tuple(made_by["weights_sha256"])
        )

    def part(self, name: str) -> VariantExamples:
        """Return the examples of `train`, `validation` or `test`."""
        rows = {TRAIN: self.split.train, VALIDATION: self.split.validation, TEST: self.split.test}[name]
        return self.examples.subset(rows)


def load_mfass_examples(
    table: Path,
    model: BaseModel,
    *,
    center: Literal["construct", "variant"] = "construct",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> VariantExamples:
    """Score the constructs of the MFASS table; the base model sees the construct and N beyond it.

    Parameters
    ----------
    table, model
        The table, and the base model.
    center
        What stands in the middle: `variant` for models that are not told where it is, see `build_examples`.
    cache, progress
        See `base_scores.score_sequences`.

    Raises
    ------
    SchemaError
        If the table lacks a column.
    TrainingDataError
        If no row can be scored.
    """
    records = load_mfass(table).records
    inputs = construct_inputs(records, context=model.info.context)
    window = GENOMIC_WINDOW if center == "variant" else CONSTRUCT_WINDOW
    return build_examples(inputs, model, window=window, center=center, cache=cache, progress=progress)


def domain_of(examples: VariantExamples) -> dict[str, float]:
    """Return how far examples reach: distance to the nearest site of the exon and length of the changed stretch, nt."""
    return {
        "site_distance": float(site_distance(examples).max()),
        "allele_length": float((examples.end - examples.start).max()),
    }


def _require_centred(examples: VariantExamples, name: str) -> None:
    middle = examples.window // 2
    centred = (examples.start <= middle) & (middle <= np.maximum(examples.end - 1, examples.start))
    if not centred.all():
        raise TrainingDataError(
            f"{name} looks for the variant in the middle of its window; in {np.mean(~centred):.0%} of the examples it "
            "stands elsewhere.",
            "Build the examples with center='variant'.",
        )


def split_variants(examples: VariantExamples, config: MetaLayerConfig) -> VariantData:
    """Split by exon group: the test chromosomes of the configuration, and a drawn share of the other groups."""
    split = split_by_group(
        split_keys(examples),
        test_chromosomes=config.data.test_chromosomes,
        validation_fraction=config.data.validation_fraction,
        seed=config.data.seed,
    )
    return VariantData(examples, split)


def train_variants(
    config: MetaLayerConfig,
    data: VariantData,
    *,
    output_dir: Path | None = None,
    progress: bool = False,
    listen: MetricsListener | None = None,
) -> TrainingResult:
    """Train the model of `config.model` on the training part, one run a seed; `listen` hears of each line of metrics.

    Raises
    ------
    TrainingDataError
        If the model looks for the variant in the middle of its window, and the examples were not built so; and as
        `training.trainer.train`.
    CheckpointError, SettingError
        As `training.trainer.train`.
    """
    training = data.part(TRAIN)
    if "place" not in model_class(config.model.name).inputs:
        _require_centred(training, config.model.name)
    normalizer = VariantDataset.fit_normalizer(training)
    parts = {
        TRAIN: VariantDataset(training, normalizer),
        VALIDATION: VariantDataset(data.part(VALIDATION), normalizer),
    }
    options = dict(config.model.options)
    if config.model.name == "variant_aware":
        options.setdefault("num_features", len(VARIANT_FEATURES))
    model = ModelConfig(name=config.model.name, options=options)
    card = ModelCard(
        features=normalizer.names,
        normaliser=normalizer.as_dict(),
        base=data.base,
        domain=domain_of(training),
    )
    trainer = MetaTrainer(
        config.model_copy(update={"model": model}), output_dir=output_dir or config.checkpoints_dir, progress=progress
    )
    return trainer.train(parts[TRAIN], parts[VALIDATION], card=card, listen=listen)


def predict_variants(
    checkpoints: Sequence[Path], examples: VariantExamples, *, batch_size: int = 256, device: str = "cpu"
) -> dict[int, Scores]:
    """Predict with the models of several seeds.

    Returns
    -------
    dict of seed to dict
        What the model's task calls `scores`, by example; see `training.tasks`.

    Raises
    ------
    CheckpointError
        If a checkpoint was trained on other features or on another base model's scores.
    """
    made_by = examples.base_model
    base = BaseProvenance(
        predictor=made_by["name"], version=made_by["version"], weights_sha256=tuple(made_by["weights_sha256"])
    )
    found: dict[int, Scores] = {}
    for path in checkpoints:
        content = load_checkpoint(path, expect_schema=VARIANT_FEATURES, expect_base=base)
        if content.card.normaliser is None:
            raise TrainingDataError("The checkpoint names no normalisation of its features.", "Train it again.")
        dataset = VariantDataset(examples, Normalizer.from_dict(content.card.normaliser))
        found[content.card.seed or 0] = predict_scores(
            content.model, dataset, batch_size=batch_size, device=pick_device(device)
        )
    return found


def export_ensemble(
    checkpoints: Sequence[Path], data: VariantData, folder: Path, *, device: str = "cpu"
) -> tuple[Path, ...]:
    """Calibrate each seed's model on validation, choose the ensemble's threshold there, and write the members.

    The probability that is given to a user is the mean of the members' calibrated ones; the threshold is the one with
    the best F1 of that mean on validation.

    Returns
    -------
    tuple of Path
        One file a member, for `MetaPredictor.load`.
    """
    examples = data.part(VALIDATION)
    known = ~np.isnan(examples.altering)
    members = []
    for path in checkpoints:
        scores = next(iter(predict_variants([path], examples, device=device).values()))["score"]
        calibration = fit_calibration("platt", scores[known], examples.altering[known])
        members.append((path, calibration, calibration.apply(scores)))
    mean = np.mean([probability for *_, probability in members], axis=0)
    threshold = choose_threshold(mean[known], examples.altering[known])
    written = []
    for path, calibration, _ in members:
        content = load_checkpoint(path)
        card = content.card.model_copy(
            update={"calibration": {"altering": calibration}, "thresholds": {"altering": threshold}}
        )
        target = folder / f"member_{content.card.seed}.safetensors"
        save_checkpoint(target, CheckpointContent(content.model, card))
        written.append(target)
    return tuple(written)


BySeed = Scores | Mapping[int, Scores]
"""Scores of one model (or the mean of several), or of each seed's."""


def evaluate_variants(
    data: VariantData,
    predictions: BySeed,
    validation: BySeed,
    *,
    model_name: str,
    base_score: str,
    part: str = TEST,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate triage, the base model's own score beside it.

    Variants that lack a label, or the score that is compared with, are left out; thresholds are chosen on validation.

    Parameters
    ----------
    data, predictions, part
        Examples, scores of `part`, and which part that is.
    validation
        Scores of the validation part, from which the thresholds are chosen.
    model_name
        How the tables call the model.
    base_score
        One of `BASE_SCORES`, or of `PEERS` for another predictor's published score.
    bootstrap
        Draws and seed of the intervals.
    """
    test, held = data.part(part), data.part(VALIDATION)
    base, base_held = (base_score_of(examples, base_score) for examples in (test, held))
    known = ~np.isnan(test.altering) & ~np.isnan(base)
    held_known = ~np.isnan(held.altering) & ~np.isnan(base_held)
    truth = held.altering[held_known]
    exonic = variant_features(test)[:, VARIANT_FEATURES.index("exonic")] > 0.5
    other = f"{base_score}, as published" if base_score in PEERS else f"{data.base.predictor}, {base_score}"
    return evaluate_triage(
        test.altering[known],
        _take(predictions, "score", known),
        test.names["group"][known],
        base_scores=base[known],
        subject=Subject(model_name, other, part, "exon group"),
        threshold=choose_threshold(_mean(validation, "score")[held_known], truth, split=VALIDATION),
        base_threshold=choose_threshold(base_held[held_known], truth, split=VALIDATION),
        subgroups={"region": np.where(exonic, "exonic", "intronic")[known]},
        bootstrap=bootstrap,
    )


def evaluate_inclusion(
    data: VariantData,
    predictions: Scores,
    *,
    model_name: str,
    part: str = TEST,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate the predicted change of exon inclusion.

    The base model's row is its drop in log-odds at both sites, put on the scale of inclusion by least squares on the
    training part.
    """
    test, training = data.part(part), data.part(TRAIN)
    drop, target = base_score_of(training, "drop_sum"), training.psi
    fitted = ~np.isnan(target)
    slope, intercept = np.polyfit(drop[fitted].astype(np.float64), target[fitted].astype(np.float64), 1)
    known = ~np.isnan(test.psi)
    base = np.clip(slope * base_score_of(test, "drop_sum") + intercept, -1, 1)
    return evaluate_delta(
        test.psi[known],
        predictions["psi_score"][known],
        test.names["group"][known],
        base_predictions=base[known],
        outputs=("psi",),
        subject=Subject(model_name, f"{data.base.predictor}, drop_sum scaled", part, "exon group"),
        bootstrap=bootstrap,
    )


def base_score_of(examples: VariantExamples, name: str) -> npt.NDArray[np.float32]:
    """Return a score of each example to compare with, float32 [N]; `name` is one of `BASE_SCORES` or `PEERS`."""
    if name in PEERS:
        return examples.published[name]
    column: npt.NDArray[np.float32] = variant_features(examples)[:, VARIANT_FEATURES.index(name)]
    return column


def calibrated(checkpoints: Sequence[Path], predictions: Mapping[int, Scores]) -> dict[int, Scores]:
    """Apply each checkpoint's calibration to its probabilities of altering."""
    found: dict[int, Scores] = {}
    for path in checkpoints:
        card = read_card(path)
        scores = predictions[card.seed or 0]
        calibration = card.calibration.get("altering")
        probability = scores["score"] if calibration is None else calibration.apply(scores["score"])
        found[card.seed or 0] = {**scores, "score": probability}
    return found


def mean_scores(predictions: Mapping[int, Scores]) -> Scores:
    """Return the ensemble: the mean over seeds of every score."""
    members = list(predictions.values())
    return {name: np.mean([member[name] for member in members], axis=0) for name in members[0]}


def _take(
    predictions: BySeed, name: str, rows: npt.NDArray[np.bool_]
) -> npt.NDArray[np.generic] | dict[int, npt.NDArray[np.generic]]:
    if name in predictions:
        return cast(Scores, predictions)[name][rows]
    return {seed: scores[name][rows] for seed, scores in cast(Mapping[int, Scores], predictions).items()}


def _mean(predictions: BySeed, name: str) -> npt.NDArray[np.generic]:
    """Return the mean over seeds of a score."""
    single = name in predictions
    scores = cast(Scores, predictions) if single else mean_scores(cast(Mapping[int, Scores], predictions))
    return scores[name]
