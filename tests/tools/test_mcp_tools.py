"""The tools over the Model Context Protocol, with a client in the same process and with one on a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.transports import StdioTransport

from agentic_spliceai.splice_engine.errors import MissingExtraError, SettingError
from agentic_spliceai.tools.mcp import mcp_server
from agentic_spliceai.tools.offered import HARMLESS
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import SideEffect
from tests.tools.toolbox import HOSTILE, REGISTRY, small_context


def on(server: FastMCP, name: str, args: dict[str, Any], **options: Any) -> Any:
    async def call() -> Any:
        async with Client(server) as client:
            return await client.call_tool(name, args, raise_on_error=False, **options)

    return asyncio.run(call())


def listed(server: FastMCP) -> dict[str, Any]:
    async def call() -> list[Any]:
        async with Client(server) as client:
            return list(await client.list_tools())

    return {tool.name: tool for tool in asyncio.run(call())}


def test_a_result_is_structured_and_fits_the_schema(tmp_path: Path) -> None:
    result = on(mcp_server(REGISTRY, small_context(tmp_path)), "echo", {"text": HOSTILE, "inner": {"depth": 2}})
    assert not result.is_error
    assert result.structured_content["text"] == HOSTILE
    assert result.structured_content["inner"] == {"depth": 2}
    assert result.structured_content["step"] == "echo"
    (block,) = result.content
    assert block.text.isprintable()
    assert json.loads(block.text) == result.structured_content


def test_tools_say_what_they_do_to_the_world(tmp_path: Path) -> None:
    tools = listed(mcp_server(REGISTRY, small_context(tmp_path), set(SideEffect)))
    hints = {
        name: (tool.annotations.read_only_hint, tool.annotations.destructive_hint, tool.annotations.open_world_hint)
        for name, tool in tools.items()
    }
    assert hints == {
        "echo": (True, False, False),
        "fail": (False, False, False),
        "start": (False, True, False),
        "spend": (False, True, True),
    }
    assert tools["echo"].description == "The tool echo. No side effect. Takes no time."
    assert tools["echo"].input_schema["additionalProperties"] is False
    assert set(tools["echo"].output_schema["properties"]) == set(REGISTRY["echo"].result.model_fields)


def test_no_job_and_no_money_unless_it_is_allowed(tmp_path: Path) -> None:
    context = small_context(tmp_path)
    server = mcp_server(REGISTRY, context)
    assert set(listed(server)) == {"echo", "fail"}
    assert on(server, "start", {"how": "x"}).is_error
    allowed = mcp_server(REGISTRY, context, {*HARMLESS, SideEffect.STARTS_JOB})
    assert on(allowed, "start", {"how": "x"}).structured_content == {"done": True}
    with pytest.raises(SettingError, match="not allowed"):
        mcp_server(REGISTRY, context, names=["spend"])


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("echo", {}, "tool_argument"),
        ("echo", {"text": 5}, "tool_argument"),
        ("echo", {"text": "a", "times": "2"}, "tool_argument"),
        ("echo", {"text": "a", HOSTILE: 1}, "tool_argument"),
        ("fail", {"how": "typed"}, "resource"),
        ("fail", {"how": "defect"}, "unexpected"),
    ],
)
def test_a_failed_call_is_an_error_with_code_and_advice(
    tmp_path: Path, name: str, args: dict[str, Any], code: str
) -> None:
    result = on(mcp_server(REGISTRY, small_context(tmp_path)), name, args)
    assert result.is_error
    (block,) = result.content
    assert block.text.isprintable()
    error = json.loads(block.text)["error"]
    assert error["code"] == code
    assert error["advice"]


def test_an_unknown_tool_is_an_error(tmp_path: Path) -> None:
    assert on(mcp_server(REGISTRY, small_context(tmp_path)), "nothing", {}).is_error


def test_progress_reaches_the_client(tmp_path: Path) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    on(mcp_server(REGISTRY, small_context(tmp_path)), "echo", {"text": "a"}, progress_handler=listen)
    assert heard == [(1, 2, "echoing")]


def test_a_long_text_is_a_reference_beside_the_whole_structure(tmp_path: Path) -> None:
    context = small_context(tmp_path)
    result = on(mcp_server(REGISTRY, context, largest=1_000), "echo", {"text": "ab", "times": 2_000})
    reference = json.loads(result.content[0].text)
    assert reference["too_large"] is True
    assert context.artifacts.size(reference["artifact_sha256"]) > 4_000


def test_without_fastmcp_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    with pytest.raises(MissingExtraError) as caught:
        mcp_server(REGISTRY, small_context(tmp_path))
    assert caught.value.advice == "pip install 'agentic-spliceai[mcp]'"


def test_every_tool_for_agents_can_be_served(tmp_path: Path) -> None:
    tools = listed(mcp_server(default_registry(), small_context(tmp_path), set(SideEffect)))
    assert set(tools) == {tool.name for tool in default_registry().values() if not tool.internal}
    result = on(
        mcp_server(default_registry(), small_context(tmp_path)),
        "resolve_variant",
        {"text": "minigene-2139-G-A", "genome": "demo"},
    )
    assert result.structured_content["variant"]["position"] == 2139


def test_the_command_serves_on_its_standard_input_and_output(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom argparse import ArgumentParser\nfrom agentic_spliceai.cli_tools import add_tools\n"
        "parser = ArgumentParser()\nadd_tools(parser.add_subparsers())\n"
        "arguments = parser.parse_args(sys.argv[1:])\nsys.exit(arguments.handler(arguments))\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "AGENTIC_SPLICEAI_DATA_DIR": str(tmp_path / "data"),
        "AGENTIC_SPLICEAI_CACHE_DIR": str(tmp_path / "cache"),
    }
    arguments = ["-c", script, "tools", "serve", "--mcp", "--only", "resolve_variant", "--no-record"]
    transport = StdioTransport(sys.executable, arguments, env=environment, keep_alive=False)

    async def call() -> Any:
        async with Client(transport) as client:
            names = [tool.name for tool in await client.list_tools()]
            text = {"text": "minigene-2139-G-A", "genome": "demo"}
            return names, await client.call_tool("resolve_variant", text, raise_on_error=False)

    names, result = asyncio.run(call())
    assert names == ["resolve_variant"]
    assert result.structured_content["is_demo"] is True
