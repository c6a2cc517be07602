"""The evaluator: a model beside its base model on the same rows, with intervals, for each kind of prediction.

Every function takes the base model's own scores, which are always a row of the result. Predictions are one array, or
one a training seed. Thresholds come from `training.calibration.choose_threshold` on validation data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.evaluation import compare as c
from agentic_spliceai.splice_engine.meta_layer.evaluation import measures as m
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.checks import (
    Predictions,
    Thresholds,
    check_base,
    check_classes,
    check_distribution,
    check_predictions,
    check_rows,
    check_scores,
    check_subgroups,
    check_thresholds,
    check_truth,
)
from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import array_digest, evaluator_digest
from agentic_spliceai.splice_engine.meta_layer.evaluation.figures import Rows, mean_figures
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import Floats, Ints, Marks
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import (
    ClassificationReport,
    Confusion,
    DeltaReport,
    EvaluationResult,
    PositionReport,
    ReliabilityBin,
    Threshold,
    TriageReport,
)

TOP_K = (10, 50, 100, 500)
"""k of top-k accuracy, besides the number of true rows."""

FIXED_THRESHOLDS = (0.1,)
"""Thresholds set beforehand; the documents give detection and false positive rate at 0.1."""

SITE = "site"
"""`of` of the mean of donor and acceptor."""

LARGEST = "largest"
"""`of` of the change with the largest absolute value over outputs."""

_CLASSES = tuple(kind.name.lower() for kind in SpliceClass)
_NOT_ALTERING = ("normal", "altering")


@dataclass(frozen=True)
class Subject:
    """What is evaluated, in names.

    Attributes
    ----------
    model, base_model
        The two rows of every table.
    split
        Name of the data, such as `test`.
    group_unit
        What a group is, such as `gene` or `exon`.
    """

    model: str
    base_model: str
    split: str
    group_unit: str = "gene"


def evaluate_classification(
    labels: npt.ArrayLike,
    probabilities: Predictions,
    groups: npt.ArrayLike,
    *,
    base_probabilities: npt.ArrayLike,
    subject: Subject,
    weights: npt.ArrayLike | None = None,
    thresholds: Mapping[str, Thresholds] | None = None,
    base_thresholds: Mapping[str, Threshold] | None = None,
    subgroups: Mapping[str, npt.ArrayLike] | None = None,
    top_k: Sequence[int] = TOP_K,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate donor, acceptor or neither, position by position.

    Accuracy is of the most probable class. Each class is measured against the two others, by its own probability:
    ranking, Brier score, calibration, and calls at its threshold. `site` is the mean of donor and acceptor.

    Parameters
    ----------
    labels : int [N]
        `SpliceClass` of each position.
    probabilities, base_probabilities : float [N, 3]
        In `SpliceClass` order; the model's may be a mapping from training seed to such an array.
    groups : [N]
        Gene (or exon group) of each position.
    subject
        Names.
    weights : float [N]
        How many positions each row stands for: the inverse of its chance to be in the sample.
    thresholds, base_thresholds
        By class (`donor`, `acceptor`), chosen on validation data for model (one, or one a seed) and base model; without
        them no F1.
    subgroups : each [N]
        Further kinds of rows to be measured on their own.
    top_k
        k of top-k accuracy, besides the number of true rows.
    bootstrap
        Number of draws and seed.

    Raises
    ------
    TrainingDataError
        If arrays are missing, do not fit each other, or hold NaN or rows that are no probabilities.
    SettingError
        If only one of the models has thresholds, or one was chosen on this split.
    """
    truth = check_classes(labels, "labels", len(SpliceClass))
    shape = (len(truth), len(SpliceClass))
    base = check_distribution(check_base(base_probabilities, "base_probabilities", shape), "base_probabilities")
    model = {
        seed: check_distribution(array, "probabilities")
        for seed, array in check_predictions(probabilities, "probabilities", shape).items()
    }
    rows = check_rows(groups, weights, len(truth))
    subsets = check_subgroups(subgroups, len(truth))
    own, bases = dict(thresholds or {}), dict(base_thresholds or {})
    if not set(own) | set(bases) <= set(_CLASSES):
        raise SettingError(f"Thresholds are of {sorted(set(own) | set(bases))}.", f"Classes are {', '.join(_CLASSES)}.")
    chosen = {name: check_thresholds(own.get(name), bases.get(name), list(model), subject.split) for name in _CLASSES}

    def accuracy(index: Ints, scores: Floats, _: c.Who) -> c.Measured:
        predicted, part = scores[index].argmax(axis=1), rows.take(index)
        right = {"accuracy": predicted == truth[index]}
        return c.Measured({"accuracy": m.accuracy(truth[index], predicted, part.weights)}, (mean_figures(right, part),))

    def one_class(kind: SpliceClass, index: Ints, scores: Floats, who: c.Who) -> c.Measured:
        marks, values, part = truth[index] == kind, scores[index, kind], rows.take(index)
        found = c.ranking(marks, values, part, () if kind is SpliceClass.NEITHER else top_k)
        found += c.calibration(marks, values, part)
        threshold = chosen[_CLASSES[kind]].get(who)
        return found if threshold is None else found + c.calls(marks, values, threshold.value, part)

    panels = []
    for subset, index in subsets.items():
        part = rows.take(index)
        panels.append(c.Panel("all classes", subset, part, None, partial(accuracy, index)))
        panels += [
            c.Panel(_CLASSES[kind], subset, part, truth[index] == kind, partial(one_class, kind, index))
            for kind in SpliceClass
        ]
    plan = bootstrap or Bootstrap()
    report = ClassificationReport(
        rows=c.compare(panels, base, model, plan, {SITE: ("donor", "acceptor")}),
        prevalence={name: _prevalence(truth == kind, rows) for kind, name in zip(SpliceClass, _CLASSES, strict=True)},
        thresholds={name: _of_seeds(x) for name, x in chosen.items() if x},
        base_thresholds=bases,
        base_confusion=_confusion(truth, [base.argmax(axis=1)], rows, _CLASSES),
        model_confusion=_confusion(truth, [scores.argmax(axis=1) for scores in model.values()], rows, _CLASSES),
        base_reliability=_reliabilities(truth, [base], rows),
        model_reliability=_reliabilities(truth, list(model.values()), rows),
    )
    return _result(subject, report, model, plan, rows, subgroups, labels=truth, base=base)


def evaluate_triage(
    labels: npt.ArrayLike,
    scores: Predictions,
    groups: npt.ArrayLike,
    *,
    base_scores: npt.ArrayLike,
    subject: Subject,
    threshold: Thresholds | None = None,
    base_threshold: Threshold | None = None,
    weights: npt.ArrayLike | None = None,
    subgroups: Mapping[str, npt.ArrayLike] | None = None,
    fixed_thresholds: Sequence[float] = FIXED_THRESHOLDS,
    top_k: Sequence[int] = TOP_K,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate splice-altering or not, variant by variant.

    Parameters
    ----------
    labels : [N]
        1 (or True) splice-altering, 0 normal.
    scores, base_scores : float [N]
        Higher is more likely altering. Brier score and calibration are measured where all are within 0 and 1. The
        model's may be a mapping from training seed to such an array.
    groups : [N]
        Gene or exon group of each variant.
    threshold, base_threshold
        Chosen on validation data for model (one, or one a seed) and base model; without them no F1 and no confusion
        matrix.
    subgroups : each [N]
        Kinds of rows to be measured on their own: `{"variant type": [...], "region": [...]}`.
    fixed_thresholds
        Thresholds set beforehand, for both models.
    subject, weights, top_k, bootstrap
        See `evaluate_classification`.

    Raises
    ------
    TrainingDataError, SettingError
        See `evaluate_classification`.
    """
    truth = check_truth(labels, "labels")
    shape = (len(truth),)
    base = check_base(base_scores, "base_scores", shape)
    model = check_predictions(scores, "scores", shape)
    rows = check_rows(groups, weights, len(truth))
    chosen = check_thresholds(threshold, base_threshold, list(model), subject.split)

    def measure(index: Ints, scores: Floats, who: c.Who) -> c.Measured:
        marks, values, part = truth[index], scores[index], rows.take(index)
        found = c.ranking(marks, values, part, top_k) + c.calibration(marks, values, part)
        if who in chosen:
            found += c.calls(marks, values, chosen[who].value, part)
        for fixed in fixed_thresholds:
            found += c.rates(marks, values, fixed, part, f"_at_{fixed:g}")
        return found

    panels = [
        c.Panel("altering", subset, rows.take(index), truth[index], partial(measure, index))
        for subset, index in check_subgroups(subgroups, len(truth)).items()
    ]
    plan = bootstrap or Bootstrap()
    report = TriageReport(
        rows=c.compare(panels, base, model, plan),
        prevalence=_prevalence(truth, rows),
        thresholds=_of_seeds(chosen),
        base_threshold=base_threshold,
        base_confusion=_confusion_at(truth, {c.BASE: base}, chosen, rows),
        model_confusion=_confusion_at(truth, model, chosen, rows),
        base_reliability=_reliability(truth, [base], rows),
        model_reliability=_reliability(truth, list(model.values()), rows),
    )
    return _result(subject, report, model, plan, rows, subgroups, labels=truth, base=base)


def evaluate_delta(
    targets: npt.ArrayLike,
    predictions: Predictions,
    groups: npt.ArrayLike,
    *,
    base_predictions: npt.ArrayLike,
    outputs: Sequence[str],
    subject: Subject,
    altering: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    subgroups: Mapping[str, npt.ArrayLike] | None = None,
    fixed_thresholds: Sequence[float] = FIXED_THRESHOLDS,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate predicted changes, variant by variant.

    Each output has signed and unsigned (absolute values) correlations and errors. `largest` is the largest absolute
    value over outputs: its correlation is what the documents call r, there among altering variants only, which is the
    subset `altering = True` here.

    Parameters
    ----------
    targets, base_predictions : float [N, C]
        True change and the base model's; [N] for one output.
    predictions : float [N, C]
        The model's; may be a mapping from training seed to such an array.
    groups : [N]
        Gene or exon group of each variant.
    outputs
        Names of the C outputs, such as `("donor", "acceptor", "neither")` or `("psi",)`.
    altering : [N]
        Whether the variant is splice-altering, for detection and false positive rate of `largest`.
    subject, weights, subgroups, fixed_thresholds, bootstrap
        See `evaluate_triage`.

    Raises
    ------
    TrainingDataError, SettingError
        See `evaluate_classification`.
    """
    names = tuple(outputs)
    first = np.asarray(targets)
    shape = (len(first),) if len(names) == 1 and first.ndim == 1 else (len(first) if first.ndim else 0, len(names))
    target = check_scores(targets, "targets", shape).reshape(-1, len(names))
    base = check_base(base_predictions, "base_predictions", shape).reshape(target.shape)
    model = {
        seed: values.reshape(target.shape)
        for seed, values in check_predictions(predictions, "predictions", shape).items()
    }
    rows = check_rows(groups, weights, len(target))
    truth = None if altering is None else check_truth(altering, "altering")
    if truth is not None and len(truth) != len(target):
        check_scores(altering, "altering", (len(target),))
    if LARGEST in names or not names or len(set(names)) < len(names):
        raise SettingError(f"outputs {names} cannot be told apart.", f"Name each once, and none {LARGEST!r}.")
    kinds = dict(subgroups or {}) | ({} if truth is None else {"altering": truth})

    def one_output(column: int, index: Ints, scores: Floats, _: c.Who) -> c.Measured:
        x, y, part = target[index, column], scores[index, column], rows.take(index)
        found = c.correlations(x, y, part, unsigned=False) + c.correlations(x, y, part, unsigned=True)
        return found + c.errors(x, y, part)

    def largest(index: Ints, scores: Floats, _: c.Who) -> c.Measured:
        x, y = (np.abs(values[index]).max(axis=1) for values in (target, scores))
        part = rows.take(index)
        found = c.correlations(x, y, part, unsigned=True)
        if truth is not None:
            for fixed in fixed_thresholds:
                found += c.rates(truth[index], y, fixed, part, f"_at_{fixed:g}")
        return found

    panels = []
    for subset, index in check_subgroups(kinds, len(target)).items():
        part = rows.take(index)
        panels += [
            c.Panel(name, subset, part, None, partial(one_output, column, index)) for column, name in enumerate(names)
        ]
        marks = None if truth is None else truth[index]
        panels.append(c.Panel(LARGEST, subset, part, marks, partial(largest, index)))
    plan = bootstrap or Bootstrap()
    report = DeltaReport(
        rows=c.compare(panels, base, model, plan),
        outputs=names,
        prevalence=None if truth is None else _prevalence(truth, rows),
    )
    return _result(subject, report, model, plan, rows, kinds, labels=target, base=base)


def evaluate_positions(
    positions: npt.ArrayLike,
    predicted: Predictions,
    groups: npt.ArrayLike,
    *,
    base_positions: npt.ArrayLike,
    subject: Subject,
    within: Sequence[int] = (0, 1, 5),
    weights: npt.ArrayLike | None = None,
    subgroups: Mapping[str, npt.ArrayLike] | None = None,
    bootstrap: Bootstrap | None = None,
) -> EvaluationResult:
    """Evaluate where the largest effect lies, variant by variant.

    Parameters
    ----------
    positions, base_positions : int [N]
        True position and the base model's, in one coordinate system (columns of a window, or genomic).
    predicted : int [N]
        The model's; may be a mapping from training seed to such an array.
    groups : [N]
        Gene or exon group of each variant.
    within
        Distances, nt, that count as a hit.
    subject, weights, subgroups, bootstrap
        See `evaluate_triage`.

    Raises
    ------
    TrainingDataError
        If arrays are missing, do not fit each other or hold no whole numbers, or a true position is negative (-100 is
        no position).
    """
    truth = check_classes(positions, "positions", np.iinfo(np.int32).max)
    shape = truth.shape
    base = check_classes(check_base(base_positions, "base_positions", shape), "base_positions").astype(np.float64)
    model = {
        seed: check_classes(values, "predicted").astype(np.float64)
        for seed, values in check_predictions(predicted, "predicted", shape).items()
    }
    rows = check_rows(groups, weights, len(truth))

    def measure(index: Ints, found: Floats, _: c.Who) -> c.Measured:
        part, true, here = rows.take(index), truth[index], found[index].astype(np.int64)
        distance = np.abs(here - true)
        points = {f"hit_within_{d}": m.position_hit_rate(true, here, d, part.weights) for d in within}
        points["distance"] = m.mean_absolute_error(true.astype(float), found[index], part.weights)
        columns = {f"hit_within_{d}": distance <= d for d in within} | {"distance": distance}
        return c.Measured(points, (mean_figures(columns, part),))

    panels = [
        c.Panel("position", subset, rows.take(index), None, partial(measure, index))
        for subset, index in check_subgroups(subgroups, len(truth)).items()
    ]
    plan = bootstrap or Bootstrap()
    report = PositionReport(rows=c.compare(panels, base, model, plan), within=tuple(within))
    return _result(subject, report, model, plan, rows, subgroups, labels=truth, base=base)


def _result(
    subject: Subject,
    report: ClassificationReport | TriageReport | DeltaReport | PositionReport,
    model: Mapping[int | None, Floats],
    plan: Bootstrap,
    rows: Rows,
    subgroups: Mapping[str, npt.ArrayLike] | None,
    **arrays: npt.NDArray[np.generic],
) -> EvaluationResult:
    kinds = {f"subgroup {name}": np.asarray(values) for name, values in sorted((subgroups or {}).items())}
    named = arrays | {"groups": rows.group, "weights": rows.weights} | kinds
    return EvaluationResult(
        model=subject.model,
        base_model=subject.base_model,
        split=subject.split,
        group_unit=subject.group_unit,
        data_digest=array_digest(named.items()),
        evaluator_digest=evaluator_digest(),
        seeds=tuple(seed for seed in model if seed is not None),
        weighted=rows.weights is not None,
        draws=plan.draws,
        bootstrap_seed=plan.seed,
        report=report,
    )


def _prevalence(truth: Marks, rows: Rows) -> float:
    return float(np.average(truth, weights=rows.weights))


def _confusion(
    truth: npt.NDArray[np.generic], predicted: Sequence[npt.NDArray[np.generic]], rows: Rows, classes: tuple[str, ...]
) -> Confusion:
    tables = [m.confusion(truth.astype(int), x.astype(int), len(classes), rows.weights) for x in predicted]
    return Confusion(classes=classes, counts=tuple(map(tuple, np.mean(tables, axis=0).tolist())))


def _confusion_at(
    truth: Marks, scores: Mapping[Any, Floats], thresholds: Mapping[c.Who, Threshold], rows: Rows
) -> Confusion | None:
    if not thresholds:
        return None
    return _confusion(truth, [x >= thresholds[who].value for who, x in scores.items()], rows, _NOT_ALTERING)


def _of_seeds(thresholds: Mapping[c.Who, Threshold]) -> tuple[Threshold, ...]:
    return tuple(threshold for who, threshold in thresholds.items() if who != c.BASE)


def _reliability(truth: Marks, scores: Sequence[Floats], rows: Rows) -> tuple[ReliabilityBin, ...] | None:
    if not all(map(c.is_probability, scores)):
        return None
    weights = np.tile(rows.counts / len(scores), len(scores))
    return m.reliability_curve(np.tile(truth, len(scores)), np.concatenate(scores), weights)


def _reliabilities(truth: Ints, scores: Sequence[Floats], rows: Rows) -> dict[str, tuple[ReliabilityBin, ...]]:
    found = {}
    for kind, name in zip(SpliceClass, _CLASSES, strict=True):
        found[name] = _reliability(truth == kind, [x[:, kind] for x in scores], rows) or ()
    return found
