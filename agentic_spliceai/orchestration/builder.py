"""A checked workflow as a LangGraph graph."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol, TypedDict, TypeVar

from langgraph.graph import END as LANGGRAPH_END
from langgraph.graph import START as LANGGRAPH_START
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, RetryPolicy

from agentic_spliceai.orchestration.errors import StepTimeoutError
from agentic_spliceai.orchestration.events import RunObserver, StepEnd, StepOutcome, StepStart
from agentic_spliceai.orchestration.references import is_reference, literal, look_up, parse_reference
from agentic_spliceai.orchestration.spec import END, START, EdgeSpec, NodeSpec, RetrySpec
from agentic_spliceai.orchestration.types import route_key
from agentic_spliceai.orchestration.validator import CheckedGraph
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.tools.context import ToolContext
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

    `results` holds each step's result by the node's name; what is large is in the artifact store.
    """

    schema_version: int
    inputs: dict[str, Any]
    results: Annotated[dict[str, Any], _join]


@dataclass(frozen=True)
class RunContext:
    """What nodes get beside the state; never kept."""

    tools: ToolContext
    observer: RunObserver


Compiled = CompiledStateGraph[WorkflowState, RunContext, WorkflowState, WorkflowState]


class NodeFunction(Protocol):
    """What LangGraph calls for a node."""

    def __call__(self, state: WorkflowState, *, runtime: Runtime[RunContext]) -> dict[str, Any]:
        """Return the update of the state."""
        ...


def build_graph(graph: CheckedGraph, *, checkpointer: Checkpointer = None) -> Compiled:
    """Compile a workflow.

    Parameters
    ----------
    graph
        Checked; a graph with problems never gets here.
    checkpointer
        Where LangGraph keeps the state between steps; none by default.
    """
    builder: StateGraph[WorkflowState, RunContext, WorkflowState, WorkflowState] = StateGraph(
        WorkflowState, context_schema=RunContext
    )
    for node in graph.spec.nodes:
        builder.add_node(
            node.name,
            _node_function(node, graph.registry[node.use]),
            retry_policy=_retry_policy(node.retry) if node.retry else None,
            metadata={"tool": node.use},
        )
    for edge in graph.spec.edges:
        if edge.to is not None:
            builder.add_edge(_name(edge.from_), _name(edge.to))
        else:
            routes: dict[Hashable, str] = {value: _name(target) for value, target in (edge.routes or {}).items()}
            builder.add_conditional_edges(_name(edge.from_), _router(edge), routes)
    return builder.compile(checkpointer=checkpointer, name=graph.spec.name)


def initial_state(inputs: Mapping[str, Any]) -> WorkflowState:
    """Return the state in which a run starts."""
    return {"schema_version": STATE_SCHEMA_VERSION, "inputs": dict(inputs), "results": {}}


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


def _node_function(node: NodeSpec, tool: AnyTool) -> NodeFunction:
    def run_node(state: WorkflowState, *, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        attempt = runtime.execution_info.node_attempt if runtime.execution_info else 1
        start = StepStart(node.name, tool.name, tool.purpose, attempt, datetime.now(UTC))
        context.observer.step_started(start)
        begin = time.perf_counter()

        def end(outcome: StepOutcome, error: BaseException | None = None) -> StepEnd:
            return StepEnd(node.name, tool.name, attempt, start.started_at, time.perf_counter() - begin, outcome, error)

        try:
            arguments = tool.parse_args(_arguments(node, state))
            result = _within(node, lambda: tool.call(arguments, context.tools))
            # A state that does not fit is kept by LangGraph before anyone looks at it, and then the run can be neither
            # read nor resumed (langgraph #6491): the update is checked here.
            values = tool.dump_result(result)
        except Exception as error:
            context.observer.step_ended(end(StepOutcome.FAILED, error))
            raise
        except BaseException as error:
            context.observer.step_ended(end(StepOutcome.INTERRUPTED, error))
            raise
        ended = end(StepOutcome.SUCCEEDED)
        context.tools.timings[node.name] = ended.seconds
        context.observer.step_ended(ended)
        return {"results": {node.name: values}}

    return run_node


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
