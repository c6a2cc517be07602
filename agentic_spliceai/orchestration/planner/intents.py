"""What a person wants, by the kinds of words in the request: a table of rules, the first that fits wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.orchestration.planner.draft import Draft, MissingField, Refusal
from agentic_spliceai.orchestration.planner.lexicon import Item
from agentic_spliceai.records.plan import ExperimentPlan


class IntentKind(StrEnum):
    """What a request asks for."""

    PLAN_EXPERIMENT = "plan_experiment"
    INTERPRET_VARIANT = "interpret_variant"
    EXPLAIN_RESULT = "explain_result"
    COMPARE_EXPERIMENTS = "compare_experiments"
    LIST_EXPERIMENTS = "list_experiments"
    JOB_STATUS = "job_status"
    TRIAGE_VCF = "triage_vcf"
    LOOKUP_VARIANT = "lookup_variant"
    HELP = "help"
    UNKNOWN = "unknown"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Frozen):
    """What a request is about, where it is no plan."""

    variant: str | None = Field(default=None, description="As it was written.")
    path: str | None = Field(default=None, description="A VCF file.")
    ids: tuple[str, ...] = Field(default=(), description="Runs or jobs, by id or its beginning.")
    genome: str | None = Field(default=None, description="GRCh38, GRCh37 or demo.")
    base_model: str | None = None
    dataset: str | None = None
    task: str | None = None
    metric: str | None = None
    question: str | None = Field(default=None, description="What is asked, in the person's words.")


class Intent(_Frozen):
    """A request as it was understood."""

    kind: IntentKind
    text: str = Field(description="The request.")
    target: Target = Field(default_factory=Target)
    plan: ExperimentPlan | None = Field(default=None, description="Complete; still to be approved.")
    draft: Draft | None = Field(default=None, description="What was said so far about an experiment.")
    missing: tuple[MissingField, ...] = Field(default=(), description="What has to be asked before there is a plan.")
    refusals: tuple[Refusal, ...] = Field(default=(), description="What cannot be, and why.")
    notes: tuple[str, ...] = Field(default=(), description="How words were read.")
    planner: str = "offline"


class History(_Frozen):
    """What was said before in the same conversation, as far as it matters to what comes next."""

    draft: Draft | None = Field(default=None, description="Of the latest plan or of the unanswered questions.")
    missing: tuple[MissingField, ...] = Field(default=(), description="Questions that are open.")
    plan: ExperimentPlan | None = Field(default=None, description="The plan that 'last time' means.")
    parent: str | None = Field(default=None, description="A run of that plan.")
    runs: tuple[str, ...] = Field(default=(), description="Runs that were spoken of last.")
    variant: str | None = Field(default=None, description="Variant that was spoken of last.")

    def after(self, intent: Intent) -> History:
        """Return the history after a request was understood."""
        changes: dict[str, Any] = {}
        if intent.kind is IntentKind.PLAN_EXPERIMENT and intent.draft is not None:
            changes = {"draft": intent.draft, "missing": intent.missing}
            if intent.plan is not None:
                changes["plan"] = intent.plan
        if intent.target.variant is not None:
            changes["variant"] = intent.target.variant
        return self.model_copy(update=changes)


#: Kinds of words that say something about an experiment.
SETTINGS = frozenset(
    {
        "model",
        "dataset",
        "seed",
        "epoch",
        "learning_rate",
        "batch",
        "early_stopping",
        "patience",
        "balanced",
        "loss",
        "finetune",
        "unfreeze",
        "frozen",
        "money",
        "free",
        "variant_unit",
        "tiny",
        "quick",
        "full",
        "metric",
        "device",
        "backend",
        "duration",
        "dropout",
        "weight_decay",
        "schedule",
        "foreign",
        "width",
        "gpu_type",
        "time_unit",
        "drop",
        "add",
        "replace",
        "instead",
        "base_model",
        "task",
        "budget",
        "base",
        "window",
        "precision",
        "accumulate",
        "smoothing",
        "layers",
    }
)


@dataclass(frozen=True)
class Seen:
    """The kinds of a request's items, and what stood before it."""

    kinds: frozenset[str]
    items: tuple[Item, ...]
    history: History

    def has(self, *kinds: str) -> bool:
        """Whether any of these kinds is there."""
        return not self.kinds.isdisjoint(kinds)

    def count(self, kind: str) -> int:
        """Return how many items are of a kind."""
        return sum(item.kind == kind for item in self.items)

    @property
    def settings(self) -> bool:
        """Whether something is said that a plan can hold."""
        return not self.kinds.isdisjoint(SETTINGS)

    @property
    def looks_back(self) -> bool:
        """Whether it asks about what has happened, rather than for something to happen."""
        return self.has("why", "past", "explain") or (self.has("what") and self.has("result", "experiment"))


Test = Callable[[Seen], bool]

_RULES: Sequence[tuple[IntentKind, Test]] = (
    (IntentKind.TRIAGE_VCF, lambda s: s.has("path")),
    (IntentKind.LOOKUP_VARIANT, lambda s: s.has("variant") and s.has("lookup")),
    (IntentKind.INTERPRET_VARIANT, lambda s: s.has("variant")),
    (IntentKind.JOB_STATUS, lambda s: s.has("job") and not s.has("model", "plan_verb", "why")),
    (IntentKind.JOB_STATUS, lambda s: s.has("status") and not s.has("model", "dataset", "plan_verb", "compare", "why")),
    (IntentKind.JOB_STATUS, lambda s: s.has("cancel") and s.has("id", "job")),
    (IntentKind.COMPARE_EXPERIMENTS, lambda s: s.has("compare", "better") and s.count("id") > 1),
    (
        IntentKind.COMPARE_EXPERIMENTS,
        lambda s: s.has("compare") and s.has("experiment", "last") and not s.has("model", "again", "but"),
    ),
    (IntentKind.LIST_EXPERIMENTS, lambda s: s.has("list") and s.has("experiment", "result", "job")),
    (
        IntentKind.LIST_EXPERIMENTS,
        lambda s: s.has("what") and s.has("experiment") and s.has("past") and not s.has("better", "id"),
    ),
    (IntentKind.LIST_EXPERIMENTS, lambda s: s.has("what") and s.has("past") and s.has("plan_verb") and not s.settings),
    (
        IntentKind.EXPLAIN_RESULT,
        lambda s: s.has("id") and s.has("explain", "why", "what", "result", "past", "better", "run_word", "experiment"),
    ),
    (
        IntentKind.EXPLAIN_RESULT,
        lambda s: (
            s.looks_back
            and not s.has("again", "but")
            and (s.settings or s.has("result", "experiment", "better", "last", "help", "base"))
        ),
    ),
    (IntentKind.LOOKUP_VARIANT, lambda s: s.has("lookup") and s.history.variant is not None and not s.settings),
    (IntentKind.HELP, lambda s: s.has("help") and not s.settings),
    (IntentKind.TRIAGE_VCF, lambda s: s.has("vcf")),
    (
        IntentKind.INTERPRET_VARIANT,
        lambda s: s.has("interpret") and not s.has("model", "dataset", "plan_verb", "compare"),
    ),
    (IntentKind.PLAN_EXPERIMENT, lambda s: s.has("model", "dataset", "foreign", "compare")),
    (IntentKind.PLAN_EXPERIMENT, lambda s: s.has("plan_verb") and (s.settings or s.has("experiment", "last", "again"))),
    (IntentKind.PLAN_EXPERIMENT, lambda s: s.has("again", "last") and s.history.plan is not None),
    (IntentKind.PLAN_EXPERIMENT, lambda s: s.history.draft is not None and s.settings),
    (
        IntentKind.PLAN_EXPERIMENT,
        lambda s: bool(s.history.missing) and s.has("yes", "number", "unknown", "cancel") and len(s.items) <= 3,
    ),
    (
        IntentKind.PLAN_EXPERIMENT,
        lambda s: s.has("early_stopping", "balanced", "loss", "finetune") and s.has("better", "help"),
    ),
)


def kind_of(items: Sequence[Item], history: History) -> IntentKind:
    """Return what a request asks for."""
    kept = tuple(item for item in items if item.kind not in ("filler", "to"))
    seen = Seen(frozenset(item.kind for item in kept), kept, history)
    return next((kind for kind, fits in _RULES if fits(seen)), IntentKind.UNKNOWN)


def target_of(items: Sequence[Item], text: str, history: History, kind: IntentKind) -> Target:
    """Return what a request is about."""

    def first(wanted: str) -> Any:
        return next((item.value for item in items if item.kind == wanted), None)

    variant = first("variant")
    if variant is None and kind in (IntentKind.INTERPRET_VARIANT, IntentKind.LOOKUP_VARIANT):
        variant = history.variant
    ids = tuple(dict.fromkeys(item.value for item in items if item.kind == "id"))
    if not ids and kind is IntentKind.EXPLAIN_RESULT and not any(item.kind in ("model", "dataset") for item in items):
        ids = history.runs
    asks = kind in (IntentKind.EXPLAIN_RESULT, IntentKind.COMPARE_EXPERIMENTS)
    return Target(
        variant=variant,
        path=first("path"),
        ids=ids,
        genome=first("genome"),
        base_model=first("base_model"),
        dataset=first("dataset"),
        task=first("task"),
        metric=first("metric"),
        question=text if asks else None,
    )
