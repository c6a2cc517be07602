"""Parameter groups with rates of their own, and schedules that scale each group's rate and never replace it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.config import ScheduleName, TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule, SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.models.pretrained_encoder import PretrainedEncoder

PLATEAU_FACTOR = 0.5
"""What `plateau` multiplies the rate with."""

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1 / 25e4
"""`one_cycle`: share of steps that rise, and the first and last multiplier; PyTorch's defaults of OneCycleLR."""


def lower_is_better(config: TrainingConfig) -> bool:
    """Whether the monitored measure is a loss."""
    return config.monitor.endswith("loss")


def parameter_groups(
    model: MetaModule, config: TrainingConfig, extra: Iterable[nn.Parameter] = ()
) -> list[dict[str, Any]]:
    """Sort a model's parameters into groups for AdamW.

    Parameters
    ----------
    model
        Parameters of `model.encoder_modules()` get `learning_rate * encoder_lr_multiplier`, all others `learning_rate`:
        also the layer that a pretrained encoder has behind its network, which is as new as the head.
    config
        Rates and weight decay.
    extra
        Parameters of the loss; at the head's rate, without decay.

    Returns
    -------
    list of dict
        `encoder`, `encoder_no_decay`, `head`, `head_no_decay`, as far as they have members; each with `name`, `params`,
        `lr` and `weight_decay`. Biases, norms and every other vector, and the implicit filters of Hyena operators
        (`filter_fn` in the name), have no decay.

    Notes
    -----
    Frozen parameters are members too. AdamW skips what has no gradient, so unfreezing one later needs no new group, no
    new optimizer and no new schedule, and its rate is the one that its group has at that step.
    """
    encoder = {
        id(p)
        for module in model.encoder_modules()
        for p in (module.network if isinstance(module, PretrainedEncoder) else module).parameters()
    }
    members: dict[str, list[nn.Parameter]] = {"encoder": [], "encoder_no_decay": [], "head": [], "head_no_decay": []}
    for name, parameter in model.named_parameters():
        spared = parameter.ndim <= 1 or name.endswith("bias") or "filter_fn" in name
        part = "encoder" if id(parameter) in encoder else "head"
        members[f"{part}_no_decay" if spared else part].append(parameter)
    members["head_no_decay"].extend(extra)
    return [
        {
            "name": name,
            "params": params,
            "lr": config.learning_rate * (config.encoder_lr_multiplier if name.startswith("encoder") else 1.0),
            "weight_decay": 0.0 if name.endswith("no_decay") else config.weight_decay,
        }
        for name, params in members.items()
        if params
    ]


class Schedule:
    """Multiplier of every group's own rate, by optimizer step.

    With T steps in all and W = round(warmup_fraction * T) of them warm-up, step t = 0, 1, ... has (t + 1) / (W + 1)
    while t < W, and from then on

    - constant: 1,
    - cosine: (1 + cos(pi * (t - W) / (T - W))) / 2,
    - plateau: 0.5 for each time that `observe` saw no gain for more than `plateau_patience` epochs.

    one_cycle has its own rise in place of warm-up: half a cosine from 1/25 to 1 over 30 % of the steps, and another to
    1/250000 at the last one (Smith and Topin 2017, as PyTorch's `OneCycleLR`).

    Parameters
    ----------
    config
        `schedule`, `warmup_fraction`, `plateau_patience` and `max_epochs`.
    steps_per_epoch
        Optimizer steps, not batches.
    lower_is_better
        Whether `observe` gets a loss.
    """

    def __init__(self, config: TrainingConfig, steps_per_epoch: int, *, lower_is_better: bool = True) -> None:
        self.name = str(config.schedule)
        self.total = steps_per_epoch * config.max_epochs
        self.warmup = round(config.warmup_fraction * self.total)
        self.patience = config.plateau_patience
        self.sign = 1.0 if lower_is_better else -1.0
        # State, which LambdaLR writes into its own `state_dict` because it is an attribute of a callable object.
        self.factor, self.best, self.waited = 1.0, math.inf, 0

    def __call__(self, step: int) -> float:
        """Return the multiplier at a step, from 0."""
        if self.name == ScheduleName.ONE_CYCLE:
            return self._one_cycle(step)
        if step < self.warmup:
            return self.factor * (step + 1) / (self.warmup + 1)
        if self.name == ScheduleName.COSINE:
            # LambdaLR asks for the step after the last one too.
            share = min(1.0, (step - self.warmup) / max(1, self.total - self.warmup))
            return (1 + math.cos(math.pi * share)) / 2
        return self.factor

    def _one_cycle(self, step: int) -> float:
        top, last = ONE_CYCLE_RISE * self.total - 1, self.total - 1
        if step <= top:
            return _half_cosine(ONE_CYCLE_START, 1.0, step / top)
        return _half_cosine(1.0, ONE_CYCLE_END, min(1.0, (step - top) / (last - top)))

    def observe(self, value: float) -> bool:
        """Take the measure of an epoch; returns whether the multiplier has changed, which only `plateau` does."""
        if self.name != ScheduleName.PLATEAU:
            return False
        if self.sign * value < self.best:
            self.best, self.waited = self.sign * value, 0
            return False
        self.waited += 1
        if self.waited <= self.patience:
            return False
        self.factor, self.waited = self.factor * PLATEAU_FACTOR, 0
        return True


def make_optimizer(groups: Sequence[dict[str, Any]], schedule: Schedule) -> tuple[torch.optim.AdamW, LambdaLR]:
    """Return AdamW over the groups, and the scheduler that is stepped once an optimizer step."""
    optimizer = torch.optim.AdamW(list(groups))
    # One object for every group: its state is then saved once and is the same for all.
    return optimizer, LambdaLR(optimizer, [schedule] * len(optimizer.param_groups))


def rescale(optimizer: torch.optim.Optimizer, scheduler: LambdaLR) -> None:
    """Set each group's rate to its own times the multiplier, after the multiplier changed between two steps."""
    for group, base, multiplier in zip(optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True):
        group["lr"] = base * multiplier(scheduler.last_epoch)


def initially_unfrozen(encoder: SequenceEncoder) -> int:
    """Return how many of the encoder's last blocks are trainable.

    Raises
    ------
    SettingError
        If the encoder cannot be unfrozen by blocks, or is trained in another way than by its last blocks.
    """
    flags = [parameter.requires_grad for parameter in encoder.parameters()]
    try:
        for blocks in range(encoder.depth + 1):
            encoder.unfreeze_last(blocks)
            if [parameter.requires_grad for parameter in encoder.parameters()] == flags:
                return blocks
    finally:
        for parameter, flag in zip(encoder.parameters(), flags, strict=True):
            parameter.requires_grad_(flag)
    raise SettingError(
        f"{type(encoder).__name__} is trained whole, so no layer is left to set free.",
        "Freeze the encoder, or leave out unfreeze_at.",
    )


def unfreeze_plan(encoder: SequenceEncoder, unfreeze_at: Sequence[int], max_epochs: int) -> list[int]:
    """Return the number of trainable last blocks in each epoch.

    Raises
    ------
    SettingError
        If there are fewer blocks than that, or the encoder cannot be unfrozen.
    """
    start = initially_unfrozen(encoder)
    if start + len(unfreeze_at) > encoder.depth:
        raise SettingError(
            f"unfreeze_at frees {len(unfreeze_at)} layers, but {encoder.depth - start} of {encoder.depth} are frozen.",
            "Name fewer epochs.",
        )
    return [start + sum(at <= epoch for at in unfreeze_at) for epoch in range(max_epochs)]


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
