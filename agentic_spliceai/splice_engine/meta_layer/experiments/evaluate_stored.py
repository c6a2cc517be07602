"""Measure a trained model on the test part of a data set, its own or another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.base_layer.model import pick_device
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, VALIDATION
from agentic_spliceai.splice_engine.errors import CheckpointError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import read_card
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig, MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import Progress
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_triage
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import draw_groups, read_dataset, score_records
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import BASE_SCORE, triage_score
from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import SCORES_FOLDER, SPLITS
from agentic_spliceai.splice_engine.meta_layer.models.registry import model_class
from agentic_spliceai.splice_engine.meta_layer.pipelines.variants import (
    VariantData,
    base_score_of,
    calibrated,
    predict_variants,
    split_variants,
)
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Threshold, choose_threshold
from agentic_spliceai.splice_engine.resources import ResourceResolver


def evaluate_stored(
    checkpoints: Sequence[Path],
    dataset: str,
    *,
    resolver: ResourceResolver,
    data_root: Path,
    split: str = "default",
    max_variants: int | None = None,
    draws: int = 1000,
    device: str = "auto",
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure triage on the test chromosomes of a data set, beside the base model that the trained one reads.

    The model's threshold is the one that the checkpoints carry, chosen on the validation part of what they learned
    from; the base model's is chosen on the validation part of these data, for the checkpoints carry none of it.

    Parameters
    ----------
    checkpoints
        Members of one ensemble; their calibrated probabilities are averaged.
    dataset
        Name in the registry of data sets.
    split
        Which chromosomes are the test: those that the model did not learn from must be among them.
    resolver, data_root, max_variants, draws, device, progress
        As `run_experiment`.

    Raises
    ------
    CheckpointError
        If a checkpoint names no base model, or the members are of different ones.
    UnknownDatasetError, MissingDatasetError
        If there is no such data set, or it is not here.
    TrainingDataError
        If no test variant is known to alter splicing or not.
    """
    cards = [read_card(path) for path in checkpoints]
    bases = {card.base.predictor for card in cards if card.base is not None}
    models = {card.model for card in cards}
    if len(bases) != 1 or len(models) != 1:
        raise CheckpointError(
            "the checkpoints are not of one model on one base model.", "Give the folder of one ensemble."
        )
    (base_name,), (model_name,) = bases, models
    cls = model_class(model_name)
    test_chromosomes = SPLITS[split]
    source = read_dataset(dataset, resolver)
    base = load_base_model(base_name, resolver, device=device)
    examples = score_records(
        source.dataset,
        draw_groups(source.records, max_variants, test_chromosomes=test_chromosomes),
        base,
        center="construct" if "place" in cls.inputs else "variant",
        cache=data_root.joinpath(*SCORES_FOLDER),
        progress=progress,
    )
    config = MetaLayerConfig(
        base_model=base_name, data=DataConfig(test_chromosomes=test_chromosomes, validation_chromosomes=())
    )
    data = split_variants(examples, config)
    test = data.part(TEST)
    known = ~np.isnan(test.altering)
    if not known.any():
        raise TrainingDataError(
            f"No test variant of {dataset} is known to alter splicing or not.", "Take a data set with such labels."
        )
    predictions = calibrated(checkpoints, predict_variants(checkpoints, test, device=str(pick_device(device))))
    scores = np.mean([triage_score(cls.task, found) for found in predictions.values()], axis=0)
    threshold = cards[0].thresholds.get("altering")
    return evaluate_triage(
        test.altering[known],
        scores[known],
        test.names["group"][known],
        base_scores=base_score_of(test, BASE_SCORE)[known],
        subject=Subject(model_name, f"{base_name}, {BASE_SCORE}", TEST, "exon group"),
        threshold=threshold,
        base_threshold=None if threshold is None else _base_threshold(data),
        bootstrap=Bootstrap(draws=draws),
    )


def _base_threshold(data: VariantData) -> Threshold:
    held = data.part(VALIDATION)
    known = ~np.isnan(held.altering)
    return choose_threshold(base_score_of(held, BASE_SCORE)[known], held.altering[known], split=VALIDATION)
