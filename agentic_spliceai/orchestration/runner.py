"""Running a workflow, and taking up a run that was paused, stopped or failed."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Checkpointer, Command
from langsmith.run_helpers import tracing_context

from agentic_spliceai.orchestration.asking import read_question
from agentic_spliceai.orchestration.builder import RunContext, WorkflowState, build_graph, initial_state
from agentic_spliceai.orchestration.checkpoints import open_checkpoints
from agentic_spliceai.orchestration.errors import CheckpointError, PausedRun
from agentic_spliceai.orchestration.events import RunObserver, RunResult, RunStart, Step, StepEnd, StepStart
from agentic_spliceai.orchestration.inputs import InputValue, check_inputs
from agentic_spliceai.orchestration.references import look_up, parse_reference
from agentic_spliceai.orchestration.resuming import Resumption, begin_again, drop_leftovers
from agentic_spliceai.orchestration.validator import CheckedGraph
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import Answer, NoPlanner, ToolProgress
from agentic_spliceai.tools.registry import ToolRegistry

if TYPE_CHECKING:
    from agentic_spliceai.records.plan import ExperimentPlan

Entry = WorkflowState | Command[Any] | None

#: Threads beside those that work on items, so that what an item gave is kept while others are worked on.
_KEEPERS = 4


def run_graph(
    graph: CheckedGraph,
    inputs: Mapping[str, InputValue],
    context: ToolContext,
    *,
    observers: Sequence[RunObserver] = (),
    durable: bool = True,
    checkpointer: Checkpointer = None,
) -> RunResult:
    """Run a workflow from START to END.

    Parameters
    ----------
    graph
        A checked workflow.
    inputs
        Values by name; the others take their defaults.
    context
        What the tools see. With `keep_record` the run is written into its database. Where its `ask` refuses, a durable
        run pauses at the question.
    observers
        Hear every step.
    durable
        Whether the state is kept after each step, so that `resume_run` can take the run up again. A run without a
        record is never kept.
    checkpointer
        Where LangGraph keeps the state, instead of at the settings' `checkpoints_url`.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        Before anything runs, if the inputs cannot be used.
    PausedRun
        If a step asks and nobody answers at once; the run is then recorded as waiting.
    Exception
        Whatever a step raised, after it has been recorded.
    """
    values = check_inputs(graph, inputs)
    start = RunStart(context.run_id, graph.spec.name, graph.document.sha256, values, context.started_at)
    own = durable and context.keep_record and checkpointer is None
    if own:
        # Before the run is recorded, so that there is none that could not be taken up again.
        context.artifacts.put_bytes(graph.document.text.encode())
    walk = _Walk(graph, context, observers, start)
    with walk.watched():
        if not own:
            return walk.go(initial_state(values), checkpointer)
        with open_checkpoints(context.settings.checkpoints_url) as saver:
            drop_leftovers(saver, context.records)
            return walk.to_end(initial_state(values), saver)


def resume_run(
    run_id: str,
    context: ToolContext,
    *,
    observers: Sequence[RunObserver] = (),
    answer: Answer | None = None,
    registry: ToolRegistry | None = None,
) -> RunResult:
    """Take up a run that waits, was stopped, or failed, at the step that had not finished.

    The workflow is the one that the run began with, whatever has become of its file, and the run keeps its id.

    Parameters
    ----------
    run_id
        The run's id, or an unambiguous beginning of it.
    context
        What the tools see; its run id and start are replaced by the run's.
    observers
        Hear every step.
    answer
        To the question that the run waits for. Without, the step asks again: `context.ask`, or by a pause.
    registry
        The tools; by default those of the package.

    Returns
    -------
    RunResult

    Raises
    ------
    UnknownRunError
        If there is no such run.
    RunFinishedError
        If it has succeeded.
    RunBusyError
        If another process works on it.
    ResumeError
        If its state is of another version or gone, or the tools have changed so that it no longer fits them.
    AnswerError
        If `answer` is none of the question's choices, or the run waits for none.
    PausedRun
        If a step asks and nobody answers at once.
    """
    with open_checkpoints(context.settings.checkpoints_url) as saver:
        resumption = begin_again(run_id, saver, context, registry, answer)
        run = resumption.run
        context = copy.copy(context)
        context.run_id, context.started_at, context.timings = run.id, run.started_at, dict(resumption.timings)
        start = RunStart(
            run.id, run.graph_name, run.graph_sha256, resumption.inputs, run.started_at, attempt=run.attempts + 1
        )
        walk = _Walk(resumption.graph, context, observers, start, resumption)
        with walk.watched():
            return walk.to_end(resumption.entry, saver)


class _Walk:
    """One process's part of a run."""

    def __init__(
        self,
        graph: CheckedGraph,
        context: ToolContext,
        observers: Sequence[RunObserver],
        start: RunStart,
        resumption: Resumption | None = None,
    ) -> None:
        self._graph = graph
        self._context = _with_planner(context)
        self._watchers = _All([*_recorders(context), *observers])
        self._start = start
        self._tried = resumption.tried if resumption else {}
        self._begin = time.perf_counter()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Tell the observers that the run begins, and how it ended."""
        self._watchers.run_started(self._start)
        try:
            yield
        except PausedRun as paused:
            self._watchers.run_paused(paused)
            raise
        except BaseException as error:
            self._watchers.run_failed(self._start, error, self._watchers.failed_step)
            raise

    def to_end(self, entry: Entry, saver: BaseCheckpointSaver[Any]) -> RunResult:
        """Walk as `go` does, and drop what was kept when the run has been recorded as succeeded."""
        result = self.go(entry, saver)
        # A result is not given up for the room that its state takes: the next run drops what is left of this one.
        with contextlib.suppress(CheckpointError):
            saver.delete_thread(self._context.run_id)
        return result

    def go(self, entry: Entry, checkpointer: Checkpointer) -> RunResult:
        """Walk to END, or to a question; None goes on where the kept state stands."""
        compiled = build_graph(self._graph, checkpointer=checkpointer)
        # Variants are patient data: nothing goes to a tracing service, whatever the environment says.
        with tracing_context(enabled=False):
            output = compiled.invoke(
                entry,
                {
                    "recursion_limit": _limit(self._graph),
                    "max_concurrency": _KEEPERS + max(node.parallel for node in self._graph.spec.nodes),
                    "configurable": {"thread_id": self._context.run_id},
                },
                context=RunContext(self._context, self._watchers, checkpointer is not None, self._tried),
                durability="sync" if checkpointer else None,
                version="v2",
            )
        if output.interrupts:
            raise PausedRun(self._context.run_id, *read_question(output.interrupts[0].value))
        result = RunResult(
            run_id=self._context.run_id,
            graph=self._graph.spec.name,
            inputs=self._start.inputs,
            outputs=_outputs(self._graph, output.value),
            started_at=self._context.started_at,
            seconds=time.perf_counter() - self._begin,
            timings=dict(self._context.timings),
        )
        self._watchers.run_succeeded(result)
        return result


def _with_planner(context: ToolContext) -> ToolContext:
    """Return a context that can turn a request into a plan: by the offline planner, where it has no other."""
    if not isinstance(context.planner, NoPlanner):
        return context
    context = copy.copy(context)
    context.planner = _OfflinePlanner()
    return context


class _OfflinePlanner:
    """The offline planner, loaded when a workflow asks for a plan: most do not."""

    def plan(self, request: str) -> ExperimentPlan:
        """Return the plan; raises as `planner.offline.OfflinePlanner.plan`."""
        from agentic_spliceai.orchestration.planner.offline import OfflinePlanner

        return OfflinePlanner().plan(request)


def _limit(graph: CheckedGraph) -> int:
    """Return how many rounds LangGraph may take: a walk has no circles, but a fan-out takes as many as it has items."""
    return 1_000_000 if any(node.each for node in graph.spec.nodes) else len(graph.spec.nodes) + 5


def _recorders(context: ToolContext) -> list[RunObserver]:
    if not context.keep_record:
        return []
    from agentic_spliceai.orchestration.recording import Recorder

    return [Recorder(context.records)]


def _outputs(graph: CheckedGraph, state: Mapping[str, Any]) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    for name, text in graph.spec.outputs.items():
        reference = parse_reference(text)
        assert reference is not None  # the validator has seen it
        ran = not reference.optional or reference.source in state["results"]
        outputs[name] = look_up(reference, state["inputs"], state["results"]) if ran else None
    return outputs


class _All(RunObserver):
    """Passes everything on to several watchers, one call at a time, and remembers which step failed."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = observers
        self._lock = threading.RLock()
        self.failed_step: str | None = None

    def run_started(self, start: RunStart) -> None:
        with self._lock:
            for observer in self._observers:
                observer.run_started(start)

    def step_started(self, start: StepStart) -> None:
        with self._lock:
            if self.failed_step == str(start.step):
                self.failed_step = None
            for observer in self._observers:
                observer.step_started(start)

    def step_progressed(self, step: Step, progress: ToolProgress) -> None:
        with self._lock:
            for observer in self._observers:
                observer.step_progressed(step, progress)

    def step_ended(self, end: StepEnd) -> None:
        with self._lock:
            # Of several items the first that failed is the one whose error ends the run.
            if end.error is not None:
                self.failed_step = self.failed_step or str(end.step)
            for observer in self._observers:
                observer.step_ended(end)

    def step_paused(self, step: Step) -> None:
        with self._lock:
            for observer in self._observers:
                observer.step_paused(step)

    def run_succeeded(self, result: RunResult) -> None:
        with self._lock:
            for observer in self._observers:
                observer.run_succeeded(result)

    def run_paused(self, paused: PausedRun) -> None:
        with self._lock:
            for observer in self._observers:
                observer.run_paused(paused)

    def run_failed(self, start: RunStart, error: BaseException, node: str | None) -> None:
        with self._lock:
            for observer in self._observers:
                observer.run_failed(start, error, node)
