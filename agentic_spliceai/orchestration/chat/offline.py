"""The engine without a language model: a request is understood by the offline planner, and answered by rules."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

from pydantic import JsonValue

from agentic_spliceai.orchestration.chat.answers import (
    experiments_text,
    help_text,
    jobs_text,
    metrics_text,
    open_text,
    plan_text,
)
from agentic_spliceai.orchestration.chat.events import AnswerEvent, ChatEvent, ErrorEvent, PlanProposed
from agentic_spliceai.orchestration.chat.known import known_variant_answer
from agentic_spliceai.orchestration.chat.turn import Turn, Walked
from agentic_spliceai.orchestration.planner.intents import History, Intent, IntentKind
from agentic_spliceai.orchestration.planner.offline import OfflinePlanner
from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.tools.best_base_model import SMALL, best_base_model
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.failure import ToolFailure
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.vocabulary import Vocabulary, vocabulary

Answers = Generator[ChatEvent, None, None]

NAME = "offline planner"
_SELF = "I am the offline planner: no language model is used, and I understand requests by a word list and a grammar."

_VERDICT = re.compile(
    r"\b(?:pathogenic\w*|benign|harm\w*|deleterious|disease\w*|dangerous|caus(?:e|es|al|ative))\b", re.IGNORECASE
)
_NOT_JUDGED = (
    "Whether the variant is pathogenic is not judged here: this is about splicing alone, and a person weighs it with "
    "the other evidence."
)


class Work(Protocol):
    """What an engine may do: run workflows and tools of a conversation, and remember."""

    def run(self, graph: str, inputs: Mapping[str, Any], turn: Turn) -> Generator[ChatEvent, None, Walked]:
        """Run a workflow to its end or to a question, and answer with what came out."""
        ...

    def call(
        self, tool: str, values: Mapping[str, Any], turn: Turn
    ) -> Generator[ChatEvent, None, dict[str, JsonValue] | ToolFailure]:
        """Call a tool that starts nothing."""
        ...

    def record_plan(self, intent: Intent) -> str:
        """Write the plan down, and return its id."""
        ...

    @property
    def history(self) -> History:
        """What was said before."""
        ...

    def remember(self, history: History) -> None:
        """Keep what was said."""
        ...

    def latest_runs(self, count: int) -> tuple[str, ...]:
        """Return the experiment runs that ended last, the latest plan's first."""
        ...

    def keep_facts(self, turn: Turn) -> None:
        """Record the facts that came up."""
        ...

    def known_facts(self) -> dict[str, Evidence]:
        """Return the facts that came up in earlier turns, by id."""
        ...

    def facts(self, ids: Sequence[str]) -> tuple[Evidence, ...]:
        """Return recorded facts by id; those that are not recorded are left out."""
        ...

    def said(self) -> list[tuple[str, str]]:
        """Return what was said so far: 'user' or 'assistant', and the text."""
        ...

    def asked(self) -> tuple[str, ...]:
        """Return the person's words since the last experiment ended."""
        ...

    def spent(self) -> tuple[int, int]:
        """Return the calls of models and of tools in this conversation so far."""
        ...

    def tool_context(self) -> ToolContext:
        """Return what tools see that a language model calls."""
        ...

    @property
    def registry(self) -> Mapping[str, AnyTool]:
        """The tools."""
        ...


class OfflineEngine:
    """Answers by rules.

    Parameters
    ----------
    words
        What requests can name; by default what this installation has.
    """

    name = NAME

    def __init__(self, words: Vocabulary | None = None) -> None:
        self._words = words or vocabulary()
        self._planner = OfflinePlanner(self._words)

    def respond(self, text: str, work: Work, turn: Turn) -> Answers:
        """Answer a request."""
        intent = self._planner.understand(text, work.history)
        work.remember(work.history.after(intent))
        yield from self.carry_out(intent, work, turn)

    def carry_out(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        """Do what was understood, and say what came of it."""
        steps = {
            IntentKind.PLAN_EXPERIMENT: self._plan,
            IntentKind.INTERPRET_VARIANT: self._interpret,
            IntentKind.TRIAGE_VCF: self._triage,
            IntentKind.LOOKUP_VARIANT: self._look_up,
            IntentKind.EXPLAIN_RESULT: self._explain,
            IntentKind.COMPARE_EXPERIMENTS: self._compare,
            IntentKind.LIST_EXPERIMENTS: self._list,
            IntentKind.JOB_STATUS: self._jobs,
        }
        step = steps.get(intent.kind)
        if step is not None:
            yield from step(intent, work, turn)
        elif intent.kind is IntentKind.HELP:
            yield self._say(help_text(self._words, planner=_SELF))
        else:
            yield self._say(f"I did not understand that. {_SELF} 'help' shows what you can ask for.")

    def _plan(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        if intent.plan is None:
            yield self._say(open_text(intent))
            return
        plan_id = work.record_plan(intent)
        yield PlanProposed(plan_id=plan_id, plan=intent.plan)
        yield self._say(f"(offline planner)\n{plan_text(intent.plan, plan_id)}")
        yield from work.run("plan_experiment", {"plan": plan_id}, turn)

    def _interpret(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        target = intent.target
        if target.variant is None:
            yield self._say("Which variant? For example 'is chr7-117639961-C-T splice-altering'.")
            return
        genome = target.genome or genome_of(target.variant)
        base_model = target.base_model
        if base_model is None:
            base_model = best_base_model(work.tool_context().resources.resolver, genome)
            yield self._say(_taken(base_model, genome))
        inputs = {"variant": target.variant, "genome": genome, "base_model": base_model}
        yield from work.run("interpret_variant", inputs, turn)
        if _VERDICT.search(intent.text):
            yield self._say(_NOT_JUDGED)

    def _triage(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        target = intent.target
        if target.path is None:
            yield self._say("Which file? Name a VCF, for example 'triage cohort.vcf.gz'.")
            return
        genome = target.genome or "GRCh38"
        base_model = target.base_model
        if base_model is None:
            base_model = best_base_model(work.tool_context().resources.resolver, genome)
            yield self._say(_taken(base_model, genome))
        inputs = {"source": target.path, "genome": genome, "base_model": base_model}
        yield from work.run("triage_vcf", inputs, turn)

    def _look_up(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        if intent.target.variant is None:
            yield self._say("Which variant? For example 'look up chr3-37012011-A-G'.")
            return
        values: dict[str, Any] = {"text": intent.target.variant}
        if intent.target.genome in ("GRCh37", "GRCh38"):
            values["build"] = intent.target.genome
        outcome = yield from work.call("lookup_known_variants", values, turn)
        if not isinstance(outcome, ToolFailure):
            text, facts = known_variant_answer(outcome)
            turn.gather(facts)
            work.keep_facts(turn)
            yield self._say(text, tuple(fact.id for fact in facts))

    def _explain(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        inputs: dict[str, Any] = {"question": intent.target.question}
        if intent.target.ids:
            inputs["runs"] = ",".join(intent.target.ids)
        if intent.target.metric is not None:
            inputs["metric"] = intent.target.metric
        yield from work.run("explain_result", inputs, turn)

    def _compare(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        runs = intent.target.ids or work.latest_runs(2)
        if len(runs) < 2:
            yield self._say("There are fewer than two finished runs to compare. 'list my experiments' shows them.")
            return
        inputs = {"runs": ",".join(runs)}
        if intent.target.metric is not None:
            inputs["metric"] = intent.target.metric
        yield from work.run("compare_experiments", inputs, turn)

    def _list(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        values = {"dataset": intent.target.dataset, "task": intent.target.task}
        outcome = yield from work.call(
            "list_experiments", {name: value for name, value in values.items() if value is not None}, turn
        )
        if not isinstance(outcome, ToolFailure):
            yield self._say(experiments_text(_rows(outcome["runs"])))

    def _jobs(self, intent: Intent, work: Work, turn: Turn) -> Answers:
        if intent.target.ids:
            outcome = yield from work.call("job_status", {"job_ids": list(intent.target.ids)}, turn)
            if not isinstance(outcome, ToolFailure):
                jobs = _rows(outcome["jobs"])
                yield self._say("\n".join((jobs_text([job["job"] for job in jobs]), metrics_text(jobs))).strip())
            return
        outcome = yield from work.call("list_jobs", {"limit": 5}, turn)
        if not isinstance(outcome, ToolFailure):
            yield self._say(jobs_text(_rows(outcome["jobs"])))

    def _say(self, text: str, evidence: tuple[str, ...] = ()) -> AnswerEvent:
        return AnswerEvent(text=text, author=NAME, evidence=evidence)


def _taken(base_model: str, genome: str) -> str:
    """Say which base model is taken where none was named."""
    if genome == "demo":
        return f"No base model was named: {base_model!r} is taken for the demo genome."
    if base_model == SMALL:
        return f"No base model was named: {base_model!r} is taken, as no larger one's weights are on this machine."
    return f"No base model was named: {base_model!r} is taken, the best whose weights are on this machine."


def genome_of(variant: str) -> str:
    """Return the genome that a variant's text means: the demo's contig is no chromosome."""
    return "demo" if variant.lower().startswith("minigene") else "GRCh38"


def _rows(value: JsonValue) -> list[Any]:
    return list(value) if isinstance(value, list) else []


__all__ = ["Answers", "ErrorEvent", "OfflineEngine", "Work", "genome_of"]
