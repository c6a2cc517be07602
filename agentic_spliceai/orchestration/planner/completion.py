"""From a draft to a plan: defaults that are said, questions for what is missing, and reasons for what cannot be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agentic_spliceai.orchestration.planner.draft import Draft, MissingField, Refusal
from agentic_spliceai.orchestration.planner.grammar import field_words
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.spec import describe_validation
from agentic_spliceai.tools.vocabulary import ModelWords, Vocabulary, check_training

SEEDS = (1, 2, 3)
"""Taken where none are named: fewer say nothing about the noise between seeds."""

_MOST_ARMS = 12
_SMALLEST = 50
_HOURS = 12.0
_LONGEST_HOURS = 240.0
_SIZES: Mapping[str, tuple[int, int]] = {"tiny": (200, 2), "quick": (1000, 5)}
_METRIC = {"triage": "pr_auc", "delta": "pearson", "sites": "pr_auc"}
_NEVER_STOPS = 100_000


@dataclass
class Completed:
    """What became of a draft: a plan, or what stands in its way."""

    plan: ExperimentPlan | None = None
    missing: list[MissingField] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def complete(draft: Draft, words: Vocabulary, *, planner: str) -> Completed:
    """Return the plan that a draft describes, or questions and refusals.

    Parameters
    ----------
    draft
        What was said.
    words
        What there is.
    planner
        Goes into the plan.
    """
    done = Completed(notes=list(draft.notes))
    _ask(draft, words, done)
    if done.missing or done.refusals:
        return done
    completer = _Completer(draft, words, done)
    values = completer.plan_values(planner)
    if done.missing or done.refusals:
        return done
    try:
        done.plan = ExperimentPlan.model_validate(values)
    except ValidationError as error:
        done.refusals.append(
            Refusal(field="plan", message=f"{describe_validation(error)}.", advice="Change the request.")
        )
    return done


def near_names(name: str, words: Vocabulary, what: str) -> tuple[str, ...]:
    """Return titles of what there is that are near `name`, or all of them."""
    things = {"model": words.models, "base model": words.base_models, "data set": words.datasets}.get(what, ())
    titles = {phrase: thing.title for thing in things for phrase in (*thing.phrases, thing.name)}
    found = difflib.get_close_matches(name.lower(), titles, n=3, cutoff=0.6)
    return tuple(dict.fromkeys(titles[phrase] for phrase in found)) or tuple(thing.title for thing in things)


def _ask(draft: Draft, words: Vocabulary, done: Completed) -> None:
    if not draft.models:
        task = draft.task or (words.dataset(draft.dataset).tasks[0] if draft.dataset else None)
        fitting = [model.title for model in words.models if task is None or task in model.tasks]
        done.missing.append(
            MissingField(
                field="model",
                why="Which model, or which models side by side?",
                choices=tuple(fitting),
                default=fitting[0] if fitting else None,
            )
        )
    if draft.dataset is None:
        fitting = [data.title for data in words.datasets if draft.task is None or draft.task in data.tasks]
        done.missing.append(
            MissingField(
                field="dataset",
                why="On which data set?",
                choices=tuple(fitting),
                default=next(
                    (data.title for data in words.datasets if data.name == "mfass"), fitting[0] if fitting else None
                ),
            )
        )
    if draft.backend is None:
        return
    place = words.backend(draft.backend)
    if not place.ready:
        ready = ", ".join(other.title for other in words.backends if other.ready)
        done.refusals.append(
            Refusal(field="backend", message=f"{place.title} is not set up here.", advice=f"Run it on: {ready}.")
        )
    elif place.paid and draft.budget_usd is None:
        done.missing.append(
            MissingField(
                field="budget", why=f"{place.title} costs money: at most how many US dollars?", choices=(), default="5"
            )
        )


class _Completer:
    """Fills in what was not said."""

    def __init__(self, draft: Draft, words: Vocabulary, done: Completed) -> None:
        self.draft, self.words, self.done = draft, words, done
        self.dataset = words.dataset(draft.dataset or "")
        self.task = draft.task or self.dataset.tasks[0]
        self.training = dict(draft.training)
        self.max_variants = draft.max_variants
        self.seeds = draft.seeds or SEEDS

    def plan_values(self, planner: str) -> dict[str, Any]:
        """Return the fields of the plan; where something cannot be, `done.refusals` says why."""
        draft = self.draft
        self._check_task()
        self._size()
        self._early_stopping()
        backend, device = self._place()
        base_models = self._base_models()
        metric = self._metric()
        arms = self._arms(base_models)
        if draft.seeds is None:
            self.done.notes.append(f"seeds {', '.join(map(str, SEEDS))}: fewer than three say nothing about the noise")
        if self.done.refusals:
            return {}
        return {
            "request": draft.request or "(no words)",
            "planner": planner,
            "hypothesis": self._hypothesis(arms, metric, base_models),
            "arms": arms,
            "baseline": self._baseline(arms),
            "metric": metric,
            "backend": backend,
            "device": device,
            "budget_usd": self._budget(backend, len(arms)),
            "time_limit_hours": self._hours(len(arms)),
            "parent": draft.parent,
            "notes": tuple(dict.fromkeys(self.done.notes)),
        }

    def refuse(self, what: str, message: str, advice: str, near: tuple[str, ...] = ()) -> None:
        self.done.refusals.append(Refusal(field=what, message=message, advice=advice, near=near))

    def _check_task(self) -> None:
        if self.task not in self.dataset.tasks:
            fitting = ", ".join(data.title for data in self.words.datasets if self.task in data.tasks)
            self.refuse(
                "task",
                f"{self.dataset.title} has no labels for {self._task_title()}.",
                f"It has: {', '.join(self.dataset.tasks)}. {self.task} can be learned on: {fitting or 'none'}.",
            )
            return
        for name in self.draft.models:
            model = self.words.model(name)
            if self.task not in model.tasks:
                fit = tuple(other.title for other in self.words.models if self.task in other.tasks)
                self.refuse(
                    "model", f"{model.title} cannot be trained for {self._task_title()}.", "Take another model.", fit
                )
        if self.draft.task is None:
            self.done.notes.append(f"task {self.task}: what {self.dataset.title} is used for where none is named")

    def _task_title(self) -> str:
        return next(task.title for task in self.words.tasks if task.name == self.task)

    def _size(self) -> None:
        size = self.draft.size
        if size is not None and size in _SIZES:
            rows, epochs = _SIZES[size]
            if self.max_variants is None:
                self.max_variants = rows
                self.done.notes.append(f"{size}: at most {rows:,} variants")
            if "max_epochs" not in self.training and not self._swept("training.max_epochs"):
                self.training["max_epochs"] = epochs
                self.done.notes.append(f"{size}: {epochs} epochs")
        if size == "full" and self.draft.max_variants is not None and self.draft.parent is None:
            self.refuse(
                "max_variants", "all variants and a number of variants contradict each other.", "Say one of them."
            )
        if self.max_variants is not None and self.max_variants < _SMALLEST:
            self.refuse(
                "max_variants",
                f"{self.max_variants} variants are too few to measure anything.",
                f"Take {_SMALLEST} or more.",
            )

    def _swept(self, name: str) -> bool:
        return self.draft.sweep is not None and self.draft.sweep.field == name

    def _early_stopping(self) -> None:
        if self.draft.early_stopping is False:
            self.training["patience"] = _NEVER_STOPS
            self.done.notes.append("without early stopping every epoch is trained; the best one is kept")
        elif self.draft.early_stopping and "patience" not in self.training:
            self.done.notes.append("early stopping is on, with the usual patience of this model")

    def _place(self) -> tuple[str, str]:
        draft, words = self.draft, self.words
        backend = draft.backend or "local"
        device = draft.device or "auto"
        place = words.backend(backend)
        if draft.gpu is not None:
            self.done.notes.append(f"a {draft.gpu.upper()} was asked for: {place.title} gives a GPU where it has one")
        if draft.backend is None:
            self.done.notes.append("runs on this machine, as no other place was named")
        if place.paid and draft.budget_usd == 0:
            self.refuse(
                "budget",
                f"{place.title} costs money, and the budget is zero.",
                "Raise the budget, or run it on this machine.",
            )
        if place.paid and device == "auto":
            device = "cuda"
        return backend, device

    def _base_models(self) -> tuple[str, ...]:
        draft, names = self.draft, [base.name for base in self.words.base_models]
        if self._swept("base_model") and draft.sweep is not None:
            return tuple(draft.sweep.values)
        name = draft.base_model or self.dataset.base_model
        if draft.context is not None:
            wanted = _with_context(name, draft.context, names)
            if wanted is None:
                near = tuple(other for other in names if other.split("-")[0] == name.split("-")[0])
                self.refuse(
                    "base_model",
                    f"{name} has no context of {draft.context:,} nt.",
                    "Take one of these base models.",
                    near,
                )
            else:
                name = wanted
        if draft.base_model is None:
            self.done.notes.append(f"base model {name}, as none was named")
        return (name,)

    def _metric(self) -> str:
        metric = self.draft.metric or _METRIC[self.task]
        measure = self.words.metric(metric)
        if self.task not in measure.tasks:
            fit = tuple(other.title for other in self.words.metrics if self.task in other.tasks)
            self.refuse(
                "metric",
                f"{measure.title} does not measure {self._task_title()}.",
                f"Take one of: {', '.join(fit)}.",
                fit,
            )
        if self.draft.metric is None:
            self.done.notes.append(f"{measure.title} decides, as no measure was named")
        return metric

    def _arms(self, base_models: tuple[str, ...]) -> list[dict[str, Any]]:
        arms: list[dict[str, Any]] = []
        sweep = self.draft.sweep
        if (sweep is not None and sweep.field == "unfreeze") or self.draft.unfreeze is not None:
            self._check_unfreezing()
        if self.done.refusals:
            return arms
        for name in self.draft.models:
            model = self.words.model(name)
            if model.slow and self.draft.device == "cpu":
                self.done.notes.append(f"{model.title} is slow without a GPU")
            if sweep is None:
                arms.append(self._arm(_slug(name), model, base_models[0], self.training, self.draft.unfreeze, {}))
                continue
            arms += [self._swept_arm(name, model, sweep.field, value, base_models[0]) for value in sweep.values]
        if len(arms) > _MOST_ARMS:
            self.refuse("arms", f"{len(arms)} arms are more than one plan may have.", f"Compare at most {_MOST_ARMS}.")
        for training in {id(arm): arm["spec"]["training"] for arm in arms}.values():
            try:
                check_training(training)
            except SpliceEngineError as error:
                self.refuse("training", error.message, error.advice)
                break
        return arms

    def _check_unfreezing(self) -> None:
        fit = tuple(model.title for model in self.words.models if model.unfreezes)
        if not any(self.words.model(name).unfreezes for name in self.draft.models):
            self.refuse(
                "unfreeze",
                "none of these models has pretrained layers to set free.",
                "Ask it of a pretrained model.",
                fit,
            )

    def _swept_arm(self, name: str, model: ModelWords, what: str, value: Any, base: str) -> dict[str, Any]:
        training, unfreeze, options = dict(self.training), self.draft.unfreeze, dict[str, Any]()
        label = f"{_slug(name)}-{_value_label(what, value)}"
        group, _, key = what.rpartition(".")
        if group == "training":
            training[key] = value
        elif group == "options":
            options[key] = value
        elif what == "early_stopping":
            if not value:
                training["patience"] = _NEVER_STOPS
        elif what == "unfreeze":
            unfreeze = value
        elif what == "base_model":
            base = value
        return self._arm(_slug(label), model, base, training, unfreeze, options)

    def _arm(
        self,
        label: str,
        model: ModelWords,
        base: str,
        training: dict[str, Any],
        unfreeze: int | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        setting = model.settings[self.task]
        wanted = {**self.draft.options, **options}
        every = {**setting.options, **{_option_name(name, setting.options): value for name, value in wanted.items()}}
        training = {**setting.training, **training}
        if unfreeze is not None and model.unfreezes:
            every = {**every, "encoder_options": {**every.get("encoder_options", {}), "unfreeze_last": unfreeze}}
            if unfreeze and "encoder_lr_multiplier" not in training:
                training = {**training, "encoder_lr_multiplier": 0.1}
                self.done.notes.append("layers that are set free learn at a tenth of the head's rate")
        return {
            "label": label,
            "spec": {
                "name": _slug(f"{label}-{self.task}-{self.dataset.name}")[:64],
                "description": f"{model.title} for {self.task} on {self.dataset.title}.",
                "task": self.task,
                "dataset": self.dataset.name,
                "base_model": base,
                "model": setting.model,
                "options": every,
                "training": training,
                "seeds": self.seeds,
                "max_variants": self.max_variants,
            },
        }

    def _baseline(self, arms: list[dict[str, Any]]) -> str | None:
        if self.draft.baseline is None:
            if len(arms) > 1:
                self.done.notes.append("every arm is compared with the base model's own score")
            return None
        wanted = _slug(self.draft.baseline)
        return next(
            (arm["label"] for arm in arms if arm["label"] == wanted or arm["label"].startswith(f"{wanted}-")), None
        )

    def _hypothesis(self, arms: list[dict[str, Any]], metric: str, base_models: tuple[str, ...]) -> str:
        measure, data = self.words.metric(metric).title, self.dataset.title
        first = self.words.model(self.draft.models[0]).title
        sweep = self.draft.sweep
        if sweep is not None:
            shown = " or ".join(_value_text(sweep.field, value) for value in sweep.values)
            return f"{_capital(field_words(sweep.field))} ({shown}) changes the {measure} of {first} on {data}."
        if len(arms) == 1:
            return f"{_capital(first)} has a higher {measure} than {base_models[0]} alone for {self.task} on {data}."
        if self.draft.baseline is not None:
            rest = [self.words.model(name).title for name in self.draft.models if name != self.draft.baseline]
            other = self.words.model(self.draft.baseline).title
            return f"{_capital(' and '.join(rest))} differ in {measure} from {other} for {self.task} on {data}."
        titles = [self.words.model(name).title for name in self.draft.models]
        return f"{_capital(', '.join(titles[:-1]))} and {titles[-1]} differ in {measure} for {self.task} on {data}."

    def _budget(self, backend: str, arms: int) -> float:
        budget = self.draft.budget_usd
        if budget is None:
            self.done.notes.append("no budget was named: nothing may be spent")
            return 0.0
        return budget * arms if self.draft.budget_each else budget

    def _hours(self, arms: int) -> float:
        hours = self.draft.hours
        if hours is None:
            return _HOURS
        if not self.draft.hours_each and arms > 1:
            self.done.notes.append(f"{hours:g} hours for all: each of {arms} arms may take its share")
            hours = hours / arms
        if hours > _LONGEST_HOURS:
            self.refuse("hours", f"{hours:g} hours are more than an arm may run.", f"Take {_LONGEST_HOURS:g} or less.")
        return hours


def _option_name(name: str, options: Mapping[str, Any]) -> str:
    """Return what this model calls the width of its layers."""
    return "hidden_dim" if name == "width" and "width" not in options else name


def _with_context(base: str, context: int, names: list[str]) -> str | None:
    family = base.split("-")[0]
    if f"{family}-{context}nt" in names:
        return f"{family}-{context}nt"
    return family if context == 10000 and family in names else (base if context == 400 and base == "small" else None)


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text.lower()).strip("-")[:64]


def _value_label(what: str, value: Any) -> str:
    short = {
        "training.learning_rate": "lr",
        "training.batch_size": "batch",
        "training.max_epochs": "epochs",
        "early_stopping": "early-stopping",
    }
    name = short.get(what, what.rpartition(".")[2].replace("_", "-"))
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    return str(value) if isinstance(value, str) else f"{name}-{value:g}"


def _value_text(what: str, value: Any) -> str:
    if isinstance(value, bool):
        return "with" if value else "without"
    return str(value) if isinstance(value, str) else f"{value:g}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
