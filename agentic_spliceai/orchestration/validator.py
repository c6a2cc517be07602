"""Checking a workflow whole, before anything runs: every problem at once, each with its line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from agentic_spliceai.orchestration.errors import GraphError, Problem
from agentic_spliceai.orchestration.loader import Document, Place, load_document
from agentic_spliceai.orchestration.paths import Paths
from agentic_spliceai.orchestration.references import (
    Reference,
    is_reference,
    literal,
    nested_references,
    parse_reference,
)
from agentic_spliceai.orchestration.shape import Parts, near, read_parts
from agentic_spliceai.orchestration.spec import END, INPUTS, START, EdgeSpec, GraphSpec, InputSpec, NodeSpec
from agentic_spliceai.orchestration.types import (
    clash,
    field_type,
    input_type,
    item_type,
    members,
    possible_values,
    type_name,
)
from agentic_spliceai.tools.registry import AnyTool, ToolRegistry, default_registry
from agentic_spliceai.tools.spec import describe_validation

#: Names that a node cannot have: they mean something in references, or are parts of a run's state.
RESERVED_NODES = frozenset({INPUTS, "results", "schema_version"})
#: Names that an output cannot have: the machine-readable result has them already.
RESERVED_OUTPUTS = frozenset({"run_id", "graph", "status", "started_at", "seconds", "timings", "error"})


@dataclass(frozen=True)
class CheckedGraph:
    """A workflow without problems, and the tools that it was checked against."""

    spec: GraphSpec
    document: Document
    registry: Mapping[str, AnyTool]


def load_graph(graph: str, registry: ToolRegistry | None = None) -> CheckedGraph:
    """Load a workflow by path or name and check it.

    Raises
    ------
    UnknownGraphError
        If there is no such file or name.
    GraphError
        With every problem.
    """
    return check_document(load_document(graph), registry or default_registry())


def check_document(document: Document, registry: ToolRegistry) -> CheckedGraph:
    """Check a document; raises `GraphError` with every problem."""
    problems = find_problems(document, registry)
    if problems:
        raise GraphError(problems)
    return CheckedGraph(GraphSpec.model_validate(document.data, by_name=False), document, registry)


def find_problems(document: Document, registry: ToolRegistry) -> tuple[Problem, ...]:
    """Return every problem, in the order of the file."""
    parts = read_parts(document)
    if not isinstance(document.data, dict):
        return tuple(parts.problems)
    return tuple(sorted({*parts.problems, *_Check(document, parts, registry).run()}))


class _Check:
    """The rules that need more than one part of the workflow, or the tools."""

    def __init__(self, document: Document, parts: Parts, registry: ToolRegistry) -> None:
        self.document = document
        self.parts = parts
        self.registry = registry
        self.nodes: dict[str, NodeSpec] = {node.name: node for _, node in reversed(parts.nodes)}
        self.names = [*dict.fromkeys(node.name for _, node in parts.nodes), *sorted(parts.broken_nodes)]
        self.problems: list[Problem] = []
        self.paths = self._make_paths()

    def run(self) -> list[Problem]:
        self._check_inputs()
        self._check_names()
        self._check_edges()
        self._check_paths()
        for place, node in self.parts.nodes:
            self._check_node(place, node)
        self._check_outputs()
        return self.problems

    def _add(self, place: Place, message: str) -> None:
        self.problems.append(self.document.problem(place, message))

    # -- inputs and names --------------------------------------------------------------------------------------------

    def _check_inputs(self) -> None:
        for name, spec in self.parts.inputs.items():
            place: Place = ("inputs", name)
            if not name.isidentifier():
                self._add(place, f"the input name {name!r} is no identifier")
            for choice in spec.choices or ():
                if not _is_of(spec, choice):
                    self._add((*place, "choices"), f"input {name!r}: the choice {choice!r} is no {spec.type}")
            if spec.default is None:
                continue
            if not _is_of(spec, spec.default):
                self._add((*place, "default"), f"input {name!r}: the default {spec.default!r} is no {spec.type}")
            elif spec.choices and spec.default not in spec.choices:
                self._add((*place, "default"), f"input {name!r}: the default {spec.default!r} is not among its choices")

    def _check_names(self) -> None:
        seen: Counter[str] = Counter()
        for place, node in self.parts.nodes:
            seen[node.name] += 1
            if seen[node.name] > 1:
                self._add((*place, "name"), f"two nodes are named {node.name!r}")
            if node.name in RESERVED_NODES:
                self._add((*place, "name"), f"a node cannot be named {node.name!r}: the name is reserved")
        for name in self.parts.outputs:
            if name in RESERVED_OUTPUTS:
                self._add(("outputs", name), f"an output cannot be named {name!r}: the name is reserved")

    # -- edges and paths ---------------------------------------------------------------------------------------------

    def _make_paths(self) -> Paths | None:
        """Return the graph's paths, or None where the edges are too wrong to tell."""
        written = self.document.data.get("edges")
        if not isinstance(written, list) or len(self.parts.edges) != len(written):
            return None
        links = [(edge.from_, target) for _, edge in self.parts.edges for target in edge.targets]
        sources, targets = {START, *self.names}, {END, *self.names}
        if any(source not in sources or target not in targets for source, target in links):
            return None
        return Paths(self.names, links)

    def _check_edges(self) -> None:
        leaving: dict[str, int] = {}
        for place, edge in self.parts.edges:
            self._check_end((*place, "from"), edge.from_, "leaves", START)
            if edge.to is not None:
                self._check_end((*place, "to"), edge.to, "leads to", END)
            for value, target in (edge.routes or {}).items():
                self._check_end((*place, "routes", value), target, "leads to", END)
            if edge.from_ in leaving:
                self._add(
                    place,
                    f"a second edge leaves {edge.from_!r} (the first is on line {leaving[edge.from_]}): "
                    "a node has one edge; where it depends, use `when` and `routes`",
                )
            else:
                leaving[edge.from_] = self.document.marks[place][0]
            if edge.to is not None and (edge.when is not None or edge.routes is not None):
                self._add(place, "an edge has either `to`, or `when` and `routes`, not both")
            elif edge.to is None and (edge.when is None or not edge.routes):
                self._add(place, f"the edge from {edge.from_!r} leads nowhere: it needs `to`, or `when` and `routes`")
            elif edge.when is not None:
                self._check_routes(place, edge, edge.when)

    def _check_end(self, place: Place, name: str, verb: str, terminal: str) -> None:
        if name == terminal or name in self.names:
            return
        if name in (START, END):
            self._add(
                place, f"an edge {verb} {name}: nothing {'comes before START' if name == START else 'follows END'}"
            )
        else:
            self._add(place, f"an edge {verb} {name!r}, but there is no such node{near(name, [*self.names, terminal])}")

    def _check_routes(self, place: Place, edge: EdgeSpec, when: str) -> None:
        at = (*place, "when")
        # The router runs after the node that the edge leaves, so that node's own result is there.
        annotation = self._resolve(at, when, edge.from_, including_itself=True)
        if annotation is None:
            return
        values = possible_values(annotation)
        if values is None:
            self._add(at, f"{when} is {type_name(annotation)}; routes need an enum, Literal or boolean")
            return
        routes = edge.routes or {}
        for key in routes:
            if key not in values:
                self._add((*place, "routes", key), f"{when} is never {key!r}{near(key, values)}")
        missing = [value for value in values if value not in routes]
        if missing:
            self._add((*place, "routes"), f"the routes do not say where to go when {when} is {' or '.join(missing)}")

    def _check_paths(self) -> None:
        if not self.parts.nodes:
            return
        if not any(edge.from_ == START for _, edge in self.parts.edges):
            self._add(("edges",), "no edge leaves START")
        if not any(END in edge.targets for _, edge in self.parts.edges):
            self._add(("edges",), "no edge leads to END")
        named = {target for _, edge in self.parts.edges for target in edge.targets}
        leaving = {edge.from_ for _, edge in self.parts.edges}
        for place, node in self.parts.nodes:
            if node.name not in named or (self.paths and node.name not in self.paths.reachable):
                self._add(place, f"no path from START leads to node {node.name!r}")
            if node.name not in leaving or (self.paths and node.name not in self.paths.leads_to_end):
                self._add(place, f"no path from node {node.name!r} leads to END")
        if self.paths:
            for cycle in self.paths.cycles():
                place = next(p for p, e in self.parts.edges if e.from_ == cycle[-1] and cycle[0] in e.targets)
                self._add(place, f"the nodes go round in a circle: {' -> '.join((*cycle, cycle[0]))}")

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _check_node(self, place: Place, node: NodeSpec) -> None:
        if node.use not in self.registry:
            self._add((*place, "use"), f"there is no tool {node.use!r}{near(node.use, self.registry)}")
            return
        tool = self.registry[node.use]
        fields = tool.args.model_fields
        for name, value in node.with_.items():
            at = (*place, "with", name)
            if name not in fields:
                self._add(at, f"tool {tool.name!r} has no parameter {name!r}{near(name, fields)}")
            elif is_reference(value):
                self._check_reference(at, node, name, str(value), fields[name])
            else:
                self._check_literal(at, name, value, fields[name])
        self._check_each(place, node, tool)
        for name, info in fields.items():
            if info.is_required() and name not in node.with_ and name != node.as_:
                self._add((*place, "with"), f"node {node.name!r} gives no {name!r}, which tool {tool.name!r} needs")

    def _check_each(self, place: Place, node: NodeSpec, tool: AnyTool) -> None:
        for key, given in (("each", node.each is not None), ("timeout", node.timeout is not None)):
            if given and tool.asks:
                self._add((*place, key), f"tool {tool.name!r} asks a person: node {node.name!r} cannot have {key!r}")
        if node.each is None:
            for key, given in (("as", node.as_ is not None), ("parallel", "parallel" in node.model_fields_set)):
                if given:
                    self._add((*place, key), f"node {node.name!r} has {key!r} but no 'each'")
            return
        if node.as_ is None:
            self._add((*place, "each"), f"node {node.name!r} does not say `as` what its tool gets an item")
        elif node.as_ not in tool.args.model_fields:
            known = near(node.as_, tool.args.model_fields)
            self._add((*place, "as"), f"tool {tool.name!r} has no parameter {node.as_!r}{known}")
        elif node.as_ in node.with_:
            self._add((*place, "with", node.as_), f"{node.as_!r} is given here, and by `each` too")
        at = (*place, "each")
        annotation = self._resolve(at, node.each, node.name)
        if annotation is None:
            return
        if node.each.endswith("?"):
            self._add(at, f"{node.each} may be absent; there must be a list, which may be empty")
        item = item_type(annotation)
        if item is None:
            self._add(at, f"{node.each} is {type_name(annotation)}; `each` needs a list")
        elif node.as_ in tool.args.model_fields and clash(item, tool.args.model_fields[node.as_].annotation):
            wanted = type_name(tool.args.model_fields[node.as_].annotation)
            self._add(at, f"an item of {node.each} is {type_name(item)}, but {node.as_!r} takes {wanted}")

    def _check_reference(self, at: Place, node: NodeSpec, name: str, text: str, info: FieldInfo) -> None:
        annotation = self._resolve(at, text, node.name)
        if annotation is None:
            return
        if text.endswith("?") and info.is_required():
            self._add(at, f"{text} may be absent, but {name!r} has no default")
        if clash(annotation, info.annotation):
            wanted = type_name(info.annotation)
            self._add(at, f"{text} is {type_name(annotation)}, but {name!r} takes {wanted}")
            return
        reference = parse_reference(text)
        if reference is not None and reference.source == INPUTS:
            self._check_default(reference.path[0], f"{node.name}.{name}", info)

    def _check_default(self, name: str, reader: str, info: FieldInfo) -> None:
        """Check an input's default against a parameter that it is handed to; its type has been checked before."""
        spec = self.parts.inputs[name]
        default = spec.default
        if default is None or not _is_of(spec, default) or (spec.choices and default not in spec.choices):
            return
        message = literal_problem(info, default)
        if message:
            place: Place = ("inputs", name, "default")
            self._add(place, f"input {name!r}: the default {default!r} cannot be used by {reader}: {message}")

    def _check_literal(self, at: Place, name: str, value: Any, info: FieldInfo) -> None:
        nested = nested_references(value)
        for found in nested:
            self._add(at, f"{found} stands inside a list or mapping; a reference is a whole value")
        if nested:
            return
        message = literal_problem(info, literal(value))
        if message:
            self._add(at, f"{name!r} cannot be {value!r}: {message}")

    def _check_outputs(self) -> None:
        for name, text in self.parts.outputs.items():
            self._resolve(("outputs", name), text, END)

    # -- references --------------------------------------------------------------------------------------------------

    def _resolve(self, at: Place, text: str, reader: str, *, including_itself: bool = False) -> Any:
        """Return the type that a reference speaks of, or None after noting why there is none."""
        reference = parse_reference(text)
        if reference is None:
            self._add(at, f"{text!r} is no reference; write $inputs.NAME or $NODE.FIELD")
            return None
        if reference.source == INPUTS:
            return self._resolve_input(at, reference)
        if reference.source in self.parts.broken_nodes:
            return None
        node = self.nodes.get(reference.source)
        if node is None:
            self._add(
                at, f"{text}: there is no node {reference.source!r}{near(reference.source, [INPUTS, *self.names])}"
            )
            return None
        self._check_order(at, reference, reader, including_itself)
        if node.use not in self.registry:
            return None
        tool = self.registry[node.use]
        return self._field(at, reference, tool.result) if node.each is None else self._items(at, reference, tool)

    def _resolve_input(self, at: Place, reference: Reference) -> Any:
        name, *rest = reference.path
        if rest or reference.optional:
            self._add(at, f"{reference}: an input has no fields and is always there")
        elif name in self.parts.inputs:
            return input_type(self.parts.inputs[name])
        elif name not in self.parts.broken_inputs:
            self._add(at, f"{reference}: there is no input {name!r}{near(name, self.parts.inputs)}")
        return None

    def _check_order(self, at: Place, reference: Reference, reader: str, including_itself: bool) -> None:
        source = reference.source
        if source == reader and including_itself:
            return
        if source == reader:
            self._add(at, f"{reference}: a node cannot read its own result")
        # Where the edges are wrong, or the reader is on no path, the order is not known; that has been said already.
        elif self.paths and (reader == END or reader in self.paths.reachable):
            if source not in self.paths.sometimes_before(reader):
                self._add(at, f"{reference}: node {source!r} does not come before {reader!r}")
            elif source not in self.paths.always_before(reader) and not reference.optional:
                self._add(
                    at,
                    f"{reference}: node {source!r} comes before {reader!r} on some paths only; "
                    f"write {reference}? if it may be absent",
                )

    def _items(self, at: Place, reference: Reference, tool: AnyTool) -> Any:
        if reference.path == ("items",):
            return tuple[tool.result, ...]  # type: ignore[name-defined]
        self._add(at, f"{reference}: node {reference.source!r} has `each`; it gives ${reference.source}.items only")
        return None

    def _field(self, at: Place, reference: Reference, annotation: Any) -> Any:
        for depth, name in enumerate(reference.path):
            so_far = ".".join((reference.source, *reference.path[:depth]))
            models = [member for member in members(annotation) if member is not type(None)]
            if len(models) != len(members(annotation)):
                self._add(at, f"{reference}: ${so_far} may be null, so its fields cannot be referred to")
                return None
            found, known = field_type(models[0], name) if len(models) == 1 else (None, ())
            if found is None:
                message = f"has no field {name!r}{near(name, known)}" if known else "has no fields"
                self._add(at, f"{reference}: ${so_far} {message}")
                return None
            annotation = found
        return annotation


def literal_problem(info: FieldInfo, value: Any) -> str | None:
    """Return why a parameter cannot have this value, or None if it can."""
    try:
        text = json.dumps(value, allow_nan=False)
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[info.annotation, info])  # type: ignore[arg-type]
        adapter.validate_json(text, strict=True)
    except ValidationError as error:
        return describe_validation(error).removeprefix("value: ")
    except ValueError as error:
        return str(error)
    return None


def readers_of(spec: GraphSpec, registry: Mapping[str, AnyTool], name: str) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every parameter (`node.parameter` and its field) that an input is handed to."""
    for node in spec.nodes:
        for parameter, value in node.with_.items():
            reference = parse_reference(value) if isinstance(value, str) else None
            if reference is not None and reference.source == INPUTS and reference.path[0] == name:
                yield f"{node.name}.{parameter}", registry[node.use].args.model_fields[parameter]


def _is_of(spec: InputSpec, value: Any) -> bool:
    match spec.type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
