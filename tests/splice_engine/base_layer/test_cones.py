"""What an edit changes and a window needs, against counting by hand and by force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer.cones import (
    EditShape,
    computed_intervals,
    longest_layer,
    positions_by_convolution,
)
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec


def published_halos(context: int) -> tuple[int, ...]:
    spec = NetworkSpec.for_context(context)
    return tuple(d * (w - 1) // 2 for w, d in zip(spec.widths, spec.dilations, strict=True) for _ in range(2))


def test_a_substitution_by_hand() -> None:
    """Two convolutions that see one position and then two beside each; three outputs around the edit."""
    assert computed_intervals(EditShape(1, 1, 1), (1, 2)) == ((0, 1), (-1, 2), (-1, 2))
    assert computed_intervals(EditShape(9, 1, 9), (1, 2)) == ((0, 1), (-1, 2), (-3, 4))
    assert positions_by_convolution(EditShape(1, 1, 1), (1, 2)) == (3, 3)
    assert longest_layer(EditShape(1, 1, 1), (1, 2)) == 7


def test_a_deletion_changes_nothing_until_a_convolution_sees_both_sides() -> None:
    """Position 0 is the first base behind the deletion: with one neighbour, only -1 and 0 see the junction."""
    assert computed_intervals(EditShape(5, 0, 5), (1, 1)) == ((0, 0), (-1, 1), (-2, 2))


def test_an_edit_beside_the_window() -> None:
    """Three positions before the window's first output, which the second convolution just reaches."""
    assert computed_intervals(EditShape(-3, 1, 8), (1, 1)) == ((1, 1), (2, 2), (3, 3))
    assert computed_intervals(EditShape(-2, 1, 8), (1, 1)) == ((0, 1), (1, 2), (2, 3))
    assert computed_intervals(EditShape(8, 1, -4), (1, 1)) == ((-1, -1), (-2, -2), (-3, -3))


def test_work_of_a_snv_with_the_published_network() -> None:
    """12 GFLOP a variant for 5 networks of 10,000 nt at D = 50, 13.9 at D = 500."""
    spec = NetworkSpec.for_context(10000)
    widths = [w for w in spec.widths for _ in range(2)]
    for distance, expected in ((50, 12.0), (500, 13.9)):
        counts = positions_by_convolution(EditShape(distance, 1, distance), published_halos(10000))
        flop = 5 * sum(2 * 32 * 32 * w * n for w, n in zip(widths, counts, strict=True))
        assert abs(flop / 1e9 - expected) < 0.1


@given(
    left=st.integers(-12, 25),
    inserted=st.integers(0, 5),
    right=st.integers(-12, 25),
    halos=st.lists(st.integers(0, 4), min_size=1, max_size=5).map(tuple),
)
def test_intervals_hold_what_differs_and_is_needed_and_no_more(
    left: int, inserted: int, right: int, halos: tuple[int, ...]
) -> None:
    """By force: a position differs if it sees an inserted base or both sides of the edit."""
    shape = EditShape(left, inserted, right)
    first, last = shape.window
    if last <= first:
        return
    intervals = computed_intervals(shape, halos)
    for level, (start, end) in enumerate(intervals):
        seen, missing = sum(halos[:level]), sum(halos[level:])
        wanted = set()
        for q in range(first - missing, last + missing):
            sees = range(q - seen, q + seen + 1)
            inside = any(0 <= p < inserted for p in sees)
            if inside or (sees[0] < 0 and sees[-1] >= inserted):
                wanted.add(q)
        assert set(range(start, end)) == wanted
        assert first - missing <= start <= end <= last + missing
