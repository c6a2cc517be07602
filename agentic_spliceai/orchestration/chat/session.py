"""A conversation: every message is written down before it is acted on, and what was cut off can be taken up again."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, Self

from pydantic import JsonValue

from agentic_spliceai.orchestration.chat.citing import facts_of_run
from agentic_spliceai.orchestration.chat.events import EVENT, AnswerEvent, ChatEvent, ErrorEvent, StatusEvent
from agentic_spliceai.orchestration.chat.offline import OfflineEngine, Work
from agentic_spliceai.orchestration.chat.outcomes import answer_of
from agentic_spliceai.orchestration.chat.turn import Turn, Walked, call_events, error_event, walk_events
from agentic_spliceai.orchestration.events import RunObserver, RunResult
from agentic_spliceai.orchestration.planner.intents import History, Intent
from agentic_spliceai.orchestration.planner.offline import OfflinePlanner
from agentic_spliceai.orchestration.resuming import pending_question
from agentic_spliceai.orchestration.runner import resume_run, run_graph
from agentic_spliceai.orchestration.validator import load_graph
from agentic_spliceai.records.errors import UnknownRecordError, UnknownRunError
from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.records.models import RunStatus
from agentic_spliceai.records.sessions import ChatMessage
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.context import Resources, ToolContext, new_run_id
from agentic_spliceai.tools.failure import ToolFailure
from agentic_spliceai.tools.interaction import Answer, Asker, TextWriter, no_one
from agentic_spliceai.tools.registry import ToolRegistry, default_registry
from agentic_spliceai.tools.spec import SideEffect, ToolArgumentError

_TITLE = 80
_OPEN = ("started", "waiting", "stopped")

_GO_ON = frozenset({"continue", "go on", "resume"})

#: What an engine may call without a plan.
_CALLABLE = (SideEffect.NONE, SideEffect.WRITES_FILES, SideEffect.WRITES_RECORDS)


class Engine(Protocol):
    """Answers requests: the offline planner, or a language model."""

    @property
    def name(self) -> str:
        """Stands in the status line."""
        ...

    def respond(self, text: str, work: Work, turn: Turn) -> Generator[ChatEvent, None, None]:
        """Answer a request."""
        ...


class ChatSession:
    """One conversation.

    Parameters
    ----------
    resources
        Shared with other conversations of the process.
    session_id
        A conversation to go on with: its id, a beginning of it, or 'latest'; by default a new one.
    engine
        Answers; by default the offline planner.
    ask
        Answers approvals at once, as `--approve` does. By default a run pauses, and `answer` takes it up again.
    writer
        A language model for summaries; their texts are checked.
    registry
        The tools.
    graphs
        Files of workflows to run instead of those that the package has, by name.
    user
        Who answers approvals, for the record.

    Raises
    ------
    UnknownRecordError
        If there is no such conversation.
    """

    def __init__(
        self,
        resources: Resources | None = None,
        *,
        session_id: str | None = None,
        engine: Engine | None = None,
        ask: Asker = no_one,
        writer: TextWriter | None = None,
        registry: ToolRegistry | None = None,
        graphs: Mapping[str, str] | None = None,
        user: str = "terminal",
    ) -> None:
        self.resources = resources or Resources()
        self.engine = engine or OfflineEngine()
        self._ask, self._writer, self._user = ask, writer, user
        self._graphs = dict(graphs or {})
        self.registry = registry or default_registry()
        self._store = self.resources.records
        sessions = self._store.sessions
        found = sessions.get(session_id) if session_id is not None else sessions.create("", self.engine.name)
        self.id = found.id
        self._history: History | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """What was said and done so far."""
        return self._store.sessions.messages(self.id)

    @property
    def waiting(self) -> str | None:
        """The workflow run that waits for a person's answer, None where none does."""
        opened = self._open_run()
        return opened[0] if opened is not None and opened[2] == "waiting" else None

    def send(self, text: str) -> Generator[ChatEvent, None, None]:
        """Answer a message. While a run waits for an approval, one of its choices is the answer to it."""
        text = text.strip()
        if (choice := self._choice(text)) is not None:
            yield from self.answer(choice)
            return
        if text.lower().strip(" .!") in _GO_ON and self._open_run() is not None:
            yield from self.catch_up()
            return
        if not any(message.role == "user" for message in self.messages):
            self._store.sessions.touch(self.id, title=text[:_TITLE])
        self._keep("user", "text", text)
        yield from self._turn(lambda turn: self._respond(text, turn))

    def answer(self, choice: str, *, comment: str = "") -> Generator[ChatEvent, None, None]:
        """Answer the question of the run that waits, and go on with the run.

        Raises
        ------
        ToolArgumentError
            If no run waits.
        """
        run_id = self.waiting
        if run_id is None:
            raise ToolArgumentError("nothing waits for an answer.", "Ask for an experiment first.")
        self._keep("user", "approval", choice, {"run_id": run_id, "comment": comment})
        given = Answer(choice=choice, by=self._user, comment=comment)
        yield from self._turn(lambda turn: self._resume(run_id, given, turn))

    def catch_up(self) -> Generator[ChatEvent, None, None]:
        """Take up what was cut off: a run that was stopped or waits, or a message that was not answered."""
        opened = self._open_run()
        if opened is not None:
            run_id = opened[0]
            yield from self._turn(lambda turn: self._resume(run_id, None, turn))
            return
        cut_off = self._unanswered()
        if cut_off is not None:
            text, self._history = cut_off
            yield from self._turn(lambda turn: self._respond(text, turn))

    # What engines may do.

    @property
    def history(self) -> History:
        """What was said before, as far as planning is concerned."""
        if self._history is None:
            kept = [message.payload for message in self.messages if message.kind == "history"]
            self._history = History.model_validate(kept[-1]) if kept else History()
        return self._history

    def remember(self, history: History) -> None:
        """Keep what was said."""
        if history != self.history:
            self._history = history
            self._keep("system", "history", "", history.model_dump(mode="json"))

    def record_plan(self, intent: Intent) -> str:
        """Write the plan down and return its id."""
        assert intent.plan is not None
        plan_id = self._store.plans.add(intent.plan)
        self._keep("assistant", "plan", plan_id, {"plan_id": plan_id})
        return plan_id

    def latest_runs(self, count: int) -> tuple[str, ...]:
        """Return the experiment runs that ended last, the latest first."""
        found = self._store.experiments.list(limit=50)
        return tuple(run.id for run in found if run.status == "succeeded")[:count]

    def keep_facts(self, turn: Turn) -> None:
        """Record the facts that came up, as gathered by this conversation."""
        self._store.evidence.add(self.id, turn.evidence.values())

    def known_facts(self) -> dict[str, Evidence]:
        """Return the facts that came up in this conversation, by id."""
        found = {fact.id: fact for fact in self._store.evidence.of_run(self.id)}
        for message in self.messages:
            if message.kind == "run" and message.content == "succeeded" and isinstance(message.payload, dict):
                facts = facts_of_run(str(message.payload["run_id"]), self._store)
                found.update((fact.id, fact) for fact in facts)
        return found

    def facts(self, ids: Sequence[str]) -> tuple[Evidence, ...]:
        """Return recorded facts by id; those that are not recorded are left out."""
        found = []
        for name in ids:
            try:
                found.append(self._store.evidence.get(name))
            except UnknownRecordError:
                continue
        return tuple(found)

    def said(self) -> list[tuple[str, str]]:
        """Return what was said so far; a language model's answers with their references."""
        spoken = []
        for message in self.messages:
            if message.role == "user":
                spoken.append(("user", message.content))
            elif message.kind == "answer":
                source = message.payload.get("source") if isinstance(message.payload, dict) else None
                spoken.append(("assistant", str(source or message.content)))
        return spoken

    def asked(self) -> tuple[str, ...]:
        """Return the person's words since the last experiment ended."""
        found: list[str] = []
        for message in self.messages:
            if message.role == "user" and message.kind == "text":
                found.append(message.content)
            elif message.kind == "run" and message.content in ("succeeded", "failed"):
                graph = message.payload.get("graph") if isinstance(message.payload, dict) else None
                found = [] if graph == "plan_experiment" else found
        return tuple(found)

    def spent(self) -> tuple[int, int]:
        """Return the calls of models and of tools in this conversation so far."""
        found = self._store.sessions.get(self.id)
        return found.model_calls, found.tool_calls

    def tool_context(self) -> ToolContext:
        """Return what tools see that a language model calls: nobody to ask, the conversation as their run."""
        return ToolContext(self.resources, run_id=self.id, writer=None)

    def call(
        self, tool: str, values: Mapping[str, Any], turn: Turn
    ) -> Generator[ChatEvent, None, dict[str, JsonValue] | ToolFailure]:
        """Call a tool that starts nothing; raises `ToolArgumentError` for any other."""
        spec = self.registry[tool]
        if spec.side_effect not in _CALLABLE:
            raise ToolArgumentError(f"{tool} {spec.side_effect}: it needs a plan that a person approves.", "Plan it.")
        outcome = yield from call_events(spec, values, self.context(), turn)
        return outcome

    def run(self, graph: str, inputs: Mapping[str, Any], turn: Turn) -> Generator[ChatEvent, None, Walked]:
        """Run a workflow to its end or to a question, and answer with what came out."""
        # Written down first: whatever happens from here on, the run is found again and taken up, not started twice.
        run_id = new_run_id()
        self._keep("tool", "run", "started", {"run_id": run_id, "graph": graph, "inputs": dict(inputs)})
        return (yield from self._walked(run_id, graph, self._start(run_id, graph, inputs), turn))

    def context(self, run_id: str | None = None) -> ToolContext:
        """Return what tools of this conversation see."""
        return ToolContext(self.resources, run_id=run_id, ask=self._ask, writer=self._writer, planner=OfflinePlanner())

    # Turns and runs.

    def _respond(self, text: str, turn: Turn) -> Generator[ChatEvent, None, None]:
        yield from self.engine.respond(text, self, turn)

    def _turn(self, work: Any) -> Generator[ChatEvent, None, None]:
        """Tell what a turn does, keep its answers and errors, and end with its status."""
        turn = Turn()
        try:
            for event in work(turn):
                if isinstance(event, AnswerEvent | ErrorEvent):
                    self._keep("assistant", event.kind, _text(event), EVENT.dump_python(event, mode="json"))
                yield event
        except SpliceEngineError as error:
            failed = error_event(error)
            self._keep("assistant", failed.kind, _text(failed), EVENT.dump_python(failed, mode="json"))
            yield failed
        status = self._status(turn)
        self._keep("system", "turn", status.line)
        yield status

    def _status(self, turn: Turn) -> StatusEvent:
        self._store.sessions.touch(
            self.id,
            model_calls=turn.model_calls,
            tool_calls=turn.tool_calls,
            cost_usd=turn.cost_usd or 0.0,
            evidence=len(turn.evidence),
        )
        cost = "cost unknown" if turn.cost_usd is None else f"${turn.cost_usd:.2f}"
        parts = (
            self.engine.name,
            _counted(turn.model_calls, "model call"),
            _counted(turn.tool_calls, "tool call"),
            f"{len(turn.evidence)} evidence",
            cost,
            f"{turn.seconds:.1f} s",
        )
        return StatusEvent(
            line=" · ".join(parts),
            model=self.engine.name,
            model_calls=turn.model_calls,
            tool_calls=turn.tool_calls,
            evidence=len(turn.evidence),
            cost_usd=turn.cost_usd,
            seconds=turn.seconds,
        )

    def _start(self, run_id: str, graph: str, inputs: Mapping[str, Any]) -> Any:
        def walk(observer: RunObserver) -> RunResult:
            checked = load_graph(self._graphs.get(graph, graph), self.registry)
            return run_graph(checked, inputs, self.context(run_id), observers=[observer])

        return walk

    def _resume(self, run_id: str, answer: Answer | None, turn: Turn) -> Generator[ChatEvent, None, None]:
        """Take a run up again; one that was not even recorded before the process ended is begun."""
        opened = self._open_run()
        graph, inputs = (opened[1], opened[3]) if opened is not None else ("", {})
        try:
            run = self._store.get_run(run_id)
        except UnknownRunError:
            yield from self._walked(run_id, graph, self._start(run_id, graph, inputs), turn)
            return
        if run.status is RunStatus.SUCCEEDED:
            # It ended, and the process did before it could say so: the record has what came out.
            yield from self._finished(run_id, graph, turn)
            return

        def walk(observer: RunObserver) -> RunResult:
            return resume_run(run_id, self.context(), observers=[observer], answer=answer, registry=self.registry)

        yield from self._walked(run_id, graph, walk, turn)

    def _walked(self, run_id: str, graph: str, walk: Any, turn: Turn) -> Generator[ChatEvent, None, Walked]:
        try:
            walked = yield from walk_events(walk, run_id, turn)
        except (KeyboardInterrupt, GeneratorExit):
            self._keep("tool", "run", "stopped", {"run_id": run_id, "graph": graph})
            self._keep("system", "turn", "stopped")
            raise
        self._keep("tool", "run", walked.status, {"run_id": run_id, "graph": graph})
        if walked.result is not None:
            turn.gather(facts_of_run(run_id, self._store))
            yield self._answer(run_id, graph, walked.result.outputs)
        return walked

    def _finished(self, run_id: str, graph: str, turn: Turn) -> Generator[ChatEvent, None, None]:
        self._keep("tool", "run", "succeeded", {"run_id": run_id, "graph": graph})
        turn.gather(facts_of_run(run_id, self._store))
        yield self._answer(run_id, graph, {})

    def _answer(self, run_id: str, graph: str, outputs: Mapping[str, Any]) -> AnswerEvent:
        answer = answer_of(run_id, graph, outputs, self._store)
        if answer.runs:
            self.remember(self.history.model_copy(update={"runs": answer.runs, "parent": answer.runs[0]}))
        return answer.event

    def _choice(self, text: str) -> str | None:
        """Return the choice of the open question that a message names, None where it names none.

        A choice is named by its word, alone or with the id of the plan that waits. Yes and no answer whatever was said
        last: they count only where that was the question itself.
        """
        run_id = self.waiting
        pending = pending_question(run_id, self.context(), self.registry) if run_id is not None else None
        if pending is None:
            return None
        said, _, which = text.lower().strip(" .!").partition(" ")
        if self._asked_last():
            said = {"yes": "approve", "y": "approve", "no": "reject", "n": "reject"}.get(said, said)
        choice = next((choice for choice in pending[1].choices if choice.lower() == said), None)
        return choice if not which or which == self._waiting_plan() else None

    def _waiting_plan(self) -> str:
        opened = self._open_run()
        return str(opened[3].get("plan", "")).lower() if opened is not None else ""

    def _asked_last(self) -> bool:
        """Whether the question of the run that waits was the last that was shown."""
        last = next((one for one in reversed(self.messages) if one.role != "system"), None)
        return last is not None and last.kind == "run" and last.content == "waiting"

    def _open_run(self) -> tuple[str, str, str, dict[str, Any]] | None:
        """Return id, workflow, state and inputs of the last run of this conversation, if it has not ended."""
        state: tuple[str, str, str, dict[str, Any]] | None = None
        inputs: dict[str, Any] = {}
        for message in self.messages:
            if message.kind == "run" and isinstance(message.payload, dict):
                given = message.payload.get("inputs")
                inputs = given if isinstance(given, dict) else inputs
                state = (str(message.payload["run_id"]), str(message.payload["graph"]), message.content, inputs)
        return state if state is not None and state[2] in _OPEN else None

    def _unanswered(self) -> tuple[str, History] | None:
        """Return the last message, and what had been said before it, if its turn did not come to an end."""
        found: tuple[str, History] | None = None
        history = History()
        for message in self.messages:
            if message.kind == "history":
                history = History.model_validate(message.payload)
            elif message.role == "user":
                found = (message.content, history) if message.kind == "text" else None
            elif message.kind == "turn":
                found = None
        return found

    def _keep(self, role: str, kind: str, content: str, payload: JsonValue = None) -> None:
        self._store.sessions.add_message(self.id, role, kind, content, payload)


def _text(event: AnswerEvent | ErrorEvent) -> str:
    return event.text if isinstance(event, AnswerEvent) else f"{event.message} {event.advice}".strip()


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
