"""References in a workflow: `$inputs.variant`, `$resolve.variant`, `$predict.genes?`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentic_spliceai.orchestration.spec import INPUTS

_REFERENCE = re.compile(r"^\$([a-z][a-z0-9_]*)((?:\.[A-Za-z_][A-Za-z0-9_]*)+)(\?)?$")


@dataclass(frozen=True)
class Reference:
    """A dotted name.

    Attributes
    ----------
    source
        `inputs` or the name of a node.
    path
        Fields, at least one.
    optional
        Whether the node may not have run.
    """

    source: str
    path: tuple[str, ...]
    optional: bool = False

    def __str__(self) -> str:
        return f"${self.source}.{'.'.join(self.path)}{'?' if self.optional else ''}"


def is_reference(value: object) -> bool:
    """Whether a value is meant as a reference: text that begins with a single dollar sign."""
    return isinstance(value, str) and value.startswith("$") and not value.startswith("$$")


def parse_reference(text: str) -> Reference | None:
    """Return the reference, or None if the text is none."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    return Reference(match[1], tuple(match[2][1:].split(".")), match[3] is not None)


def nested_references(value: object) -> list[str]:
    """Return what looks like a reference inside a list or mapping, where none is looked for."""
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return []
    return [item for item in inner if is_reference(item)] + [
        found for item in inner for found in nested_references(item)
    ]


def literal(value: Any) -> Any:
    """Return a literal as it is meant: two dollar signs at its beginning stand for one."""
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value


def look_up(reference: Reference, inputs: Mapping[str, Any], results: Mapping[str, Any]) -> Any:
    """Return the value that a reference speaks of.

    Raises
    ------
    KeyError
        If the node has not run; the validator makes sure that this happens to optional references only.
    """
    value: Any = inputs if reference.source == INPUTS else results[reference.source]
    for name in reference.path:
        value = value[name]
    return value
