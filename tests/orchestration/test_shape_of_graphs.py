"""Order in a graph, against enumeration of every path; types, against pydantic itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentic_spliceai.orchestration.drawing import draw_mermaid
from agentic_spliceai.orchestration.paths import Paths
from agentic_spliceai.orchestration.spec import END, START
from agentic_spliceai.orchestration.types import clash, possible_values
from agentic_spliceai.orchestration.validator import load_graph
from tests.orchestration.fakes import Size, Thing

NAMES = ["a", "b", "c", "d", "e"]


@st.composite
def acyclic_graphs(draw: st.DrawFn) -> list[tuple[str, str]]:
    order = [START, *NAMES, END]
    pairs = [(x, y) for i, x in enumerate(order) for y in order[i + 1 :]]
    return draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12))


def every_path(links: list[tuple[str, str]], goal: str) -> list[list[str]]:
    paths, complete = [[START]], []
    while paths:
        path = paths.pop()
        if path[-1] == goal:
            complete.append(path)
            continue
        paths += [[*path, target] for source, target in links if source == path[-1]]
    return complete


@given(acyclic_graphs())
def test_order_is_that_of_every_path(links: list[tuple[str, str]]) -> None:
    graph = Paths(NAMES, links)
    for name in [*NAMES, END]:
        paths = every_path(links, name)
        assert (name in graph.reachable) == bool(paths)
        before = [set(path[1:-1]) for path in paths]
        assert graph.sometimes_before(name) == set().union(*before)
        if before:
            assert graph.always_before(name) == set.intersection(*before)
    assert graph.cycles() == ()


def test_cycles_are_found_once_each() -> None:
    links = [(START, "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "c"), ("d", END)]
    assert Paths(NAMES, links).cycles() == (("a", "b"), ("c", "d", "e"))


# (type of the value, type that is wanted, a value of the first that the second refuses; None where all fit)
FITS: list[tuple[Any, Any, Any]] = [
    (str, str, None),
    (int, float, None),
    (Size, str, None),
    (Size, Size, None),
    (Literal["fast"], Literal["fast", "slow"], None),
    (Thing, Thing, None),
    (Thing, Thing | None, None),
    (tuple[Thing, ...], list[Thing], None),
    (Path, str, None),
    (bool, Any, None),
    (float, int, 0.5),
    (bool, int, True),
    (int, str, 3),
    (str | None, str, None),
    (Thing, str, {"name": "x"}),
    (str, Thing, "x"),
    (Literal["fast", "odd"], Literal["fast", "slow"], "odd"),
    (Size, Literal["small"], "large"),
    (tuple[str, ...], tuple[Thing, ...], ["x"]),
    (tuple[Thing, ...], Thing, [{"name": "x"}]),
]


@pytest.mark.parametrize(("source", "target", "refused"), FITS)
def test_types_clash_where_pydantic_refuses(source: Any, target: Any, refused: Any) -> None:
    nullable = source == str | None
    assert clash(source, target) == (refused is not None or nullable)
    if refused is not None or nullable:
        adapter: TypeAdapter[Any] = TypeAdapter(target)
        with pytest.raises(ValidationError):
            adapter.validate_json(TypeAdapter(Any).dump_json(refused), strict=True)


def test_values_that_a_route_has_to_cover() -> None:
    assert possible_values(Size) == ("small", "large")
    assert possible_values(bool | None) == ("true", "false", "null")
    assert possible_values(Literal["x", 2]) == ("x", "2")
    assert possible_values(str) is None
    assert possible_values(Size | int) is None


def test_the_picture_shows_every_edge_and_route() -> None:
    picture = draw_mermaid(load_graph("interpret_variant").spec)
    assert "resolve --> locate" in picture
    assert 'triage -. "altering or no_model" .-> predict_delta' in picture
    assert 'triage -. "not_altering" .-> consequence' in picture
    assert "run_start --> resolve" in picture
    assert "record --> run_end" in picture
