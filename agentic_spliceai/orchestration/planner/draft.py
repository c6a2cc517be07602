"""What a request said so far about an experiment, and what is still to be asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.vocabulary import Vocabulary

SWEEPABLE = frozenset(
    {
        "training.learning_rate",
        "training.batch_size",
        "training.max_epochs",
        "training.weight_decay",
        "training.loss",
        "training.schedule",
        "training.balanced",
        "training.patience",
        "training.label_smoothing",
        "options.dropout",
        "options.width",
        "early_stopping",
        "unfreeze",
        "base_model",
    }
)
"""What may differ between the arms of one plan, beside the model; the data may not."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MissingField(_Frozen):
    """Something that the planner has to ask."""

    field: str = Field(description="Of the plan: model, task, dataset, budget, ...")
    why: str = Field(description="One question, in words.")
    choices: tuple[str, ...] = Field(default=(), description="Possible answers; empty where any will do.")
    default: str | None = Field(default=None, description="What is taken if the person says so.")


class Refusal(_Frozen):
    """Something that cannot be done as it was asked for."""

    field: str = Field(description="What it is about.")
    message: str = Field(description="Why not.")
    advice: str = Field(description="What to ask for instead.")
    near: tuple[str, ...] = Field(default=(), description="Names that may have been meant.")


class Sweep(_Frozen):
    """One thing that differs between arms."""

    field: str
    values: tuple[Any, ...] = Field(min_length=2)


class Draft(_Frozen):
    """What was said; nothing is filled in yet."""

    request: str = ""
    models: tuple[str, ...] = ()
    task: str | None = None
    dataset: str | None = None
    base_model: str | None = None
    seeds: tuple[int, ...] | None = None
    max_variants: int | None = None
    size: Literal["tiny", "quick", "full"] | None = None
    budget_usd: float | None = None
    budget_each: bool = False
    hours: float | None = None
    hours_each: bool = False
    backend: str | None = None
    device: str | None = None
    gpu: str | None = None
    context: int | None = None
    metric: str | None = None
    baseline: str | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    early_stopping: bool | None = None
    unfreeze: int | None = None
    sweep: Sweep | None = None
    parent: str | None = None
    notes: tuple[str, ...] = ()


def draft_of(plan: ExperimentPlan, words: Vocabulary) -> Draft:
    """Return what a plan says as if it had been asked for so; one setting that differs between arms stays a sweep."""
    specs = [arm.spec for arm in plan.arms]
    first = specs[0]
    names = [_spoken(spec.task.value, spec.model, spec.options, words) for spec in specs]
    varied = sorted(
        {name for s in specs for name in s.training if any(s.training.get(name) != o.training.get(name) for o in specs)}
    )
    values = tuple(dict.fromkeys(spec.training.get(varied[0]) for spec in specs)) if len(varied) == 1 else ()
    return Draft(
        request=plan.request,
        models=tuple(dict.fromkeys(names)),
        task=first.task.value,
        dataset=first.dataset,
        base_model=first.base_model,
        seeds=first.seeds,
        max_variants=first.max_variants,
        size="full" if first.max_variants is None else None,
        budget_usd=plan.budget_usd,
        hours=plan.time_limit_hours,
        hours_each=True,
        backend=plan.backend,
        device=plan.device,
        metric=plan.metric,
        training={name: value for name, value in first.training.items() if name not in varied},
        sweep=Sweep(field=f"training.{varied[0]}", values=values) if len(values) > 1 else None,
        parent=plan.parent,
    )


def _spoken(task: str, model: str, options: dict[str, Any], words: Vocabulary) -> str:
    found = words.model_of(task, model, options)
    return found.name if found is not None else model
