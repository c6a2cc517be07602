"""What is saturated, and the strongest of its changes."""

from __future__ import annotations

import numpy as np
import pytest

from agentic_spliceai.tools.saturation import Tally
from agentic_spliceai.tools.saturation_rows import DTYPES, KINDS, Rows, Unscored, join_unscored


def made(seed: int, positions: int, genes: int) -> Rows:
    """Return rows with few different scores, so that many are equal."""
    rng = np.random.default_rng(seed)
    places = [
        (p, ref, alt, g) for p in range(101, positions + 101) for ref in "A" for alt in "CGT" for g in range(genes)
    ]
    count = len(places)
    columns = {name: np.zeros(count, dtype) for name, dtype in DTYPES.items() if dtype is not np.str_}
    columns["position"] = np.array([place[0] for place in places], np.int32)
    columns["ref"] = np.array([place[1] for place in places])
    columns["alt"] = np.array([place[2] for place in places])
    columns["gene"] = np.array([f"G{place[3]}" for place in places])
    columns["transcript"] = np.array([f"T{place[3]}" for place in places])
    columns["strand"] = np.array(["+"] * count)
    for kind in KINDS:
        columns[f"ds_{kind}"] = (rng.integers(0, 11, count) / 10).astype(np.float32)
        columns[f"dp_{kind}"] = rng.integers(-50, 51, count).astype(np.int16)
    columns["max"] = np.max([columns[f"ds_{kind}"] for kind in KINDS], axis=0)
    return Rows("chr1", columns)


@pytest.mark.parametrize(("genes", "seed"), [(1, 0), (2, 1), (3, 2)])
def test_a_change_counts_once_with_its_strongest_gene(genes: int, seed: int) -> None:
    blocks = [made(seed * 10 + number, 5, genes) for number in range(4)]
    tally = Tally(7)
    for number, rows in enumerate(blocks):
        rows.columns["position"] += 100 * number
        tally.add(rows)
    largest: dict[str, tuple[float, str]] = {}
    for rows in blocks:
        for i in range(len(rows)):
            name = f"chr1-{rows['position'][i]}-A-{rows['alt'][i]}"
            score = round(float(rows["max"][i]), 4)
            if score > largest.get(name, (-1.0, ""))[0]:
                largest[name] = score, str(rows["gene"][i])
    assert tally.scored == len(largest) == 60
    # 0.7 as float32 is smaller than 0.7: a threshold that a table's reader can see is reached counts as reached.
    for threshold in (0.0, 0.1, 0.2, 0.5, 0.7, 0.8, 1.0, 1.01):
        assert tally.at_least(threshold) == sum(score >= threshold for score, _ in largest.values())
    expected = sorted(largest.items(), key=lambda item: -item[1][0])[:7]
    assert [(top.variant, top.max_score, top.gene_name) for top in tally.top()] == [
        (name, score, gene) for name, (score, gene) in expected
    ]


def test_a_top_change_names_its_largest_effect_and_where_it_is() -> None:
    rows = made(0, 1, 1)
    for kind in KINDS:
        rows.columns[f"ds_{kind}"][:] = 0.1
    rows.columns["ds_dl"][1], rows.columns["dp_dl"][1], rows.columns["max"][:] = 0.9, -7, (0.1, 0.9, 0.1)
    rows.columns["position"][:] = 100
    tally = Tally(1)
    tally.add(rows)
    (top,) = tally.top()
    assert (top.variant, top.change, top.position, top.max_score) == ("chr1-100-A-G", "donor_loss", 93, 0.9)


def test_stretches_without_scores_are_joined_where_they_touch_for_one_reason() -> None:
    runs = [(1, 3, "a"), (4, 4, "a"), (5, 6, "b"), (8, 9, "b"), (10, 10, "b"), (10, 10, "b")]
    joined = join_unscored(Unscored(start, end, code, f"{code}{start}", "") for start, end, code in runs)
    assert [(run.start, run.end, run.code) for run in joined] == [(1, 4, "a"), (5, 6, "b"), (8, 10, "b")]
    assert joined[0].message == "a1"
