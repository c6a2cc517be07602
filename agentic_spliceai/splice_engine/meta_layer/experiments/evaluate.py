"""Scores of trained models put on one scale, calibrated on validation, and measured beside the base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import CheckpointContent, load_checkpoint, save_checkpoint
from agentic_spliceai.splice_engine.meta_layer.data.batches import EffectType
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_delta
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import Estimate, EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import Prepared
from agentic_spliceai.splice_engine.meta_layer.experiments.result import Figure
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentTask
from agentic_spliceai.splice_engine.meta_layer.pipelines.variants import (
    BASE_SCORES,
    PEERS,
    base_score_of,
    evaluate_variants,
    predict_variants,
)
from agentic_spliceai.splice_engine.meta_layer.training.calibration import (
    Calibration,
    Threshold,
    choose_threshold,
    fit_calibration,
)
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Scores

Floats = npt.NDArray[np.float64]

BASE_SCORE = BASE_SCORES[0]
"""The base model's own score: the summed drop in log-odds at the exon's sites."""

_CALIBRATED_TASKS = ("multi_task", "binary")
"""Models whose own output is the probability that is calibrated, so that a checkpoint can carry the calibration."""


@dataclass(frozen=True, eq=False)
class PartScores:
    """Scores of one part of the data, the rows with a truth only.

    Attributes
    ----------
    truth : [N]
        1 or 0 for triage; change of inclusion for delta.
    group, id : [N]
        Exon group and name of each variant.
    base : [N]
        The base model's own score; for delta on the scale of inclusion.
    model : dict of seed to [N]
        Calibrated; for delta on the scale of inclusion.
    """

    truth: Floats
    group: npt.NDArray[np.str_]
    id: npt.NDArray[np.str_]
    base: Floats
    model: Mapping[int, Floats]

    @property
    def mean(self) -> Floats:
        """Mean over seeds."""
        return np.asarray(np.mean(list(self.model.values()), axis=0), dtype=np.float64)

    def arrays(self, part: str) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by the names that `scores.npz` has them under."""
        single = {
            "truth": self.truth,
            "group": self.group,
            "id": self.id,
            "base": self.base,
            "mean": self.mean,
        }
        seeds = {f"seed_{seed}": scores for seed, scores in self.model.items()}
        return {f"{part}_{name}": array for name, array in (single | seeds).items()}


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What was measured.

    Attributes
    ----------
    parts
        `validation` and `test`.
    figures
        Flattened.
    results
        By heading: each seed on its own, the ensemble, other scores.
    calibrations
        By seed; none for delta, or where none could be fitted.
    threshold
        Of the mean of the seeds' probabilities; None for delta.
    caveats
        What a reader must know.
    """

    parts: Mapping[str, PartScores]
    figures: tuple[Figure, ...]
    results: Mapping[str, EvaluationResult]
    calibrations: Mapping[int, Calibration]
    threshold: Threshold | None
    caveats: tuple[str, ...]


def evaluate(prepared: Prepared, training: TrainingResult) -> Evaluated:
    """Predict validation and test with every seed's best model, and measure; raises as `run_experiment`."""
    checkpoints = [run.checkpoint for run in training.runs]
    predictions = {
        part: predict_variants(checkpoints, prepared.data.part(part), device=prepared.device)
        for part in (VALIDATION, TEST)
    }
    if prepared.spec.task == ExperimentTask.TRIAGE:
        return _triage(prepared, predictions)
    return _delta(prepared, predictions)


def triage_score(task: str, scores: Scores) -> Floats:
    """Return how likely each variant alters splicing, 0 to 1, from what a model's task calls `scores`."""
    values = scores["score"]
    if task == "delta":
        values = np.abs(values[:, :2]).max(axis=1)
    elif task == "paired_delta":
        values = np.abs(values).max(axis=(1, 2))
    elif task == "effect_type":
        values = 1 - values[:, EffectType.NONE]
    return np.asarray(np.clip(values, 0, 1), dtype=np.float64)


def inclusion_score(task: str, scores: Scores) -> Floats:
    """Return the change of inclusion, or for models of deltas what stands for it before it is scaled: the summed
    change of donor and acceptor, of a model by position each where it is largest."""
    if task == "multi_task":
        return np.asarray(scores["psi_score"], dtype=np.float64)
    values = np.asarray(scores["score"], dtype=np.float64)
    if task == "paired_delta":
        where = np.abs(values).argmax(axis=1)
        values = np.take_along_axis(values, where[:, None, :], axis=1)[:, 0]
    return np.asarray(values[:, :2].sum(axis=1), dtype=np.float64)


def export(prepared: Prepared, training: TrainingResult, evaluated: Evaluated, folder: Path) -> tuple[Path, ...]:
    """Write each seed's best model, with its calibration and the ensemble's threshold where it has them."""
    written = []
    for run in training.runs:
        content = load_checkpoint(run.checkpoint)
        card = content.card
        calibration = evaluated.calibrations.get(run.seed)
        if prepared.model_task in _CALIBRATED_TASKS and calibration is not None and evaluated.threshold is not None:
            card = card.model_copy(
                update={"calibration": {"altering": calibration}, "thresholds": {"altering": evaluated.threshold}}
            )
        target = folder / f"member_{run.seed}.safetensors"
        save_checkpoint(target, CheckpointContent(content.model, card))
        written.append(target)
    return tuple(written)


def _triage(prepared: Prepared, predictions: Mapping[str, Mapping[int, Scores]]) -> Evaluated:
    data, task, caveats = prepared.data, prepared.model_task, []
    raw = {part: {seed: triage_score(task, s) for seed, s in found.items()} for part, found in predictions.items()}
    held = data.part(VALIDATION)
    known = ~np.isnan(held.altering)
    calibrations: dict[int, Calibration] = {}
    for seed, scores in raw[VALIDATION].items():
        try:
            calibrations[seed] = fit_calibration("platt", scores[known], held.altering[known])
        except TrainingDataError as error:
            # A model that ranks validation the wrong way round is a finding, not a failure; it stays as it is.
            caveats.append(f"The scores of seed {seed} are not calibrated: {error.message}")
    scaled = {
        part: {seed: calibrations[seed].apply(s) if seed in calibrations else s for seed, s in found.items()}
        for part, found in raw.items()
    }
    by_seed = {part: {seed: {"score": s} for seed, s in found.items()} for part, found in scaled.items()}
    pooled = {part: {"score": np.mean(list(found.values()), axis=0)} for part, found in scaled.items()}
    plan = Bootstrap(draws=prepared.spec.draws)
    name = prepared.spec.model
    results = {
        "Each seed": evaluate_variants(
            data, by_seed[TEST], by_seed[VALIDATION], model_name=name, base_score=BASE_SCORE, bootstrap=plan
        )
    }
    if len(scaled[TEST]) > 1:
        results["Mean of the seeds"] = evaluate_variants(
            data, pooled[TEST], pooled[VALIDATION], model_name=name, base_score=BASE_SCORE, bootstrap=plan
        )
    for score in _other_scores(prepared):
        results[f"Beside {score}"] = evaluate_variants(
            data, pooled[TEST], pooled[VALIDATION], model_name=name, base_score=score, bootstrap=plan
        )
    parts = {}
    for part in (VALIDATION, TEST):
        examples = data.part(part)
        rows = ~np.isnan(examples.altering)
        parts[part] = PartScores(
            truth=examples.altering[rows].astype(np.float64),
            group=examples.names["group"][rows],
            id=examples.names["id"][rows],
            base=base_score_of(examples, BASE_SCORE)[rows].astype(np.float64),
            model={seed: s[rows] for seed, s in scaled[part].items()},
        )
    threshold = choose_threshold(parts[VALIDATION].mean, parts[VALIDATION].truth, split=VALIDATION)
    return Evaluated(parts, _figures(results), results, calibrations, threshold, tuple(caveats))


def _delta(prepared: Prepared, predictions: Mapping[str, Mapping[int, Scores]]) -> Evaluated:
    data, task = prepared.data, prepared.model_task
    raw = {part: {seed: inclusion_score(task, s) for seed, s in found.items()} for part, found in predictions.items()}
    training, held = data.part(TRAIN), data.part(VALIDATION)
    base_scale = _line(base_score_of(training, BASE_SCORE), training.psi)
    scales = {
        seed: (1.0, 0.0) if task == "multi_task" else _line(scores, held.psi)
        for seed, scores in raw[VALIDATION].items()
    }
    parts = {}
    for part in (VALIDATION, TEST):
        examples = data.part(part)
        rows = ~np.isnan(examples.psi)
        parts[part] = PartScores(
            truth=examples.psi[rows].astype(np.float64),
            group=examples.names["group"][rows],
            id=examples.names["id"][rows],
            base=_scaled(base_score_of(examples, BASE_SCORE)[rows], base_scale),
            model={seed: _scaled(scores[rows], scales[seed]) for seed, scores in raw[part].items()},
        )
    test = parts[TEST]
    examples = data.part(TEST)
    altering = examples.altering[~np.isnan(examples.psi)]
    subject = Subject(prepared.spec.model, f"{data.base.predictor}, {BASE_SCORE} scaled", TEST, "exon group")

    def measured(scores: Mapping[int, Floats] | Floats) -> EvaluationResult:
        return evaluate_delta(
            test.truth,
            scores,
            test.group,
            base_predictions=test.base,
            outputs=("psi",),
            subject=subject,
            altering=None if np.isnan(altering).any() else altering,
            bootstrap=Bootstrap(draws=prepared.spec.draws),
        )

    results = {"Each seed": measured(test.model)}
    if len(test.model) > 1:
        results["Mean of the seeds"] = measured(test.mean)
    caveats: tuple[str, ...] = ()
    if task != "multi_task":
        caveats = (
            "The model predicts changes of splice-site probabilities; they were put on the scale of inclusion by least "
            "squares on validation.",
        )
    return Evaluated(parts, _figures(results), results, {}, None, caveats)


def _other_scores(prepared: Prepared) -> Sequence[str]:
    test, held = prepared.data.part(TEST), prepared.data.part(VALIDATION)
    usable = [
        name
        for name in PEERS
        if name in test.published
        and all(_both_classes(part.altering[~np.isnan(part.published[name])]) for part in (test, held))
    ]
    return (*BASE_SCORES[1:], *usable)


def _figures(results: Mapping[str, EvaluationResult]) -> tuple[Figure, ...]:
    """Flatten: base, model and difference by seeds; then the ensemble; then other scores on their own."""
    found: list[Figure] = []
    for heading, result in results.items():
        for row in result.report.rows:
            place = {"measure": row.measure, "of": row.of, "subset": row.subset}
            if heading == "Each seed":
                found += [
                    _figure(row.base, "base", place),
                    _figure(row.model, "model", place),
                    _figure(row.difference, "difference", place),
                ]
            elif heading == "Mean of the seeds":
                found.append(_figure(row.model, "ensemble", place))
            elif row.subset == "all" and row.measure in ("pr_auc", "roc_auc"):
                found.append(_figure(row.base, heading.removeprefix("Beside "), place))
    return tuple(found)


def _figure(estimate: Estimate, subject: str, place: Mapping[str, str]) -> Figure:
    return Figure(
        **place,
        subject=subject,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        sd=estimate.sd,
        n=estimate.n,
        positives=estimate.positives,
        groups=estimate.groups,
        reason=estimate.reason,
    )


def _line(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return slope and intercept of least squares over the rows that have both; slope 0 where x does not vary."""
    known = ~np.isnan(y) & ~np.isnan(x)
    x, y = x[known].astype(np.float64), y[known].astype(np.float64)
    if not len(y):
        raise TrainingDataError("No variant has a measured change of inclusion.", "Take a data set that has them.")
    if np.ptp(x) == 0:
        return 0.0, float(y.mean())
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)


def _scaled(values: npt.NDArray[np.floating], scale: tuple[float, float]) -> Floats:
    return np.asarray(np.clip(scale[0] * values.astype(np.float64) + scale[1], -1, 1))


def _both_classes(truth: npt.NDArray[np.floating]) -> bool:
    known = truth[~np.isnan(truth)]
    return bool(len(known) and 0 < known.sum() < len(known))
