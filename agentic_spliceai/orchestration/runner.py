"""Running a workflow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.types import Checkpointer
from langsmith.run_helpers import tracing_context

from agentic_spliceai.orchestration.builder import RunContext, build_graph, initial_state
from agentic_spliceai.orchestration.events import RunObserver, RunResult, RunStart, StepEnd, StepStart
from agentic_spliceai.orchestration.inputs import InputValue, check_inputs
from agentic_spliceai.orchestration.references import look_up, parse_reference
from agentic_spliceai.orchestration.validator import CheckedGraph
from agentic_spliceai.tools.context import ToolContext


def run_graph(
    graph: CheckedGraph,
    inputs: Mapping[str, InputValue],
    context: ToolContext,
    *,
    observers: Sequence[RunObserver] = (),
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
        What the tools see. With `keep_record` the run is written into its database.
    observers
        Hear every step.
    checkpointer
        Where LangGraph keeps the state between steps.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        Before anything runs, if the inputs cannot be used.
    Exception
        Whatever a step raised, after it has been recorded.
    """
    values = check_inputs(graph, inputs)
    watchers = _All([*_recorders(context), *observers])
    start = RunStart(context.run_id, graph.spec.name, graph.document.sha256, values, context.started_at)
    begin = time.perf_counter()
    watchers.run_started(start)
    try:
        compiled = build_graph(graph, checkpointer=checkpointer)
        # Variants are patient data: nothing goes to a tracing service, whatever the environment says.
        with tracing_context(enabled=False):
            state = compiled.invoke(
                initial_state(values),
                {"recursion_limit": len(graph.spec.nodes) + 5, "configurable": {"thread_id": context.run_id}},
                context=RunContext(context, watchers),
                durability="sync" if checkpointer else None,
                version="v2",
            ).value
        result = RunResult(
            run_id=context.run_id,
            graph=graph.spec.name,
            inputs=values,
            outputs=_outputs(graph, state),
            started_at=context.started_at,
            seconds=time.perf_counter() - begin,
            timings=dict(context.timings),
        )
        watchers.run_succeeded(result)
    except BaseException as error:
        watchers.run_failed(start, error, watchers.failed_node)
        raise
    return result


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
    """Passes everything on to several watchers, and remembers which node failed."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = observers
        self.failed_node: str | None = None

    def run_started(self, start: RunStart) -> None:
        for observer in self._observers:
            observer.run_started(start)

    def step_started(self, start: StepStart) -> None:
        self.failed_node = None
        for observer in self._observers:
            observer.step_started(start)

    def step_ended(self, end: StepEnd) -> None:
        self.failed_node = end.node if end.error is not None else None
        for observer in self._observers:
            observer.step_ended(end)

    def run_succeeded(self, result: RunResult) -> None:
        for observer in self._observers:
            observer.run_succeeded(result)

    def run_failed(self, start: RunStart, error: BaseException, node: str | None) -> None:
        for observer in self._observers:
            observer.run_failed(start, error, node)
