"""A checked workflow as a LangGraph graph."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict, TypeVar

from langgraph.errors import GraphBubbleUp
from langgraph.graph import END as LANGGRAPH_END
from langgraph.graph import START as LANGGRAPH_START
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, RetryPolicy
from pydantic import JsonValue

from agentic_spliceai.orchestration.asking import StepAsker
from agentic_spliceai.orchestration.errors import StepTimeoutError
from agentic_spliceai.orchestration.events import RunObserver, Step, StepEnd, StepOutcome, StepStart
from agentic_spliceai.orchestration.fan_out import Items, item_node, join_items, join_node, joined, next_items
from agentic_spliceai.orchestration.references import is_reference, literal, look_up, parse_reference
from agentic_spliceai.orchestration.spec import END, START, EdgeSpec, NodeSpec, RetrySpec
from agentic_spliceai.orchestration.types import route_key
from agentic_spliceai.orchestration.validator import CheckedGraph
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import Listener, ToolProgress
from agentic_spliceai.tools.registry import AnyTool

STATE_SCHEMA_VERSION = 1

#: Failures that may be gone at the next attempt: a download, a file system. Not what depends on the input, and not a
#: step that ran out of time: its first attempt still runs (see `_within`), and a second one would run beside it.
TRANSIENT = (ResourceError, OSError)

Returned = TypeVar("Returned")


def _join(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {**left, **right}


class WorkflowState(TypedDict):
    """What travels through the graph: JSON-able values only, so that it can be kept and read back.

    `results` holds each step's result by the node's name; what is large is in the artifact store. `items` holds what a
    fan-out has so far.
    """

    schema_version: int
    inputs: dict[str, Any]
    results: Annotated[dict[str, Any], _join]
    items: Annotated[Items, join_items]


@dataclass(frozen=True)
class RunContext:
    """What nodes get beside the state; never kept.

    Attributes
    ----------
    tools
        What the tools see; each step gets its own copy.
    observer
        Hears of every step.
    pauses
        Whether a question that nobody answers at once pauses the run.
    tried
        Attempts at a step in earlier processes.
    """

    tools: ToolContext
    observer: RunObserver
    pauses: bool = False
    tried: Mapping[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def took(self, step: Step, seconds: float) -> None:
        """Note the time of a step; of a fan-out, the sum over its items."""
        with self._lock:
            before = self.tools.timings.get(step.node, 0.0) if step.item is not None else 0.0
            self.tools.timings[step.node] = before + seconds


Builder = StateGraph[WorkflowState, RunContext, WorkflowState, WorkflowState]
Compiled = CompiledStateGraph[WorkflowState, RunContext, WorkflowState, WorkflowState]


class ItemState(TypedDict):
    """What one item of a fan-out is worked on with; `number` counts from 0."""

    number: int
    count: int
    arguments: dict[str, Any]


def build_graph(graph: CheckedGraph, *, checkpointer: Checkpointer = None) -> Compiled:
    """Compile a workflow.

    Parameters
    ----------
    graph
        Checked; a graph with problems never gets here.
    checkpointer
        Where LangGraph keeps the state between steps; none by default.
    """
    builder: Builder = StateGraph(WorkflowState, context_schema=RunContext)
    for node in graph.spec.nodes:
        _add_node(builder, node, graph.registry[node.use])
    leave = {node.name: join_node(node.name) for node in graph.spec.nodes if node.each is not None}
    for edge in graph.spec.edges:
        source = _name(leave.get(edge.from_, edge.from_))
        if edge.to is not None:
            builder.add_edge(source, _name(edge.to))
        else:
            routes: dict[Hashable, str] = {value: _name(target) for value, target in (edge.routes or {}).items()}
            builder.add_conditional_edges(source, _router(edge), routes)
    return builder.compile(checkpointer=checkpointer, name=graph.spec.name)


def initial_state(inputs: Mapping[str, Any]) -> WorkflowState:
    """Return the state in which a run starts."""
    return {"schema_version": STATE_SCHEMA_VERSION, "inputs": dict(inputs), "results": {}, "items": {}}


def _name(name: str) -> str:
    return {START: LANGGRAPH_START, END: LANGGRAPH_END}.get(name, name)


def _retry_policy(retry: RetrySpec) -> RetryPolicy:
    return RetryPolicy(initial_interval=retry.wait, max_attempts=retry.attempts, jitter=False, retry_on=TRANSIENT)


def _router(edge: EdgeSpec) -> Callable[[WorkflowState], str]:
    reference = parse_reference(edge.when or "")
    assert reference is not None  # the validator has seen it

    def route(state: WorkflowState) -> str:
        return route_key(look_up(reference, state["inputs"], state["results"]))

    return route


def _add_node(builder: Builder, node: NodeSpec, tool: AnyTool) -> None:
    call = _Call(node, tool)
    retry_policy = _retry_policy(node.retry) if node.retry else None
    metadata = {"tool": node.use}
    if node.each is None:
        builder.add_node(node.name, call.whole, retry_policy=retry_policy, metadata=metadata)
        return
    item, join = item_node(node.name), join_node(node.name)
    builder.add_node(node.name, _nothing, metadata=metadata)
    builder.add_node(item, call.item, retry_policy=retry_policy, metadata=metadata, input_schema=ItemState)
    builder.add_node(join, lambda state: joined(node, state), metadata=metadata)
    builder.add_conditional_edges(
        node.name, lambda state: next_items(node, state, _arguments(node, state)), [item, join]
    )
    builder.add_edge(item, node.name)


def _nothing(state: WorkflowState) -> dict[str, Any]:
    return {}


class _Call:
    """What LangGraph calls for a node, or for one item of a fan-out."""

    def __init__(self, node: NodeSpec, tool: AnyTool) -> None:
        self._node = node
        self._tool = tool

    def whole(self, state: WorkflowState, *, runtime: Runtime[RunContext]) -> dict[str, Any]:
        name = self._node.name
        return {"results": {name: self._call(Step(name), lambda: _arguments(self._node, state), runtime)}}

    def item(self, state: ItemState, *, runtime: Runtime[RunContext]) -> dict[str, Any]:
        name, number = self._node.name, state["number"]
        step = Step(name, number + 1, state["count"])
        try:
            values = self._call(step, lambda: state["arguments"], runtime)
        except Exception as error:
            if not isinstance(error, GraphBubbleUp):
                error.add_note(f"It was item {step.item} of {step.items} of step {name!r}.")
            raise
        return {"items": {name: {str(number): values}}}

    def _call(
        self, step: Step, arguments: Callable[[], dict[str, Any]], runtime: Runtime[RunContext]
    ) -> dict[str, JsonValue]:
        context, node, tool = runtime.context, self._node, self._tool
        attempt = runtime.execution_info.node_attempt if runtime.execution_info else 1
        attempt += context.tried.get(str(step), 0)
        start = StepStart(node.name, tool.name, tool.purpose, attempt, datetime.now(UTC), step)
        context.observer.step_started(start)
        begin = time.perf_counter()

        def end(outcome: StepOutcome, error: BaseException | None = None) -> StepEnd:
            seconds = time.perf_counter() - begin
            return StepEnd(node.name, tool.name, attempt, start.started_at, seconds, outcome, step, error)

        seen = context.tools.at(
            str(step),
            ask=StepAsker(str(step), context.tools.ask, pauses=context.pauses),
            listen=_listener(context, step),
        )
        try:
            parsed = tool.parse_args(arguments())
            result = _within(node, lambda: tool.call(parsed, seen))
            # A state that does not fit is kept by LangGraph before anyone looks at it, and then the run can be neither
            # read nor resumed (langgraph #6491): the update is checked here.
            values = tool.dump_result(result)
        except GraphBubbleUp:
            context.observer.step_paused(step)
            raise
        except Exception as error:
            context.observer.step_ended(end(StepOutcome.FAILED, error))
            raise
        except BaseException as error:
            context.observer.step_ended(end(StepOutcome.INTERRUPTED, error))
            raise
        ended = end(StepOutcome.SUCCEEDED)
        context.took(step, ended.seconds)
        context.observer.step_ended(ended)
        return values


def _listener(context: RunContext, step: Step) -> Listener:
    def listen(progress: ToolProgress) -> None:
        context.observer.step_progressed(step, progress)
        context.tools.listen(progress)

    return listen


def _arguments(node: NodeSpec, state: WorkflowState) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name, value in node.with_.items():
        reference = parse_reference(str(value)) if is_reference(value) else None
        if reference is None:
            arguments[name] = literal(value)
        elif not reference.optional or reference.source in state["results"]:
            arguments[name] = look_up(reference, state["inputs"], state["results"])
    return arguments


def _within(node: NodeSpec, call: Callable[[], Returned]) -> Returned:
    """Call within the node's `timeout`.

    LangGraph's own time-out works on async nodes only. A thread cannot be stopped: a step that runs out of time is left
    behind in a daemon thread, which does not keep the process alive.
    """
    if node.timeout is None:
        return call()
    outcome: list[Returned] = []
    failure: list[BaseException] = []
    variables = contextvars.copy_context()

    def work() -> None:
        try:
            outcome.append(variables.run(call))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=work, name=f"step-{node.name}", daemon=True)
    thread.start()
    thread.join(node.timeout)
    if thread.is_alive():
        raise StepTimeoutError(
            f"step {node.name!r} took longer than {node.timeout:g} s.", "Give it a longer `timeout` in the workflow."
        )
    if failure:
        raise failure[0]
    return outcome[0]
