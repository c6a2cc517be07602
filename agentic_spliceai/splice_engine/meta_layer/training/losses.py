"""Losses: each is a weighted mean over what is labelled, and says over how much weight it was taken.

A label that is NaN (float targets) or `IGNORE_INDEX` (classes) is left out of sum and weight. With nothing labelled the
mean is zero, with a graph behind it, so that `backward` works and gives zero gradients, and the weight is zero.

Sample weights scale within a batch: the mean is sum(w * l) / sum(w), so doubling every weight changes nothing, and a
batch of light examples trains as hard as one of heavy ones. Weights are at least 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX

PSI_BETA = 0.1
"""Error of delta PSI up to which `smooth_l1` is quadratic: about the noise of a minigene assay."""

MULTI_TASK_PARTS = ("altering", "psi", "site")
"""Parts of the multi-task loss: outputs of the model and targets in the batch have these names."""


class WeightedMean(NamedTuple):
    """A loss, and what is needed to average it exactly over batches of different size.

    Attributes
    ----------
    mean : float []
        Weighted mean over labelled elements; 0 where there are none.
    weight : float []
        Sum of their weights; their number where there are no weights.
    """

    mean: Tensor
    weight: Tensor


def weighted_mean(values: Tensor, labelled: Tensor, weight: Tensor | None = None) -> WeightedMean:
    """Average `values` over `labelled`.

    Parameters
    ----------
    values : float [B, ...]
        Finite everywhere, also where nothing is labelled.
    labelled : bool [B, ...]
        Same shape.
    weight : float
        Same shape, or its leading part: [B] weighs every element of an example alike.
    """
    weights = labelled.to(values.dtype)
    if weight is not None:
        weights = weights * weight.to(values.dtype).reshape(*weight.shape, *[1] * (values.ndim - weight.ndim))
    total = weights.sum()
    return WeightedMean((values * weights).sum() / torch.where(total > 0, total, 1.0), total.detach())


def cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, label_smoothing: float = 0.0
) -> WeightedMean:
    """Cross-entropy of classes in the last dimension.

    Parameters
    ----------
    logits : float [..., C]
    target : int64 [...]
        Class, or `IGNORE_INDEX`.
    weight : float [...]
        Sample weights.
    label_smoothing
        Share e of the target's mass that is spread evenly: e / C on each class, 1 - e more on the true one.
    """
    logits = logits.float()
    values = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        target.reshape(-1),
        reduction="none",
        ignore_index=IGNORE_INDEX,
        label_smoothing=label_smoothing,
    )
    return weighted_mean(values.reshape(target.shape), target != IGNORE_INDEX, weight)


def focal(logits: Tensor, target: Tensor, weight: Tensor | None = None, *, gamma: float = 2.0) -> WeightedMean:
    """Multi-class focal loss, -(1 - p)**gamma * log p of the true class (Lin et al. 2017); else as `cross_entropy`."""
    labelled = target != IGNORE_INDEX
    log_p = F.log_softmax(logits.float(), dim=-1).gather(-1, torch.where(labelled, target, 0)[..., None])[..., 0]
    return weighted_mean(_modulated(-log_p, gamma), labelled, weight)


def bce(
    logit: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    positive_weight: float | None = None,
    label_smoothing: float = 0.0,
) -> WeightedMean:
    """Binary cross-entropy.

    Parameters
    ----------
    logit, target : float [...]
        Target in 0 to 1, or NaN.
    weight : float [...]
        Sample weights.
    positive_weight
        Factor on the term of class 1; it is part of the loss, not of the weight that the mean is divided by.
    label_smoothing
        Share e: the target t becomes t * (1 - e) + e / 2.
    """
    logit, labelled, target = _masked(logit, target)
    target = target * (1 - label_smoothing) + label_smoothing / 2
    scale = None if positive_weight is None else torch.as_tensor(positive_weight, device=logit.device)
    values = F.binary_cross_entropy_with_logits(logit, target, reduction="none", pos_weight=scale)
    return weighted_mean(values, labelled, weight)


def binary_focal(
    logit: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 2.0,
    positive_weight: float | None = None,
) -> WeightedMean:
    """Binary focal loss, (1 - p)**gamma * cross-entropy with p of the true class; shapes as `bce`."""
    logit, labelled, target = _masked(logit, target)
    values = _modulated(F.binary_cross_entropy_with_logits(logit, target, reduction="none"), gamma)
    if positive_weight is not None:
        values = values * (1 + (positive_weight - 1) * target)
    return weighted_mean(values, labelled, weight)


def mse(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> WeightedMean:
    """Mean squared error; float [...] each, NaN targets left out."""
    prediction, labelled, target = _masked(prediction, target)
    return weighted_mean((prediction - target).square(), labelled, weight)


def smooth_l1(
    prediction: Tensor, target: Tensor, weight: Tensor | None = None, *, beta: float = PSI_BETA
) -> WeightedMean:
    """Huber's loss over its threshold: e**2 / (2 beta) up to an error of beta, |e| - beta / 2 beyond."""
    prediction, labelled, target = _masked(prediction, target)
    return weighted_mean(F.smooth_l1_loss(prediction, target, reduction="none", beta=beta), labelled, weight)


def quantile(prediction: Tensor, target: Tensor, weight: Tensor | None = None, *, tau: float = 0.9) -> WeightedMean:
    """Pinball loss: tau per unit that the prediction is too low, 1 - tau per unit that it is too high.

    Its least value is at the tau-quantile of the target (Koenker and Bassett 1978).

    Raises
    ------
    SettingError
        If tau is not between 0 and 1.
    """
    if not 0 < tau < 1:
        raise SettingError(f"tau of the quantile loss is {tau}.", "Give a number between 0 and 1.")
    prediction, labelled, target = _masked(prediction, target)
    error = target - prediction
    return weighted_mean(torch.maximum(tau * error, (tau - 1) * error), labelled, weight)


class MultiTaskLoss(nn.Module):
    """Splice-altering or not, change of exon inclusion, and site, as one loss.

    Parameters
    ----------
    altering
        `bce`, or `focal` for many more negatives than positives.
    psi
        `huber` (`smooth_l1`), or `mse`.
    task_weights
        Factor of each part, 1 where none is named; `learned` for one log-variance s a part, trained with the model
        (Kendall, Gal and Cipolla 2018): exp(-s) * l + s / 2, for the regression exp(-s) * l / 2 + s / 2.
    focal_gamma, positive_weight, label_smoothing
        As in `binary_focal`, `bce` and `cross_entropy`; smoothing applies to the site and to `bce`.

    Notes
    -----
    A part of which a batch holds no label adds nothing, neither its loss nor s / 2.
    """

    def __init__(
        self,
        *,
        altering: Literal["bce", "focal"] = "bce",
        psi: Literal["huber", "mse"] = "huber",
        task_weights: Mapping[str, float] | Literal["learned"] | None = None,
        focal_gamma: float = 2.0,
        positive_weight: float | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.altering, self.psi = altering, psi
        self.focal_gamma, self.positive_weight, self.label_smoothing = focal_gamma, positive_weight, label_smoothing
        self.log_variance: nn.Parameter | None = None
        self.weights = dict.fromkeys(MULTI_TASK_PARTS, 1.0)
        if task_weights == "learned":
            self.log_variance = nn.Parameter(torch.zeros(len(MULTI_TASK_PARTS)))
        elif task_weights:
            unknown = sorted(set(task_weights) - set(MULTI_TASK_PARTS))
            if unknown:
                raise SettingError(
                    f"The multi-task loss has no part {', '.join(unknown)}.", f"Parts: {', '.join(MULTI_TASK_PARTS)}."
                )
            self.weights |= task_weights

    def parts(
        self, output: dict[str, Tensor], batch: dict[str, Tensor], weight: Tensor | None = None
    ) -> dict[str, WeightedMean]:
        """Return each part of the loss; shapes in `data.batches`, weight float [B]."""
        logit, altering = output["altering"], batch["altering"]
        first = (
            binary_focal(logit, altering, weight, gamma=self.focal_gamma, positive_weight=self.positive_weight)
            if self.altering == "focal"
            else bce(
                logit,
                altering,
                weight,
                positive_weight=self.positive_weight,
                label_smoothing=self.label_smoothing,
            )
        )
        return {
            "altering": first,
            "psi": (mse if self.psi == "mse" else smooth_l1)(output["psi"], batch["psi"], weight),
            "site": cross_entropy(output["site"], batch["site"], weight, label_smoothing=self.label_smoothing),
        }

    def combine(self, parts: dict[str, WeightedMean], *, fixed: bool = False) -> Tensor:
        """Return the sum of the parts; `fixed` leaves learned weights out, which keeps epochs comparable."""
        total = torch.zeros((), device=parts["altering"].mean.device)
        for i, name in enumerate(MULTI_TASK_PARTS):
            mean, weight = parts[name]
            if self.log_variance is None or fixed:
                total = total + self.weights[name] * mean
            else:
                s = self.log_variance[i]
                scaled = torch.exp(-s) * mean * (0.5 if name == "psi" else 1.0)
                total = total + (scaled + s / 2) * (weight > 0)
        return total


def _masked(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return float32 prediction, bool mask of labelled elements, and target with 0 in place of NaN."""
    if prediction.shape != target.shape:
        # Broadcasting [B] against [B, 1] would silently train every example on every target.
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape")
    labelled = ~torch.isnan(target)
    return prediction.float(), labelled, torch.where(labelled, target, 0).float()


def _modulated(loss: Tensor, gamma: float) -> Tensor:
    """Multiply -log p by (1 - p)**gamma, with a finite gradient where p is 1."""
    return (-torch.expm1(-loss)).clamp(min=1e-12) ** gamma * loss
