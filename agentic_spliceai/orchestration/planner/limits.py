"""What a person said may be spent, in their own words: a language model's plan stays within it."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_spliceai.orchestration.planner.draft import Draft, Refusal
from agentic_spliceai.orchestration.planner.grammar import read
from agentic_spliceai.orchestration.planner.lexicon import Lexicon
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.vocabulary import Vocabulary

_LEEWAY = 1e-6
_TOGETHER = {"budget_usd": "budget_each", "hours": "hours_each"}


def said_limits(texts: Sequence[str], words: Vocabulary) -> Draft:
    """Return budget, time, seeds and place that a person named; of several the latest counts.

    Parameters
    ----------
    texts
        The person's words, the latest last.
    words
        What there is.
    """
    lexicon = Lexicon.of(words)
    found = Draft()
    for text in texts:
        text = " ".join(text.split())
        draft = read(lexicon.read(text), text).draft
        changes = {
            field: getattr(draft, field)
            for field in ("budget_usd", "hours", "seeds", "backend")
            if getattr(draft, field) is not None
        }
        changes |= {_TOGETHER[field]: getattr(draft, _TOGETHER[field]) for field in list(changes) if field in _TOGETHER}
        found = found.model_copy(update=changes)
    return found


def exceeded(plan: ExperimentPlan, said: Draft) -> list[Refusal]:
    """Return where a plan goes beyond what the person said; where no budget was named, nothing may be spent."""
    refusals = []
    arms = len(plan.arms)
    budget = (said.budget_usd or 0.0) * (arms if said.budget_each else 1)
    if plan.budget_usd > budget + _LEEWAY:
        named = f"the person allowed ${budget:.2f}" if said.budget_usd is not None else "the person named no budget"
        refusals.append(
            Refusal(
                field="budget",
                message=f"the plan may cost ${plan.budget_usd:.2f}, but {named}.",
                advice=f"Set budget_usd to {budget:g} or less, or ask the person for a budget.",
            )
        )
    hours = None if said.hours is None else said.hours / (1 if said.hours_each else arms)
    if hours is not None and plan.time_limit_hours > hours + _LEEWAY:
        refusals.append(
            Refusal(
                field="hours",
                message=f"each arm may run {plan.time_limit_hours:g} h, but the person allowed {hours:.4g} h.",
                advice=f"Set hours_each to {hours:.4g} or less.",
            )
        )
    seeds = plan.arms[0].spec.seeds
    if said.seeds is not None and len(seeds) != len(said.seeds):
        refusals.append(
            Refusal(
                field="seeds",
                message=f"the plan has {len(seeds)} seeds, but the person asked for {len(said.seeds)}.",
                advice=f"Take the seeds {', '.join(map(str, said.seeds))}.",
            )
        )
    if said.backend is not None and plan.backend != said.backend:
        refusals.append(
            Refusal(
                field="backend",
                message=f"the plan runs on {plan.backend}, but the person named {said.backend}.",
                advice=f"Run it on {said.backend}.",
            )
        )
    return refusals
