"""Ensembles of models of one task: probabilities are averaged, never logits; deltas are averaged as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown
from agentic_spliceai.splice_engine.meta_layer.models.registry import Spec, as_spec, from_spec


class Ensemble(MetaModule):
    """Weighted mean of its members' predictions.

    Parameters
    ----------
    members
        Models of one task, or mappings with the `name` in `models.registry` and `options` of each. Their inputs may
        differ.
    weights
        One a member, not negative; they are divided by their sum. Equal by default.

    Raises
    ------
    SettingError
        If there is no member, the tasks differ, or the weights cannot be used.
    """

    log_weights: Tensor

    def __init__(self, members: Sequence[Spec | MetaModule], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self._gather([from_spec(member) for member in members], weights)
        self.config = {**self.config, "members": [as_spec(member) for member in self._models()]}

    def _gather(self, members: Sequence[MetaModule], weights: Sequence[float] | None) -> None:
        tasks = sorted({member.task for member in members})
        if len(tasks) != 1:
            raise SettingError(
                f"The members of an ensemble have the tasks {', '.join(tasks) or '(none)'}.", "Give models of one task."
            )
        shares = torch.ones(len(members)) if weights is None else torch.tensor([float(w) for w in weights])
        if len(shares) != len(members) or not bool((shares >= 0).all()) or not 0 < float(shares.sum()) < float("inf"):
            raise SettingError(
                f"weights {None if weights is None else list(weights)} do not fit {len(members)} members.",
                "Give one a member, none negative, not all 0.",
            )
        self.members = nn.ModuleList(members)
        self.register_buffer("log_weights", (shares / shares.sum()).log(), persistent=False)
        self.task = tasks[0]  # type: ignore[misc]
        self.inputs = tuple(dict.fromkeys(key for member in members for key in member.inputs))  # type: ignore[misc]

    def _models(self) -> list[MetaModule]:
        return [member for member in self.members if isinstance(member, MetaModule)]

    def forward(self, *inputs: Tensor) -> Any:
        """Return what a single model of the task returns; inputs as `inputs` names them.

        Where that is logits, these are the logits of the averaged probabilities, so that the one softmax or sigmoid
        behind gives exactly the average.
        """
        batch = dict(zip(self.inputs, inputs, strict=True))
        outputs = [member(*(batch[key] for key in member.inputs)) for member in self._models()]
        if self.task == "multi_task":
            return {key: _AVERAGES.get(key, _values)([o[key] for o in outputs], self.log_weights) for key in outputs[0]}
        return _AVERAGES[self.task](outputs, self.log_weights)


def _classes(logits: list[Tensor], log_weights: Tensor) -> Tensor:
    """Return the log of the averaged distribution over the last axis."""
    return _log_mean([each.float().log_softmax(dim=-1) for each in logits], log_weights)


def _binary(logits: list[Tensor], log_weights: Tensor) -> Tensor:
    """Return the logit of the averaged probability, exact where that is near 0 or 1."""
    positive = _log_mean([nn.functional.logsigmoid(each.float()) for each in logits], log_weights)
    negative = _log_mean([nn.functional.logsigmoid(-each.float()) for each in logits], log_weights)
    return positive - negative


def _values(values: list[Tensor], log_weights: Tensor) -> Tensor:
    """Return the weighted mean."""
    mean: Tensor = torch.tensordot(log_weights.exp(), torch.stack(values).float(), dims=1)
    return mean


def _log_mean(logs: list[Tensor], log_weights: Tensor) -> Tensor:
    stacked = torch.stack(logs)
    return torch.logsumexp(stacked + log_weights.reshape(-1, *[1] * (stacked.ndim - 1)), dim=0)


_AVERAGES: Mapping[str, Callable[[list[Tensor], Tensor], Tensor]] = {
    "classification": _classes,
    "effect_type": _classes,
    "localization": _classes,
    "recalibration": _classes,
    "binary": _binary,
    "delta": _values,
    "paired_delta": _values,
    # Parts of the multi-task output; any other part is averaged as it is.
    "site": _classes,
    "altering": _binary,
}

_PAIRS = {
    "binary": ("splice_inducing", "hyenadna_binary"),
    "delta": ("validated_delta", "hyenadna_delta"),
}


class CNNHyenaDNAEnsemble(Ensemble):
    """A gated CNN and a HyenaDNA model of the same task.

    Parameters
    ----------
    task
        `binary` (`SpliceInducingClassifier` and `HyenaDNABinaryClassifier`) or `delta` (`ValidatedDeltaPredictor` and
        `HyenaDNADeltaPredictor`).
    cnn_options, hyenadna_options
        Arguments of the two constructors.
    weights
        Of CNN and HyenaDNA; equal by default.

    Raises
    ------
    SettingError
        If there is no pair for the task.
    """

    def __init__(
        self,
        task: str = "binary",
        cnn_options: Mapping[str, Any] | None = None,
        hyenadna_options: Mapping[str, Any] | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        MetaModule.__init__(self)
        if task not in _PAIRS:
            raise unknown("task of the ensemble", task, _PAIRS)
        options = (cnn_options or {}, hyenadna_options or {})
        specs = [{"name": name, "options": given} for name, given in zip(_PAIRS[task], options, strict=True)]
        cnn, hyenadna = members = [from_spec(spec) for spec in specs]
        self._gather(members, weights)
        self.config = {**self.config, "cnn_options": dict(cnn.config), "hyenadna_options": dict(hyenadna.config)}
