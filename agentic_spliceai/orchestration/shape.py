"""Reading the parts of a workflow with pydantic, each on its own, so that one wrong part does not hide the others."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from agentic_spliceai.orchestration.errors import Problem
from agentic_spliceai.orchestration.loader import Document, Place
from agentic_spliceai.orchestration.spec import EdgeSpec, GraphSpec, InputSpec, NodeSpec

Part = TypeVar("Part", bound=BaseModel)

_SECTIONS = ("inputs", "nodes", "edges", "outputs")


@dataclass
class Parts:
    """What could be read of a workflow; each part with its place in the file."""

    inputs: dict[str, InputSpec] = field(default_factory=dict)
    nodes: list[tuple[Place, NodeSpec]] = field(default_factory=list)
    edges: list[tuple[Place, EdgeSpec]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    #: Names of inputs and nodes that are there but could not be read: known, so that no one complains about them twice.
    broken_inputs: set[str] = field(default_factory=set)
    broken_nodes: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def near(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or what is known if nothing is near."""
    choices = list(known)
    found = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if found:
        return f"; did you mean {found[0]!r}?"
    return f"; known: {', '.join(choices)}" if choices else ""


def read_parts(document: Document) -> Parts:
    """Read every part that can be read, and note what is wrong with the others."""
    parts = Parts()
    data = document.data
    if not isinstance(data, dict):
        parts.problems.append(document.problem((), "a workflow is a mapping with version, name, nodes and edges"))
        return parts
    # The sections are read one by one below; here only the head, and whether every section has the right kind.
    head = {key: value for key, value in data.items() if key not in _SECTIONS}
    placeholder = {"nodes": [{"name": "x", "use": "x"}], "edges": [{"from": "x"}]}
    _read(document, (), GraphSpec, head | {k: v for k, v in placeholder.items() if k in data}, parts)
    for name, value in _mapping(document, "inputs", parts).items():
        place: Place = ("inputs", name)
        spec = _read(document, place, InputSpec, value, parts)
        if spec is None:
            parts.broken_inputs.add(name)
        else:
            parts.inputs[name] = spec
    for index, value in enumerate(_sequence(document, "nodes", parts)):
        node = _read(document, ("nodes", index), NodeSpec, value, parts)
        if node is not None:
            parts.nodes.append((("nodes", index), node))
        elif isinstance(value, dict) and isinstance(value.get("name"), str):
            parts.broken_nodes.add(value["name"])
    for index, value in enumerate(_sequence(document, "edges", parts)):
        edge = _read(document, ("edges", index), EdgeSpec, value, parts)
        if edge is not None:
            parts.edges.append((("edges", index), edge))
    for name, value in _mapping(document, "outputs", parts).items():
        if isinstance(value, str):
            parts.outputs[name] = value
        else:
            parts.problems.append(document.problem(("outputs", name), f"output {name!r} is no reference"))
    return parts


def _mapping(document: Document, section: str, parts: Parts) -> dict[str, Any]:
    value = document.data.get(section, {})
    if isinstance(value, dict):
        return value
    parts.problems.append(document.problem((section,), f"{section!r} is a mapping of names"))
    return {}


def _sequence(document: Document, section: str, parts: Parts) -> list[Any]:
    value = document.data.get(section, [])
    if isinstance(value, list) and (value or section not in document.data):
        return value
    parts.problems.append(document.problem((section,), f"{section!r} is a list with at least one item"))
    return []


def _read(document: Document, place: Place, model: type[Part], value: Any, parts: Parts) -> Part | None:
    if not isinstance(value, dict):
        parts.problems.append(document.problem(place, f"{_where(place)} is a mapping of {', '.join(_keys(model))}"))
        return None
    try:
        return model.model_validate(value, by_name=False)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            location = tuple(item["loc"])
            parts.problems.append(document.problem((*place, *location), _message(place, location, item, model)))
        return None


def _message(place: Place, location: tuple[str | int, ...], item: Any, model: type[BaseModel]) -> str:
    where = _where(place)
    name = str(location[-1]) if location else ""
    if item["type"] == "extra_forbidden":
        return f"{where} has an unknown key {name!r}{near(name, _keys(_owner(model, location)))}"
    if item["type"] == "missing":
        return f"{where} lacks {'.'.join(map(str, location))!r}"
    label = ".".join(str(part) for part in location)
    return f"{where}: {label}: {item['msg'][:1].lower()}{item['msg'][1:]} (it is {item['input']!r})"


def _owner(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel]:
    """Return the model that the last key of `location` belongs to."""
    for key in location[:-1]:
        for name, info in model.model_fields.items():
            if key in (name, info.alias):
                annotation = info.annotation
                inner = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
                model = next((m for m in inner if isinstance(m, type) and issubclass(m, BaseModel)), model)
    return model


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _where(place: Place) -> str:
    if not place:
        return "the workflow"
    section, key = str(place[0]).removesuffix("s"), place[1]
    return f"{section} {key + 1}" if isinstance(key, int) else f"{section} {key!r}"
