"""Patterns over the items of a request: a word of a pattern is a kind of item.

`number` takes one item of that kind, `number+` a list of them ('1, 2 and 3', '1 to 5'), `under?` one or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentic_spliceai.orchestration.planner.lexicon import Item

_JOINS = frozenset({"and", "versus", "range"})
_RANGE_LONGEST = 50

#: A number before one of these belongs to it, and ends a list that stands before it.
_UNITS = frozenset(
    {"variant_unit", "epoch", "money_unit", "time_unit", "seed", "nt", "layers", "batch", "learning_rate", "patience"}
)


@dataclass(frozen=True)
class Setting:
    """A thing that a request said: the field, one value or several that are to be compared, and the words."""

    field: str
    values: tuple[Any, ...]
    text: str


Make = Callable[[list[Any]], Sequence[tuple[str, Sequence[Any]]]]


@dataclass(frozen=True)
class Rule:
    """A pattern, and what it says: field and values from what the pattern's items stand for."""

    pattern: str
    make: Make

    def match(self, items: Sequence[Item], place: int) -> tuple[list[Any], int] | None:
        """Return the values at `place` and how many items they take, or None."""
        values: list[Any] = []
        at = place
        for part in self.pattern.split():
            kind = part.rstrip("?+")
            here = items[at] if at < len(items) else None
            if here is not None and here.kind == kind:
                if part.endswith("+"):
                    listed, at = _list_at(items, at, kind)
                    values.append(listed)
                else:
                    values.append(here.value)
                    at += 1
            elif part.endswith("?"):
                values.append(None)
            else:
                return None
        return values, at - place


def apply(rules: Sequence[Rule], items: Sequence[Item]) -> tuple[list[Setting], list[Item]]:
    """Read items from left to right, the first rule that fits at each place; return what is said and what is left."""
    settings: list[Setting] = []
    left: list[Item] = []
    place = 0
    while place < len(items):
        for rule in rules:
            found = rule.match(items, place)
            if found is not None:
                values, used = found
                text = " ".join(item.text for item in items[place : place + used])
                settings += [Setting(field, tuple(many), text) for field, many in rule.make(values)]
                place += used
                break
        else:
            left.append(items[place])
            place += 1
    return settings, left


def _list_at(items: Sequence[Item], place: int, kind: str) -> tuple[list[Any], int]:
    values = [items[place].value]
    at = place + 1
    while at < len(items):
        joined = items[at].kind in _JOINS
        following = at + 1 if joined else at
        if following >= len(items) or items[following].kind != kind:
            break
        after = items[following + 1].kind if following + 1 < len(items) else None
        if kind == "number" and after in _UNITS:
            break
        if items[at].kind == "range" and kind == "number":
            values += _span(values.pop(), items[following].value)
        else:
            values.append(items[following].value)
        at = following + 1
    return values, at


def _span(first: float, last: float) -> list[float]:
    if first == int(first) and last == int(last) and first < last <= first + _RANGE_LONGEST:
        return [float(value) for value in range(int(first), int(last) + 1)]
    return [first, last]
