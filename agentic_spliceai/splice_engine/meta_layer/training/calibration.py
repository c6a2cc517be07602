"""Calibration of scores and choice of thresholds, both fitted on validation data and kept with the model.

Scores are probabilities: [N] for two classes, [N, C] with rows that sum to 1 for several. For several classes, Platt
scaling and isotonic regression are fitted for each class against the rest, and the rows are divided by their sums.
Applying needs NumPy only; fitting needs the `meta` extra.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.extras import require

FloatArray = npt.NDArray[np.float64]

_TINY = 1e-12
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""


_SURELY = 6.63
"""Twice the gain in log-likelihood from which one number more is worth it at the 1 % level (chi-squared)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Temperature(_Frozen):
    """softmax(log p / T): one number, keeps the order of scores of two classes (Guo et al. 2017)."""

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)

    def apply(self, score: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities in the shape of `score`, [N] or [N, C]."""
        p = _probabilities(score)
        if p.ndim == 1:
            return _sigmoid(_logit(p) / self.temperature)
        return _softmax(np.log(np.clip(p, _TINY, 1)) / self.temperature)


class Platt(_Frozen):
    """sigmoid(a * logit(p) + b), one pair a class; one pair for two classes (Platt 1999)."""

    kind: Literal["platt"] = "platt"
    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def apply(self, score: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities in the shape of `score`, [N] or [N, C]."""
        return _by_class(
            score,
            [lambda p, a=a, b=b: _sigmoid(a * _logit(p) + b) for a, b in zip(self.slope, self.intercept, strict=True)],
        )


class Isotonic(_Frozen):
    """A non-decreasing function through points, linear between them, one list of points a class."""

    kind: Literal["isotonic"] = "isotonic"
    x: tuple[tuple[float, ...], ...]
    y: tuple[tuple[float, ...], ...]

    def apply(self, score: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities in the shape of `score`, [N] or [N, C]."""
        return _by_class(score, [lambda p, x=x, y=y: np.interp(p, x, y) for x, y in zip(self.x, self.y, strict=True)])


Calibration = Annotated[Temperature | Platt | Isotonic, Field(discriminator="kind")]
"""A fitted calibration, as a checkpoint keeps it."""


class CalibrationMethod(StrEnum):
    """Ways to calibrate, from the fewest numbers to the most."""

    TEMPERATURE = "temperature"
    PLATT = "platt"
    ISOTONIC = "isotonic"


def fit_calibration(
    method: CalibrationMethod | str, score: npt.ArrayLike, target: npt.ArrayLike
) -> Temperature | Platt | Isotonic:
    """Fit a calibration on validation data.

    Parameters
    ----------
    method
        `temperature` and `platt` take the least log loss, `isotonic` the least squared error.
    score
        Probabilities, [N] or [N, C].
    target : [N]
        0 or 1, or the class; NaN and -100 are left out.

    Raises
    ------
    TrainingDataError
        If fewer than two classes are labelled; for `platt` and `isotonic`, if a class has no example or all; for
        `platt`, if scores surely fall where the class is true. Scores that say nothing get slope 0.
    SettingError
        If the method is unknown.
    """
    p, t = _labelled(score, target)
    if method == CalibrationMethod.TEMPERATURE:
        return Temperature(temperature=_fit_temperature(p, t))
    if method not in list(CalibrationMethod):
        raise SettingError(f"No calibration is called {method!r}.", f"Known: {', '.join(CalibrationMethod)}.")
    columns = [(p, t == 1)] if p.ndim == 1 else [(p[:, c], t == c) for c in range(p.shape[1])]
    for c, (_, positive) in enumerate(columns):
        if positive.all() or not positive.any():
            raise TrainingDataError(
                f"The validation data have no example of class {c}, or no other.", "Take temperature calibration."
            )
    if method == CalibrationMethod.PLATT:
        pairs = [_fit_platt(_logit(x), y) for x, y in columns]
        return Platt(slope=tuple(a for a, _ in pairs), intercept=tuple(b for _, b in pairs))
    points = [_fit_isotonic(x, y) for x, y in columns]
    return Isotonic(x=tuple(x for x, _ in points), y=tuple(y for _, y in points))


class Threshold(_Frozen):
    """A threshold: at and above it a score counts as positive; and what it gave where it was chosen."""

    value: float
    chosen_on: str = Field(
        default="validation", min_length=1, description="Split on which it was chosen; never the one evaluated."
    )
    criterion: Literal["f1", "recall", "fpr"] = Field(default="f1", description="What it was chosen by.")
    requested: float | None = Field(default=None, description="Recall to reach, or false positive rate to keep under.")
    precision: float | None = Field(default=None, description="There, like the next; None for one set by hand.")
    recall: float | None = None
    f1: float | None = None
    fpr: float | None = Field(default=None, description="False positive rate.")
    n: int | None = Field(default=None, description="Examples, not their weights.")
    positives: int | None = Field(default=None, description="Of these, true ones.")


def choose_threshold(
    score: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    split: str = "validation",
    weights: npt.ArrayLike | None = None,
    criterion: Literal["f1", "recall", "fpr"] = "f1",
    requested: float | None = None,
) -> Threshold:
    """Choose a threshold on validation data, never on test data.

    Parameters
    ----------
    score : float [N]
        Any score that is larger for positives.
    target : [N]
        0 or 1; NaN and -100 are left out.
    split
        Name of the data. The evaluator refuses a threshold that was chosen on the split that it evaluates.
    weights : [N]
        How much each example counts; by default once. A weight of 3 is three such rows, one of 0 is none.
    criterion
        `f1`: the largest F1, at equal F1 the higher threshold. `recall`: the highest threshold with at least
        `requested` recall. `fpr`: the lowest one with at most `requested` false positive rate.
    requested
        For `recall` and `fpr`, 0 to 1.

    Returns
    -------
    Threshold
        Its value is one of the scores, or, where no score keeps the false positive rate, the next number above all.

    Raises
    ------
    TrainingDataError
        If one of the two classes is missing, targets or weights do not fit the scores, a target is neither 0 nor 1, a
        score is not finite, or a weight is negative or not finite.
    SettingError
        If `requested` is missing, out of range or out of place, or the split is called `test`.
    """
    if split.strip().lower() == "test":
        raise SettingError("A threshold is never chosen on test data.", "Give scores of the validation split.")
    if (criterion == "f1") != (requested is None) or (requested is not None and not 0 <= requested <= 1):
        raise SettingError(
            f"A threshold by {criterion} with requested={requested} has no meaning.",
            "Give `requested` from 0 to 1 for recall and fpr, and none for f1.",
        )
    counts = np.ones(np.shape(score)[:1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if counts.shape != np.shape(score)[:1] or not np.isfinite(counts).all() or (counts < 0).any():
        raise TrainingDataError(
            f"Weights of shape {counts.shape} do not fit scores of shape {np.shape(score)}, or are no weights.",
            "Give one number from 0 on for each score.",
        )
    if np.ndim(score) != 1:
        raise SettingError(f"Scores have shape {np.shape(score)}, not [N].", "Take the scores of one class.")
    labels = np.asarray(target, dtype=np.float64)
    known = ~np.isnan(labels) & (labels != IGNORE_INDEX)
    if labels.shape != counts.shape or not np.isin(labels[known], (0, 1)).all():
        raise TrainingDataError(
            f"Targets of shape {labels.shape} do not fit scores of shape {counts.shape}, or are not 0 or 1.",
            "Give one target for each score: 1 where the class is present, 0 where it is not, NaN where unknown.",
        )
    counts = counts[known]
    s, t = _labelled(score, target, probabilities=False)
    order = np.argsort(-s, kind="stable")
    order = order[counts[order] > 0]  # an example without weight is none
    s, positive, counts = s[order], t[order] == 1, counts[order]
    if not (positive.any() and (~positive).any()):
        raise TrainingDataError(
            f"No example of {split} with a weight is true, or none is false.", "Check labels and weights."
        )
    # Equal scores fall on one side together, so a threshold can only be at the last of each run of them.
    last = np.flatnonzero(np.append(np.diff(s) != 0, True))
    true, false = np.cumsum(counts * positive)[last], np.cumsum(counts * ~positive)[last]
    all_true, all_false = true[-1], false[-1]
    value = s[last]
    if criterion == "fpr":
        value = np.insert(value, 0, np.nextafter(s[0], np.inf))
        true, false = np.insert(true, 0, 0), np.insert(false, 0, 0)
    recall, fpr = true / all_true, false / all_false
    precision = np.divide(true, true + false, out=np.zeros(len(true)), where=true + false > 0)
    f1 = 2 * true / (all_true + true + false)
    if requested is None:
        best = int(np.argmax(f1))
    elif criterion == "recall":
        best = int(np.argmax(recall >= requested))
    else:
        best = int(np.flatnonzero(fpr <= requested)[-1])
    return Threshold(
        value=float(value[best]),
        chosen_on=split,
        criterion=criterion,
        requested=requested,
        precision=float(precision[best]),
        recall=float(recall[best]),
        f1=float(f1[best]),
        fpr=float(fpr[best]),
        n=len(s),
        positives=int(positive.sum()),
    )


def _labelled(
    score: npt.ArrayLike, target: npt.ArrayLike, *, probabilities: bool = True
) -> tuple[FloatArray, FloatArray]:
    s = _probabilities(score) if probabilities else np.asarray(score, dtype=np.float64)
    t = np.asarray(target, dtype=np.float64)
    known = np.isfinite(t) & (t != IGNORE_INDEX)
    s, t = s[known], t[known]
    if len(np.unique(t)) < 2:
        raise TrainingDataError(
            f"Of {len(t)} labelled validation examples, all are of one class.", "Validate on more genes or chromosomes."
        )
    if not np.isfinite(s).all():
        raise TrainingDataError("A validation score is not finite.", "Check the inputs of these examples.")
    return s, t


def _probabilities(score: npt.ArrayLike) -> FloatArray:
    p = np.asarray(score, dtype=np.float64)
    if p.size and (np.nanmin(p) < 0 or np.nanmax(p) > 1):
        raise SettingError(
            f"Scores run from {np.nanmin(p):.3g} to {np.nanmax(p):.3g}, so they are no probabilities.",
            "Apply sigmoid or softmax to logits first, once.",
        )
    return p


def _by_class(score: npt.ArrayLike, functions: list[Any]) -> FloatArray:
    p = _probabilities(score)
    if p.ndim == 1:
        p = p[:, None]
        binary = True
    else:
        binary = False
    if p.shape[1] != len(functions):
        raise SettingError(
            f"The calibration is for {len(functions)} classes, the scores have {p.shape[1]}.",
            "Take the calibration that was fitted for this task.",
        )
    mapped = np.stack([function(p[:, c]) for c, function in enumerate(functions)], axis=1)
    if binary:
        first: FloatArray = mapped[:, 0]
        return first
    mapped = np.clip(mapped, _TINY, None)
    rows: FloatArray = mapped / mapped.sum(axis=1, keepdims=True)
    return rows


def _fit_temperature(p: FloatArray, t: FloatArray) -> float:
    optimize = require("scipy.optimize", purpose="calibration")

    def loss(log_temperature: float) -> float:
        q = Temperature(temperature=float(np.exp(log_temperature))).apply(p)
        of_truth = np.where(t == 1, q, 1 - q) if p.ndim == 1 else q[np.arange(len(t)), t.astype(int)]
        return float(-np.log(np.clip(of_truth, 1e-300, None)).mean())

    # A temperature past these bounds means perfectly separated, or perfectly wrong, validation data.
    found = optimize.minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _fit_platt(logit: FloatArray, positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Fit slope and intercept to Platt's smoothed targets, which keep both finite on separable data."""
    optimize = require("scipy.optimize", purpose="calibration")
    n1, n0 = positive.sum(), (~positive).sum()
    goal = np.where(positive, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(pair: FloatArray) -> tuple[float, FloatArray]:
        z = pair[0] * logit + pair[1]
        error = _sigmoid(z) - goal
        value = np.logaddexp(0, z) - goal * z
        return float(value.mean()), np.array([(error * logit).mean(), error.mean()])

    found = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    if found.x[0] >= 0:
        return float(found.x[0]), float(found.x[1])
    flat = float(_logit(np.array([goal.mean()]))[0])  # the best that no slope at all can do
    gained = 2 * len(goal) * (loss(np.array([0.0, flat]))[0] - float(found.fun))
    if gained > _SURELY:
        raise TrainingDataError(
            f"On the validation data the scores fall where the class is true (Platt slope {found.x[0]:.2g}).",
            "Check labels and model: a calibration that turns the ranking around is none.",
        )
    return 0.0, flat


def _fit_isotonic(p: FloatArray, positive: npt.NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    fitted = require("sklearn.isotonic", purpose="calibration").IsotonicRegression(y_min=0, y_max=1).fit(p, positive)
    return tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))


def _logit(p: FloatArray) -> FloatArray:
    p = np.clip(p, _TINY, 1 - _TINY)
    z: FloatArray = np.log(p) - np.log1p(-p)
    return z


def _sigmoid(z: FloatArray) -> FloatArray:
    q: FloatArray = 0.5 * (1 + np.tanh(z / 2))
    return q


def _softmax(z: FloatArray) -> FloatArray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    q: FloatArray = e / e.sum(axis=-1, keepdims=True)
    return q
