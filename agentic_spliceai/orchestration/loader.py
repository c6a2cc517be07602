"""Reading a workflow file into plain values that remember their lines."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from agentic_spliceai.orchestration.errors import GraphError, Problem, UnknownGraphError

_LARGEST_FILE = 1_000_000
_SUFFIXES = (".yaml", ".yml")
_YAML = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"map", "seq", "str", "int", "float", "bool", "null", "timestamp"})

#: A place in the document: the keys and indices that lead to it.
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes
    ----------
    file
        How messages call it.
    sha256
        Digest of the text.
    data
        Plain values; the keys of mappings are always text, as written.
    marks
        1-based line and column of each place: of the key in a mapping, of the item in a list.
    text
        The file, whole: a run keeps it, so that it goes on as it began whatever becomes of the file.
    """

    file: str
    sha256: str
    data: Any
    marks: dict[Place, tuple[int, int]] = field(repr=False)
    text: str = field(repr=False)

    def problem(self, place: Place, message: str) -> Problem:
        """Return a problem at `place`, or at the nearest place around it that the file has."""
        while place not in self.marks:
            place = place[:-1]
        line, column = self.marks[place]
        return Problem(self.file, line, column, message)


def packaged_graphs() -> tuple[str, ...]:
    """Return the names of the workflows that ship with the package."""
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in files("agentic_spliceai.graphs").iterdir()
            if entry.name.endswith(".yaml")
        )
    )


def load_document(graph: str) -> Document:
    """Read a workflow file.

    Parameters
    ----------
    graph
        Path of a file, or the bare name of a workflow of the package.

    Raises
    ------
    UnknownGraphError
        If there is neither.
    GraphError
        If it is no YAML of the plain kind: syntax, duplicate keys, aliases, tags.
    """
    path = Path(graph).expanduser()
    if path.is_file():
        return _read_file(path, str(graph))
    if graph in packaged_graphs():
        text = files("agentic_spliceai.graphs").joinpath(f"{graph}.yaml").read_text(encoding="utf-8")
        return parse_document(text, f"{graph}.yaml")
    known = packaged_graphs()
    near = difflib.get_close_matches(path.stem if path.suffix in _SUFFIXES else graph, known, n=1)
    advice = f"Did you mean {near[0]}?" if near else f"Give the path of a YAML file, or one of: {', '.join(known)}."
    raise UnknownGraphError(f"there is no workflow {graph!r}.", advice)


def _read_file(path: Path, label: str) -> Document:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UnknownGraphError(f"{label} is larger than {_LARGEST_FILE:,} bytes.", "A workflow is a small file.")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnknownGraphError(f"{label} is no UTF-8 text: {error.reason}.", "Give a YAML file.") from error
    except OSError as error:
        raise UnknownGraphError(
            f"{label} cannot be read: {error.strerror}.", "Check the file's permissions."
        ) from error
    return parse_document(text, label)


def parse_document(text: str, file: str) -> Document:
    """Parse the text of a workflow; see `load_document`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise GraphError(
            (Problem(file, line, column, f"this is not YAML: {error.problem or error.context}"),)
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        message = f"this is not YAML that can be read: {' '.join(str(error).split())}"
        raise GraphError((Problem(file, 1, 1, message),)) from None
    if root is None:
        raise GraphError((Problem(file, 1, 1, "the file is empty"),))
    reader = _Reader(file)
    data = reader.read(root, ())
    if reader.problems:
        raise GraphError(tuple(reader.problems))
    return Document(file, hashlib.sha256(text.encode()).hexdigest(), data, reader.marks, text)


class _Reader:
    """Turns YAML nodes into plain values and notes where each stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[Place, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._constructor = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, place: Place) -> Any:
        self.marks.setdefault(place, _position(node))
        if id(node) in self._seen:
            return self._refuse(node, "anchors and aliases are not supported")
        self._seen.add(id(node))
        if node.tag.removeprefix(_YAML) not in _PLAIN_TAGS:
            return self._refuse(node, f"the tag {node.tag!r} is not supported")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == f"{_YAML}merge":
                self._refuse(key_node, "a key must be plain text")
                continue
            # The text as written: YAML would turn the keys yes, on and 1 into other things than names.
            key = str(key_node.value)
            if key in values:
                self._refuse(key_node, f"the key {key!r} is given twice")
                continue
            self.marks[(*place, key)] = _position(key_node)
            values[key] = self.read(value_node, (*place, key))
        return values

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag == f"{_YAML}timestamp":
            return str(node.value)
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            return self._refuse(node, f"this value cannot be read: {getattr(error, 'problem', None) or error}")

    def _refuse(self, node: yaml.Node, message: str) -> None:
        line, column = _position(node)
        self.problems.append(Problem(self.file, line, column, message))


def _position(node: yaml.Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)
