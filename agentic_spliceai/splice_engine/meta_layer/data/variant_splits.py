"""Splits of variants by exon group, gene and chromosome, without copies of held-out exons in training."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import VariantExamples

TEST_CHROMOSOMES = ("chr1", "chr3", "chr5", "chr7", "chr9")
"""Held out by SpliceAI and OpenSpliceAI too (Jaganathan et al., Cell 2019)."""

COPY_LENGTH = 30
"""Two exons that share this many bases in a row are copies: paralogs, or one exon with other ends in another table.
Among random exons of 100 nt a shared 30-mer is not to be expected."""

Rows = npt.NDArray[np.int64]


class SplitItem(Protocol):
    """What decides on the side of a variant; `MeasuredVariant` and `SpliceVarDBRecord` have it."""

    @property
    def chrom(self) -> str:
        """Contig."""
        ...

    @property
    def group(self) -> str:
        """Exon, or gene."""
        ...

    @property
    def gene(self) -> str | None:
        """Symbol."""
        ...

    @property
    def exon_sequence(self) -> str | None:
        """Bases of the exon, transcript sense."""
        ...


@dataclass(frozen=True, slots=True)
class SplitKey:
    """A `SplitItem` on its own."""

    chrom: str
    group: str
    gene: str | None = None
    exon_sequence: str | None = None


@dataclass(frozen=True, eq=False)
class VariantSplit:
    """Rows of each part, ascending; no row in two parts.

    Attributes
    ----------
    train, validation, test : int64
        Rows.
    related : int64
        Rows of no part: their gene, group or very exon is in a part that is held out before theirs, on another
        chromosome.
    copies : int64
        Rows of no part: their exon shares `COPY_LENGTH` bases with a held-out one.
    """

    train: Rows
    validation: Rows
    test: Rows
    related: Rows
    copies: Rows

    @property
    def digest(self) -> str:
        """SHA-256 of the rows of all parts."""
        hasher = hashlib.sha256()
        for rows in (self.train, self.validation, self.test):
            hasher.update(np.asarray(rows, dtype="<i8").tobytes() + b"|")
        return hasher.hexdigest()


def split_keys(examples: VariantExamples) -> list[SplitKey]:
    """Return what decides on the side of each example."""
    names = examples.names
    columns = (names[name].tolist() for name in ("chrom", "group", "gene", "exon"))
    return [
        SplitKey(chrom, group, gene or None, exon or None) for chrom, group, gene, exon in zip(*columns, strict=True)
    ]


def split_by_group(
    items: Sequence[SplitItem],
    *,
    test_chromosomes: Collection[str] = TEST_CHROMOSOMES,
    validation_fraction: float = 0.15,
    validation_chromosomes: Collection[str] = (),
    seed: int = 0,
) -> VariantSplit:
    """Split so that no group, gene or exon is in two parts.

    Items of one group, of one gene, or with the same exon are one unit, also across tables and builds. A unit with an
    item on a test chromosome is test; what it has on other chromosomes is left out (`related`). Of the other units
    those on the validation chromosomes, or a random share, are validation. At last an item whose exon is a near copy of
    one in test (or, for training, in validation) is left out (`copies`).

    Parameters
    ----------
    items
        Records of one table or several; see `split_keys` for examples.
    test_chromosomes
        In any spelling.
    validation_fraction
        Share of the units that are not test; not used with `validation_chromosomes`.
    validation_chromosomes
        Instead of a random share.
    seed
        Of the random share. The same items in another order give the same parts.

    Raises
    ------
    TrainingDataError
        If a part is empty, or a chromosome is in both test and validation.
    """
    test_on, validation_on = (
        {canonical_contig(name) for name in names} for names in (test_chromosomes, validation_chromosomes)
    )
    if test_on & validation_on:
        raise TrainingDataError(
            f"{', '.join(sorted(test_on & validation_on))} is in both test and validation.", "Name each once."
        )
    unit = _units(items)
    on_test = np.array([canonical_contig(item.chrom) in test_on for item in items], dtype=bool)
    test_units = np.unique(unit[on_test])
    in_test = np.isin(unit, test_units)
    if validation_on:
        chosen = np.array([canonical_contig(item.chrom) in validation_on for item in items], dtype=bool)
        validation_units = np.setdiff1d(np.unique(unit[chosen]), test_units)
    else:
        chosen = np.ones(len(items), dtype=bool)
        validation_units = _draw(items, unit, np.setdiff1d(np.unique(unit), test_units), validation_fraction, seed)
    in_validation = np.isin(unit, validation_units)
    test = on_test
    validation = in_validation & chosen
    train = ~in_test & ~in_validation
    related = (in_test & ~test) | (in_validation & ~validation)

    copies = np.zeros(len(items), dtype=bool)
    held_out = _pieces(items, test)
    for part in (validation, train):
        near = _near(items, part, held_out)
        copies |= near
        part &= ~near
        held_out |= _pieces(items, part)
    parts = {"train": train, "validation": validation, "test": test}
    empty = [name for name, part in parts.items() if not part.any()]
    if empty:
        raise TrainingDataError(
            f"The {empty[0]} part of the split is empty.", "Load more variants, or hold out other chromosomes."
        )
    return VariantSplit(*(np.flatnonzero(part) for part in (train, validation, test, related, copies)))


def _units(items: Sequence[SplitItem]) -> npt.NDArray[np.int64]:
    """Number the connected components of items that share a group, a gene or an exon."""
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for item in items:
        keys: list[Hashable] = [("group", item.group)]
        if item.gene:
            keys.append(("gene", item.gene.upper()))
        if item.exon_sequence:
            keys.append(("exon", item.exon_sequence))
        for key in keys[1:]:
            parent[root(key)] = root(keys[0])
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(root(("group", item.group)), len(numbers)) for item in items], dtype=np.int64)


def _draw(
    items: Sequence[SplitItem], unit: npt.NDArray[np.int64], units: npt.NDArray[np.int64], fraction: float, seed: int
) -> npt.NDArray[np.int64]:
    """Draw a share of the units, by names that do not depend on the order of the items."""
    name: dict[int, str] = {}
    for number, item in zip(unit.tolist(), items, strict=True):
        name[number] = min(name.get(number, item.group), item.group)
    ordered = np.array(sorted(units.tolist(), key=lambda number: name[number]), dtype=np.int64)
    count = round(fraction * len(ordered))
    drawn: npt.NDArray[np.int64] = np.random.default_rng(seed).permutation(ordered)[:count]
    return drawn


def _kmers(exon: str) -> Iterable[str]:
    return (exon[at : at + COPY_LENGTH] for at in range(len(exon) - COPY_LENGTH + 1))


def _pieces(items: Sequence[SplitItem], part: npt.NDArray[np.bool_]) -> set[str]:
    exons = {items[row].exon_sequence for row in np.flatnonzero(part).tolist()}
    return {piece for exon in exons if exon for piece in _kmers(exon) if "N" not in piece}


def _near(items: Sequence[SplitItem], part: npt.NDArray[np.bool_], held_out: set[str]) -> npt.NDArray[np.bool_]:
    verdict: dict[str, bool] = {}
    near = np.zeros(len(items), dtype=bool)
    for row in np.flatnonzero(part).tolist():
        exon = items[row].exon_sequence
        if exon:
            if exon not in verdict:
                verdict[exon] = any(piece in held_out for piece in _kmers(exon))
            near[row] = verdict[exon]
    return near
