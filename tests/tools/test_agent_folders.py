"""Which files an agent may have read and written."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastmcp import Client
from pydantic import Field

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.langchain import as_langchain_tools
from agentic_spliceai.tools.mcp import mcp_server
from agentic_spliceai.tools.offered import AgentFolders, PathNotAllowedError
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import PathAccess, ToolModel
from tests.tools.toolbox import small_context

SECRET = "root:x:0:0:secret"


class Part(ToolModel):
    file: Annotated[str | None, PathAccess.READ] = Field(default=None, description="A file.")


class Args(ToolModel):
    source: Annotated[str | None, PathAccess.READ] = Field(default=None, description="A file.")
    out: Annotated[str | None, PathAccess.WRITE] = Field(default=None, description="A folder.")
    parts: tuple[Part, ...] = Field(default=(), description="Parts.")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolContext:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return small_context(tmp_path, keep_record=True)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "outside" / "passwd"
    path.parent.mkdir()
    path.write_text(SECRET + "\n")
    return str(path)


def by_langchain(context: ToolContext, name: str, args: dict[str, Any]) -> Any:
    (tool,) = as_langchain_tools(default_registry(), context, names=[name])
    return json.loads(tool.invoke(args))


def by_mcp(context: ToolContext, name: str, args: dict[str, Any]) -> Any:
    async def call() -> Any:
        async with Client(mcp_server(default_registry(), context, names=[name])) as client:
            return await client.call_tool(name, args, raise_on_error=False)

    (block,) = asyncio.run(call()).content
    return json.loads(block.text)


@pytest.mark.parametrize("ask", [by_langchain, by_mcp])
@pytest.mark.parametrize(
    ("name", "argument", "others"),
    [
        ("split_vcf", "source", {}),
        ("interpret_variant", "annotation", {"text": "minigene-2139-G-A", "genome": "demo"}),
        ("interpret_variant", "genome", {"text": "minigene-2139-G-A"}),
        ("interpret_variant", "weights", {"text": "minigene-2139-G-A", "genome": "demo"}),
        ("interpret_variant", "model", {"text": "minigene-2139-G-A", "genome": "demo"}),
        ("load_artifacts", "folder", {}),
    ],
)
def test_an_agent_reads_nothing_outside_and_is_not_told_what_is_there(
    context: ToolContext, secret: str, ask: Any, name: str, argument: str, others: dict[str, Any]
) -> None:
    refused = ask(context, name, {argument: secret, **others})
    assert refused["error"]["code"] == "path_not_allowed"
    assert SECRET not in json.dumps(refused)
    assert refused == ask(context, name, {argument: f"{secret}-that-is-not-there", **others})


def test_what_was_let_in_is_read(context: ToolContext, secret: str) -> None:
    Path("mine.txt").write_text("minigene-2139-G-A\n")
    for path in ("mine.txt", str(Path("mine.txt").resolve()), "./mine.txt"):
        assert by_langchain(context, "split_vcf", {"source": path})["inputs"] == 1
    assert by_langchain(context, "resolve_variant", {"text": "minigene-2139-G-A", "genome": "demo"})["variant"]
    folders = AgentFolders.of(context.settings, read=[Path(secret).parent])
    (tool,) = as_langchain_tools(default_registry(), context, names=["split_vcf"], folders=folders)
    assert json.loads(tool.invoke({"source": secret}))["inputs"] == 1


@pytest.mark.parametrize("way", ["link", "up", "home", "nobody", "zero", "circle", "root"])
def test_no_way_around(context: ToolContext, secret: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(secret).parent))
    Path("link").symlink_to(secret)
    Path("circle").symlink_to("circle")
    given = {
        "link": "link", "up": "../outside/passwd", "home": "~/passwd", "nobody": "~nobody-of-this-name/x",
        "zero": "a/\0", "circle": "circle/x", "root": "/",
    }[way]  # fmt: skip
    folders = AgentFolders.of(context.settings)
    with pytest.raises(PathNotAllowedError):
        folders.check(Args(source=given))
    with pytest.raises(PathNotAllowedError, match=r"parts\.file"):
        folders.check(Args(parts=(Part(), Part(file=given))))


def test_an_agent_writes_reports_and_data_only(context: ToolContext, tmp_path: Path) -> None:
    folders = AgentFolders.of(context.settings)
    folders.check(Args(out=str(tmp_path / "reports" / "mine")))
    folders.check(Args(out=str(tmp_path / "data")))
    folders.check(Args())
    for out in (str(tmp_path), "here", ".", str(tmp_path / "reports" / ".." / "else")):
        with pytest.raises(PathNotAllowedError, match="out: an agent may not write there"):
            folders.check(Args(out=out))
    AgentFolders.of(context.settings, write=[tmp_path / "else"]).check(Args(out=str(tmp_path / "else" / "a")))


def test_names_are_no_paths_and_a_home_is_not_everything(
    context: ToolContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    folders = AgentFolders.of(context.settings)
    for name in ("GRCh38", "demo", "minigene", "0123abcd"):
        folders.check(Args(source=name))
    Path("notes.txt").write_text("private")
    with pytest.raises(PathNotAllowedError):
        folders.check(Args(source="notes.txt"))


def test_every_path_among_the_arguments_is_declared() -> None:
    paths = re.compile(r"\b(file|folder|path|checkpoint)\b", re.IGNORECASE)
    undeclared = {
        f"{tool.name}.{name}"
        for tool in default_registry().values()
        for name, info in tool.args.model_fields.items()
        if "str" in str(info.annotation)
        and (paths.search(info.description or "") or name in ("out", "source", "weights", "annotation", "genome"))
        and not any(isinstance(item, PathAccess) for item in info.metadata)
    }
    assert undeclared == set()
