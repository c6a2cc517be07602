"""The engine with a language model: it calls tools that start nothing, proposes plans, and every answer is checked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentic_spliceai.orchestration.chat.agent_tools import Proposals, agent_tools
from agentic_spliceai.orchestration.chat.answers import plan_text
from agentic_spliceai.orchestration.chat.checking import checked
from agentic_spliceai.orchestration.chat.citing import cited, listed
from agentic_spliceai.orchestration.chat.counting import CallCounter, TooManyCallsError
from agentic_spliceai.orchestration.chat.events import (
    AnswerEvent,
    ChatEvent,
    ErrorEvent,
    PlanProposed,
    TokenEvent,
    ToolAdvanced,
    ToolEnded,
    ToolStarted,
)
from agentic_spliceai.orchestration.chat.evidence_in import claims_in, facts_in
from agentic_spliceai.orchestration.chat.offline import Answers, OfflineEngine, Work
from agentic_spliceai.orchestration.chat.providers import Price, explained
from agentic_spliceai.orchestration.chat.turn import Turn, error_event
from agentic_spliceai.orchestration.planner.intents import IntentKind
from agentic_spliceai.orchestration.planner.known import known_text
from agentic_spliceai.orchestration.planner.offline import OfflinePlanner
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.prompting import fence, load_prompt
from agentic_spliceai.tools.vocabulary import Vocabulary, vocabulary

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AnyMessage

_REMEMBERED = 20  # messages of the conversation that the model is given
_TOLD_FACTS = 60
_COMPLETE = re.compile(r"[.!?][\"”’')]*\s+")  # the end of a sentence, once something may follow it
_READ_ONLY = (
    IntentKind.EXPLAIN_RESULT,
    IntentKind.LIST_EXPERIMENTS,
    IntentKind.JOB_STATUS,
    IntentKind.LOOKUP_VARIANT,
    IntentKind.INTERPRET_VARIANT,
    IntentKind.HELP,
)


@dataclass(frozen=True)
class Limits:
    """How often a model may be called and may call tools.

    Attributes
    ----------
    model_calls, tool_calls
        In one turn.
    session_model_calls, session_tool_calls
        In a whole conversation.
    retries
        After a failed call of the model, with a pause that begins at `retry_delay` seconds.
    """

    model_calls: int = 10
    tool_calls: int = 16
    session_model_calls: int = 200
    session_tool_calls: int = 400
    retries: int = 2
    retry_delay: float = 1.0


class ModelEngine:
    """Answers with a chat model.

    Parameters
    ----------
    model
        The chat model.
    name
        Its name, for status line and record.
    price
        What its tokens cost; None where that is not known.
    limits
        How often it may be called.
    words
        What requests can name; by default what this installation has.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        name: str,
        price: Price | None = None,
        limits: Limits | None = None,
        words: Vocabulary | None = None,
    ) -> None:
        self.name = name
        self._model, self._price = model, price
        self._limits = limits or Limits()
        self._words = words or vocabulary()
        self._rules = OfflineEngine(self._words)

    def respond(self, text: str, work: Work, turn: Turn) -> Answers:
        """Answer a request."""
        if self._price is None:
            turn.cost_usd = None
        spent = work.spent()
        if spent[0] >= self._limits.session_model_calls or spent[1] >= self._limits.session_tool_calls:
            yield ErrorEvent(
                code="limit",
                message="this conversation has used up its calls of the language model.",
                advice="Begin a new one, or go on without --model.",
            )
            return
        known = work.known_facts()
        turn_facts: dict[str, Evidence] = {}
        proposals = Proposals(self._words, f"model:{self.name}", text, work.asked())
        heard = _Heard(self, work, turn, known, turn_facts, text)
        counter = CallCounter(turn, min(self._limits.model_calls, self._limits.session_model_calls - spent[0]))
        try:
            yield from heard.listen(self._stream(text, work, known, proposals, spent, counter))
        except Exception as error:  # noqa: BLE001 - a client has exceptions of its own; each is told as an event
            yield self._failed(error, counter)
            return
        yield from self._said(text, heard, work, turn, {**known, **turn_facts}, proposals)
        for intent in proposals.accepted[-1:]:
            assert intent.plan is not None
            plan_id = work.record_plan(intent)
            work.remember(work.history.after(intent))
            yield PlanProposed(plan_id=plan_id, plan=intent.plan)
            yield AnswerEvent(text=plan_text(intent.plan, plan_id), author="rules")
            yield from work.run("plan_experiment", {"plan": plan_id}, turn)

    def _stream(
        self,
        text: str,
        work: Work,
        known: Mapping[str, Evidence],
        proposals: Proposals,
        spent: tuple[int, int],
        counter: CallCounter,
    ) -> Iterator[Any]:
        from langchain.agents import create_agent
        from langchain.agents.middleware import (
            ModelRetryMiddleware,
            ToolCallLimitMiddleware,
            ToolErrorMiddleware,
        )
        from langsmith.run_helpers import tracing_context

        limits = self._limits
        tool_calls = min(limits.tool_calls, limits.session_tool_calls - spent[1])
        # The middleware's types of state differ from each other, as create_agent's own signature does not allow.
        middleware: list[Any] = [
            ToolCallLimitMiddleware(run_limit=tool_calls, exit_behavior="continue"),
            ModelRetryMiddleware(
                max_retries=limits.retries,
                retry_on=_may_pass,
                on_failure="error",
                initial_delay=limits.retry_delay,
                jitter=False,
            ),
            # Inside the retries, so that every call counts: a failed one may cost as much as another.
            counter.middleware(),
            ToolErrorMiddleware(on_error=_told),
        ]
        agent: Any = create_agent(
            self._model,
            agent_tools(work, proposals),
            system_prompt=self._system(known, counter.most, tool_calls),
            middleware=middleware,
        )
        # Variants are patient data: nothing goes to a tracing service, whatever the environment says.
        with tracing_context(enabled=False):
            yield from agent.stream(
                {"messages": self._messages(text, work)},
                {"recursion_limit": 4 * (counter.most + tool_calls) + 10},
                stream_mode=["messages", "updates", "custom"],
            )

    def _messages(self, text: str, work: Work) -> list[AnyMessage]:
        from langchain_core.messages import AIMessage, HumanMessage

        said: list[AnyMessage] = [
            HumanMessage(content) if role == "user" else AIMessage(content) for role, content in work.said()
        ]
        if not (said and isinstance(said[-1], HumanMessage) and said[-1].content == text):
            said.append(HumanMessage(text))
        return said[-_REMEMBERED:]

    def _system(self, known: Mapping[str, Evidence], calls: int, tool_calls: int) -> str:
        limits = f"At most {calls} calls of you and {tool_calls} of tools in this turn. Nothing may be spent by a tool."
        system = load_prompt("chat_system").render(known=known_text(self._words), limits=limits)
        facts = "\n".join(
            f"{fact.id}: {printable(fact.statement)} = {printable(fact.display)}"
            for fact in list(known.values())[-_TOLD_FACTS:]
        )
        return f"{system}\n\n# Evidence of this conversation\n{fence('evidence', facts)}" if facts else system

    def _said(
        self,
        text: str,
        heard: _Heard,
        work: Work,
        turn: Turn,
        evidence: Mapping[str, Evidence],
        proposals: Proposals,
    ) -> Answers:
        """Give the model's answer where it passes, and what the rules say where it does not."""
        if not heard.final and proposals.accepted:
            return
        claim = self.checked(heard.final, evidence, text)
        if claim.status is ClaimStatus.VERIFIED:
            turn.gather(tuple(evidence[name] for name in claim.evidence_ids))
            work.keep_facts(turn)
            yield AnswerEvent(
                text=printable(cited(claim.text, evidence), keep="\n"),
                source=claim.text,
                author=self.name,
                evidence=claim.evidence_ids,
            )
            return
        problems = claim.problems
        if heard.claims or turn.evidence:
            facts = {**evidence, **turn.evidence}
            by_rules = " ".join(cited(one.text, facts) for one in heard.claims) or listed(turn.evidence.values())
            ids = tuple(dict.fromkeys(name for one in heard.claims for name in one.evidence_ids)) or tuple(
                turn.evidence
            )
            yield AnswerEvent(text=by_rules, author="rules", evidence=ids, refused=problems)
            return
        yield AnswerEvent(text="By the rules instead:", author="rules", refused=problems)
        intent = OfflinePlanner(self._words).understand(text, work.history)
        if intent.kind in _READ_ONLY:
            yield from self._rules.carry_out(intent, work, turn)
        elif not proposals.accepted:
            yield AnswerEvent(text="No evidence came up that holds an answer.", author="rules")

    def _failed(self, error: Exception, counter: CallCounter) -> ErrorEvent:
        if isinstance(error, TooManyCallsError):
            return ErrorEvent(
                code="limit",
                message=f"{self.name} went on without coming to an answer, and was stopped.",
                advice="Ask for less at once, or go on without --model.",
            )
        # Only what came out of a call of the model is the model's; anything else is a defect of this program.
        blamed = error is counter.failed and not isinstance(error, SpliceEngineError)
        return error_event(explained(error, self.name) if blamed else error)

    def checked(self, text: str, evidence: Mapping[str, Evidence], request: str) -> Claim:
        """Check what the model wrote."""
        return checked(text, evidence, self._words, self.name, request)

    def cost(self, read: int, written: int) -> float | None:
        """Return what so many tokens cost, None where the price is not known."""
        return None if self._price is None else self._price.cost(read, written)


class _Heard:
    """Listens to the agent: checked sentences and tool calls become events, evidence is noted."""

    def __init__(
        self,
        engine: ModelEngine,
        work: Work,
        turn: Turn,
        known: Mapping[str, Evidence],
        facts: dict[str, Evidence],
        request: str,
    ) -> None:
        self._engine, self._work, self._turn = engine, work, turn
        self._known, self._facts, self._request = known, facts, request
        self._begun: dict[str, float] = {}
        self._written, self._released, self._held = "", 0, False
        self.final = ""
        self.claims: list[Claim] = []

    def listen(self, stream: Iterator[Any]) -> Answers:
        """Turn what the agent streams into events."""
        for mode, chunk in stream:
            if mode == "messages":
                message, _ = chunk
                if message.type == "AIMessageChunk" and message.text:
                    yield from self._write(str(message.text))
            elif mode == "custom" and isinstance(chunk, ToolAdvanced):
                yield chunk
            elif mode == "updates":
                for update in chunk.values():
                    for message in (update or {}).get("messages", ()):
                        yield from self._message(message)

    def _write(self, piece: str) -> Iterator[ChatEvent]:
        """Release each sentence when it is complete and passes with all before it; the first that fails holds all."""
        self._written += piece
        while not self._held and (end := _COMPLETE.search(self._written, self._released)) is not None:
            evidence = {**self._known, **self._facts}
            claim = self._engine.checked(self._written[: end.end()].strip(), evidence, self._request)
            if claim.status is not ClaimStatus.VERIFIED:
                self._held = True
                return
            sentence = self._written[self._released : end.end()]
            self._released = end.end()
            yield TokenEvent(text=printable(cited(sentence, evidence), keep="\n"))

    def _message(self, message: Any) -> Iterator[ChatEvent]:
        if message.type == "ai":
            self._written, self._released, self._held = "", 0, False
            self._count(message)
            self.final = str(message.text).strip()
            for call in message.tool_calls:
                self._begun.setdefault(str(call["id"]), time.perf_counter())
                self._turn.tool_calls += 1
                yield ToolStarted(name=printable(str(call["name"])), purpose="called by the language model")
        elif message.type == "tool":
            # Two calls may share an id: the second finds no beginning of its own.
            now = time.perf_counter()
            seconds = max(0.0, now - self._begun.pop(str(message.tool_call_id), now))
            ok = message.status != "error"
            text = str(message.text)
            yield ToolEnded(
                name=printable(str(message.name)), ok=ok, seconds=seconds, message="" if ok else printable(text[:300])
            )
            if ok:
                self._gather(text, message.artifact)

    def _gather(self, text: str, artifact: Any) -> None:
        facts = facts_in(text, artifact, self._work.facts)
        self._facts.update((fact.id, fact) for fact in facts)
        self._turn.gather(facts)
        self._work.keep_facts(self._turn)
        self.claims = list(claims_in(text)) or self.claims

    def _count(self, message: Any) -> None:
        usage = message.usage_metadata
        price = self._engine.cost(usage["input_tokens"], usage["output_tokens"]) if usage else None
        # A call whose tokens nobody counted makes the turn's cost unknown.
        self._turn.cost_usd = None if price is None or self._turn.cost_usd is None else self._turn.cost_usd + price


def _may_pass(error: Exception) -> bool:
    """Whether the same call of the model may succeed later."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status in (408, 409, 429) or status >= 500
    return (
        isinstance(error, ConnectionError | TimeoutError)
        or "Timeout" in type(error).__name__
        or ("Connection" in type(error).__name__)
    )


def _told(error: Exception, request: Any) -> str | None:
    """Return a tool's error as the model reads it; what nobody foresaw ends the turn."""
    return f"{error}" if isinstance(error, SpliceEngineError) else None
