"""The threshold that validation data choose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation.checks import (
    check_scores,
    check_truth,
    check_weights,
)
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import Threshold


def choose_threshold(
    truth: npt.ArrayLike, scores: npt.ArrayLike, *, split: str, weights: npt.ArrayLike | None = None
) -> Threshold:
    """Return the score from which on calls have the highest F1; of several, the highest.

    Parameters
    ----------
    truth, scores : [N]
        Whether a row is a true one (0 or 1), and its score.
    split
        Name of the data, such as `validation`. `evaluate_*` refuses a threshold that was chosen on the split that it
        evaluates.
    weights : [N]
        How much each row counts.

    Raises
    ------
    SettingError
        If the split is called `test`.
    TrainingDataError
        If no row is true, or arrays do not fit each other.
    """
    if split.strip().lower() == "test":
        raise SettingError("A threshold is never chosen on test data.", "Give scores of the validation split.")
    marks = check_truth(truth, "truth")
    values = check_scores(scores, "scores", (len(marks),))
    counts = check_weights(weights, len(marks))
    if not marks.any():
        raise TrainingDataError(f"No row of {split} is true, so no threshold can be chosen.", "Check the labels.")
    precision, recall, levels = precision_recall_curve(marks, values, sample_weight=counts)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    return Threshold(value=float(levels[np.flatnonzero(f1 == f1.max())[-1]]), chosen_on=split)
