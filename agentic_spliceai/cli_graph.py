"""`agentic-spliceai graph`: the workflows of the package, a workflow's picture, and the schema of workflow files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.orchestration.validator import CheckedGraph

_GRAPH = "YAML file, or the name of a packaged workflow"


def add_graph(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `graph`."""
    actions = commands.add_parser("graph", help="list, draw or describe workflows").add_subparsers(
        metavar="ACTION", required=True
    )
    listing = actions.add_parser("list", help="list the workflows of the package")
    listing.set_defaults(handler=_list)
    draw = actions.add_parser("draw", help="draw a workflow", description="Draw a workflow.")
    draw.add_argument("graph", metavar="GRAPH", help=_GRAPH)
    draw.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="a picture (.svg, .png) or a Mermaid flow chart (.mmd); without, Mermaid is printed",
    )
    draw.set_defaults(handler=_draw)
    schema = actions.add_parser("schema", help="print the JSON Schema of workflow files")
    schema.add_argument("-o", "--output", metavar="FILE", help="where to write (default: standard output)")
    schema.set_defaults(handler=_schema)


def _list(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.loader import packaged_graphs
    from agentic_spliceai.orchestration.validator import load_graph

    for name in packaged_graphs():
        print(f"{name:<22} {load_graph(name).spec.description}")
    return 0


def _draw(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.validator import load_graph

    graph = load_graph(arguments.graph)
    _write(arguments.output, _picture(graph, arguments.output))
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.json_schema import schema_text
    from agentic_spliceai.tools.registry import default_registry

    _write(arguments.output, schema_text(default_registry()).encode())
    return 0


def _picture(graph: CheckedGraph, output: str | None) -> bytes:
    from agentic_spliceai.orchestration.drawing import draw_mermaid
    from agentic_spliceai.orchestration.errors import DrawingError

    suffix = Path(output).suffix.lower() if output is not None else ".mmd"
    if suffix == ".mmd":
        return draw_mermaid(graph.spec, graph.registry).encode()
    if suffix not in (".svg", ".png"):
        raise DrawingError(f"{output} is no picture that can be drawn.", "Give a file that ends in .svg, .png or .mmd.")
    from agentic_spliceai.orchestration.picture import draw_picture

    return draw_picture(graph, "svg" if suffix == ".svg" else "png")


def _write(output: str | None, content: bytes) -> None:
    from agentic_spliceai.orchestration.errors import DrawingError

    if output is None:
        sys.stdout.write(content.decode())
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise DrawingError(
            f"{output} cannot be written: {error.strerror or error}.", "Give another place with -o."
        ) from error
