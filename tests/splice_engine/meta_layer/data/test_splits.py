"""No gene, no overlap and no copy in another build ever crosses from one part to another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer.training.split import ChromosomeSplit
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader
from agentic_spliceai.splice_engine.meta_layer.data.splits import (
    PARTS,
    DataSplit,
    GenePlace,
    connected,
    group_genes,
    group_rows,
    split_by_chromosome,
    split_by_group,
    split_table,
)


def test_connection_goes_through_others() -> None:
    assert connected([("a",), ("b",), ("a", "c"), ("c", "d"), ("e",), ("d", "b")]).tolist() == [0, 0, 0, 0, 4, 0]
    assert connected([]).tolist() == []


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=3), max_size=20))
@settings(max_examples=100, deadline=None)
def test_connection_is_reachability(items: list[list[int]]) -> None:
    groups = connected(items)
    for start in range(len(items)):
        reached, frontier = {start}, [start]
        while frontier:
            here = frontier.pop()
            near = [j for j in range(len(items)) if j not in reached and set(items[j]) & set(items[here])]
            reached |= set(near)
            frontier += near
        assert reached == {j for j in range(len(items)) if groups[j] == groups[start]}


def test_genes_belong_together_by_overlap_name_and_id() -> None:
    genes = [
        GenePlace("a", "A", "chr1", 100, 200, "GRCh38"),
        GenePlace("b", "B", "chr1", 199, 300, "GRCh38"),  # shares a base with a
        GenePlace("c", "C", "chr1", 300, 400, "GRCh38"),  # touches b, shares none
        GenePlace("d", "D", "chr1", 150, 160, "GRCh37"),  # the other build's coordinates mean another place
        GenePlace("e", "c", "chr9", 0, 10, "GRCh37"),  # c by name, in either case
        GenePlace("f", "F", "chr2", 0, 1000, "GRCh38"),
        GenePlace("g", "G", "chr2", 10, 20, "GRCh38"),
        GenePlace("h", "H", "chr2", 900, 910, "GRCh38"),  # inside f, behind g
        GenePlace("a", "other", "chr7", 0, 5, "GRCh37"),  # a by id
        GenePlace("x", "", "chr8", 0, 5),  # genes without a name are not all one gene
        GenePlace("y", "", "chr8", 10, 15),
    ]
    assert group_genes(genes) == ("a", "a", "c", "d", "c", "f", "f", "f", "a", "x", "y")
    assert group_genes(genes[::-1]) == group_genes(genes)[::-1]


@given(st.integers(0, 10**6), st.integers(4, 40))
@settings(max_examples=60, deadline=None)
def test_no_group_crosses_a_split_by_group(seed: int, n: int) -> None:
    groups = np.array([f"g{i}" for i in np.random.default_rng(seed).integers(0, n, 300)], dtype=np.str_)
    split = split_by_group(groups, validation_fraction=0.2, test_fraction=0.25, seed=seed)
    parts = [set(groups[split.part(name)]) for name in PARTS]
    assert len(set.union(*parts)) == sum(len(part) for part in parts)
    assert sum(len(split.part(name)) for name in PARTS) == 300
    there = len(set(groups))
    assert len(parts[2]) == max(1, round(0.25 * there))


def test_a_split_by_group_follows_the_names_and_not_the_order() -> None:
    groups = np.array([f"g{i % 20}" for i in range(200)], dtype=np.str_)
    order = np.random.default_rng(0).permutation(200)
    one, other = split_by_group(groups, seed=3), split_by_group(groups[order], seed=3)
    for name in PARTS:
        assert set(groups[one.part(name)]) == set(groups[order][other.part(name)])
    assert set(groups[split_by_group(groups, seed=4).test]) != set(groups[one.test])


def chromosome_rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [
        ("chr1", 10, "a"), ("chr2", 10, "b"), ("chr13", 5, "c"), ("chr21", 6_000_000, "d"), ("chr21", 5_000_000, "e"),
        ("chr21", 9_000_000, "d2"), ("chr21", 9_000_001, "f"), ("chrX", 7, "a"), ("chr13", 9, "a"), ("chrX", 9, "c"),
    ]  # fmt: skip
    contigs, positions, groups = zip(*rows, strict=True)
    return np.array(contigs, dtype=np.str_), np.array(positions, dtype=np.int64), np.array(groups, dtype=np.str_)


def test_a_split_by_chromosome() -> None:
    split = split_by_chromosome(*chromosome_rows())
    assert split.test.tolist() == [0]
    assert split.validation.tolist() == [2]  # row 8 belongs to a, which is a test gene
    assert split.train.tolist() == [1, 4, 6]  # rows 7 and 9 are copies of held-out genes; 3 and 5 a false duplication
    assert split.left_out == 5


def test_regions_are_left_out_only_where_the_split_says() -> None:
    split = split_by_chromosome(*chromosome_rows(), ChromosomeSplit(left_out=()))
    assert {3, 5} <= set(split.train.tolist())


def test_empty_parts_are_errors() -> None:
    contigs, positions, groups = chromosome_rows()
    with pytest.raises(TrainingDataError, match="validation part of the split is empty"):
        split_by_chromosome(contigs[:2], positions[:2], groups[:2])
    with pytest.raises(TrainingDataError, match="train part"):
        split_by_group(np.array(["a", "a", "b"], dtype=np.str_))
    with pytest.raises(TrainingDataError, match="two parts"):
        DataSplit(np.array([1, 2]), np.array([2]), np.array([3]))


def test_the_digest_is_of_the_rows() -> None:
    one = split_by_chromosome(*chromosome_rows())
    assert one.digest == split_by_chromosome(*chromosome_rows()).digest
    assert one.digest != DataSplit(one.train[1:], one.validation, one.test).digest
    assert one.digest != DataSplit(one.validation, one.train, one.test).digest


def test_a_table_is_split_as_the_configuration_says(artifacts: Path) -> None:
    table = ArtifactLoader(artifacts).load_analysis_sequences()
    assert set(group_rows(table)) == {"Gchr1", "Gchr2", "Gchr4", "Gchr13", "Gchr16"}
    split = split_table(table)
    assert set(table.chromosomes[split.test]) == {"chr1"}
    assert set(table.chromosomes[split.validation]) == {"chr13", "chr16"}
    assert set(table.chromosomes[split.train]) == {"chr2", "chr4"}
    by_gene = split_table(table, DataConfig(split_by="gene", validation_fraction=0.2, test_fraction=0.2))
    genes = [set(table.genes[by_gene.part(name)]) for name in PARTS]
    assert [len(g) for g in genes] == [3, 1, 1]
    assert len(set.union(*genes)) == 5


def test_overlapping_windows_keep_genes_together(artifacts: Path) -> None:
    """Two genes whose windows share bases are one group, though their own extents do not touch."""
    table = ArtifactLoader(artifacts).load_analysis_sequences(chromosomes=["chr1", "chr2"])
    frame = table.frame.astype({"chrom": str, "position": int})
    near = frame.assign(
        chrom="chr1", position=frame["position"].where(frame["gene_id"] == "Gchr1", frame["position"] + 1500)
    )
    far = frame.assign(
        chrom="chr1", position=frame["position"].where(frame["gene_id"] == "Gchr1", frame["position"] + 5000)
    )
    for moved, wanted in ((near, {"Gchr1"}), (far, {"Gchr1", "Gchr2"})):
        object.__setattr__(table, "frame", moved)
        assert set(group_rows(table)) == wanted
