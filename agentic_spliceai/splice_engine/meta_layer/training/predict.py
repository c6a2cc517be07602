"""Scores of a model on a data set, as evaluation and calibration read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Scores, task_of


def join_scores(scores: list[Scores]) -> Scores:
    """Join the scores of several batches along the examples."""
    return {key: np.concatenate([one[key] for one in scores]) for key in scores[0]}


def predict_scores(
    model: MetaModule,
    data: Any,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Scores:
    """Return scores and targets of every example, in the order of the data set.

    Parameters
    ----------
    model
        Moved to `device`; its mode (training or evaluation) is as before afterwards.
    data
        Data set whose examples have the model's inputs and its task's target.
    batch_size
        Examples at once; it does not change the result beyond rounding.
    workers
        Processes that load data.

    Returns
    -------
    dict of arrays
        As the table in `training.tasks`.

    Raises
    ------
    TrainingDataError
        If there is no example, or one lacks an input or target.
    """
    if not len(data):
        raise TrainingDataError("There is no example to predict.", "Check the split.")
    task, training = task_of(model), model.training
    source: Dataset[Mapping[str, Tensor]] = data
    loader = DataLoader(source, batch_size=batch_size, num_workers=workers)
    found = []
    model.to(device).eval()
    try:
        # Not inference_mode: a frozen encoder may keep what it computes here for training.
        with torch.no_grad():
            for batch in loader:
                moved = {key: value.to(device) for key, value in batch.items()}
                found.append(task.scores(model(*task.inputs(moved, model)), moved))
    finally:
        model.train(training)
    return join_scores(found)
