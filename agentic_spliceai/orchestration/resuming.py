"""What is kept of a run between its steps, and whether it can be taken up again."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command, Interrupt
from pydantic import ValidationError

from agentic_spliceai.orchestration.asking import check_answer, read_question, resume_value
from agentic_spliceai.orchestration.builder import STATE_SCHEMA_VERSION, WorkflowState, build_graph, initial_state
from agentic_spliceai.orchestration.checkpoints import drop_abandoned, open_checkpoints
from agentic_spliceai.orchestration.errors import (
    AnswerError,
    GraphError,
    InputError,
    ResumeError,
    RunBusyError,
    RunFinishedError,
)
from agentic_spliceai.orchestration.inputs import check_inputs
from agentic_spliceai.orchestration.loader import parse_document
from agentic_spliceai.orchestration.validator import CheckedGraph, check_document
from agentic_spliceai.records.errors import ArtifactError, UnknownRunError
from agentic_spliceai.records.models import RunDetail, RunStatus, StepStatus
from agentic_spliceai.records.process import host_name, process_token
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import Answer, Question
from agentic_spliceai.tools.registry import ToolRegistry, default_registry
from agentic_spliceai.tools.spec import describe_validation

_AGAIN = "Run the workflow again from its start."


@dataclass(frozen=True)
class Resumption:
    """A run that this process has taken up.

    Attributes
    ----------
    run
        As it was recorded before.
    graph
        The workflow that it began with.
    inputs
        Its inputs.
    entry
        What the graph is called with: the answer to its question; None to go on; its first state if none was kept yet.
    tried
        Attempts at each step so far.
    timings
        Seconds by step so far.
    """

    run: RunDetail
    graph: CheckedGraph
    inputs: Mapping[str, Any]
    entry: WorkflowState | Command[Any] | None
    tried: Mapping[str, int]
    timings: Mapping[str, float]


def begin_again(
    run_id: str,
    saver: BaseCheckpointSaver[Any],
    context: ToolContext,
    registry: ToolRegistry | None = None,
    answer: Answer | None = None,
) -> Resumption:
    """Check that a run can go on, and take it up: of two processes that try, one does; raises as `resume_run`."""
    store = context.records
    store.mark_interrupted()
    run = store.get_run(run_id)
    if run.status is RunStatus.SUCCEEDED:
        raise RunFinishedError(
            f"run {run.id} has succeeded.", f"`agentic-spliceai runs show {run.id}` shows what it did."
        )
    if run.status is RunStatus.RUNNING:
        raise _busy(run)
    graph = _graph_of(run, context, registry or default_registry())
    kept = _read(saver, run.id, graph)
    entry: WorkflowState | Command[Any] | None = None
    try:
        inputs = check_inputs(graph, run.inputs)  # type: ignore[arg-type]
    except InputError as error:
        raise ResumeError(f"the inputs of run {run.id} no longer fit: {error.message}", _AGAIN) from error
    if answer is not None:
        entry = _with_answer(run, kept, answer)
    elif kept is None:
        entry = initial_state(inputs)
    pid = os.getpid()
    if not store.continue_run(run.id, run.status, host=host_name(), pid=pid, process_token=process_token(pid)):
        raise _busy(run)
    return Resumption(run, graph, inputs, entry, Counter(step.node for step in run.steps), _timings(run))


def pending_question(
    run_id: str, context: ToolContext, registry: ToolRegistry | None = None
) -> tuple[str, Question] | None:
    """Return the step that waits for an answer and what it asks, or None if the run does not wait.

    Raises
    ------
    UnknownRunError
        If there is no such run.
    ResumeError
        If what is kept of it cannot be used.
    """
    run = context.records.get_run(run_id)
    if run.status is not RunStatus.WAITING:
        return None
    with open_checkpoints(context.settings.checkpoints_url) as saver:
        kept = _read(saver, run.id, _graph_of(run, context, registry or default_registry()))
    return read_question(kept.interrupts[0].value) if kept is not None and kept.interrupts else None


def drop_leftovers(saver: BaseCheckpointSaver[Any], store: RecordStore) -> None:
    """Drop the state of runs that succeeded, and of those that ended otherwise and that nobody took up again."""

    def may_go(run_id: str, before: datetime) -> bool:
        try:
            run = store.get_run(run_id)
        except UnknownRunError:
            return False  # it belongs to another database
        if run.status in (RunStatus.RUNNING, RunStatus.WAITING):
            return False
        return run.status is RunStatus.SUCCEEDED or (run.finished_at or run.started_at) < before

    drop_abandoned(saver, may_go)


@dataclass(frozen=True)
class _Kept:
    interrupts: tuple[Interrupt, ...]


def _busy(run: RunDetail) -> RunBusyError:
    return RunBusyError(f"another process works on run {run.id}.", "Wait until it ends, or end it first.")


def _graph_of(run: RunDetail, context: ToolContext, registry: ToolRegistry) -> CheckedGraph:
    try:
        text = context.artifacts.read(run.graph_sha256).decode()
    except ArtifactError as error:
        raise ResumeError(f"the workflow of run {run.id} was not kept: {error.message}", _AGAIN) from error
    try:
        return check_document(parse_document(text, f"{run.graph_name}.yaml of run {run.id}"), registry)
    except GraphError as error:
        raise ResumeError(
            f"the tools have changed since run {run.id} began, and its workflow no longer fits them: {error.message}",
            _AGAIN,
        ) from error


def _read(saver: BaseCheckpointSaver[Any], run_id: str, graph: CheckedGraph) -> _Kept | None:
    """Return what is kept of a run, checked against the tools; None if it was stopped before its first step."""
    config: RunnableConfig = {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}
    found = saver.get_tuple(config)
    if found is None:
        return None
    values = found.checkpoint["channel_values"]
    # Before the first step the state is still the graph's input.
    version = values.get("__start__", values).get("schema_version")
    if version != STATE_SCHEMA_VERSION:
        raise ResumeError(
            f"the state of run {run_id} has version {version}; this release reads {STATE_SCHEMA_VERSION}.",
            "Take it up with the release that it was started with, or run the workflow again.",
        )
    written = [
        values.get("results", {}),
        *(value for _, name, value in found.pending_writes or () if name == "results"),
    ]
    items = [values.get("items", {}), *(value for _, name, value in found.pending_writes or () if name == "items")]
    for node, result in (*_whole_results(written, graph), *_item_results(items)):
        tool = graph.registry[graph.spec.node(node).use]
        try:
            tool.result.model_validate_json(json.dumps(result), strict=True)
        except ValidationError as error:
            raise ResumeError(
                f"tool {tool.name!r} has changed since run {run_id} began; the result of step {node!r} no longer fits: "
                f"{describe_validation(error)}.",
                _AGAIN,
            ) from None
    return _Kept(build_graph(graph, checkpointer=saver).get_state(config).interrupts)


def _whole_results(written: list[dict[str, Any]], graph: CheckedGraph) -> Iterator[tuple[str, Any]]:
    for results in written:
        for node, result in results.items():
            if graph.spec.node(node).each is None:
                yield node, result
            else:
                yield from ((node, item) for item in result["items"])


def _item_results(written: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for items in written:
        for node, results in items.items():
            yield from ((node, result) for result in (results or {}).values())


def _with_answer(run: RunDetail, kept: _Kept | None, answer: Answer) -> Command[Any]:
    if kept is None or not kept.interrupts:
        raise AnswerError(f"run {run.id} waits for no answer.", "Take it up without one.")
    asked = kept.interrupts[0]
    _, question = read_question(asked.value)
    return Command(resume={asked.id: resume_value(question, check_answer(question, answer))})


def _timings(run: RunDetail) -> dict[str, float]:
    timings: dict[str, float] = {}
    for step in run.steps:
        if step.status is StepStatus.SUCCEEDED:
            node, bracket, _ = step.node.partition("[")
            timings[node] = step.seconds + (timings.get(node, 0.0) if bracket else 0.0)
    return timings
