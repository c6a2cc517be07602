"""Types of what references speak of: fields of models, possible values, and whether one type fits another.

Values travel between steps as JSON, so types are compared as what they are in JSON: a path or a date is a string there.
"""

from __future__ import annotations

import collections.abc
import types
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from agentic_spliceai.orchestration.spec import InputSpec, Scalar

_INPUT_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
_ARRAYS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
_OBJECTS = (dict, collections.abc.Mapping)


def input_type(spec: InputSpec) -> Any:
    """Return the Python type of an input."""
    base = Literal[tuple(spec.choices)] if spec.choices else _INPUT_TYPES[spec.type]
    return base | None if spec.nullable else base


def strip(annotation: Any) -> Any:
    """Return a type without `Annotated` and without the alias that names it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone."""
    annotation = strip(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(part for member in get_args(annotation) for part in members(member))
    return (annotation,)


def field_type(annotation: Any, name: str) -> tuple[Any, tuple[str, ...]]:
    """Return the type of a model's field, None where there is none of that name, and the names of all its fields.

    A type that is no model has no fields that a reference could name.
    """
    annotation = strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        return (fields[name].annotation if name in fields else None), tuple(fields)
    return None, ()


def possible_values(annotation: Any) -> tuple[str, ...] | None:
    """Return every value of an enum, Literal or bool (null included) as a route writes it; None if they are not few."""
    values: list[str] = []
    for member in members(annotation):
        if member is type(None):
            values.append("null")
        elif member is bool:
            values += ["true", "false"]
        elif (raw := _raw_values(member)) is not None:
            values += [route_key(value) for value in raw]
        else:
            return None
    return tuple(dict.fromkeys(values))


def route_key(value: Scalar | None) -> str:
    """Return a JSON value as the key of a route: `true`, `false`, `null`, or its text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def clash(source: Any, target: Any) -> bool:
    """Whether a value of type `source` cannot, or cannot always, be one of type `target`; False if unknown."""
    sources, targets = members(source), members(target)
    if Any in targets or Any in sources:
        return False
    return any(all(_clash(one, other) for other in targets) for one in sources)


def item_type(annotation: Any) -> Any:
    """Return the type of an array's items, `Any` where they may be of several; None if it is no array."""
    annotation = strip(annotation)
    origin = get_origin(annotation) or annotation
    if not (isinstance(origin, type) and issubclass(origin, _ARRAYS)) or issubclass(origin, str | bytes):
        return None
    item = _item(annotation)
    return Any if item is None else item


def type_name(annotation: Any) -> str:
    """Return a type as a person reads it."""
    if get_origin(annotation) in (Union, types.UnionType) or get_origin(annotation) is Annotated:
        return " | ".join(type_name(member) for member in members(annotation))
    annotation = strip(annotation)
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " | ".join(repr(value) for value in get_args(annotation))
    if get_origin(annotation) is not None:
        parts = ", ".join("..." if part is ... else type_name(part) for part in get_args(annotation))
        return f"{get_origin(annotation).__name__}[{parts}]"
    return getattr(annotation, "__name__", str(annotation))


def _clash(source: Any, target: Any) -> bool:
    kinds = _kinds(source), _kinds(target)
    if not all(kinds):
        return False
    if not kinds[0] <= (kinds[1] | ({"integer"} if "number" in kinds[1] else set())):
        return True
    if _is_model(source) and _is_model(target):
        return not issubclass(source, target)
    known, allowed = _raw_values(source), _raw_values(target)
    if known is not None and allowed is not None:
        return not set(map(route_key, known)) <= set(map(route_key, allowed))
    items = _item(source), _item(target)
    return all(item is not None for item in items) and clash(*items)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _raw_values(annotation: Any) -> tuple[Any, ...] | None:
    if get_origin(annotation) is Literal:
        return tuple(v.value if isinstance(v, Enum) else v for v in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(member.value for member in annotation)
    return None


def _item(annotation: Any) -> Any:
    """Return the type of an array's items, where all have one."""
    arguments = tuple(part for part in get_args(annotation) if part is not ...)
    return arguments[0] if get_origin(annotation) in _ARRAYS and len(arguments) == 1 else None


def _kinds(annotation: Any) -> set[str]:
    """Return what a type can be in JSON; empty where that is not known."""
    values = _raw_values(annotation)
    if values is not None:
        return {kind for value in values for kind in _kinds(type(value))}
    origin = get_origin(annotation) or annotation
    if not isinstance(origin, type):
        return set()
    for kind, bases in (
        ("null", (type(None),)),
        ("boolean", (bool,)),
        ("integer", (int,)),
        ("number", (float,)),
        ("string", (str, PurePath, date)),
        ("object", (BaseModel, *_OBJECTS)),
        ("array", _ARRAYS),
    ):
        if issubclass(origin, bases):
            return {kind}
    return set()
