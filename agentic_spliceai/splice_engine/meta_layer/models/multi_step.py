"""The multi-step framework: is it splice-altering, what does it do, where, and by how much.

The steps are models of their own, trained one by one. A variant that step 1 calls not splice-altering is never shown
to the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX, EffectType
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import Spec, as_spec, from_spec

_TASKS = {
    "inducing": ("binary", "multi_task"),
    "effect": ("effect_type",),
    "localizer": ("localization",),
    "delta": ("delta",),
}
_PREDICTED = ("effect", "position")


@dataclass(frozen=True)
class MultiStepResult:
    """What the steps say about B variants, on the device of the model.

    Attributes
    ----------
    probability : float [B]
        Step 1: that the variant alters splicing.
    altering : bool [B]
        Whether it reaches the threshold; the other steps have run for these only.
    effect : int64 [B]
        Step 2: `EffectType`; -100 where it has not run.
    effect_probability : float [B, 6]
        Of each effect type; NaN where it has not run.
    position : int64 [B]
        Step 3: column of the window with the largest effect, 0-based; -100 where it has not run.
    delta : float [B, 3]
        Step 4: change of the donor, acceptor and neither probability; NaN where it has not run.
    """

    probability: Tensor
    altering: Tensor
    effect: Tensor
    effect_probability: Tensor
    position: Tensor
    delta: Tensor


class MultiStepPredictor(MetaModule):
    """Runs trained steps one after the other; itself it is not trained, and its steps are frozen and evaluate.

    Each step is a model, or a mapping with its `name` in `models.registry` and `options`.

    Parameters
    ----------
    inducing
        Step 1, of the task binary or multi_task.
    delta
        Step 4, of the task delta; it is given the predicted effect and position if it takes them.
    effect, localizer
        Steps 2 and 3, of the tasks effect_type and localization; None leaves them out.
    threshold
        Probability from which a variant counts as splice-altering; choose it on validation data.

    Raises
    ------
    SettingError
        If a step is of another task, or the threshold is not between 0 and 1.
    """

    task = "delta"

    def __init__(
        self,
        inducing: Spec | MetaModule,
        delta: Spec | MetaModule,
        effect: Spec | MetaModule | None = None,
        localizer: Spec | MetaModule | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 <= threshold <= 1:
            raise SettingError(f"A threshold of {threshold} is no probability.", "Give a number from 0 to 1.")
        self.threshold = threshold
        self.inducing = self._step("inducing", inducing)
        self.delta = self._step("delta", delta)
        self.effect = None if effect is None else self._step("effect", effect)
        self.localizer = None if localizer is None else self._step("localizer", localizer)
        steps = [step for step in (self.inducing, self.effect, self.localizer, self.delta) if step is not None]
        needed = dict.fromkeys(key for step in steps for key in step.inputs)
        self.inputs = tuple(key for key in needed if key not in _PREDICTED)  # type: ignore[misc]
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever is asked for: frozen steps have no use for dropout."""
        return super().train(False)

    def _step(self, role: str, spec: Spec | MetaModule) -> MetaModule:
        model = from_spec(spec)
        if model.task not in _TASKS[role]:
            raise SettingError(
                f"{type(model).__name__} cannot be the step {role!r}: its task is {model.task!r}.",
                f"Give a model of {' or '.join(_TASKS[role])}.",
            )
        self.config = {**self.config, role: as_spec(model)}
        return model

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return deltas [B, 3], zero for variants that are not splice-altering; inputs as `inputs` names them."""
        result = self.predict(dict(zip(self.inputs, inputs, strict=True)))
        return torch.where(result.altering.unsqueeze(1), result.delta, 0.0)

    @torch.no_grad()
    def predict(self, batch: Mapping[str, Tensor]) -> MultiStepResult:
        """Run the steps.

        Parameters
        ----------
        batch
            Has at least the keys in `inputs`; true effects and positions in it are not looked at.
        """
        batch = {key: batch[key] for key in self.inputs}
        probability = torch.sigmoid(_run(self.inducing, batch))
        altering = probability >= self.threshold
        n, device = len(probability), probability.device
        effect_probability = probability.new_full((n, len(EffectType)), torch.nan)
        effect = torch.full((n,), IGNORE_INDEX, device=device)
        position = effect.clone()
        delta = probability.new_full((n, 3), torch.nan)
        if altering.any():
            kept = {key: value[altering] for key, value in batch.items()}
            kept["effect"], kept["position"] = effect[altering], position[altering]
            if self.effect is not None:
                effect_probability[altering] = _run(self.effect, kept).softmax(dim=1)
                kept["effect"] = effect[altering] = effect_probability[altering].argmax(dim=1)
            if self.localizer is not None:
                kept["position"] = position[altering] = _run(self.localizer, kept).argmax(dim=1)
            delta[altering] = _run(self.delta, kept)
        return MultiStepResult(probability, altering, effect, effect_probability, position, delta)


def _run(step: MetaModule, batch: Mapping[str, Tensor]) -> Tensor:
    output = step(*(batch[key] for key in step.inputs))
    # Single precision whatever the steps computed in, so that their results fit into one table.
    values: Tensor = (output["altering"] if isinstance(output, dict) else output).float()
    return values
