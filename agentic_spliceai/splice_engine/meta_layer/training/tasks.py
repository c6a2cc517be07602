"""What each task feeds to a model, what it minimises, and what it reads from the output for evaluation.

| task | loss by default | others | `scores` |
|---|---|---|---|
| classification | cross_entropy | focal | score [N, 3] probabilities, target [N] |
| binary | bce | focal | score [N] probability, target [N] |
| delta | mse | quantile | score [N, 3], target [N, 3] |
| paired_delta | quantile | mse | score [N, L, 2], target [N, L, 2] |
| effect_type | cross_entropy | focal | score [N, 6] probabilities, target [N] |
| localization | cross_entropy | focal | score [N, L] probabilities over positions, target [N] |
| recalibration | cross_entropy | focal | score [n, 3] and target [n] of the labelled positions, example by example |
| multi_task | multi_task | focal, mse | score, target, psi_score, psi_target, site_target [N]; site_score [N, 4] |

For multi_task, score and target are of the altering part; `focal` is the loss of that part, and `mse` that of psi.
Targets keep NaN and -100 where there is no label. A model with a `loss(prediction, target, weight)` of its own is
trained by that one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import LossName, TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.training.losses import (
    MultiTaskLoss,
    WeightedMean,
    bce,
    binary_focal,
    cross_entropy,
    focal,
    mse,
    quantile,
)

Batch = Mapping[str, Tensor]
Scores = dict[str, npt.NDArray[Any]]
LossFunction = Callable[[Tensor, Tensor, Tensor | None], WeightedMean]


class Criterion(nn.Module):
    """The loss of a task under a configuration: parts, and how they add up.

    A module, because learned weights of parts are parameters that the optimizer and the resume state must have.
    """

    @abstractmethod
    def parts(self, output: Any, batch: Batch) -> dict[str, WeightedMean]:
        """Return the mean of each part and the weight behind it."""

    @abstractmethod
    def combine(self, parts: Mapping[str, WeightedMean], *, fixed: bool = False) -> Tensor:
        """Return the loss of the parts; `fixed` leaves learned weights out, for validation."""

    def forward(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of a batch, float []."""
        return self.combine(self.parts(output, batch))


class _OneLoss(Criterion):
    """A function of output, target and weight."""

    def __init__(self, target: str, function: LossFunction) -> None:
        super().__init__()
        self.target, self.function = target, function

    def parts(self, output: Any, batch: Batch) -> dict[str, WeightedMean]:
        return {"loss": self.function(output, take(batch, self.target), batch.get("weight"))}

    def combine(self, parts: Mapping[str, WeightedMean], *, fixed: bool = False) -> Tensor:
        return parts["loss"].mean


class _SeveralLosses(Criterion):
    """`MultiTaskLoss` on a batch."""

    def __init__(self, loss: MultiTaskLoss) -> None:
        super().__init__()
        self.loss = loss

    def parts(self, output: Any, batch: Batch) -> dict[str, WeightedMean]:
        targets = {key: take(batch, key) for key in ("altering", "psi", "site")}
        return self.loss.parts(output, targets, batch.get("weight"))

    def combine(self, parts: Mapping[str, WeightedMean], *, fixed: bool = False) -> Tensor:
        return self.loss.combine(dict(parts), fixed=fixed)


class Task(Protocol):
    """What training and evaluation must know of a task."""

    name: str
    target: str
    """Key of the target in a batch; for several, of the first."""

    def inputs(self, batch: Batch, model: MetaModule) -> tuple[Tensor, ...]:
        """Return the arguments of the model's `forward`."""
        ...

    def criterion(self, config: TrainingConfig, model: MetaModule | None = None) -> Criterion:
        """Return the loss."""
        ...

    def scores(self, output: Any, batch: Batch) -> Scores:
        """Return what evaluation reads, on the CPU; see the module's table."""
        ...

    def measures(self, scores: Scores) -> dict[str, float]:
        """Return measures of a whole set, larger is better; those that the labels do not allow are left out."""
        ...


class _Task:
    """A task with one output and one target."""

    def __init__(
        self,
        name: str,
        target: str,
        losses: tuple[LossName, ...],
        activation: Callable[[Tensor], Tensor],
        measures: Callable[[Scores], dict[str, float]],
    ) -> None:
        self.name, self.target, self._losses = name, target, losses
        self._activation, self._measures = activation, measures

    def inputs(self, batch: Batch, model: MetaModule) -> tuple[Tensor, ...]:
        return model_inputs(batch, model)

    def criterion(self, config: TrainingConfig, model: MetaModule | None = None) -> Criterion:
        own = getattr(model, "loss", None)
        if callable(own):
            if config.loss != LossName.AUTO:
                raise SettingError(f"{type(model).__name__} has a loss of its own.", "Set loss to auto.")
            self._refuse_unused(config, f"the loss of {type(model).__name__}", ())
            return _OneLoss(self.target, _own_loss(own))
        name = self._loss_name(config)
        smooth = name in (LossName.CROSS_ENTROPY, LossName.BCE, LossName.MULTI_TASK)
        used = (["label_smoothing"] if smooth else []) + {
            "binary": ["positive_weight"],
            "multi_task": ["positive_weight", "task_weights"],
        }.get(self.name, [])
        self._refuse_unused(config, f"the {name} loss of {self.name}", used)
        return self._criterion(name, config)

    @staticmethod
    def _refuse_unused(config: TrainingConfig, loss: str, used: Collection[str]) -> None:
        for field in ("label_smoothing", "positive_weight", "task_weights"):
            if getattr(config, field) and field not in used:
                raise SettingError(f"{field} means nothing to {loss}.", f"Leave {field} out.")

    def _loss_name(self, config: TrainingConfig) -> LossName:
        name = self._losses[0] if config.loss == LossName.AUTO else config.loss
        if name not in self._losses:
            raise SettingError(
                f"The task {self.name} has no loss {name}.", f"Take auto, or one of: {', '.join(self._losses)}."
            )
        return name

    def _criterion(self, name: LossName, config: TrainingConfig) -> Criterion:
        gamma, positive = config.focal_gamma, config.positive_weight
        functions: dict[LossName, LossFunction] = {
            LossName.CROSS_ENTROPY: lambda p, t, w: cross_entropy(p, t, w, label_smoothing=config.label_smoothing),
            LossName.BCE: lambda p, t, w: bce(
                p, t, w, positive_weight=positive, label_smoothing=config.label_smoothing
            ),
            LossName.MSE: mse,
            LossName.QUANTILE: lambda p, t, w: quantile(p, t, w, tau=config.quantile),
            LossName.FOCAL: (
                (lambda p, t, w: binary_focal(p, t, w, gamma=gamma, positive_weight=positive))
                if self.name == "binary"
                else (lambda p, t, w: focal(p, t, w, gamma=gamma))
            ),
        }
        return _OneLoss(self.target, functions[name])

    def scores(self, output: Any, batch: Batch) -> Scores:
        return {"score": _numpy(self._activation(output.float())), "target": _numpy(take(batch, self.target))}

    def measures(self, scores: Scores) -> dict[str, float]:
        return self._measures(scores)


class _Recalibration(_Task):
    """Every labelled position of a sequence is an example."""

    def scores(self, output: Any, batch: Batch) -> Scores:
        target = take(batch, self.target)
        labelled = target != IGNORE_INDEX
        return {"score": _numpy(self._activation(output.float()[labelled])), "target": _numpy(target[labelled])}


class _MultiTask(_Task):
    """Three outputs by name."""

    def _criterion(self, name: LossName, config: TrainingConfig) -> Criterion:
        weights = config.task_weights
        return _SeveralLosses(
            MultiTaskLoss(
                altering="focal" if name == LossName.FOCAL else "bce",
                psi="mse" if name == LossName.MSE else "huber",
                task_weights=weights if weights == "learned" else {str(part): w for part, w in weights.items()},
                focal_gamma=config.focal_gamma,
                positive_weight=config.positive_weight,
                label_smoothing=config.label_smoothing,
            )
        )

    def scores(self, output: Any, batch: Batch) -> Scores:
        return {
            "score": _numpy(torch.sigmoid(output["altering"].float())),
            "target": _numpy(take(batch, "altering")),
            "psi_score": _numpy(output["psi"].float()),
            "psi_target": _numpy(take(batch, "psi")),
            "site_score": _numpy(torch.softmax(output["site"].float(), dim=-1)),
            "site_target": _numpy(take(batch, "site")),
        }


def take(batch: Batch, key: str) -> Tensor:
    """Return an entry of a batch.

    Raises
    ------
    TrainingDataError
        If the batch has no such entry; what it has is named.
    """
    if key not in batch:
        raise TrainingDataError(
            f"A batch has no {key!r}, only {', '.join(sorted(batch))}.",
            "Take a data set that is made for this task; data.batches lists the entries.",
        )
    return batch[key]


def model_inputs(batch: Batch, model: MetaModule) -> tuple[Tensor, ...]:
    """Return the entries that `model.inputs` names, in order; raises as `take`."""
    return tuple(take(batch, key) for key in model.inputs)


def _own_loss(own: Callable[..., Any]) -> LossFunction:
    def function(prediction: Tensor, target: Tensor, weight: Tensor | None) -> WeightedMean:
        labelled = ~torch.isnan(target) if target.is_floating_point() else target != IGNORE_INDEX
        examples = labelled.reshape(len(labelled), -1).any(dim=1)
        if not examples.any():
            return WeightedMean(prediction.sum() * 0, examples.sum().float())
        weights = None if weight is None else weight[examples]
        total = examples.sum().float() if weights is None else weights.sum()
        return WeightedMean(own(prediction[examples], target[examples], weights), total)

    return function


def _numpy(values: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = values.detach().cpu().numpy()
    return array


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, dim=-1)


def _average_precision(positive: npt.NDArray[Any], score: npt.NDArray[Any]) -> float | None:
    """Area under precision and recall as scikit-learn has it; None where one class is missing."""
    from sklearn.metrics import average_precision_score

    if not 0 < positive.sum() < len(positive):
        return None
    return float(average_precision_score(positive, score))


def _binary(scores: Scores) -> dict[str, float]:
    known = ~np.isnan(scores["target"])
    value = _average_precision(scores["target"][known] > 0.5, scores["score"][known])
    return {} if value is None else {"pr_auc": value}


def _sites(scores: Scores) -> dict[str, float]:
    """Mean over donor and acceptor: `neither` is nearly everything and tells nothing."""
    values = [_average_precision(scores["target"] == c, scores["score"][:, c]) for c in (0, 1)]
    present = [value for value in values if value is not None]
    return {"pr_auc": float(np.mean(present))} if present else {}


def _accuracy(scores: Scores) -> dict[str, float]:
    known = scores["target"] != IGNORE_INDEX
    hits = scores["score"][known].argmax(axis=1) == scores["target"][known]
    return {"accuracy": float(hits.mean())} if len(hits) else {}


def _pearson(scores: Scores) -> dict[str, float]:
    known = ~np.isnan(scores["target"])
    x, y = scores["score"][known], scores["target"][known]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return {}
    return {"pearson": float(np.corrcoef(x, y)[0, 1])}


def _multi(scores: Scores) -> dict[str, float]:
    psi = _pearson({"score": scores["psi_score"], "target": scores["psi_target"]})
    return _binary(scores) | {f"psi_{name}": value for name, value in psi.items()}


_CLASSES = (LossName.CROSS_ENTROPY, LossName.FOCAL)
_MULTI = (LossName.MULTI_TASK, LossName.FOCAL, LossName.MSE)


def _identity(values: Tensor) -> Tensor:
    return values


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _Task("classification", "label", _CLASSES, _softmax, _sites),
        _Task("binary", "altering", (LossName.BCE, LossName.FOCAL), torch.sigmoid, _binary),
        _Task("delta", "delta", (LossName.MSE, LossName.QUANTILE), _identity, _pearson),
        _Task("paired_delta", "base_delta", (LossName.QUANTILE, LossName.MSE), _identity, _pearson),
        _Task("effect_type", "effect", _CLASSES, _softmax, _accuracy),
        _Task("localization", "position", _CLASSES, _softmax, _accuracy),
        _Recalibration("recalibration", "label", _CLASSES, _softmax, _sites),
        _MultiTask("multi_task", "altering", _MULTI, _identity, _multi),
    )
}
"""Tasks by the name that a model declares."""


def task_of(model: MetaModule) -> Task:
    """Return the task that a model declares.

    Raises
    ------
    SettingError
        If it declares none, or one that does not exist.
    """
    if model.task not in TASKS:
        raise SettingError(f"{type(model).__name__} declares the task {model.task!r}.", f"Tasks: {', '.join(TASKS)}.")
    return TASKS[model.task]
