"""Pictures of workflows: nothing overlaps, everything is shown."""

from __future__ import annotations

import re

import pytest

from agentic_spliceai.orchestration.drawing import draw_mermaid
from agentic_spliceai.orchestration.drawing_layout import Layout, Size, edge_labels, lay_out
from agentic_spliceai.orchestration.loader import load_document, packaged_graphs
from agentic_spliceai.orchestration.picture import draw_picture
from agentic_spliceai.orchestration.spec import END, START, GraphSpec
from tests.orchestration.fakes import GRAPH, checked
from tests.orchestration.workshop import workshop

TANGLE = GraphSpec.model_validate(
    {
        "version": 1,
        "name": "tangle",
        "description": "Several ways, some short and some long.",
        "nodes": [{"name": name, "use": "x"} for name in "abcdefgh"],
        "edges": [
            {"from": START, "to": "a"},
            {"from": "a", "when": "$a.x", "routes": {"one": "b", "two": "c", "three": "d", "skip": END}},
            {"from": "b", "to": "e"},
            {"from": "c", "when": "$c.x", "routes": {"yes": "e", "no": "f"}},
            {"from": "d", "to": "f"},
            {"from": "e", "when": "$e.x", "routes": {"yes": "g", "no": "h"}},
            {"from": "f", "to": "h"},
            {"from": "g", "to": "h"},
            {"from": "h", "to": END},
        ],
    },
    by_name=False,
)
GRAPHS = [GraphSpec.model_validate(load_document(name).data, by_name=False) for name in packaged_graphs()]


def laid_out(spec: GraphSpec) -> Layout:
    sizes = {name: Size(100.0, 40.0) for name in (START, END, *(node.name for node in spec.nodes))}
    return lay_out(spec, sizes, {label: Size(50.0, 14.0) for label in edge_labels(spec).values() if label})


@pytest.mark.parametrize("spec", [TANGLE, *GRAPHS], ids=lambda spec: spec.name)
def test_no_box_lies_on_another_and_no_line_runs_through_one(spec: GraphSpec) -> None:
    layout = laid_out(spec)
    boxes = layout.boxes
    names = list(boxes)
    assert set(names) == {START, END, *(node.name for node in spec.nodes)}
    for index, name in enumerate(names):
        box = boxes[name]
        assert 50 <= box.x <= layout.width - 50
        assert 20 <= box.y <= layout.height - 20
        for other in names[index + 1 :]:
            assert abs(box.x - boxes[other].x) >= 100 or abs(box.y - boxes[other].y) >= 40, (name, other)
    assert {(line.source, line.target) for line in layout.lines} == set(edge_labels(spec))
    for line in layout.lines:
        ys = [y for _, y in line.points]
        assert ys == sorted(ys)  # downwards
        for x, y in line.points[1:-1]:
            assert not any(abs(x - box.x) < 50 and abs(y - box.y) <= 20 for box in boxes.values()), line


@pytest.mark.parametrize("spec", [TANGLE, *GRAPHS], ids=lambda spec: spec.name)
def test_the_longest_walk_is_straight_and_lanes_are_too(spec: GraphSpec) -> None:
    layout = laid_out(spec)
    assert abs(layout.boxes[START].x - layout.boxes[END].x) < 1
    for line in layout.lines:
        lane = [x for x, _ in line.points[1:-1]]
        assert not lane or max(lane) - min(lane) < 2


def test_a_drawing_shows_names_and_is_the_same_each_time() -> None:
    svg = draw_picture(checked(), "svg")
    assert svg.startswith(b"<?xml")
    assert svg == draw_picture(checked(), "svg")
    assert draw_picture(checked(), "png").startswith(b"\x89PNG")


def test_what_asks_and_what_goes_through_a_list_is_marked() -> None:
    graph = workshop()
    fills = set(re.findall(rb"fill: (#[0-9a-f]{6})", draw_picture(graph, "svg")))
    assert {b"#fff3c4", b"#fde3d3"} <= fills  # asks; starts a job
    assert not {b"#fff3c4", b"#fde3d3"} & set(re.findall(rb"fill: (#[0-9a-f]{6})", draw_picture(checked(), "svg")))
    text = draw_mermaid(graph.spec, graph.registry)
    assert 'approve{{"approve<br/><small>approve</small>"}}' in text
    assert 'paint[["paint<br/><small>paint</small><br/><small>for each of cut.planks</small>"]]' in text


def test_yes_and_no_say_what_they_are_about() -> None:
    spec = checked(
        GRAPH.replace("when: $make.size", "when: $make.heavy").replace("small:", "false:").replace("large:", "true:")
    ).spec
    assert {label for label in edge_labels(spec).values() if label} == {"heavy: false", "heavy: true"}
