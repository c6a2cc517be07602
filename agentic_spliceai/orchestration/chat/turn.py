"""One turn of a conversation: what it counts, and how it runs workflows and tools while telling of it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from agentic_spliceai.orchestration.chat.events import (
    ApprovalNeeded,
    ChatEvent,
    ErrorEvent,
    ToolAdvanced,
    ToolEnded,
    ToolStarted,
)
from agentic_spliceai.orchestration.errors import PausedRun
from agentic_spliceai.orchestration.events import RunObserver, RunResult, Step, StepEnd, StepOutcome, StepStart
from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.failure import ToolFailure, attempt, failure_of
from agentic_spliceai.tools.interaction import Question, ToolProgress
from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.registry import AnyTool

#: Seconds that a stopped workflow gets to notice it.
_PATIENCE = 5.0


@dataclass
class Turn:
    """What a turn counts.

    Attributes
    ----------
    model_calls, tool_calls
        So far.
    cost_usd
        Of the language model; None where its price is not known.
    evidence
        Facts that came up, by id.
    """

    model_calls: int = 0
    tool_calls: int = 0
    cost_usd: float | None = 0.0
    evidence: dict[str, Evidence] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.perf_counter() - self.began

    def gather(self, facts: tuple[Evidence, ...]) -> None:
        """Note facts that an answer may rest on."""
        self.evidence.update((fact.id, fact) for fact in facts)


class StoppedError(KeyboardInterrupt):
    """The person stopped watching: the run is recorded as interrupted, and its jobs go on."""


class _Watcher(RunObserver):
    """Puts what a run does into a queue, and ends the run where it was told to stop."""

    def __init__(self, events: queue.Queue[ChatEvent | None], stop: threading.Event, run_id: str, turn: Turn) -> None:
        self._events, self._stop, self._run_id, self._turn = events, stop, run_id, turn

    def step_started(self, start: StepStart) -> None:
        self._check()
        self._turn.tool_calls += 1
        self._events.put(ToolStarted(name=str(start.step), purpose=start.purpose, run_id=self._run_id))

    def step_progressed(self, step: Step, progress: ToolProgress) -> None:
        self._check()
        message = printable(progress.message)
        self._events.put(ToolAdvanced(name=str(step), message=message, done=progress.done, total=progress.total))

    def step_ended(self, end: StepEnd) -> None:
        message = printable(str(end.error)) if end.error is not None else ""
        ok = end.outcome is StepOutcome.SUCCEEDED
        self._events.put(ToolEnded(name=str(end.step), ok=ok, seconds=end.seconds, message=message))

    def _check(self) -> None:
        if self._stop.is_set():
            raise StoppedError


@dataclass
class Walked:
    """How a workflow run ended.

    Attributes
    ----------
    result
        Of a run that came to its end.
    paused
        Of one that waits for an answer.
    error
        Of one that failed.
    """

    result: RunResult | None = None
    paused: PausedRun | None = None
    error: BaseException | None = None

    @property
    def status(self) -> str:
        """One word for the record."""
        if self.result is not None:
            return "succeeded"
        if self.paused is not None:
            return "waiting"
        return "stopped" if isinstance(self.error, KeyboardInterrupt) else "failed"


Walk = Callable[[RunObserver], RunResult]


def walk_events(walk: Walk, run_id: str, turn: Turn) -> Generator[ChatEvent, None, Walked]:
    """Run a workflow in a thread of its own, and tell what it does while it does it.

    Closing the generator, or Ctrl-C while it waits, stops the watching: the run is recorded as interrupted and can be
    taken up again; jobs that it started go on.

    Parameters
    ----------
    walk
        Runs it with the observer that it is given.
    run_id
        Its id.
    turn
        Counts its steps.
    """
    events: queue.Queue[ChatEvent | None] = queue.Queue()
    stop = threading.Event()
    outcome = Walked()

    def work() -> None:
        try:
            outcome.result = walk(_Watcher(events, stop, run_id, turn))
        except PausedRun as paused:
            outcome.paused = paused
        except BaseException as error:  # noqa: BLE001 - handed to the thread that watches
            outcome.error = error
        finally:
            events.put(None)

    thread = threading.Thread(target=work, name=f"run-{run_id}", daemon=True)
    thread.start()
    try:
        while (event := events.get()) is not None:
            yield event
        thread.join()
    except (KeyboardInterrupt, GeneratorExit):
        stop.set()
        thread.join(_PATIENCE)
        raise
    if outcome.paused is not None:
        yield ApprovalNeeded(run_id=run_id, question=_harmless(outcome.paused.question))
    elif outcome.error is not None:
        yield error_event(outcome.error)
    return outcome


def _harmless(question: Question) -> Question:
    """Return a question without characters that act on a terminal: it may quote what a file or a model said."""

    def clean(value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return printable(value, keep="\n")
        if isinstance(value, list):
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {printable(name): clean(item) for name, item in value.items()}
        return value

    details = {printable(name): clean(value) for name, value in question.details.items()}
    return question.model_copy(update={"title": printable(question.title), "details": details})


def call_events(
    tool: AnyTool, values: Mapping[str, Any], context: ToolContext, turn: Turn
) -> Generator[ChatEvent, None, dict[str, JsonValue] | ToolFailure]:
    """Call one tool and tell of it; returns its result, or the failure that stands for it."""
    yield ToolStarted(name=tool.name, purpose=tool.purpose)
    turn.tool_calls += 1
    begin = time.perf_counter()
    outcome = attempt(tool, dict(values), context.at(tool.name))
    seconds = time.perf_counter() - begin
    if isinstance(outcome, ToolFailure):
        yield ToolEnded(name=tool.name, ok=False, seconds=seconds, message=outcome.message)
        yield ErrorEvent(code=outcome.code, message=outcome.message, advice=outcome.advice)
    else:
        yield ToolEnded(name=tool.name, ok=True, seconds=seconds)
    return outcome


def error_event(error: BaseException) -> ErrorEvent:
    """Return an error as an event; what is not typed is named as unexpected."""
    if isinstance(error, SpliceEngineError):
        return ErrorEvent(code=error.code, message=printable(error.message), advice=printable(error.advice))
    if isinstance(error, KeyboardInterrupt):
        return ErrorEvent(code="interrupted", message="stopped.", advice="")
    failure = failure_of(error) if isinstance(error, Exception) else None
    if failure is None:
        return ErrorEvent(code="interrupted", message=f"{type(error).__name__}.", advice="")
    return ErrorEvent(code=failure.code, message=failure.message, advice=failure.advice)


Events = Iterator[ChatEvent]
