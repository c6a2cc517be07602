"""The inputs of a workflow: from `--set name=value` and from Python to checked values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentic_spliceai.orchestration.errors import InputError
from agentic_spliceai.orchestration.shape import near
from agentic_spliceai.orchestration.spec import InputSpec, Scalar
from agentic_spliceai.orchestration.validator import CheckedGraph, literal_problem, readers_of

InputValue = Scalar | None

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_NULL = frozenset({"", "null", "none"})


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Split `name=value` at the first equals sign.

    Raises
    ------
    InputError
        If there is none, or a name is given twice with different values.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{assignment!r} is no name=value.", "Write for example --set variant=chr3-37012011-A-G.")
        name = name.strip()
        if values.get(name, value) != value:
            raise InputError(f"input {name!r} is given twice: {values[name]!r} and {value!r}.", "Give it once.")
        values[name] = value
    return values


def inputs_from_text(graph: CheckedGraph, texts: Mapping[str, str]) -> dict[str, InputValue]:
    """Turn the texts of `--set` into values of the inputs' types, and check them as `check_inputs` does."""
    specs = graph.spec.inputs
    return check_inputs(
        graph, {name: _from_text(name, specs[name], text) if name in specs else text for name, text in texts.items()}
    )


def check_inputs(graph: CheckedGraph, values: Mapping[str, InputValue]) -> dict[str, InputValue]:
    """Return a value for every input: those given, and the defaults of the others.

    A value is checked against the input's type and choices, and against each parameter of a tool that it is handed to,
    so that a run does not fail halfway for what could be known at its start.

    Raises
    ------
    InputError
        If an input is unknown, missing, or has a value that cannot be used.
    """
    specs = graph.spec.inputs
    for name in values:
        if name not in specs:
            hint = near(name, specs).removeprefix("; ")
            raise InputError(
                f"workflow {graph.spec.name!r} has no input {name!r}.",
                f"{hint[:1].upper()}{hint[1:]}" or "It has none.",
            )
    missing = [name for name, spec in specs.items() if spec.required and name not in values]
    if missing:
        raise InputError(
            f"workflow {graph.spec.name!r} needs {', '.join(missing)}.",
            " ".join(f"--set {name}=... ({specs[name].description.rstrip('.')})" for name in missing) + ".",
        )
    checked = {name: values.get(name, spec.default) for name, spec in specs.items()}
    for name, value in checked.items():
        _check_value(graph, name, specs[name], value)
    return checked


def _check_value(graph: CheckedGraph, name: str, spec: InputSpec, value: InputValue) -> None:
    if value is None and spec.nullable:
        return
    expected = {"string": str, "integer": int, "number": (int, float), "boolean": bool}[spec.type]
    if not isinstance(value, expected) or (isinstance(value, bool) and spec.type != "boolean"):  # type: ignore[arg-type]
        raise InputError(f"input {name}={value!r} is no {spec.type}.", spec.description)
    if spec.choices and value not in spec.choices:
        raise InputError(f"input {name}={value!r} is not allowed.", f"One of: {', '.join(map(str, spec.choices))}.")
    for reader, info in readers_of(graph.spec, graph.registry, name):
        problem = literal_problem(info, value)
        if problem:
            raise InputError(f"input {name}={value!r} cannot be used by {reader}: {problem}.", spec.description)


def _from_text(name: str, spec: InputSpec, text: str) -> InputValue:
    if spec.nullable and text.strip().lower() in _NULL:
        return None
    try:
        match spec.type:
            case "string":
                return text
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                if text.strip().lower() in _TRUE | _FALSE:
                    return text.strip().lower() in _TRUE
                raise ValueError(text)
    except ValueError:
        raise InputError(f"input {name}={text!r} is no {spec.type}.", spec.description) from None
