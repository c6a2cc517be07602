"""Which tools an agent is offered, and what it is given back: never more than it may do, nothing large."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import JsonValue

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plain_text import json_text
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import CostClass, SideEffect

#: What an agent may do unless it is allowed more: nothing that ends or starts a job or spends money.
HARMLESS = frozenset({SideEffect.NONE, SideEffect.WRITES_FILES, SideEffect.WRITES_RECORDS})

#: Characters of a result that go into a conversation; a longer one is kept as an artifact.
LARGEST = 16_000
_HEAD = 1_500
_IDS_OF_A_KIND = 100
#: Ids of genes and the like are names of the field, not of something that is kept here.
_NAMES = frozenset({"gene_id", "transcript_id", "genome_id", "protein_id", "exon_id"})


def offered(
    registry: Mapping[str, AnyTool],
    allow: Collection[SideEffect] = HARMLESS,
    names: Iterable[str] | None = None,
) -> list[AnyTool]:
    """Return the tools of `registry` that an agent gets.

    Parameters
    ----------
    registry
        All tools.
    allow
        Side effects that it may have.
    names
        Only these.

    Raises
    ------
    UnknownToolError
        If a name is no tool's.
    SettingError
        If a named tool has a side effect that is not allowed: it is never left out in silence.
    """
    if names is None:
        return [tool for tool in registry.values() if tool.side_effect in allow]
    found = [registry[name] for name in dict.fromkeys(names)]
    for tool in found:
        if tool.side_effect not in allow:
            raise SettingError(
                f"The tool {tool.name} has the side effect {tool.side_effect}, which is not allowed here.",
                f"Allowed: {', '.join(sorted(allow)) or 'nothing'}; allow it, or leave the tool out.",
            )
    return found


def description(tool: AnyTool) -> str:
    """Return what an agent reads about a tool."""
    asks = " Asks a person." if tool.asks else ""
    takes = _DURATIONS.get(tool.cost_class, tool.cost_class.value)
    return f"{tool.purpose} {EFFECTS[tool.side_effect].capitalize()}.{asks} Takes {takes}."


#: What a tool does to the world, as people say it.
EFFECTS: Mapping[SideEffect, str] = {
    SideEffect.NONE: "no side effect",
    SideEffect.WRITES_FILES: "writes files",
    SideEffect.WRITES_RECORDS: "writes into the database",
    SideEffect.ENDS_JOB: "ends a job",
    SideEffect.STARTS_JOB: "starts a job",
    SideEffect.SPENDS_MONEY: "spends money",
}
_DURATIONS: Mapping[CostClass, str] = {CostClass.INSTANT: "no time"}


def content_of(values: Mapping[str, JsonValue], context: ToolContext, largest: int = LARGEST) -> str:
    """Return a result as JSON; one that is longer than `largest` characters is kept as an artifact and referred to.

    Raises
    ------
    ArtifactError
        If it cannot be kept.
    """
    text = json_text(values)
    if len(text) <= largest:
        return text
    digest = context.artifacts.put_bytes(text.encode())
    reference = {
        "too_large": True,
        "characters": len(text),
        "artifact_sha256": digest,
        "fields": {name: _extent(value) for name, value in values.items()},
        "head": text[:_HEAD],
        "advice": "The whole result is kept under artifact_sha256; ask for less, or look it up with lookup_result.",
    }
    return json_text(reference)


def ids_in(values: object) -> dict[str, list[str]]:
    """Return the ids that a result holds, by the name of their field: of artifacts, runs, jobs, evidence, ...

    This is all that a conversation keeps beside the text: what an id stands for is in the database or the store.
    """
    found: dict[str, dict[str, None]] = {}
    _collect(values, "", found)
    return {name: list(ids)[:_IDS_OF_A_KIND] for name, ids in sorted(found.items())}


def _collect(value: Any, name: str, found: dict[str, dict[str, None]]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _collect(inner, str(key), found)
    elif isinstance(value, list | tuple):
        for inner in value:
            _collect(inner, name, found)
    elif isinstance(value, str) and value and _is_id(name):
        found.setdefault(name, {})[value] = None


def _is_id(name: str) -> bool:
    return name not in _NAMES and (name in ("id", "sha256") or name.endswith(("_id", "_ids", "_sha256")))


def _extent(value: JsonValue) -> str:
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, dict):
        return f"object with {len(value)} fields"
    return type(value).__name__
