"""Variants whose effect was measured, from three published tables in one form: MFASS, Vex-seq, MutSpliceDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.normalization import trim
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Interval, Strand, Variant
from agentic_spliceai.splice_engine.meta_layer.data.tables import (
    RejectedRow,
    Row,
    RowError,
    flag,
    integer,
    number,
    optional_number,
    read_rows,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import ALTERING_FROM, VariantClass

_MFASS_COLUMNS = (
    "id", "exon_group", "chrom", "strand", "pos_grch37", "pos_grch38", "ref", "alt", "gene", "delta_psi",
    "delta_psi_rep1", "delta_psi_rep2", "splice_disrupting", "seq_ref", "seq_alt", "variant_offset", "exon_offset",
    "exon_length", "genome_available",
)  # fmt: skip
_MFASS_SCORES = ("spliceai", "pangolin", "splicetransformer", "mmsplice", "spanr")
_VEXSEQ_COLUMNS = (
    "id", "build", "chrom", "pos", "ref", "alt", "strand", "group", "delta", "seq_ref", "seq_alt", "exon_beg",
    "exon_len",
)  # fmt: skip
_MUTSPLICEDB_COLUMNS = ("hgvs", "chrom", "pos_grch38", "ref", "alt", "strand", "gene", "effect", "sequence_available")


@dataclass(frozen=True, slots=True)
class Construct:
    """The two assay sequences of a variant and where it and the exon lie in them; all in transcript sense, 0-based.

    Attributes
    ----------
    ref, alt
        Whole sequences. An assay that keeps its length may fill a deletion up from one side, so `alt` is not always
        `ref` with the change put in.
    ref_at, alt_at
        Where the changed bases begin in either sequence.
    ref_allele, alt_allele
        The changed bases, trimmed; one of them may be empty.
    exon_offset, exon_length
        Exon in `ref`: the acceptor stands on `exon_offset`, the donor on `exon_offset + exon_length - 1`.
    """

    ref: str
    alt: str
    ref_at: int
    alt_at: int
    ref_allele: str
    alt_allele: str
    exon_offset: int
    exon_length: int

    @property
    def exon(self) -> str:
        """The exon's reference sequence."""
        return self.ref[self.exon_offset : self.exon_offset + self.exon_length]


@dataclass(frozen=True, slots=True)
class MeasuredVariant:
    """One measured variant.

    Attributes
    ----------
    id
        Name in its table.
    source
        `mfass`, `vexseq` or `mutsplicedb`.
    chrom, strand
        Where, and the strand of the exon.
    group
        The exon (MutSpliceDB: the gene) that the variant belongs to; groups never straddle a split.
    variant
        The change on the plus strand, on GRCh38 where that is known.
    positions
        1-based position of the variant by build, as far as known.
    gene
        Symbol, or None.
    construct
        Assay sequences, or None where the variant was seen in patients.
    psi
        Change of the exon's inclusion, -1 to 1 (alternate minus reference), or None.
    replicates
        The same by replicate.
    altering
        Whether it alters splicing; MFASS: the authors' label; Vex-seq: the same rule, `psi <= -0.5`; MutSpliceDB: True.
    published
        Scores of other predictors that the table carries.
    genome_available
        Whether the table says that the genomic sequence around it is at hand; None where it says nothing.
    """

    id: str
    source: str
    chrom: str
    strand: Strand
    group: str
    variant: Variant
    positions: Mapping[GenomeBuild, int]
    gene: str | None
    construct: Construct | None = None
    psi: float | None = None
    replicates: tuple[float, ...] = ()
    altering: bool | None = None
    published: Mapping[str, float] = field(default_factory=dict)
    genome_available: bool | None = None

    @property
    def classification(self) -> VariantClass | None:
        """The class in SpliceVarDB's words: by `psi` where it was measured, else by `altering`."""
        if self.psi is not None:
            return VariantClass.of_psi(self.psi)
        return VariantClass.SPLICE_ALTERING if self.altering else None

    @property
    def exon_sequence(self) -> str | None:
        """The exon's bases, transcript sense, or None without a construct."""
        return None if self.construct is None else self.construct.exon

    def exon_interval(self, build: GenomeBuild) -> Interval | None:
        """Return where the exon lies on `build`, reckoned from the variant, or None where that is not known."""
        position, construct = self.positions.get(build), self.construct
        if position is None or construct is None:
            return None
        # `position` is the first base of the untrimmed plus-strand REF; the construct knows the trimmed one.
        start, ref, _ = trim(position - 1, self.variant.ref, self.variant.alt)
        if self.strand is Strand.PLUS:
            first = start - construct.ref_at + construct.exon_offset
        else:
            first = start + len(ref) + construct.ref_at - construct.exon_offset - construct.exon_length
        return Interval(contig=self.chrom, start=first, end=first + construct.exon_length)


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """What a table held: every row is either a record or a rejected row."""

    source: str
    records: tuple[MeasuredVariant, ...]
    rejected: tuple[RejectedRow, ...]

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected)


def load_mfass(path: Path) -> MeasuredTable:
    """Read `mfass.tsv.gz`: SNVs with constructs, positions on both builds and published scores.

    Raises
    ------
    SchemaError
        If the file cannot be read or lacks a column.
    """
    return _load(path, "mfass", "id", _MFASS_COLUMNS, _mfass)


def load_vexseq(path: Path, *, percent: bool = False) -> MeasuredTable:
    """Read `vexseq_train.tsv.gz`: SNVs and short indels on GRCh37 with constructs.

    The change of inclusion in that file is a share, -1 to 1, though CAGI published it in percent.

    Parameters
    ----------
    path
        The table.
    percent
        The `delta` column is in percent. A value out of range for its unit is a rejected row, so that a table in the
        other unit is noticed.

    Raises
    ------
    SchemaError
        If the file cannot be read or lacks a column.
    """
    scale = 100.0 if percent else 1.0
    return _load(path, "vexseq", "id", _VEXSEQ_COLUMNS, lambda row: _vexseq(row, scale))


def load_mutsplicedb(path: Path) -> MeasuredTable:
    """Read `mutsplicedb.tsv.gz`: variants of tumours, each seen to alter splicing in RNA; GRCh38, no constructs.

    Raises
    ------
    SchemaError
        If the file cannot be read or lacks a column.
    """
    return _load(path, "mutsplicedb", "hgvs", _MUTSPLICEDB_COLUMNS, _mutsplicedb)


def locate_change(ref: str, alt: str, ref_at: int, ref_allele: str, alt_allele: str) -> int | None:
    """Return where the alternate allele begins in `alt`, or None where the two sequences are not that change.

    Tried are sequences that begin at the same base (the alternate's end is cut or filled up), then sequences that end
    at the same base (its beginning is).

    Parameters
    ----------
    ref, alt
        Assay sequences, the same sense.
    ref_at
        0-based place of `ref_allele` in `ref`.
    ref_allele, alt_allele
        Changed bases.
    """
    if ref_at < 0 or ref[ref_at : ref_at + len(ref_allele)] != ref_allele:
        return None
    head, tail = ref[:ref_at], ref[ref_at + len(ref_allele) :]
    for alt_at in (ref_at, len(alt) - len(tail) - len(alt_allele)):
        if alt_at < 0 or alt[alt_at : alt_at + len(alt_allele)] != alt_allele:
            continue
        own_head, own_tail = alt[:alt_at], alt[alt_at + len(alt_allele) :]
        left, right = min(len(head), len(own_head)), min(len(tail), len(own_tail))
        if head[len(head) - left :] == own_head[len(own_head) - left :] and tail[:right] == own_tail[:right]:
            return alt_at
    return None


def _load(
    path: Path, source: str, name: str, columns: tuple[str, ...], parse: Callable[[Row], MeasuredVariant]
) -> MeasuredTable:
    records: list[MeasuredVariant] = []
    rejected: list[RejectedRow] = []
    for line, row in read_rows(path, columns, f"the {source} table"):
        try:
            if isinstance(row, RowError):
                raise row
            records.append(parse(row))
        except RowError as error:
            own = "" if isinstance(row, RowError) else row[name]
            rejected.append(RejectedRow(line, own, error.reason))
    return MeasuredTable(source, tuple(records), tuple(rejected))


def _mfass(row: Row) -> MeasuredVariant:
    strand = _strand(row)
    position = integer(row, "pos_grch38", 1)
    variant = _variant(row, row["chrom"], position, GenomeBuild.GRCH38)
    at = integer(row, "variant_offset")
    return MeasuredVariant(
        id=row["id"],
        source="mfass",
        chrom=variant.contig,
        strand=strand,
        group=row["exon_group"],
        variant=variant,
        positions={GenomeBuild.GRCH37: integer(row, "pos_grch37", 1), GenomeBuild.GRCH38: position},
        gene=row["gene"] or None,
        construct=_construct(
            row, variant, strand, at, exon=(integer(row, "exon_offset"), integer(row, "exon_length", 1))
        ),
        psi=number(row, "delta_psi", -1, 1),
        replicates=(number(row, "delta_psi_rep1"), number(row, "delta_psi_rep2")),
        altering=flag(row, "splice_disrupting"),
        published=MappingProxyType(
            {score: value for score in _MFASS_SCORES if (value := optional_number(row, score)) is not None}
        ),
        genome_available=flag(row, "genome_available"),
    )


def _vexseq(row: Row, scale: float) -> MeasuredVariant:
    strand = _strand(row)
    try:
        build = GenomeBuild.parse(row["build"])
    except ValueError as error:
        raise RowError("malformed_value", f"column build: {error}.", "Name hg19 or hg38.") from None
    position = integer(row, "pos", 1)
    variant = _variant(row, row["chrom"], position, build)
    exon = (integer(row, "exon_beg"), integer(row, "exon_len", 1))
    first, last = _exon_ends(row)
    start, ref, _ = trim(variant.position - 1, variant.ref, variant.alt)
    # The exon stands at `exon_beg` of the construct, and on the genome where `group` says (1-based, inclusive).
    at = start - (first - 1) + exon[0] if strand is Strand.PLUS else last - (start + len(ref)) + exon[0]
    psi = number(row, "delta", -scale, scale) / scale
    return MeasuredVariant(
        id=row["id"],
        source="vexseq",
        chrom=variant.contig,
        strand=strand,
        group=row["group"],
        variant=variant,
        positions={build: position},
        gene=None,
        construct=_construct(row, variant, strand, at, exon=exon),
        psi=psi,
        altering=psi <= ALTERING_FROM,
    )


def _mutsplicedb(row: Row) -> MeasuredVariant:
    position = integer(row, "pos_grch38", 1)
    variant = _variant(row, row["chrom"], position, GenomeBuild.GRCH38)
    return MeasuredVariant(
        id=row["hgvs"],
        source="mutsplicedb",
        chrom=variant.contig,
        strand=_strand(row),
        group=row["gene"],
        variant=variant,
        positions={GenomeBuild.GRCH38: position},
        gene=row["gene"] or None,
        altering=True,
        genome_available=flag(row, "sequence_available"),
    )


def _strand(row: Row) -> Strand:
    try:
        return Strand(row["strand"])
    except ValueError:
        raise RowError(
            "malformed_value", f"column strand holds {row['strand']!r}, not + or -.", "Correct the value."
        ) from None


def _variant(row: Row, chrom: str, position: int, build: GenomeBuild) -> Variant:
    ref, alt = row["ref"].upper(), row["alt"].upper()
    if len(ref) == len(alt):
        start, ref, alt = trim(position - 1, ref, alt)
        position = start + 1
    try:
        return Variant(contig=canonical_contig(chrom), position=position, ref=ref, alt=alt, build=build)
    except ValidationError:
        raise RowError(
            "invalid_variant",
            f"columns ref and alt hold {row['ref']!r} and {row['alt']!r}, which are no change of A, C, G, T.",
            "Correct the alleles.",
        ) from None


def _exon_ends(row: Row) -> tuple[int, int]:
    try:
        first, last = row["group"].rpartition(":")[2].split("-")
        return int(first), int(last)
    except ValueError:
        raise RowError(
            "malformed_value", f"column group holds {row['group']!r}, not chrom:first-last.", "Correct the value."
        ) from None


def _construct(row: Row, variant: Variant, strand: Strand, at: int, exon: tuple[int, int]) -> Construct:
    ref, alt = row["seq_ref"].upper(), row["seq_alt"].upper()
    _, ref_allele, alt_allele = trim(0, variant.ref, variant.alt)
    if strand is Strand.MINUS:
        ref_allele, alt_allele = reverse_complement(ref_allele), reverse_complement(alt_allele)
    alt_at = locate_change(ref, alt, at, ref_allele, alt_allele)
    if alt_at is None:
        raise RowError(
            "construct_mismatch",
            f"seq_ref and seq_alt do not differ by {ref_allele or '-'}>{alt_allele or '-'} at offset {at}.",
            "Both sequences must be in transcript sense and differ by the variant alone.",
        )
    if not sum(exon) <= len(ref):
        raise RowError(
            "construct_mismatch",
            f"the exon (offset {exon[0]}, length {exon[1]}) reaches past seq_ref ({len(ref)} nt).",
            "Correct the exon's columns.",
        )
    return Construct(ref, alt, at, alt_at, ref_allele, alt_allele, *exon)
