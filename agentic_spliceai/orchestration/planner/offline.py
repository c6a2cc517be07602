"""The planner that needs no language model: a lexicon, a grammar and defaults. The same words give the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from agentic_spliceai.orchestration.planner.completion import complete, near_names
from agentic_spliceai.orchestration.planner.draft import Draft, MissingField, Refusal, draft_of
from agentic_spliceai.orchestration.planner.grammar import Reading, read
from agentic_spliceai.orchestration.planner.intents import History, Intent, IntentKind, kind_of, target_of
from agentic_spliceai.orchestration.planner.lexicon import Item, Lexicon
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.experiments import PlanError
from agentic_spliceai.tools.vocabulary import Vocabulary, vocabulary

_NAME_PLACES = frozenset({"and", "versus", "against", "compare", "plan_verb", "replace", "add"})
_REPLACED_TOGETHER = (
    {"max_variants", "size"},
    {"budget_usd", "budget_each"},
    {"hours", "hours_each"},
    {"device", "gpu"},
)


class OfflinePlanner:
    """Understands requests in the field's words and fills a typed plan.

    Parameters
    ----------
    words
        What can be named; by default what this installation has.
    """

    name = "offline"

    def __init__(self, words: Vocabulary | None = None) -> None:
        self._given = words

    @cached_property
    def _words(self) -> Vocabulary:
        # Looked up when the first request comes: a workflow that plans nothing does not wait for it.
        return self._given or vocabulary()

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon.of(self._words)

    def understand(self, text: str, history: History | None = None) -> Intent:
        """Return what a person wants; a plan where everything is said that has to be.

        Parameters
        ----------
        text
            The request.
        history
            What was said before.
        """
        history = history or History()
        text = " ".join(text.split())
        items = self._lexicon.read(text)
        kind = kind_of(items, history)
        if kind is not IntentKind.PLAN_EXPERIMENT:
            reading = read(items, text)
            target = target_of(items, text, history, kind)
            return Intent(kind=kind, text=text, target=target, notes=reading.corrected)
        return self._plan(text, items, history)

    def plan(self, request: str) -> ExperimentPlan:
        """Return the plan that a request describes.

        Raises
        ------
        PlanError
            If it asks for no experiment, leaves something open, or asks for what cannot be; the questions and
            reasons are in the message.
        """
        intent = self.understand(request)
        if intent.plan is not None:
            return intent.plan
        if intent.kind is not IntentKind.PLAN_EXPERIMENT:
            raise PlanError(
                f"the offline planner sees no experiment in {request!r}.",
                "Name models and a data set, for example 'compare gated CNN and HyenaDNA on MFASS'.",
            )
        raise PlanError(*explain(intent))

    def _plan(self, text: str, items: Sequence[Item], history: History) -> Intent:
        reading = read(items, text)
        reading = self._answers(reading, items, history)
        draft, notes = self._merged(reading, items, history)
        refusals = [*reading.refusals, *self._foreign(reading), *self._unknown_names(items, reading)]
        done = complete(
            draft.model_copy(update={"notes": (*draft.notes, *reading.corrected, *notes)}),
            self._words,
            planner=self.name,
        )
        blamed = {"model", "dataset", "base_model"} & {refusal.field for refusal in refusals}
        missing = tuple(question for question in done.missing if question.field not in blamed)
        refusals += done.refusals
        return Intent(
            kind=IntentKind.PLAN_EXPERIMENT,
            text=text,
            plan=done.plan if not refusals and not missing else None,
            draft=draft,
            missing=missing,
            refusals=tuple(dict.fromkeys(refusals)),
            notes=tuple(dict.fromkeys((*reading.corrected, *notes))),
        )

    def _answers(self, reading: Reading, items: Sequence[Item], history: History) -> Reading:
        """Read a short reply as the answer to the open question: a number, a choice's number, or its default."""
        kept = [item for item in items if item.kind not in ("filler", "to")]
        question = history.missing[0] if history.missing else None
        if question is None or reading.said or not kept or len(kept) > 3:
            return reading
        answer: str | None = None
        if kept[0].kind == "yes":
            answer = question.default
        elif kept[0].kind in ("number", "money"):
            number = kept[0].value
            if question.field == "budget":
                return _with(reading, budget_usd=float(number))
            if question.choices and number == int(number) and 1 <= number <= len(question.choices):
                answer = question.choices[int(number) - 1]
        if answer is None:
            return reading
        if question.field == "budget":
            return _with(reading, budget_usd=float(answer))
        return read(self._lexicon.read(answer), reading.draft.request)

    def _merged(self, reading: Reading, items: Sequence[Item], history: History) -> tuple[Draft, list[str]]:
        """Return the draft before, changed by what is said now; or what is said now, where it stands alone."""
        kinds = {item.kind for item in items}
        now = reading.draft
        notes: list[str] = []
        if kinds & {"last", "again"} and history.plan is not None:
            before = draft_of(history.plan, self._words)
            before = before.model_copy(update={"parent": history.parent})
            notes.append(f"starts from plan {history.plan.id}, as last time was named")
        elif history.draft is not None and self._goes_on(reading, kinds, history):
            before = history.draft
        else:
            if kinds & {"last", "again"}:
                notes.append("no plan came before in this conversation: only what was said here counts")
            return now, notes
        return _edited(before, reading, adds="add" in kinds or bool(kinds & {"against"} and not now.models[1:])), notes

    def _goes_on(self, reading: Reading, kinds: set[str], history: History) -> bool:
        """Whether a request answers an open question or changes the plan before, rather than asks for a new one."""
        said = reading.said
        if kinds & {"change", "drop", "add", "replace", "instead", "but"} or reading.dropped:
            return True
        if {"models", "dataset"} <= said:
            return False
        asked = {_ASKED.get(question.field, question.field) for question in history.missing}
        if asked and said and said <= asked:
            return True
        return not said & {"models", "dataset"} or not kinds & {"compare", "plan_verb"}

    def _foreign(self, reading: Reading) -> list[Refusal]:
        refusals = []
        for what, name in reading.foreign:
            near = near_names(name, self._words, what)
            field = {"model": "model", "base model": "base_model", "data set": "dataset"}[what]
            refusals.append(
                Refusal(
                    field=field,
                    message=f"{name} is no {what} of this project.",
                    advice=f"There is: {', '.join(near)}.",
                    near=near,
                )
            )
        return refusals

    def _unknown_names(self, items: Sequence[Item], reading: Reading) -> list[Refusal]:
        """Refuse a word that stands where a name has to stand and names nothing."""
        refusals: list[Refusal] = []
        for place, item in enumerate(items):
            if item.kind != "unknown":
                continue
            before = next((other for other in reversed(items[:place]) if other.text.lower() not in _ARTICLES), None)
            what = None
            if before is not None and before.text.lower() in ("on", "using data") and reading.draft.dataset is None:
                what, field, word = "data set", "dataset", item.text
            elif before is not None and before.kind in _NAME_PLACES and _listed(items, place):
                what, field, word = "model", "model", item.text
            if what is None:
                continue
            near = near_names(word, self._words, what)
            refusals.append(
                Refusal(
                    field=field,
                    message=f"there is no {what} {word!r}.",
                    advice=f"There is: {', '.join(near)}.",
                    near=near,
                )
            )
        return refusals


#: Fields of a draft by what a question calls them.
_ASKED = {"model": "models", "budget": "budget_usd"}

_ARTICLES = frozenset({"a", "an", "the", "new"})


def explain(intent: Intent) -> tuple[str, str]:
    """Return why there is no plan, and what to say, each one line."""
    reasons = [refusal.message for refusal in intent.refusals] + [question.why for question in intent.missing]
    advice = [refusal.advice for refusal in intent.refusals]
    advice += [f"{question.field}: {', '.join(question.choices)}." for question in intent.missing if question.choices]
    return " ".join(reasons) or "the request is not complete.", " ".join(advice) or "Say more."


def _listed(items: Sequence[Item], place: int) -> bool:
    """Whether an unknown word stands as one of several names, or right before what it is to be trained for."""
    after = next((item for item in items[place + 1 :] if item.text.lower() not in _ARTICLES), None)
    before = items[place - 1] if place else None
    joined = before is not None and before.kind in ("and", "versus", "against")
    if joined:
        # 'A and B on MFASS' names two models; 'A on MFASS, please explain' does not.
        nearby = [item.kind for item in items[max(0, place - 3) : place - 1]]
        return "model" in nearby or "foreign" in nearby or "unknown" in nearby
    return (
        after is None or after.kind in ("and", "versus", "against") or after.text.lower() in ("on", "for", "with", "by")
    )


def _with(reading: Reading, **values: Any) -> Reading:
    draft = reading.draft.model_copy(update=values)
    return Reading(draft, reading.said | set(values), reading.dropped, reading.refusals, (), reading.corrected, ())


def _edited(before: Draft, reading: Reading, *, adds: bool) -> Draft:
    """Return a draft with what was said now in it."""
    now = reading.draft
    changes: dict[str, Any] = {}
    said = set(reading.said)
    for group in _REPLACED_TOGETHER:
        if group & said:
            said |= group
    for field in said:
        if "." not in field and field in Draft.model_fields:
            changes[field] = getattr(now, field)
    if now.sweep is not None:
        changes["sweep"] = now.sweep
    elif before.sweep is not None and before.sweep.field in reading.said:
        changes["sweep"] = None
    changes["training"] = {**before.training, **now.training}
    changes["options"] = {**before.options, **now.options}
    if now.early_stopping is not None:
        changes["training"].pop("patience", None)
        changes["training"] |= {k: v for k, v in now.training.items() if k == "patience"}
    models = [model for model in before.models if model not in reading.dropped]
    if now.models:
        swapped = bool(reading.dropped) or adds
        models = list(dict.fromkeys((*models, *now.models))) if swapped else list(now.models)
    changes["models"] = tuple(models)
    if before.baseline not in models:
        changes.setdefault("baseline", None)
    if "dataset" in changes and "base_model" not in changes:
        changes["base_model"] = None
    changes["request"] = f"{before.request} / {now.request}" if before.request else now.request
    changes["notes"] = tuple(dict.fromkeys((*before.notes, *now.notes)))
    return before.model_copy(update=changes)


__all__ = ["History", "Intent", "IntentKind", "MissingField", "OfflinePlanner", "PlanError", "explain"]
