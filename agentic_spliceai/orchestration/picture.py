"""A workflow as a picture: SVG or PNG."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Curve

from agentic_spliceai.orchestration.drawing_layout import Box, Layout, Line, Size, edge_labels, lay_out
from agentic_spliceai.orchestration.spec import END, START, NodeSpec
from agentic_spliceai.orchestration.validator import CheckedGraph
from agentic_spliceai.reporting.plot_canvas import FAINT, FONT, INK, SOFT, plain, text_width
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import SideEffect

_NAME, _SMALL = 10.5, 8.0
_PAD, _MARGIN, _STACK = 12.0, 22.0, 4.0
_TITLE, _TEXT = 15.0, 9.0
_DPI = 160


@dataclass(frozen=True)
class _Style:
    fill: str
    edge: str
    meaning: str


_PLAIN = _Style("#f6f8fa", "#8b98a5", "")
_ASKS = _Style("#fff3c4", "#b7890b", "asks a person, and the run waits")
_STARTS = _Style("#fde3d3", "#c8571b", "starts a job, or may spend money")
_WRITES = _Style("#e3f0fa", "#2f7cb5", "writes files or records")


def draw_picture(graph: CheckedGraph, form: Literal["svg", "png"]) -> bytes:
    """Return the picture of a workflow."""
    nodes = {node.name: (node, graph.registry[node.use]) for node in graph.spec.nodes}
    sizes = {name: _size(*found) for name, found in nodes.items()}
    widest = max((size.width for name, size in sizes.items() if nodes[name][0].each is None), default=0.0)
    sizes = {name: Size(max(size.width, widest), size.height) for name, size in sizes.items()}
    sizes |= {START: Size(58, 22), END: Size(58, 22)}
    labels = {label: Size(text_width(label, _SMALL) + 10, 14) for label in edge_labels(graph.spec).values() if label}
    layout = lay_out(graph.spec, sizes, labels)
    styles = [style for style in (_ASKS, _STARTS, _WRITES) if style in {_style(tool) for _, tool in nodes.values()}]
    width = max(layout.width, text_width(graph.spec.name, _TITLE, "bold"), 300.0) + 2 * _MARGIN
    head = textwrap.wrap(plain(graph.spec.description), max(30, int((width - 2 * _MARGIN) / (_TEXT * 0.56))))
    top = _MARGIN + 22 + 13 * len(head) + 12
    height = top + layout.height + 16 + 16 * len(styles) + _MARGIN
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    _text(axes, _MARGIN, _MARGIN + 8, plain(graph.spec.name), _TITLE, weight="bold", ha="left")
    for index, line in enumerate(head):
        _text(axes, _MARGIN, _MARGIN + 28 + 13 * index, line, _TEXT, colour=SOFT, ha="left")
    _body(axes, layout, nodes, ((width - layout.width) / 2, top))
    for index, style in enumerate(styles):
        y = top + layout.height + 26 + 16 * index
        axes.add_patch(_rounded(_MARGIN, y - 5, 14, 10, style, radius=3))
        _text(axes, _MARGIN + 20, y, style.meaning, _SMALL, colour=SOFT, ha="left")
    buffer = io.BytesIO()
    # The same workflow gives the same bytes: no date, no random ids.
    with mpl.rc_context({"svg.hashsalt": graph.document.sha256}):
        figure.savefig(buffer, format=form, dpi=_DPI, metadata={"Date": None} if form == "svg" else None)
    return buffer.getvalue()


def _body(
    axes: Axes, layout: Layout, nodes: Mapping[str, tuple[NodeSpec, AnyTool]], shift: tuple[float, float]
) -> None:
    for line in layout.lines:
        _draw_line(axes, line, shift)
    for name, box in layout.boxes.items():
        x, y = box.x + shift[0], box.y + shift[1]
        if name in nodes:
            _draw_node(axes, Box(x, y, box.size), *nodes[name])
        else:
            style = _Style(INK, INK, "")
            w, h = box.size.width, box.size.height
            axes.add_patch(_rounded(x - w / 2, y - h / 2, w, h, style, radius=h / 2))
            _text(axes, x, y, name, _SMALL + 0.5, weight="bold", colour="white")
    for line in layout.lines:
        if line.label:
            x, y = line.label_at[0] + shift[0], line.label_at[1] + shift[1]
            w = text_width(line.label, _SMALL) + 8
            axes.add_patch(_rounded(x - w / 2, y - 7, w, 14, _Style("white", FAINT, ""), radius=5))
            _text(axes, x, y, plain(line.label), _SMALL, colour=INK)


def _draw_node(axes: Axes, box: Box, node: NodeSpec, tool: AnyTool) -> None:
    style = _style(tool)
    w, h = box.size.width, box.size.height
    left, top = box.x - w / 2, box.y - h / 2
    if node.each is not None:
        w, h = w - 2 * _STACK, h - 2 * _STACK
        for step in (2, 1):
            axes.add_patch(_rounded(left + step * _STACK, top + step * _STACK, w, h, style))
    axes.add_patch(_rounded(left, top, w, h, style))
    lines = _lines(node, tool)
    x, y = left + w / 2, top + h / 2 - 6.0 * (len(lines) - 1)
    for index, (text, size, weight) in enumerate(lines):
        _text(axes, x, y + 12.0 * index, text, size, weight=weight, colour=INK if index == 0 else SOFT)


def _draw_line(axes: Axes, line: Line, shift: tuple[float, float]) -> None:
    points = [(x + shift[0], y + shift[1]) for x, y in line.points]
    head = 6.5
    tip = points[-1]
    points[-1] = (tip[0], tip[1] - head)
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    axes.add_patch(
        PathPatch(
            Curve(vertices, codes),
            fill=False,
            edgecolor=SOFT,
            linewidth=1.2,
            linestyle=(0, (4, 2.5)) if line.label else "solid",
        )
    )
    axes.add_patch(
        Polygon([tip, (tip[0] - 3.6, tip[1] - head), (tip[0] + 3.6, tip[1] - head)], facecolor=SOFT, edgecolor="none")
    )


def _lines(node: NodeSpec, tool: AnyTool) -> list[tuple[str, float, str]]:
    lines = [(plain(node.name), _NAME, "bold"), (plain(node.use), _SMALL, "normal")]
    if node.each is not None:
        at_once = f", {node.parallel} at once" if node.parallel > 1 else ""
        lines.append((plain(f"for each of {node.each.removeprefix('$')}{at_once}"), _SMALL, "normal"))
    if tool.asks:
        lines.append(("waits for an answer", _SMALL, "normal"))
    return lines


def _size(node: NodeSpec, tool: AnyTool) -> Size:
    lines = _lines(node, tool)
    stack = 2 * _STACK if node.each is not None else 0.0
    width = max(text_width(text, size, weight) for text, size, weight in lines) + 2 * _PAD
    return Size(max(width, 96.0) + stack, 12.0 * len(lines) + 14.0 + stack)


def _style(tool: AnyTool) -> _Style:
    if tool.asks:
        return _ASKS
    if tool.side_effect in (SideEffect.STARTS_JOB, SideEffect.SPENDS_MONEY):
        return _STARTS
    return _PLAIN if tool.side_effect is SideEffect.NONE else _WRITES


def _rounded(x: float, y: float, width: float, height: float, style: _Style, *, radius: float = 6.0) -> FancyBboxPatch:
    return FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle=f"round,pad=0,rounding_size={radius}",
        facecolor=style.fill,
        edgecolor=style.edge,
        linewidth=1.1,
    )


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    weight: str = "normal",
    colour: str = INK,
    ha: str = "center",
) -> None:
    axes.text(
        x, y, text, size=size, weight=weight, color=colour, ha=ha, va="center_baseline", family=FONT, parse_math=False
    )
