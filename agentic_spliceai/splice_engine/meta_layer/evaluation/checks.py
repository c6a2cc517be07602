"""Arrays at the evaluator's border: the right shape, numbers only, and never without the base model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation.compare import BASE, Who
from agentic_spliceai.splice_engine.meta_layer.evaluation.figures import Rows
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import Floats, Ints, Marks
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import Threshold

Predictions = npt.ArrayLike | Mapping[int, npt.ArrayLike]
"""One model's predictions, or those of several trainings by their seed."""

Thresholds = Threshold | Mapping[int, Threshold]
"""One threshold, or each training's own by its seed."""

_MOST_SUBSETS = 100
_SUM_TOLERANCE = 1e-3


def check_scores(values: npt.ArrayLike | None, name: str, shape: tuple[int, ...]) -> Floats:
    """Return finite float64 numbers of a shape.

    Raises
    ------
    TrainingDataError
        If they are missing, of another shape, no numbers, or not finite.
    """
    if values is None:
        raise TrainingDataError(f"{name}: there is none.", "Score the same rows, in the same order.")
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrainingDataError(f"{name}: not an array of numbers ({error}).", "Give a numpy array.") from error
    if array.shape != shape:
        raise TrainingDataError(
            f"{name}: shape {array.shape}, where the labels ask for {shape}.",
            "Give one row a label, in the same order.",
        )
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise TrainingDataError(
            f"{name}: {int(bad.sum())} of {array.size} numbers are NaN or infinite, the first in row {row}.",
            "Leave out rows that have no target; a model must not predict NaN.",
        )
    return array


def check_base(values: npt.ArrayLike | None, name: str, shape: tuple[int, ...]) -> Floats:
    """Return the base model's scores, see `check_scores`; no model is evaluated without them."""
    if values is None:
        raise TrainingDataError(
            f"{name}: a model is evaluated beside its base model only.",
            "Give the base model's own score of the same rows.",
        )
    return check_scores(values, name, shape)


def check_predictions(values: Predictions | None, name: str, shape: tuple[int, ...]) -> dict[int | None, Floats]:
    """Return predictions by seed; under None where no seed is known."""
    if isinstance(values, Mapping):
        if not values:
            raise TrainingDataError(f"{name}: no seed has any.", "Give at least one array.")
        return {int(seed): check_scores(values[seed], f"{name} of seed {seed}", shape) for seed in sorted(values)}
    return {None: check_scores(values, name, shape)}


def check_distribution(array: Floats, name: str) -> Floats:
    """Return rows [N, C] that are probabilities of classes; what rounding put above 1 becomes 1."""
    off = (array < 0).any(axis=1) | (np.abs(array.sum(axis=1) - 1) > _SUM_TOLERANCE)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise TrainingDataError(
            f"{name}: row {row} is {np.round(array[row], 4).tolist()}, no probabilities that sum to 1.",
            "Apply softmax to logits, once.",
        )
    return np.minimum(array, 1.0)


def check_classes(values: npt.ArrayLike, name: str, classes: int | None = None) -> Ints:
    """Return whole numbers [N], at least one; below `classes` and not negative where that is given."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise TrainingDataError(f"{name}: shape {array.shape}, not one whole number a row.", "Give at least one row.")
    numbers = check_scores(array, name, array.shape)
    if (numbers != np.round(numbers)).any():
        raise TrainingDataError(f"{name}: not all are whole numbers.", "Give integers.")
    if classes is not None and ((numbers < 0) | (numbers >= classes)).any():
        bad = int(numbers[(numbers < 0) | (numbers >= classes)][0])
        raise TrainingDataError(
            f"{name}: {bad} is not among 0 to {classes - 1}.", "Leave out rows without a label, such as -100."
        )
    return numbers.astype(np.int64)


def check_truth(values: npt.ArrayLike, name: str) -> Marks:
    """Return 0 or 1 a row as bool [N]."""
    return check_classes(values, name, 2).astype(bool)


def check_weights(values: npt.ArrayLike | None, n: int) -> Floats | None:
    """Return weights [N]: not negative, not all 0; None for None."""
    if values is None:
        return None
    array = check_scores(values, "weights", (n,))
    if (array < 0).any() or not array.sum() > 0:
        raise TrainingDataError("weights: some are negative, or all are 0.", "Give how many cases each row stands for.")
    return array


def check_rows(groups: npt.ArrayLike | None, weights: npt.ArrayLike | None, n: int) -> Rows:
    """Return which group each row belongs to, groups numbered in the order of their names, and its weight."""
    array = np.asarray(groups)
    if groups is None or array.shape != (n,):
        raise TrainingDataError(
            f"groups: shape {array.shape}, where there are {n} rows.", "Give each row's gene or exon group."
        )
    if array.dtype.kind == "O":
        array = np.array([str(value) for value in array])
    names, number = np.unique(array, return_inverse=True)
    return Rows(number.astype(np.int64), len(names), check_weights(weights, n))


def check_subgroups(subgroups: Mapping[str, npt.ArrayLike] | None, n: int) -> dict[str, Ints]:
    """Return rows by subset: `all`, and `<name> = <value>` for each value of each subgroup; no value is `unknown`."""
    found = {"all": np.arange(n)}
    for name, values in (subgroups or {}).items():
        array = np.asarray(values)
        if array.shape != (n,):
            raise TrainingDataError(
                f"subgroup {name!r}: shape {array.shape}, where there are {n} rows.", "Give one value a row."
            )
        text = np.array([_named(value) for value in array.tolist()])
        kinds = np.unique(text)
        if len(kinds) > _MOST_SUBSETS:
            raise SettingError(f"subgroup {name!r} has {len(kinds)} values.", "Give a column of few kinds.")
        found |= {f"{name} = {kind}": np.flatnonzero(text == kind) for kind in kinds}
    return found


def _named(value: object) -> str:
    missing = value is None or value != value
    return "unknown" if missing else str(value).strip() or "unknown"


def check_thresholds(
    model: Thresholds | None, base: Threshold | None, seeds: Collection[int | None], split: str
) -> dict[Who, Threshold]:
    """Return the threshold of the base model and of each seed; empty for none.

    Raises
    ------
    SettingError
        If only one of the models has any, a seed lacks its own, or one was chosen on the data that is evaluated.
    """
    if model is None and base is None:
        return {}
    if model is None or base is None:
        raise SettingError(
            "Only one of model and base model has a threshold.", "Choose both on the validation split, or none."
        )
    own = model if isinstance(model, Mapping) else dict.fromkeys(seeds, model)
    by_seed: dict[Who, Threshold] = {seed: threshold for seed, threshold in own.items()}  # noqa: C416
    if set(by_seed) != set(seeds):
        raise SettingError(
            f"Thresholds are of seeds {list(by_seed)}, predictions of {list(seeds)}.", "Give each seed its own, or one."
        )
    for threshold in (base, *by_seed.values()):
        if threshold.chosen_on == split:
            raise SettingError(
                f"The threshold {threshold.value:g} was chosen on {split!r}, the split that is evaluated.",
                "Choose it on the validation split.",
            )
    return {BASE: base, **{seed: by_seed[seed] for seed in seeds}}
