"""SpliceVarDB's table: variants with a class from experiments, and what is wrong with rows that give none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np

from agentic_spliceai.splice_engine.errors import (
    NotScored,
    SettingError,
    SpliceEngineError,
    TrainingDataError,
)
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, SiteType, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import parse_variant
from agentic_spliceai.splice_engine.meta_layer.data.tables import RejectedRow, Row, RowError, read_rows
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import SAMPLE_WEIGHTS, VariantClass

COLUMNS = ("variant_id", "hg19", "hg38", "gene", "hgvs", "method", "classification", "location", "doi")

_BUILDS = {"hg19": GenomeBuild.GRCH37, "hg38": GenomeBuild.GRCH38}
_LOCUS = 1_000_000

_ABSENT = ("", ".", "-", "na", "nan", "none", "null")

# c.236+1G>A, c.236-3_236-1del, c.*24-2A>G, n.1-5T>C, c.1116G>A; the signed number is HGVS's own intronic distance.
_HGVS = re.compile(
    r"(?:[^:\s]+\s*:\s*)?[cn]\.\s*[-*]?\d+(?P<first>[+-]\d+)?(?P<range>_[-*]?\d+(?P<last>[+-]\d+)?)?\s*[A-Za-z>=].*",
    re.ASCII,
)


class Region(StrEnum):
    """Where an HGVS description puts a change, seen from the nearest exon."""

    EXONIC = "exonic"
    DONOR_SIDE = "donor_side"
    ACCEPTOR_SIDE = "acceptor_side"


@dataclass(frozen=True, slots=True)
class HgvsHint:
    """What the text of an HGVS description on a transcript says about the splice sites near the change.

    Attributes
    ----------
    region
        `donor_side` for an intronic position counted from the exon before it (`c.236+1`), `acceptor_side` for one
        counted from the exon after it (`c.237-2`), `exonic` for any other.
    offset
        Intronic distance nearest to the exon: +1 is the intron's first base, -1 its last; 0 for exonic.
    """

    region: Region
    offset: int

    @property
    def site(self) -> SiteType | None:
        """The site whose invariant dinucleotide (+1, +2 or -2, -1) is hit, if one is."""
        if self.offset in (1, 2):
            return SiteType.DONOR
        return SiteType.ACCEPTOR if self.offset in (-1, -2) else None


def hgvs_hint(text: str) -> HgvsHint | None:
    """Read the hint off an HGVS description such as `NM_005957.5:c.236+1G>A`; None for any other text.

    The rule looks at the text alone. Of a range inside one intron the end nearest to an exon counts. A range that runs
    over one exon end, `c.88_88+3del` or `c.100-3_104del`, has +1 or -1; one that runs over both sites of an exon or
    intron counts as exonic.
    """
    match = _HGVS.fullmatch(text.strip())
    if match is None:
        return None
    first = int(match["first"] or 0)
    last = int(match["last"] or 0) if match["range"] else first
    if first * last != 0:
        # From one side of an intron to the other (+5 to -3) the change stays inside it; the reverse holds an exon.
        offset = 0 if first < 0 < last else min(first, last, key=abs)
    else:
        offset = 1 if last > 0 else -1 if first < 0 else 0
    if offset == 0:
        return HgvsHint(Region.EXONIC, 0)
    return HgvsHint(Region.DONOR_SIDE if offset > 0 else Region.ACCEPTOR_SIDE, offset)


@dataclass(frozen=True, slots=True)
class SpliceVarDBRecord:
    """One variant of the table.

    Attributes
    ----------
    id
        `variant_id` of its first row.
    variant
        On the build that was asked for.
    variants
        By build, as far as the table has readable coordinates.
    gene
        Symbol, or None.
    classification
        Class; `CONFLICTING` also where the table's own rows disagree.
    hgvs, hint
        The description as it stands, and what it says.
    methods, dois
        Of all its rows, each once.
    location
        The table's own words, such as `Exonic`.
    lines
        1-based lines of the rows that it was made of.
    """

    id: str
    variant: Variant
    variants: Mapping[GenomeBuild, Variant]
    gene: str | None
    classification: VariantClass
    hgvs: str
    hint: HgvsHint | None
    methods: tuple[str, ...]
    dois: tuple[str, ...]
    location: str
    lines: tuple[int, ...]
    source: str = "splicevardb"
    psi: None = None
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def chrom(self) -> str:
        """Canonical contig."""
        return self.variant.contig

    @property
    def exon_sequence(self) -> None:
        """None: the table names no exon."""
        return None

    @property
    def altering(self) -> bool | None:
        """True for Splice-altering, False for Normal, else None."""
        return self.classification.altering

    @property
    def group(self) -> str:
        """The gene, or, where none is named, the megabase of the contig that the variant lies in."""
        return self.gene or f"{self.chrom}:{self.variant.position // _LOCUS}Mb"

    @property
    def weight(self) -> float:
        """Sample weight of the class."""
        return SAMPLE_WEIGHTS[self.classification]


@dataclass(frozen=True, slots=True)
class SpliceVarDBReport:
    """What became of the rows: `rows = rows of the records + rejected`.

    Attributes
    ----------
    rows
        Rows of the table, empty lines not counted.
    classes
        Records by class.
    duplicates
        Rows that were merged into an earlier row of the same variant and class.
    conflicts
        Variants whose rows name different classes, with the lines that do.
    other_build_unreadable
        Rows with a coordinate on the build not asked for that cannot be read; their records lack that build.
    rejected
        Rows without a record, with their reasons.
    """

    rows: int
    classes: Mapping[VariantClass, int]
    duplicates: int
    conflicts: Mapping[str, tuple[int, ...]]
    other_build_unreadable: int
    rejected: tuple[RejectedRow, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected rows by code."""
        return dict(Counter(row.reason.code for row in self.rejected))


@dataclass(frozen=True, slots=True)
class SpliceVarDBTable:
    """Records in the order of their first rows, and the report."""

    records: tuple[SpliceVarDBRecord, ...]
    report: SpliceVarDBReport


@dataclass(frozen=True)
class SpliceVarDBLoader:
    """Reads SpliceVarDB's table, TSV or CSV, plain or gzipped.

    Parameters
    ----------
    coordinate_column
        Which coordinates to use: `hg38` or `hg19`.
    genome
        Reference of that build: each variant is then compared with it and brought to its normal form, so that two
        spellings of one indel are one variant. Without it coordinates are taken as they stand.
    conflicts
        What to make of a variant whose rows name different classes: one record of class Conflicting, or none (its rows
        are then rejected as `conflicting_classes`).

    Raises
    ------
    SettingError
        If the column is neither hg38 nor hg19, or the genome is of the other build.
    """

    coordinate_column: str = "hg38"
    genome: ReferenceGenome | None = None
    conflicts: Literal["conflicting", "leave_out"] = "conflicting"

    def __post_init__(self) -> None:
        if self.coordinate_column not in _BUILDS:
            raise SettingError(f"There is no coordinate column {self.coordinate_column!r}.", "Take hg38 or hg19.")
        if self.conflicts not in ("conflicting", "leave_out"):
            raise SettingError(f"Conflicts cannot be handled by {self.conflicts!r}.", "Take conflicting or leave_out.")
        if self.genome is not None and self.genome.build not in (None, self.build):
            raise SettingError(
                f"The genome is {self.genome.build}, the column {self.coordinate_column} is {self.build}.",
                "Give both in the same build.",
            )

    @property
    def build(self) -> GenomeBuild:
        """Build of the coordinates that are used."""
        return _BUILDS[self.coordinate_column]

    def load(self, path: Path) -> SpliceVarDBTable:
        """Read a table.

        Raises
        ------
        SchemaError
            If the file cannot be read or lacks a column.
        """
        grouped: dict[Variant, list[SpliceVarDBRecord]] = {}
        rejected: list[RejectedRow] = []
        rows = unreadable = 0
        for line, row in read_rows(path, COLUMNS, "the SpliceVarDB table"):
            rows += 1
            try:
                if isinstance(row, RowError):
                    raise row
                record, whole = self._record(line, row)
                unreadable += not whole
                grouped.setdefault(record.variant, []).append(record)
            except RowError as error:
                rejected.append(RejectedRow(line, "" if isinstance(row, RowError) else row["variant_id"], error.reason))
        records, duplicates, conflicts = [], 0, {}
        for variant, same in grouped.items():
            classes = {record.classification for record in same}
            if len(classes) > 1:
                conflicts[str(variant)] = tuple(record.lines[0] for record in same)
                if self.conflicts == "leave_out":
                    rejected += [RejectedRow(record.lines[0], record.id, _disagree(same)) for record in same]
                    continue
            else:
                duplicates += len(same) - 1
            records.append(_merged(same, VariantClass.CONFLICTING if len(classes) > 1 else same[0].classification))
        counts = Counter(record.classification for record in records)
        report = SpliceVarDBReport(
            rows=rows,
            classes={member: counts[member] for member in VariantClass},
            duplicates=duplicates,
            conflicts=conflicts,
            other_build_unreadable=unreadable,
            rejected=tuple(sorted(rejected, key=lambda item: item.line)),
        )
        return SpliceVarDBTable(tuple(records), report)

    def _record(self, line: int, row: Row) -> tuple[SpliceVarDBRecord, bool]:
        """Return the record of one row, and whether the other build's coordinate could be read or is absent."""
        classification = VariantClass.parse(row["classification"])
        if classification is None:
            raise RowError(
                "unknown_class",
                f"column classification holds {row['classification']!r}.",
                f"Known are {', '.join(member.label for member in VariantClass)}.",
            )
        variants: dict[GenomeBuild, Variant] = {}
        whole = True
        for column, build in _BUILDS.items():
            text = row[column]
            if text.lower() in _ABSENT:
                continue
            try:
                variants[build] = self._variant(text, build)
            except SpliceEngineError as error:
                if build is self.build:
                    raise RowError(error.code, f"column {column}: {error.message}", error.advice) from error
                whole = False
        if self.build not in variants:
            raise RowError(
                "missing_coordinate",
                f"column {self.coordinate_column} is empty.",
                "Use the other build's column for this variant.",
            )
        return (
            SpliceVarDBRecord(
                id=row["variant_id"],
                variant=variants[self.build],
                variants=variants,
                gene=row["gene"] or None,
                classification=classification,
                hgvs=row["hgvs"],
                hint=hgvs_hint(row["hgvs"]),
                methods=(row["method"],) if row["method"] else (),
                dois=(row["doi"],) if row["doi"] else (),
                location=row["location"],
                lines=(line,),
            ),
            whole,
        )

    def _variant(self, text: str, build: GenomeBuild) -> Variant:
        variant = parse_variant(text, build)
        return normalize_variant(variant, self.genome) if self.genome and build is self.build else variant


def load_splicevardb(
    path: Path,
    *,
    coordinate_column: str = "hg38",
    genome: ReferenceGenome | None = None,
    conflicts: Literal["conflicting", "leave_out"] = "conflicting",
) -> SpliceVarDBTable:
    """Read SpliceVarDB's table; arguments and errors are those of `SpliceVarDBLoader`."""
    return SpliceVarDBLoader(coordinate_column, genome, conflicts).load(path)


def balanced_subset(
    records: Sequence[SpliceVarDBRecord], *, per_class: int | None = None, seed: int = 0
) -> tuple[SpliceVarDBRecord, ...]:
    """Draw as many Splice-altering as Normal variants, without the other two classes, in their order in the table.

    Parameters
    ----------
    records
        What to draw from; the training part alone.
    per_class
        How many of each; by default all of the rarer class.
    seed
        Of the draw.

    Raises
    ------
    TrainingDataError
        If a class has too few variants.
    """
    places = [
        [i for i, record in enumerate(records) if record.classification is wanted]
        for wanted in (VariantClass.SPLICE_ALTERING, VariantClass.NORMAL)
    ]
    available = min(map(len, places))
    size = available if per_class is None else per_class
    if not 1 <= size <= available:
        raise TrainingDataError(
            f"{size} variants of each class were asked for; there are {len(places[0])} Splice-altering and "
            f"{len(places[1])} Normal.",
            "Ask for fewer, or give more records.",
        )
    generator = np.random.default_rng(seed)
    chosen = np.sort(np.concatenate([generator.choice(place, size, replace=False) for place in places]))
    return tuple(records[i] for i in chosen)


def _merged(same: Sequence[SpliceVarDBRecord], classification: VariantClass) -> SpliceVarDBRecord:
    first = same[0]
    return replace(
        first,
        variants={build: v for record in reversed(same) for build, v in record.variants.items()},
        gene=next((record.gene for record in same if record.gene), None),
        classification=classification,
        methods=tuple(dict.fromkeys(method for record in same for method in record.methods)),
        dois=tuple(dict.fromkeys(doi for record in same for doi in record.dois)),
        lines=tuple(record.lines[0] for record in same),
    )


def _disagree(same: Sequence[SpliceVarDBRecord]) -> NotScored:
    listed = "; ".join(f"line {record.lines[0]}: {record.classification.label}" for record in same)
    return NotScored(
        code="conflicting_classes",
        message=f"rows of {same[0].variant} name different classes ({listed}).",
        advice="Correct the table, or load it with conflicts='conflicting'.",
    )
