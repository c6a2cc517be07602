"""Running workflows: order, wiring, routes, failures, retries, records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from agentic_spliceai.orchestration.errors import InputError, StepTimeoutError
from agentic_spliceai.orchestration.events import RunObserver, StepEnd, StepStart
from agentic_spliceai.orchestration.runner import run_graph
from agentic_spliceai.records.models import RunStatus, StepStatus
from agentic_spliceai.splice_engine.errors import InvalidVariantError, ResourceError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.registry import ToolRegistry
from agentic_spliceai.tools.spec import ToolResultError
from tests.orchestration.fakes import GRAPH, MAKE, USE, UseArgs, UseResult, checked, spec, toy_context


class Watcher(RunObserver):
    def __init__(self) -> None:
        self.log: list[str] = []

    def step_started(self, start: StepStart) -> None:
        self.log.append(f"{start.node}#{start.attempt}")

    def step_ended(self, end: StepEnd) -> None:
        self.log.append(f"{end.node} {end.outcome}")


def with_use(function: Callable[[UseArgs, ToolContext], Any]) -> ToolRegistry:
    return ToolRegistry([MAKE, spec("use_thing", UseArgs, UseResult, function)])


def test_the_route_of_a_small_thing_skips_packing(tmp_path: Path) -> None:
    watcher = Watcher()
    result = run_graph(checked(), {"name": "bee"}, toy_context(tmp_path), observers=[watcher])
    assert watcher.log == ["make#1", "make succeeded", "finish#1", "finish succeeded"]
    assert result.outputs == {"line": "bee/None/fast/1", "packed": None}
    assert list(result.timings) == ["make", "finish"]


def test_the_route_of_a_large_thing_goes_through_packing(tmp_path: Path) -> None:
    context = toy_context(tmp_path)
    result = run_graph(checked(), {"weight": 11, "mode": "slow"}, context)
    assert result.outputs == {"line": "ant/ant/packed/fast/0/slow/1", "packed": "ant/packed/fast/0"}
    run = context.records.get_run(result.run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert [(step.node, step.tool, step.status) for step in run.steps] == [
        ("make", "make_thing", StepStatus.SUCCEEDED),
        ("pack", "use_thing", StepStatus.SUCCEEDED),
        ("finish", "use_thing", StepStatus.SUCCEEDED),
    ]
    assert run.inputs == {"name": "ant", "weight": 11, "mode": "slow"}
    assert run.graph_sha256 == checked().document.sha256
    assert run.finished_at is not None
    assert run.environment["python"]


def test_a_literal_with_a_dollar_sign(tmp_path: Path) -> None:
    graph = checked(GRAPH.replace("note: packed", "note: $$5"))
    assert run_graph(graph, {"weight": 11}, toy_context(tmp_path)).outputs["packed"] == "ant/$5/fast/0"


def test_a_failing_step_is_recorded_with_its_name(tmp_path: Path) -> None:
    context = toy_context(tmp_path)
    with pytest.raises(InvalidVariantError, match="'bad' is no name"):
        run_graph(checked(), {"name": "bad"}, context)
    run = context.records.get_run(context.run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error.node, run.error.code, run.error.advice) == ("make", "invalid_variant", "Give another.")
    assert [(step.node, step.status) for step in run.steps] == [("make", StepStatus.FAILED)]


@pytest.mark.parametrize("returned", [{"line": "x"}, UseResult.model_construct(line=5), None])
def test_a_result_that_its_model_refuses_never_reaches_the_state(tmp_path: Path, returned: Any) -> None:
    context = toy_context(tmp_path)
    graph = checked(registry=with_use(lambda args, ctx: returned))
    with pytest.raises(ToolResultError, match="use_thing returned"):
        run_graph(graph, {}, context)
    run = context.records.get_run(context.run_id)
    assert run.error is not None
    assert (run.status, run.error.node, run.error.code) == (RunStatus.FAILED, "finish", "unexpected")


def test_transient_failures_are_tried_again_and_others_are_not(tmp_path: Path) -> None:
    failures: list[Exception] = [ResourceError("no net.", "Wait."), OSError("disk")]

    def flaky(args: UseArgs, context: ToolContext) -> UseResult:
        if failures:
            raise failures.pop(0)
        return UseResult(line="at last")

    text = GRAPH.replace("  - name: finish\n", "  - name: finish\n    retry: {attempts: 3, wait: 0}\n")
    context = toy_context(tmp_path)
    assert run_graph(checked(text, with_use(flaky)), {}, context).outputs["line"] == "at last"
    steps = [(s.node, s.attempt, s.status.value) for s in context.records.get_run(context.run_id).steps]
    assert steps[1:] == [("finish", 1, "failed"), ("finish", 2, "failed"), ("finish", 3, "succeeded")]

    failures[:] = [InvalidVariantError("no.", "No.")]
    with pytest.raises(InvalidVariantError):
        run_graph(checked(text, with_use(flaky)), {}, toy_context(tmp_path))


def test_a_step_that_takes_too_long_fails(tmp_path: Path) -> None:
    released = threading.Event()

    def slow(args: UseArgs, context: ToolContext) -> UseResult:
        released.wait(20)
        return UseResult(line="late")

    text = GRAPH.replace("  - name: finish\n", "  - name: finish\n    timeout: 0.1\n")
    begin = time.monotonic()
    try:
        with pytest.raises(StepTimeoutError, match=r"'finish' took longer than 0\.1 s"):
            run_graph(checked(text, with_use(slow)), {}, toy_context(tmp_path))
    finally:
        released.set()
    assert time.monotonic() - begin < 10


def test_a_step_that_took_too_long_is_not_tried_again(tmp_path: Path) -> None:
    released = threading.Event()
    calls: list[str] = []

    def slow(args: UseArgs, context: ToolContext) -> UseResult:
        calls.append(args.mode)
        released.wait(20)
        return UseResult(line="late")

    text = GRAPH.replace(
        "  - name: finish\n", "  - name: finish\n    timeout: 0.1\n    retry: {attempts: 3, wait: 0}\n"
    )
    context = toy_context(tmp_path)
    try:
        with pytest.raises(StepTimeoutError):
            run_graph(checked(text, with_use(slow)), {}, context)
    finally:
        released.set()
    assert calls == ["fast"]
    steps = [(s.node, s.attempt, s.status.value) for s in context.records.get_run(context.run_id).steps]
    assert steps[1:] == [("finish", 1, "failed")]


def test_a_failure_inside_a_timeout_keeps_its_type(tmp_path: Path) -> None:
    text = GRAPH.replace("    use: make_thing\n", "    use: make_thing\n    timeout: 30\n")
    with pytest.raises(InvalidVariantError):
        run_graph(checked(text), {"name": "bad"}, toy_context(tmp_path))


def test_without_a_record_no_database_is_made(tmp_path: Path) -> None:
    context = toy_context(tmp_path, keep_record=False)
    assert run_graph(checked(), {}, context).outputs["line"] == "ant/None/fast/1"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"nmae": "x"}, "has no input 'nmae'"),
        ({"weight": "5"}, "weight='5' is no integer"),
        ({"weight": True}, "weight=True is no integer"),
        ({"weight": -5}, "cannot be used by make.weight: .*greater than or equal to 0"),
        ({"mode": "odd"}, "mode='odd' is not allowed"),
        ({"name": None}, "name=None is no string"),
        ({"name": ""}, "cannot be used by make.name"),
    ],
)
def test_wrong_inputs_are_refused_before_anything_runs(tmp_path: Path, inputs: dict[str, Any], words: str) -> None:
    watcher = Watcher()
    with pytest.raises(InputError, match=words):
        run_graph(checked(), inputs, toy_context(tmp_path), observers=[watcher])
    assert watcher.log == []


def test_an_input_without_default_is_required(tmp_path: Path) -> None:
    graph = checked(GRAPH.replace("type: string, default: ant,", "type: string,"))
    with pytest.raises(InputError, match="needs name") as caught:
        run_graph(graph, {}, toy_context(tmp_path))
    assert "--set name=..." in caught.value.advice


_CHILD = """
import sys, time
from pathlib import Path
from agentic_spliceai.orchestration.runner import run_graph
from tests.orchestration.fakes import checked, toy_context, UseResult
from tests.orchestration.test_runner import with_use

def slow(args, context):
    print(context.run_id, flush=True)
    time.sleep(60)
    return UseResult(line="late")

run_graph(checked(registry=with_use(slow)), {}, toy_context(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_is_reported_as_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
    ) as child:
        assert child.stdout is not None
        run_id = child.stdout.readline().strip()
        store = toy_context(tmp_path).records
        assert store.get_run(run_id).status is RunStatus.RUNNING
        assert store.mark_interrupted() == ()  # it still lives
        child.send_signal(how)
        child.wait(20)
    if how is signal.SIGKILL:
        assert store.get_run(run_id).status is RunStatus.RUNNING
        assert [run.id for run in store.mark_interrupted()] == [run_id]
        assert store.mark_interrupted() == ()
    run = store.get_run(run_id)
    assert run.status is RunStatus.INTERRUPTED
    assert run.error is not None
    assert run.error.code == "interrupted"
    store.close()


def test_nothing_is_sent_to_a_tracing_service(tmp_path: Path) -> None:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _note(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = do_PATCH = _note  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        code = (
            "import sys; from pathlib import Path\n"
            "from agentic_spliceai.orchestration.runner import run_graph\n"
            "from tests.orchestration.fakes import checked, toy_context\n"
            "print(run_graph(checked(), {}, toy_context(Path(sys.argv[1]))).outputs['line'])\n"
        )
        root = Path(__file__).parents[2]
        tracing = {
            "LANGSMITH_TRACING": "true",
            "LANGCHAIN_TRACING_V2": "true",
            "LANGSMITH_API_KEY": "not-a-key",
            "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        }
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, **tracing, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip() == "ant/None/fast/1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert requests == []


def test_a_tool_sees_what_the_yaml_wires(tmp_path: Path) -> None:
    seen: list[UseArgs] = []

    def look(args: UseArgs, context: ToolContext) -> UseResult:
        seen.append(args)
        return UseResult(line="x")

    run_graph(checked(registry=with_use(look)), {"weight": 3}, toy_context(tmp_path))
    (args,) = seen
    assert (args.thing.name, args.thing.weight, args.mode, args.note) == ("ant", 3.0, "fast", None)
    assert args.things == (args.thing,)


class _NanResult(UseResult):
    score: float = Field(default=float("nan"), description="Not a number.")


def test_a_result_with_nan_is_refused(tmp_path: Path) -> None:
    tool = spec("use_thing", UseArgs, _NanResult, lambda args, context: _NanResult(line="x"))
    with pytest.raises(ToolResultError, match="no JSON"):
        run_graph(checked(registry=ToolRegistry([MAKE, tool])), {}, toy_context(tmp_path))


def test_the_toy_tools_are_sound() -> None:
    assert set(ToolRegistry([MAKE, USE])) == {"make_thing", "use_thing"}
