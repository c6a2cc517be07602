"""Training, validation and test rows that share no gene, no overlapping gene, and no copy of one in the other build."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION, ChromosomeSplit
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactTable

Indices = npt.NDArray[np.int64]

PARTS = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True, eq=False)
class DataSplit:
    """Row numbers of each part, rising.

    Attributes
    ----------
    train, validation, test : int64
        Rows.
    left_out
        Rows of no part: in a region that is left out, or of a group whose other rows are in a part that is held out.

    Raises
    ------
    TrainingDataError
        If a part is empty, or a row is in two.
    """

    train: Indices
    validation: Indices
    test: Indices
    left_out: int = 0

    def __post_init__(self) -> None:
        for name in PARTS:
            if not len(self.part(name)):
                raise TrainingDataError(
                    f"The {name} part of the split is empty.",
                    "Load more chromosomes or genes, or change which of them are held out.",
                )
        rows = np.concatenate([self.part(name) for name in PARTS])
        if len(np.unique(rows)) != len(rows):
            raise TrainingDataError("A row is in two parts of the split.", "Split by gene or chromosome.")

    def part(self, name: str) -> Indices:
        """Return the rows of `train`, `validation` or `test`."""
        rows: Indices = {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}[name]
        return rows

    @property
    def digest(self) -> str:
        """SHA-256 over the three lists of rows."""
        value = hashlib.sha256()
        for name in PARTS:
            value.update(f"{name} {len(self.part(name))}\n".encode())
            value.update(self.part(name).astype("<i8").tobytes())
        return value.hexdigest()


@dataclass(frozen=True)
class GenePlace:
    """A gene as the split sees it; `start` and `end` 0-based half-open, with what of its surroundings is used."""

    id: str
    name: str
    contig: str
    start: int
    end: int
    build: str | None = None


def connected(items: Sequence[Iterable[Hashable]]) -> Indices:
    """Number groups of items that share a key, directly or through others.

    Parameters
    ----------
    items
        The keys of each item.

    Returns
    -------
    int64, one an item
        The first item of its group.
    """
    parent = list(range(len(items)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    seen: dict[Hashable, int] = {}
    for item, keys in enumerate(items):
        for key in keys:
            one, other = root(seen.setdefault(key, item)), root(item)
            parent[max(one, other)] = min(one, other)
    return np.array([root(item) for item in range(len(items))], dtype=np.int64)


def group_genes(genes: Sequence[GenePlace]) -> tuple[str, ...]:
    """Name the group of each gene.

    Genes belong together if they overlap (on either strand: one is then the other's reverse complement), or have the
    same id or name, in whichever build.

    Returns
    -------
    tuple of str
        The smallest gene id of the group, so that neither order nor numbering matters.
    """
    keys: list[list[Hashable]] = [[("id", gene.id), ("name", gene.name.upper() or gene.id)] for gene in genes]
    order = sorted(range(len(genes)), key=lambda i: (str(genes[i].build), genes[i].contig, genes[i].start))
    reach, cluster, here = -1, -1, ("", "")
    for index in order:
        gene = genes[index]
        if (str(gene.build), gene.contig) != here or gene.start >= reach:
            here, reach, cluster = (str(gene.build), gene.contig), -1, cluster + 1
        reach = max(reach, gene.end)
        keys[index].append(("place", cluster))
    groups = connected(keys)
    name: dict[int, str] = {}
    for gene, group in zip(genes, groups.tolist(), strict=True):
        name[group] = min(name.get(group, gene.id), gene.id)
    return tuple(name[group] for group in groups.tolist())


def group_rows(table: ArtifactTable) -> npt.NDArray[np.str_]:
    """Name the group of each row of a table, str [N]; a gene reaches as far as its rows' windows do."""
    half = table.sequences.shape[1] // 2
    keys = table.frame[["gene_id", "gene_name", "chrom"]].astype(str).assign(position=table.frame["position"])
    spans = keys.groupby(["gene_id", "gene_name", "chrom"], sort=True).agg(
        first=("position", "min"), last=("position", "max")
    )
    places = [
        GenePlace(gene, name, contig, int(first) - 1 - half, int(last) + half, table.build)
        for (gene, name, contig), first, last in zip(spans.index, spans["first"], spans["last"], strict=True)
    ]
    named = dict(zip(((p.id, p.name, p.contig) for p in places), group_genes(places), strict=True))
    rows = zip(keys["gene_id"], keys["gene_name"], keys["chrom"], strict=True)
    return np.array([named[row] for row in rows], dtype=np.str_)


def split_by_chromosome(
    chromosomes: npt.NDArray[np.str_],
    positions: Indices,
    groups: npt.NDArray[np.str_],
    split: ChromosomeSplit | None = None,
) -> DataSplit:
    """Split rows by chromosome.

    A group with rows on chromosomes of different parts keeps those of the part that is held out most (test, then
    validation); its other rows are left out.

    Parameters
    ----------
    chromosomes, positions, groups : [N]
        Canonical contig, 1-based position and group of each row.
    split
        Which chromosomes belong where; by default as the base models were trained.
    """
    split = split or ChromosomeSplit()
    part_of = {name: split.part_of(name, 0, 1) or TRAIN for name in np.unique(chromosomes).tolist()}
    ranks = np.array([PARTS.index(part_of[name]) for name in chromosomes.tolist()], dtype=np.int64)
    ranks[in_regions(chromosomes, positions, split.left_out)] = -1
    _, group_index = np.unique(groups, return_inverse=True)
    highest = np.full(int(group_index.max(initial=-1)) + 1, -1, dtype=np.int64)
    np.maximum.at(highest, group_index, ranks)
    ranks[ranks < highest[group_index]] = -1
    return _from_ranks(ranks)


def in_regions(
    chromosomes: npt.NDArray[np.str_], positions: Indices, regions: Iterable[tuple[str, int, int]]
) -> npt.NDArray[np.bool_]:
    """Say which 1-based positions lie in a region (contig, start, end; 0-based half-open), bool [N]."""
    inside = np.zeros(len(chromosomes), dtype=bool)
    for contig, start, end in regions:
        inside |= (chromosomes == contig) & (positions > start) & (positions <= end)
    return inside


def _from_ranks(ranks: Indices) -> DataSplit:
    train, validation, test = (np.flatnonzero(ranks == number) for number in range(len(PARTS)))
    return DataSplit(train, validation, test, left_out=int((ranks < 0).sum()))


def split_by_group(
    groups: npt.NDArray[np.str_],
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    seed: int = 0,
    left_out: npt.NDArray[np.bool_] | None = None,
) -> DataSplit:
    """Split rows by group, in an order that a seeded hash of the group's name gives.

    Parameters
    ----------
    groups : str [N]
        Group of each row.
    validation_fraction, test_fraction
        Share of the groups, rounded, at least one group each.
    seed
        Another seed, another split.
    left_out : bool [N]
        Rows of no part.
    """
    names, index = np.unique(groups, return_inverse=True)
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}\t{names[i]}".encode()).digest())
    n_test = max(1, round(test_fraction * len(names)))
    n_validation = max(1, round(validation_fraction * len(names)))
    part = np.zeros(len(names), dtype=np.int64)
    part[order[:n_test]] = 2
    part[order[n_test : n_test + n_validation]] = 1
    ranks = part[index]
    if left_out is not None:
        ranks[left_out] = -1
    return _from_ranks(ranks)


def split_table(table: ArtifactTable, config: DataConfig | None = None) -> DataSplit:
    """Split a table as a configuration says.

    GRCh38 chr21:5.0-9.0 Mb, a false duplication, is left out, unless the table says that it is of another build.

    Raises
    ------
    TrainingDataError
        If a part is empty.
    """
    config = config or DataConfig()
    groups = group_rows(table)
    positions = np.asarray(table.frame["position"], dtype=np.int64)
    regions = ChromosomeSplit().left_out if table.build in (None, str(GenomeBuild.GRCH38)) else ()
    if config.split_by == "chromosome":
        split = ChromosomeSplit(config.test_chromosomes, config.validation_chromosomes, regions)
        return split_by_chromosome(table.chromosomes, positions, groups, split)
    return split_by_group(
        groups,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        seed=config.seed,
        left_out=in_regions(table.chromosomes, positions, regions),
    )
