"""Which tools an agent is offered, on which files, and what it is given back: never more than it may, nothing large."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, JsonValue

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plain_text import json_text
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect

#: What an agent may do unless it is allowed more: nothing that ends or starts a job or spends money.
HARMLESS = frozenset({SideEffect.NONE, SideEffect.WRITES_FILES, SideEffect.WRITES_RECORDS})

#: Characters of a result that go into a conversation; a longer one is kept as an artifact.
LARGEST = 16_000
_HEAD = 1_500
_IDS_OF_A_KIND = 100
#: Ids of genes and the like are names of the field, not of something that is kept here.
_NAMES = frozenset({"gene_id", "transcript_id", "genome_id", "protein_id", "exon_id"})


class PathNotAllowedError(SpliceEngineError):
    """An agent named a file or folder outside of those that it may use; nothing is said about what is there."""

    code: ClassVar[str] = "path_not_allowed"


@dataclass(frozen=True)
class AgentFolders:
    """The folders that an agent may read from and write to; people on the command line and workflows may use any.

    Attributes
    ----------
    read, write
        Everything below them; symbolic links count as where they lead.
    """

    read: tuple[Path, ...]
    write: tuple[Path, ...]

    @classmethod
    def of(cls, settings: Settings, read: Iterable[Path] = (), write: Iterable[Path] = ()) -> AgentFolders:
        """Return the usual folders and the given ones.

        Read are the data folder, the mirror and the working folder, written to the reports and the data folder. A
        working folder that holds the person's home, as of a program that the system starts in `/`, is left out: it
        would be everything.
        """
        here, home = Path.cwd().resolve(), Path.home().resolve()
        working = () if home.is_relative_to(here) else (here,)
        mirror = () if settings.mirror is None else (settings.mirror,)
        return cls(
            read=(settings.data_dir, *mirror, *working, *read),
            write=(settings.reports_dir, settings.data_dir, *write),
        )

    def check(self, arguments: BaseModel) -> None:
        """Look at every argument that is declared as a path.

        Raises
        ------
        PathNotAllowedError
            If one lies outside; whether it exists is not said.
        """
        for name, access, value in _paths(arguments):
            allowed = self.read if access is PathAccess.READ else self.write
            if (access is PathAccess.READ and _is_name(value)) or _is_below(value, allowed):
                continue
            raise PathNotAllowedError(
                f"{name}: an agent may not {access} there.",
                "Give a name, or a path below a folder that whoever started the agent allowed: by default the data "
                "folder, the mirror and the working folder to read, the reports and the data folder to write.",
            )


def _paths(arguments: BaseModel) -> Iterator[tuple[str, PathAccess, str]]:
    """Yield the arguments that are paths, also those of parts."""
    for name, info in type(arguments).model_fields.items():
        value = getattr(arguments, name)
        access = next((item for item in info.metadata if isinstance(item, PathAccess)), None)
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, BaseModel):
                yield from ((f"{name}.{inner}", how, path) for inner, how, path in _paths(one))
            elif access is not None and one is not None:
                yield name, access, str(one)


def _is_name(value: str) -> bool:
    """Whether it is one word, such as GRCh38 or an id, and no file of the working folder."""
    return len(Path(value).parts) == 1 and not value.startswith(("~", os.sep)) and not os.path.lexists(value)


def _is_below(value: str, folders: Iterable[Path]) -> bool:
    try:
        path = Path(value).expanduser().resolve()
        return any(path.is_relative_to(folder.expanduser().resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a home that nobody has, a zero byte
        return False


def offered(
    registry: Mapping[str, AnyTool],
    allow: Collection[SideEffect] = HARMLESS,
    names: Iterable[str] | None = None,
) -> list[AnyTool]:
    """Return the tools of `registry` that an agent gets: never one that is internal to workflows.

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
        If a named tool is internal, or has a side effect that is not allowed: it is never left out in silence.
    """
    if names is None:
        return [tool for tool in registry.values() if tool.side_effect in allow and not tool.internal]
    found = [registry[name] for name in dict.fromkeys(names)]
    for tool in found:
        if tool.internal:
            raise SettingError(
                f"The tool {tool.name} is a step of workflows and is not offered to agents.", "Leave it out."
            )
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
