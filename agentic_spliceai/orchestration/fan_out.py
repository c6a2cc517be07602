"""Nodes with `each`: one call of the tool for every item of a list, each kept on its own.

A fan-out is three nodes in LangGraph. `NAME` sends the next `parallel` items to `NAME.item`, until there are none left;
`NAME.join` puts the results in order. So never more than `parallel` items are under way, and what an item gave is kept
as soon as it is there: LangGraph's own limit, `max_concurrency`, would make the keeping wait behind the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import Send

from agentic_spliceai.orchestration.references import Reference, look_up, parse_reference
from agentic_spliceai.orchestration.spec import NodeSpec

#: Results of items by node and by the item's number, as text; None once they have been joined.
Items = dict[str, dict[str, Any] | None]


def item_node(name: str) -> str:
    """Return LangGraph's name of what works on one item."""
    return f"{name}.item"


def join_node(name: str) -> str:
    """Return LangGraph's name of what puts the results in order."""
    return f"{name}.join"


def join_items(left: Items, right: Items) -> Items:
    """Put results of items together; those of a node that has been joined are dropped."""
    joined = dict(left)
    for node, results in right.items():
        if results is None:
            joined.pop(node, None)
        else:
            joined[node] = {**(joined.get(node) or {}), **results}
    return joined


def items_of(node: NodeSpec, state: Mapping[str, Any]) -> list[Any]:
    """Return the list that a node goes through."""
    reference: Reference | None = parse_reference(node.each or "")
    assert reference is not None  # the validator has seen it
    return list(look_up(reference, state["inputs"], state["results"]))


def next_items(node: NodeSpec, state: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Send] | str:
    """Return the items to work on now, or the name of the join when all are done."""
    items, done = items_of(node, state), state["items"].get(node.name) or {}
    waiting = [number for number in range(len(items)) if str(number) not in done]
    if not waiting:
        return join_node(node.name)
    return [
        Send(
            item_node(node.name),
            {
                "number": number,
                "count": len(items),
                "arguments": {**arguments, str(node.as_): items[number]},
            },
        )
        for number in waiting[: node.parallel]
    ]


def joined(node: NodeSpec, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the update of the state that ends a fan-out: its results in the order of the list."""
    done = state["items"].get(node.name) or {}
    results = [done[str(number)] for number in range(len(items_of(node, state)))]
    return {"results": {node.name: {"items": results}}, "items": {node.name: None}}
