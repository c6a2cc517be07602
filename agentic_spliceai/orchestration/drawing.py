"""A workflow as a picture, in Mermaid's text form."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_spliceai.orchestration.spec import END, START, GraphSpec, NodeSpec
from agentic_spliceai.tools.registry import AnyTool

# `end` is a word of Mermaid's own.
_IDS = {START: "run_start", END: "run_end"}


def draw_mermaid(spec: GraphSpec, registry: Mapping[str, AnyTool] | None = None) -> str:
    """Return the workflow as a Mermaid flow chart; routes are labelled with the values that take them.

    A node that goes through a list has double sides; with `registry`, one that asks a person is a hexagon.
    """
    lines = ["flowchart TD", f"    {_IDS[START]}([START])", f"    {_IDS[END]}([END])"]
    lines += [f"    {_node(node, registry or {})}" for node in spec.nodes]
    for edge in spec.edges:
        source = _IDS.get(edge.from_, edge.from_)
        if edge.to is not None:
            lines.append(f"    {source} --> {_IDS.get(edge.to, edge.to)}")
            continue
        values_by_target: dict[str, list[str]] = {}
        for value, target in (edge.routes or {}).items():
            values_by_target.setdefault(target, []).append(value)
        lines += [
            f'    {source} -. "{" or ".join(values)}" .-> {_IDS.get(target, target)}'
            for target, values in values_by_target.items()
        ]
    return "\n".join(lines) + "\n"


def _node(node: NodeSpec, registry: Mapping[str, AnyTool]) -> str:
    text = f"{node.name}<br/><small>{node.use}</small>"
    if node.each is not None:
        return f'{node.name}[["{text}<br/><small>for each of {node.each.removeprefix("$")}</small>"]]'
    if node.use in registry and registry[node.use].asks:
        return f'{node.name}{{{{"{text}"}}}}'
    return f'{node.name}["{text}"]'
