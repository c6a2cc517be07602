"""No exon, gene or copy of one on two sides of a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.measured import load_mfass, load_mutsplicedb, load_vexseq
from agentic_spliceai.splice_engine.meta_layer.data.variant_splits import (
    COPY_LENGTH,
    SplitItem,
    SplitKey,
    VariantSplit,
    split_by_group,
    split_keys,
)

from .variant_toys import measured, toy_examples


def exon(seed: int, length: int = 90) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


def grid(units: int = 40) -> list[SplitKey]:
    """Three variants on each of many exons, chromosomes 1 to 10."""
    return [
        SplitKey(f"chr{1 + number % 10}", f"exon{number}", f"GENE{number}", exon(number))
        for number in range(units)
        for _ in range(3)
    ]


def parts(split: VariantSplit) -> dict[str, list[int]]:
    return {name: getattr(split, name).tolist() for name in ("train", "validation", "test", "related", "copies")}


def check(items: Sequence[SplitItem], split: VariantSplit) -> None:
    """Every row in one place, and no name or 30-mer shared by two of the three parts; by brute force."""
    rows = [row for part in parts(split).values() for row in part]
    assert sorted(rows) == list(range(len(items)))
    sides = [[items[row] for row in getattr(split, name)] for name in ("train", "validation", "test")]
    for a in range(3):
        for b in range(a):
            for read in (lambda i: i.group, lambda i: i.gene, lambda i: i.exon_sequence):
                assert not ({read(i) for i in sides[a]} & {read(i) for i in sides[b]}) - {None}
            windows = [
                {
                    e[k : k + COPY_LENGTH]
                    for e in {i.exon_sequence for i in side}
                    if e
                    for k in range(len(e) - COPY_LENGTH + 1)
                }
                for side in (sides[a], sides[b])
            ]
            assert not windows[0] & windows[1]


def test_chromosomes_decide_on_test_and_a_share_of_exons_on_validation() -> None:
    items = grid()
    split = split_by_group(items, validation_fraction=0.25)
    check(items, split)
    assert {items[row].chrom for row in split.test} == {"chr1", "chr3", "chr5", "chr7", "chr9"}
    assert len(split.test) == 60
    assert len(split.validation) == 15  # a quarter of 20 exons, three variants each
    assert parts(split)["related"] == parts(split)["copies"] == []


def test_seed_and_order() -> None:
    items = grid()
    split = split_by_group(items, seed=1)
    assert split.digest == split_by_group(items, seed=1).digest
    assert split.digest != split_by_group(items, seed=2).digest
    turned = split_by_group(items[::-1], seed=1)
    assert {items[row].group for row in split.validation} == {items[::-1][row].group for row in turned.validation}


def test_validation_chromosomes() -> None:
    items = grid()
    split = split_by_group(items, validation_chromosomes=("2",))
    assert {items[row].chrom for row in split.validation} == {"chr2"}
    with pytest.raises(TrainingDataError, match="chr3 is in both"):
        split_by_group(items, validation_chromosomes=("3",))
    with pytest.raises(TrainingDataError, match="validation part of the split is empty"):
        split_by_group(items, validation_chromosomes=("chr22",))


def test_what_belongs_to_a_held_out_unit_is_left_out() -> None:
    items = grid()
    items += [
        SplitKey("chr2", "elsewhere", "gene0"),  # the gene of exon0, which is on chr1
        SplitKey("chr2", "paralog", "OTHER", exon(2)),  # the very exon of exon2, on chr3
        SplitKey("chr2", "near", "NEAR", exon(4)[20:70] + "ACGT"),  # 50 nt of exon4, on chr5
        SplitKey("chr2", "apart", "APART", exon(4)[:29] + "ACGT"),  # 29 nt of it
    ]
    split = split_by_group(items)
    check(items, split)
    assert split.related.tolist() == [120, 121]
    assert split.copies.tolist() == [122]
    assert 123 in (*split.train, *split.validation)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 6), st.integers(0, 12), st.sampled_from([None, "A", "B", "C", "D"]), st.integers(0, 9)
        ),
        min_size=4,
        max_size=40,
    ),
    st.integers(0, 5),
)
def test_any_tangle_of_names(rows: list[tuple[int, int, str | None, int]], seed: int) -> None:
    items = [SplitKey(f"chr{c}", f"g{g}", gene, exon(e) if e else None) for c, g, gene, e in rows]
    try:
        split = split_by_group(items, validation_fraction=0.4, seed=seed)
    except TrainingDataError:
        return
    check(items, split)


def test_examples_have_keys() -> None:
    examples = toy_examples(measured("v", 55, "G", "C", chrom="chr2", group="g", gene="X"))
    (key,) = split_keys(examples)
    assert (key.chrom, key.group, key.gene) == ("chr2", "g", "X")
    assert len(key.exon_sequence or "") == 30


def test_the_real_tables(mirror: Path) -> None:
    folder = mirror / "variants"
    records = [
        *load_mfass(folder / "mfass.tsv.gz").records,
        *load_vexseq(folder / "vexseq_train.tsv.gz").records,
        *load_mutsplicedb(folder / "mutsplicedb.tsv.gz").records,
    ]
    split = split_by_group(records)
    check(records, split)
    assert sum(records[row].source == "mfass" for row in split.test) == 8_354
    assert len(split.copies) + len(split.related) < 100
