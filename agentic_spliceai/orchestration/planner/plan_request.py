"""A plan as a language model asks for it: names and numbers, checked and completed as the offline planner's are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agentic_spliceai.orchestration.chat.checking import checked
from agentic_spliceai.orchestration.planner.completion import Completed, complete, near_names
from agentic_spliceai.orchestration.planner.draft import SWEEPABLE, Draft, Refusal, Sweep
from agentic_spliceai.orchestration.planner.lexicon import Lexicon
from agentic_spliceai.orchestration.planner.limits import exceeded, said_limits
from agentic_spliceai.records.evidence import ClaimStatus
from agentic_spliceai.tools.vocabulary import Vocabulary


class Variation(BaseModel):
    """One setting that differs between arms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(description=f"One of: {', '.join(sorted(SWEEPABLE))}.")
    values: list[JsonValue] = Field(min_length=2, max_length=12, description="One arm a value.")


class PlanRequest(BaseModel):
    """A plan of an experiment: which models are trained on which data, how often, where, and at most for how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: list[str] = Field(min_length=1, max_length=12, description="Models to train, by the names that there are.")
    dataset: str = Field(description="Data set, by the names that there are.")
    task: Literal["triage", "delta", "sites"] | None = Field(
        default=None, description="Null: the data set's usual one."
    )
    base_model: str | None = Field(default=None, description="Base model; null takes the data set's usual one.")
    seeds: list[int] | None = Field(default=None, min_length=1, description="Seeds; null takes three.")
    max_variants: int | None = Field(default=None, description="At most so many variants; null takes all.")
    metric: str | None = Field(default=None, description="Measure that decides; null takes the task's usual one.")
    baseline: str | None = Field(default=None, description="Model that the others are compared with; null: base model.")
    budget_usd: float | None = Field(default=None, ge=0, description="Most that all may cost; null: nothing.")
    hours_each: float | None = Field(default=None, gt=0, description="Longest that one arm may run, hours.")
    backend: str | None = Field(default=None, description="Where it runs; null is this machine.")
    device: Literal["auto", "cpu", "cuda", "mps"] | None = Field(default=None, description="What it runs on.")
    training: dict[str, JsonValue] = Field(
        default_factory=dict, description="Training fields, such as max_epochs, learning_rate, batch_size, patience."
    )
    early_stopping: bool | None = Field(default=None, description="False trains every epoch.")
    unfreeze_layers: int | None = Field(default=None, ge=0, description="Pretrained layers to set free.")
    vary: Variation | None = Field(default=None, description="One setting that differs between arms.")
    notes: list[str] = Field(default_factory=list, max_length=10, description="What was assumed.")


def completed(
    asked: PlanRequest, request: str, words: Vocabulary, *, planner: str, before: Sequence[str] = ()
) -> Completed:
    """Return the plan, or what stands in its way: the same checks as for words.

    Parameters
    ----------
    asked
        What the model asked for.
    request
        The person's words.
    words
        What there is.
    planner
        Goes into the plan: `model:NAME`.
    before
        What the person said before about the same experiment: limits that they named hold until they name others.
    """
    names = _Names(words)
    said = said_limits((*before, request), words)
    models = tuple(found for name in asked.models if (found := names.find("model", name)) is not None)
    draft = Draft(
        request=request,
        models=models,
        task=asked.task,
        dataset=names.find("dataset", asked.dataset),
        base_model=names.find("base_model", asked.base_model),
        seeds=tuple(asked.seeds) if asked.seeds is not None else said.seeds,
        max_variants=asked.max_variants,
        metric=names.find("metric", asked.metric),
        baseline=names.find("model", asked.baseline),
        budget_usd=asked.budget_usd,
        hours=asked.hours_each if asked.hours_each is not None else said.hours,
        hours_each=asked.hours_each is not None or said.hours_each,
        backend=names.find("backend", asked.backend) if asked.backend is not None else said.backend,
        device=asked.device,
        training=dict(asked.training),
        early_stopping=asked.early_stopping,
        unfreeze=asked.unfreeze_layers,
        sweep=names.sweep(asked.vary),
        notes=_notes(asked.notes, request, words, planner),
    )
    if names.refusals:
        return Completed(refusals=names.refusals)
    done = complete(draft, words, planner=planner)
    if done.plan is not None and (refusals := exceeded(done.plan, said)):
        return Completed(refusals=refusals, notes=done.notes)
    return done


def _notes(notes: Sequence[str], request: str, words: Vocabulary, planner: str) -> tuple[str, ...]:
    """Return a model's notes as its words, never as the rules'; those that tell what no evidence backs are left out."""
    short = [" ".join(note.split())[:300] for note in notes]
    kept = [note for note in short if checked(note, {}, words, planner, request).status is ClaimStatus.VERIFIED]
    told = [f"the language model says: {note}" for note in kept]
    if left := len(short) - len(kept):
        told.append(f"left out {left} {'note' if left == 1 else 'notes'} of the language model: no evidence backs them")
    return tuple(told)


class _Names:
    """Finds names; what is not there is refused with what is near."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._lexicon = Lexicon.of(words)
        self.refusals: list[Refusal] = []

    def find(self, kind: str, name: str | None) -> str | None:
        if name is None:
            return None
        things: Any = {
            "model": self._words.models,
            "dataset": self._words.datasets,
            "base_model": self._words.base_models,
            "metric": self._words.metrics,
            "backend": self._words.backends,
        }[kind]
        for thing in things:
            if name == thing.name:
                return str(thing.name)
        items = [item for item in self._lexicon.read(name) if item.kind == kind]
        if len(items) == 1:
            return str(items[0].value)
        what = {"dataset": "data set", "base_model": "base model"}.get(kind, kind)
        near = near_names(name, self._words, what)
        known = near or tuple(thing.name for thing in things)
        self.refusals.append(
            Refusal(
                field=kind,
                message=f"there is no {what} {name[:60]!r}.",
                advice=f"There is: {', '.join(known)}.",
                near=near,
            )
        )
        return None

    def sweep(self, vary: Variation | None) -> Sweep | None:
        if vary is None:
            return None
        if vary.field not in SWEEPABLE:
            self.refusals.append(
                Refusal(
                    field="vary",
                    message=f"{vary.field[:60]!r} cannot differ between arms.",
                    advice=f"One of: {', '.join(sorted(SWEEPABLE))}.",
                )
            )
            return None
        values = tuple(dict.fromkeys(_hashable(value) for value in vary.values))
        return Sweep(field=vary.field, values=values) if len(values) > 1 else None


def _hashable(value: JsonValue) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)
