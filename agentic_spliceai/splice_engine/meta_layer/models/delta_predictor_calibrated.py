"""Calibration of a delta predictor: a loss that looks at large deltas, a learned scale, a learned temperature.

Deltas are sparse and signed: nearly all are 0, and losses are as real as gains. A mean squared error on them rewards
a predictor that says next to nothing. The quantile loss at tau above one half charges more for a delta that is
predicted too small than for one that is predicted too large; here it does so in the direction of the true delta,
so that losses are not drawn towards zero while gains are stretched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown
from agentic_spliceai.splice_engine.meta_layer.models.registry import as_spec, build_model

STRATEGIES = ("quantile", "scaled", "temperature", "hybrid")
_DELTA_TASKS = ("delta", "paired_delta")


def pinball(prediction: Tensor, target: Tensor, tau: float, *, symmetric: bool = True) -> Tensor:
    """Return the quantile loss of each element.

    Parameters
    ----------
    prediction, target : float, one shape
        Deltas.
    tau
        Between 0 and 1: what a prediction below the target costs per unit; one above it costs 1 - tau.
    symmetric
        Mirror the loss for negative targets, where "below" then means nearer to zero: the loss of (-p, -t) is that of
        (p, t). For a target of 0 any prediction costs 1 - tau per unit. For targets that are not negative, and
        predictions that are not, this is the plain loss, whose least value is at the tau-quantile (Koenker and
        Bassett, 1978).
    """
    error = target - prediction
    if symmetric:
        error = torch.where(target == 0, -prediction.abs(), error * target.sign())
    return torch.maximum(tau * error, (tau - 1) * error)


class CalibratedDeltaPredictor(MetaModule):
    """A delta predictor, what is done to its output, and the loss to train it with.

    Parameters
    ----------
    base
        Delta predictor, or its name in `models.registry`. A predictor that is given is used as it is, weights included.
    base_options
        Arguments of its constructor, with a name.
    strategy
        `quantile`: the quantile loss. `scaled`: predictions times a learned positive scale, and the squared error in
        units of the targets' standard deviation. `temperature`: the artanh of predictions divided by a learned positive
        temperature, so that they stay within -1 to 1, and the squared error. `hybrid`: scale, temperature and the
        quantile loss. Scale and temperature start at 1.
    quantile
        tau of the quantile loss.
    symmetric
        Whether the quantile loss is mirrored for negative targets; see `pinball`.
    target_std
        Standard deviation of the training targets, for `scaled`; `standardise` sets it from targets.

    Raises
    ------
    SettingError
        If the strategy is unknown, tau is not between 0 and 1, or the base predicts no deltas.
    """

    target_std: Tensor

    def __init__(
        self,
        base: str | MetaModule,
        base_options: Mapping[str, Any] | None = None,
        strategy: str = "quantile",
        quantile: float = 0.9,
        symmetric: bool = True,
        target_std: float = 1.0,
    ) -> None:
        super().__init__()
        if strategy not in STRATEGIES:
            raise unknown("calibration strategy", strategy, STRATEGIES)
        if not 0 < quantile < 1 or not target_std > 0:
            raise SettingError(
                f"quantile {quantile} and target_std {target_std} cannot be used.",
                "quantile lies between 0 and 1, target_std above 0.",
            )
        self.base = base if isinstance(base, MetaModule) else build_model(base, **(base_options or {}))
        if self.base.task not in _DELTA_TASKS:
            raise SettingError(
                f"{type(self.base).__name__} predicts no deltas.", f"Give a model of {' or '.join(_DELTA_TASKS)}."
            )
        spec = as_spec(self.base)
        self.config = {**self.config, "base": spec["name"], "base_options": spec["options"]}
        self.inputs, self.task = self.base.inputs, self.base.task  # type: ignore[misc]
        self.strategy, self.quantile, self.symmetric = strategy, quantile, symmetric
        self.register_buffer("target_std", torch.tensor(float(target_std)))
        self.log_scale = nn.Parameter(torch.zeros(())) if strategy in ("scaled", "hybrid") else None
        self.log_temperature = nn.Parameter(torch.zeros(())) if strategy in ("temperature", "hybrid") else None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the base's deltas, calibrated; inputs and shape are the base's."""
        delta: Tensor = self.base(*inputs)
        if self.log_scale is not None:
            delta = delta * self.log_scale.exp()
        if self.log_temperature is not None:
            bound = 1 - 1e-6
            delta = torch.tanh(torch.atanh(delta.clamp(-bound, bound)) / self.log_temperature.exp())
        return delta

    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the strategy's loss.

        Parameters
        ----------
        prediction, target : float, one shape
            NaN targets are left out.
        weight : float [B]
            Sample weights.

        Returns
        -------
        float []
            Weighted mean over the elements that have a target; 0, with a graph, where none has.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape")
        known = ~torch.isnan(target)
        target = torch.where(known, target, 0)
        if self.strategy in ("quantile", "hybrid"):
            each = pinball(prediction, target, self.quantile, symmetric=self.symmetric)
        elif self.strategy == "scaled":
            each = ((prediction - target) / self.target_std).square()
        else:
            each = (prediction - target).square()
        weights = known.to(each.dtype)
        if weight is not None:
            weights = weights * weight.reshape(-1, *[1] * (each.ndim - 1))
        total = weights.sum()
        return (each * weights).sum() / torch.where(total > 0, total, 1)

    def standardise(self, targets: Tensor) -> None:
        """Take `target_std` from training targets (any shape, NaN left out).

        Raises
        ------
        SettingError
            If they do not vary.
        """
        known = targets[~torch.isnan(targets)]
        spread = float(known.std(correction=0)) if known.numel() else 0.0
        if not spread > 0:
            raise SettingError("The training targets do not vary, so nothing can be scaled by them.", "Check them.")
        self.target_std.fill_(spread)
        self.config = {**self.config, "target_std": spread}


def create_calibrated_predictor(
    base_predictor: MetaModule,
    strategy: str = "quantile",
    quantile: float = 0.9,
    *,
    symmetric: bool = True,
    target_std: float = 1.0,
) -> CalibratedDeltaPredictor:
    """Wrap a delta predictor; see `CalibratedDeltaPredictor`.

    Parameters
    ----------
    base_predictor
        Delta predictor, used as it is.
    strategy
        `quantile`, `scaled`, `temperature` or `hybrid`.
    quantile
        tau of the quantile loss: 0.9 charges a delta that is predicted too small nine times.
    symmetric, target_std
        As `CalibratedDeltaPredictor`'s.
    """
    return CalibratedDeltaPredictor(
        base_predictor, strategy=strategy, quantile=quantile, symmetric=symmetric, target_std=target_std
    )
