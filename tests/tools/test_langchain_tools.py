"""The tools as a chat model gets them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.interaction import Answer, Question
from agentic_spliceai.tools.langchain import as_langchain_tools
from agentic_spliceai.tools.offered import HARMLESS
from agentic_spliceai.tools.registry import ToolRegistry, default_registry
from agentic_spliceai.tools.spec import SideEffect, UnknownToolError
from tests.tools.toolbox import HOSTILE, REGISTRY, FailArgs, Nothing, declare, small_context


def tools_of(folder: Path, **options: Any) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in as_langchain_tools(REGISTRY, small_context(folder), **options)}


def called(tool: BaseTool, args: Any) -> ToolMessage:
    message = tool.invoke({"type": "tool_call", "id": "c1", "name": tool.name, "args": args})
    assert isinstance(message, ToolMessage)
    return message


def test_a_result_is_compact_json_and_its_artifact_holds_ids_only(tmp_path: Path) -> None:
    message = called(tools_of(tmp_path)["echo"], {"text": HOSTILE, "names": ["a"]})
    assert message.status == "success"
    assert isinstance(message.content, str)
    assert message.content.isprintable()
    values = json.loads(message.content)
    assert values["text"] == HOSTILE
    assert values["step"] == "echo"
    assert message.artifact == {
        "tool": "echo",
        "ids": {"kept_sha256": ["a" * 64], "run_id": [values["run_id"]]},
    }


def test_a_model_reads_the_same_schema_as_everyone(tmp_path: Path) -> None:
    function = convert_to_openai_tool(tools_of(tmp_path)["echo"])["function"]
    assert function["name"] == "echo"
    assert function["description"] == "The tool echo. No side effect. Takes no time."
    parameters = function["parameters"]
    assert parameters["required"] == ["text"]
    assert parameters["properties"]["times"]["description"] == "How often."
    for tool in as_langchain_tools(default_registry(), small_context(tmp_path)):
        properties = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
        assert set(properties) == set(default_registry()[tool.name].args.model_fields)


@pytest.mark.parametrize(
    "args",
    [
        {}, {"text": 1}, {"text": "a", "times": "2"}, {"text": "a", "more": 1}, {"text": "a", "mode": "odd"},
        {"text": None}, {"text": "a", "names": "b"}, {"text": "\ud800"}, {"text": "a", HOSTILE: 1},
    ],
)  # fmt: skip
def test_malformed_arguments_come_back_as_an_error_that_a_model_can_use(tmp_path: Path, args: dict[str, Any]) -> None:
    message = called(tools_of(tmp_path)["echo"], args)
    assert message.status == "error"
    assert isinstance(message.content, str)
    assert message.content.isprintable()
    error = json.loads(message.content)["error"]
    assert (error["code"], error["retryable"]) == ("tool_argument", False)
    assert "text" in error["advice"]


def test_text_instead_of_arguments_is_an_error_and_no_exception(tmp_path: Path) -> None:
    echo = tools_of(tmp_path)["echo"]
    assert json.loads(echo.invoke("hello"))["error"]["code"] == "tool_argument"
    assert json.loads(echo.invoke('{"text": "hello"}'))["text"] == "hello"


@pytest.mark.parametrize("args", ["not json", "[1]", "", None, [1], 5])
def test_a_call_without_an_object_of_arguments_is_a_typed_error(tmp_path: Path, args: Any) -> None:
    echo = tools_of(tmp_path)["echo"]
    call = {"type": "tool_call", "id": "c1", "name": "echo", "args": args}
    for message in (echo.invoke(call), asyncio.run(echo.ainvoke(call))):
        assert (message.status, message.tool_call_id) == ("error", "c1")
        assert json.loads(message.content)["error"]["code"] == "tool_argument"
    if not isinstance(args, str):
        assert json.loads(echo.invoke(args))["error"]["code"] == "tool_argument"


def test_a_call_with_its_arguments_as_json_text_is_answered(tmp_path: Path) -> None:
    message = called(tools_of(tmp_path)["echo"], '{"text": "hello"}')
    assert json.loads(str(message.content))["text"] == "hello"
    assert message.tool_call_id == "c1"


def test_failures_say_what_to_do(tmp_path: Path) -> None:
    fail = tools_of(tmp_path)["fail"]
    typed = json.loads(str(called(fail, {"how": "typed"}).content))["error"]
    assert (typed["code"], typed["advice"], typed["retryable"]) == ("resource", "Look elsewhere.", False)
    assert json.loads(str(called(fail, {"how": "passing"}).content))["error"]["retryable"] is True
    defect = called(fail, {"how": "defect"})
    assert defect.status == "error"
    assert json.loads(str(defect.content))["error"]["code"] == "unexpected"


def test_a_model_gets_nothing_that_starts_a_job_or_spends_money_unless_it_is_allowed(tmp_path: Path) -> None:
    assert set(tools_of(tmp_path)) == {"echo", "fail"}
    allowed = tools_of(tmp_path, allow={*HARMLESS, SideEffect.STARTS_JOB})
    assert set(allowed) == {"echo", "fail", "start"}
    assert set(tools_of(tmp_path, allow={SideEffect.NONE})) == {"echo"}
    with pytest.raises(SettingError, match="start has the side effect starts_job"):
        tools_of(tmp_path, names=["echo", "start"])
    assert set(tools_of(tmp_path, names=["echo"])) == {"echo"}
    with pytest.raises(UnknownToolError, match="no tool 'ech'"):
        tools_of(tmp_path, names=["ech"])


def test_a_long_result_does_not_fill_the_conversation(tmp_path: Path) -> None:
    context = small_context(tmp_path)
    (echo,) = as_langchain_tools(REGISTRY, context, names=["echo"], largest=3_000)
    message = called(echo, {"text": "ab", "times": 5_000})
    assert len(str(message.content)) < 3_000
    reference = json.loads(str(message.content))
    assert json.loads(context.artifacts.read(reference["artifact_sha256"]))["text"] == "ab" * 5_000
    assert message.artifact["ids"]["kept_sha256"] == ["a" * 64]


def test_a_call_from_an_event_loop(tmp_path: Path) -> None:
    echo = tools_of(tmp_path)["echo"]
    call = {"type": "tool_call", "id": "c1", "name": "echo", "args": {"text": "a"}}
    message = asyncio.run(echo.ainvoke(call))
    assert json.loads(message.content)["text"] == "a"


def test_progress_and_context_belong_to_the_call(tmp_path: Path) -> None:
    heard: list[str] = []
    context = small_context(tmp_path, run_id="r1")
    (echo,) = as_langchain_tools(
        REGISTRY,
        context,
        names=["echo"],
        context_of=lambda tool: context.at(f"chat.{tool.name}", listen=lambda said: heard.append(said.message)),
    )
    assert json.loads(str(called(echo, {"text": "a"}).content))["step"] == "chat.echo"
    assert heard == ["echoing"]


def test_a_pause_to_ask_a_person_is_no_failure(tmp_path: Path) -> None:
    from langgraph.errors import GraphInterrupt

    def ask(question: Question) -> Answer:
        raise GraphInterrupt(())

    def wait(args: FailArgs, context: Any) -> Nothing:
        context.ask(Question(title="Go on?", choices=("yes", "no")))
        return Nothing(done=True)

    registry = ToolRegistry([declare("wait", FailArgs, Nothing, wait)])
    (tool,) = as_langchain_tools(registry, small_context(tmp_path, ask=ask))
    with pytest.raises(GraphInterrupt):
        called(tool, {"how": "x"})
    (alone,) = as_langchain_tools(registry, small_context(tmp_path))
    assert json.loads(str(called(alone, {"how": "x"}).content))["error"]["code"] == "no_one_to_ask"


def test_steps_that_believe_what_they_are_given_are_not_offered(tmp_path: Path) -> None:
    believing = {
        "record_run", "record_triage", "decide_experiment", "collect_results", "follow_jobs", "request_approval",
        "await_approval", "record_approval", "compose_interpretation", "complete_interpretation", "gather_evidence",
        "write_summary", "render_report",
    }  # fmt: skip
    given = {tool.name for tool in as_langchain_tools(default_registry(), small_context(tmp_path), allow=SideEffect)}
    assert given == set(default_registry()) - believing
    with pytest.raises(SettingError, match="record_run is a step of workflows"):
        as_langchain_tools(default_registry(), small_context(tmp_path), names=["record_run"])
