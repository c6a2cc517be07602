"""Bases as text and numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.genome import one_hot, reverse_complement


def test_one_hot_rows() -> None:
    rows = one_hot("ACGTNa")
    assert rows.dtype == np.float32
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(rows, expected)
    assert one_hot("").shape == (0, 4)


def test_one_hot_result_may_be_written_to() -> None:
    rows = one_hot("AC")
    rows[0] = 0
    np.testing.assert_array_equal(one_hot("AC")[0], [1, 0, 0, 0])


def test_reverse_complement_by_hand() -> None:
    assert reverse_complement("AACGTNg") == "cNACGTT"


@given(st.text("ACGTN", max_size=50))
def test_reverse_complement_is_the_reversed_axes(sequence: str) -> None:
    assert reverse_complement(reverse_complement(sequence)) == sequence
    np.testing.assert_array_equal(one_hot(reverse_complement(sequence)), one_hot(sequence)[::-1, ::-1])
