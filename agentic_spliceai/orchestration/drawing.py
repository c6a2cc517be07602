"""A workflow as a picture, in Mermaid's text form."""

from __future__ import annotations

from agentic_spliceai.orchestration.spec import END, START, GraphSpec

# `end` is a word of Mermaid's own.
_IDS = {START: "run_start", END: "run_end"}


def draw_mermaid(spec: GraphSpec) -> str:
    """Return the workflow as a Mermaid flow chart; routes are labelled with the values that take them."""
    lines = ["flowchart TD", f"    {_IDS[START]}([START])", f"    {_IDS[END]}([END])"]
    lines += [f'    {node.name}["{node.name}<br/><small>{node.use}</small>"]' for node in spec.nodes]
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
