"""Tools on the command line: each argument of a tool becomes an option, each result is JSON."""

from __future__ import annotations

import argparse
import json
import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import ToolArgumentError

#: What a text becomes before the tool checks it.
Kind = Literal["text", "integer", "number", "truth", "json"]
_MISSING = object()


def tool_parser(tool: AnyTool, prog: str) -> argparse.ArgumentParser:
    """Return a parser whose options are the tool's arguments.

    A text, a number and a truth value are given as such, a list of them as several values, everything else as JSON.
    Which options there must be, and what a value may be, the tool checks.
    """
    parser = _Parser(
        prog=prog, description=f"{tool.purpose} (side effect: {tool.side_effect}, takes: {tool.cost_class})",
        argument_default=argparse.SUPPRESS, allow_abbrev=False,
    )  # fmt: skip
    parser.tool = tool
    for name, info in tool.args.model_fields.items():
        _add_option(parser, name, info)
    return parser


def arguments_from(tool: AnyTool, parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """Return a tool's arguments as JSON-able values; only those that were given.

    Raises
    ------
    ToolArgumentError
        If an option is unknown, or its text is no value of its kind.
    """
    given = vars(parser.parse_args(list(words)))
    values: dict[str, Any] = {}
    for name, info in tool.args.model_fields.items():
        if (text := given.get(name, _MISSING)) is _MISSING:
            continue
        kind, several = kind_of(info.annotation)
        values[name] = [_value(tool, name, kind, one) for one in text] if several else _value(tool, name, kind, text)
    return values


def kind_of(annotation: Any) -> tuple[Kind, bool]:
    """Return what an option's text stands for, and whether it is given several times."""
    inner = _without_none(annotation)
    origin = get_origin(inner)
    if origin in (tuple, list, frozenset, set):
        items = [part for part in get_args(inner) if part is not ...]
        kind = kind_of(items[0])[0] if len(items) == 1 else "json"
        return (kind, True) if kind != "json" else ("json", False)
    if origin is Literal:
        return _kind_of_type(type(get_args(inner)[0])), False
    return (_kind_of_type(inner) if isinstance(inner, type) else "json"), False


def _kind_of_type(kind: type) -> Kind:
    if issubclass(kind, Enum):
        return _kind_of_type(type(next(iter(kind)).value))
    if issubclass(kind, BaseModel):
        return "json"
    for known, word in ((bool, "truth"), (int, "integer"), (float, "number")):
        if issubclass(kind, known):
            return word  # type: ignore[return-value]
    # Paths and dates are texts in JSON.
    return "json" if issubclass(kind, dict | list | tuple) or kind is object else "text"


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        left = [part for part in get_args(annotation) if part is not type(None)]
        return left[0] if len(left) == 1 else annotation
    return annotation


def _add_option(parser: argparse.ArgumentParser, name: str, info: FieldInfo) -> None:
    kind, several = kind_of(info.annotation)
    needed = "required" if info.is_required() else f"default: {_default(info)}"
    flags = [f"--{name.replace('_', '-')}"] + ([f"--{name}"] if "_" in name else [])
    parser.add_argument(
        *flags,
        dest=name,
        metavar={"text": "TEXT", "integer": "N", "number": "X", "truth": "true|false", "json": "JSON"}[kind],
        nargs="+" if several else None,
        help=f"{info.description} ({needed})".replace("%", "%%"),
    )


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return "null" if value is None else json.dumps(value.value if isinstance(value, Enum) else value, default=str)


def _value(tool: AnyTool, name: str, kind: Kind, text: str) -> Any:
    try:
        return _READ[kind](text)
    except (KeyError, ValueError, RecursionError):
        wanted = {"truth": "true or false", "integer": "a whole number", "number": "a number"}.get(kind, "JSON")
        raise ToolArgumentError(
            f"{tool.name}: {name}: {printable(text)[:60]!r} is not {wanted}.",
            f"`tools show {tool.name}` describes the arguments.",
        ) from None


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_READ: Mapping[Kind, Callable[[str], Any]] = {
    "text": str, "integer": int, "number": float, "truth": _truth, "json": json.loads,
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are the tool's own, so that they look the same however a tool is called."""

    tool: AnyTool

    def error(self, message: str) -> NoReturn:
        raise ToolArgumentError(
            f"{self.tool.name}: {printable(message)}.", f"It takes: {', '.join(self.tool.args.model_fields)}."
        )
