"""Where the boxes and lines of a workflow's picture go: in layers from START down to END.

Sugiyama's method in its plain form: each node stands one layer below the lowest of those before it, a line that passes
layers by gets a point in each of them, the order within layers is that of the neighbours' means, and the longest walk
is drawn straight.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentic_spliceai.orchestration.spec import END, START, GraphSpec

_SWEEPS = 12
_GAP = 26.0
_PINNED = 1e6
_LANE = 14.0
_PORTS = 16.0


@dataclass(frozen=True)
class Size:
    """Of a box, in points."""

    width: float
    height: float


@dataclass(frozen=True)
class Box:
    """A node's place: the middle of its box, in points from the top left."""

    x: float
    y: float
    size: Size


@dataclass(frozen=True)
class Line:
    """An edge's way: points from the bottom of one box to the top of another, and where its label stands."""

    source: str
    target: str
    label: str
    points: tuple[tuple[float, float], ...]
    label_at: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """A whole picture, in points."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]


def edge_labels(spec: GraphSpec) -> dict[tuple[str, str], str]:
    """Return every pair of nodes that an edge joins, and the values that take it; empty for a plain edge."""
    labels: dict[tuple[str, str], list[str]] = {}
    for edge in spec.edges:
        if edge.to is not None:
            labels[edge.from_, edge.to] = []
        for value, target in (edge.routes or {}).items():
            # Yes and no say nothing without what they are about.
            about = (
                f"{(edge.when or '').rpartition('.')[2].rstrip('?')}: " if value in ("true", "false", "null") else ""
            )
            labels.setdefault((edge.from_, target), []).append(about + value)
    return {ends: " or ".join(values) for ends, values in labels.items()}


def lay_out(
    spec: GraphSpec,
    sizes: Mapping[str, Size],
    label_sizes: Mapping[str, Size],
) -> Layout:
    """Place every node and edge.

    Parameters
    ----------
    spec
        A workflow without circles.
    sizes
        Of each node's box, START's and END's too.
    label_sizes
        Of each edge's label, by its text.
    """
    edges = edge_labels(spec)
    layer_of = _layers([START, *(node.name for node in spec.nodes), END], edges)
    rows: list[list[str]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name in sorted(layer_of, key=lambda name: layer_of[name]):
        rows[layer_of[name]].append(name)
    widths = {name: size.width for name, size in sizes.items()}
    links: set[tuple[str, str]] = set()
    ways: dict[tuple[str, str], list[str]] = {}
    for (source, target), label in edges.items():
        way = [source]
        for layer in range(layer_of[source] + 1, layer_of[target]):
            lane = f"{source}>{target}@{layer}"
            widths[lane] = max(_LANE, label_sizes[label].width if label and len(way) == 1 else 0.0)
            rows[layer].append(lane)
            way.append(lane)
        way.append(target)
        ways[source, target] = way
        links.update(itertools.pairwise(way))
    _order(rows, links)
    x = _columns(rows, widths, links, _longest_walk(layer_of, edges), [way[1:-1] for way in ways.values()])
    levels, height = _levels(rows, sizes, edges, ways, label_sizes)
    left = min(x[name] - widths[name] / 2 for name in x)
    right = max(x[name] + widths[name] / 2 for name in x)
    boxes = {name: Box(x[name] - left, sum(levels[layer_of[name]]) / 2, sizes[name]) for name in layer_of}
    lines = tuple(
        _line(ends, label, ways, {name: value - left for name, value in x.items()}, levels, layer_of, boxes)
        for ends, label in edges.items()
    )
    return Layout(right - left, height, boxes, lines)


def _layers(names: Sequence[str], edges: Mapping[tuple[str, str], str]) -> dict[str, int]:
    layers = dict.fromkeys(names, 0)
    for _ in names:  # a walk is no longer than the nodes are many
        for source, target in edges:
            layers[target] = max(layers[target], layers[source] + 1)
    return layers


def _longest_walk(layers: Mapping[str, int], edges: Mapping[tuple[str, str], str]) -> list[str]:
    walk = [END]
    while walk[-1] != START:
        before = [source for source, target in edges if target == walk[-1] and layers[source] == layers[target] - 1]
        walk.append(before[0])
    return walk


def _order(rows: list[list[str]], links: Collection[tuple[str, str]]) -> None:
    """Sort each layer so that lines cross little."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    place = {name: index for row in rows for index, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            means = {
                name: sum(place[other] for other in found) / len(found)
                if (found := neighbours.get(name))
                else place[name]
                for name in row
            }
            row.sort(key=lambda name: means[name])
            place.update((name, index) for index, name in enumerate(row))


def _columns(
    rows: Sequence[Sequence[str]],
    widths: Mapping[str, float],
    links: Collection[tuple[str, str]],
    main: Collection[str],
    lanes: Sequence[Sequence[str]],
) -> dict[str, float]:
    """Return the middle of each node and lane: near its neighbours', and clear of those beside it.

    The longest walk stands at 0. A lane is pulled to where it has to be farthest out, so that it goes straight down.
    """
    x: dict[str, float] = {}
    for row in rows:
        edge = -sum(widths[name] + _GAP for name in row) / 2
        for name in row:
            x[name] = edge + widths[name] / 2
            edge += widths[name] + _GAP
    neighbours: dict[str, list[str]] = {}
    for upper, lower in sorted(links):
        neighbours.setdefault(upper, []).append(lower)
        neighbours.setdefault(lower, []).append(upper)
    lane_of = {name: lane for lane in lanes for name in lane}
    for sweep in range(8 * _SWEEPS):
        straighten = sweep >= 4 * _SWEEPS
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted, weights = [], []
            for name in row:
                if name in main:
                    want, weight = 0.0, _PINNED
                elif straighten and name in lane_of:
                    want, weight = max((x[other] for other in lane_of[name]), key=abs), 1.0
                else:
                    want, weight = fmean(x[other] for other in neighbours[name]), 1.0
                wanted.append(want)
                weights.append(weight)
            x.update(zip(row, _apart([widths[name] for name in row], wanted, weights), strict=True))
    return x


def _apart(widths: Sequence[float], wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted at which nothing overlaps (pool adjacent violators)."""
    offsets = [0.0]
    for left, right in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + _GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_count = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, count = total + other_weight, count + other_count
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _levels(
    rows: Sequence[Sequence[str]],
    sizes: Mapping[str, Size],
    edges: Mapping[tuple[str, str], str],
    ways: Mapping[tuple[str, str], Sequence[str]],
    label_sizes: Mapping[str, Size],
) -> tuple[list[tuple[float, float]], float]:
    """Return top and bottom of each layer, and the height of all; labelled lines below a layer get more room."""
    labelled = {ways[ends][0] for ends, label in edges.items() if label and len(ways[ends]) == 2}
    levels, top = [], 0.0
    for row in rows:
        height = max(sizes[name].height for name in row if name in sizes)
        levels.append((top, top + height))
        room = max((size.height for size in label_sizes.values()), default=0.0) if labelled & set(row) else 0.0
        top += height + _GAP + (room + 8 if room else 0.0)
    return levels, levels[-1][1]


def _line(
    ends: tuple[str, str],
    label: str,
    ways: Mapping[tuple[str, str], Sequence[str]],
    x: Mapping[str, float],
    levels: Sequence[tuple[float, float]],
    layer_of: Mapping[str, int],
    boxes: Mapping[str, Box],
) -> Line:
    source, target = ends
    way = ways[ends]
    start, end = boxes[source], boxes[target]
    out = sorted((key for key in ways if key[0] == source), key=lambda key: x[ways[key][1]])
    into = sorted((key for key in ways if key[1] == target), key=lambda key: x[ways[key][-2]])
    first = (start.x + _port(ends, out, [x[ways[key][1]] for key in out], start), start.y + start.size.height / 2)
    last = (end.x + _port(ends, into, [x[ways[key][-2]] for key in into], end), end.y - end.size.height / 2)
    lanes = [(x[name], y) for index, name in enumerate(way[1:-1], 1) for y in levels[layer_of[source] + index]]
    label_at = (
        (lanes[0][0], (lanes[0][1] + lanes[1][1]) / 2)
        if lanes
        else ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
    )
    return Line(source, target, label, (first, *lanes, last), label_at)


def _port(ends: tuple[str, str], beside: Sequence[tuple[str, str]], places: Sequence[float], box: Box) -> float:
    """Return where a line meets its box: the one that comes straight in the middle, the others beside it in order."""
    middle = min(range(len(places)), key=lambda index: abs(places[index] - box.x))
    shift = (beside.index(ends) - middle) * _PORTS
    return max(-box.size.width / 2 + 8, min(box.size.width / 2 - 8, shift))
