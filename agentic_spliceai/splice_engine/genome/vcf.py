"""Variants from a VCF file, read as text: each ALT allele one item, none lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    InvalidVariantError,
    ResourceError,
    SpliceEngineError,
    UnknownContigError,
    UnsupportedAlleleError,
)
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.text_files import numbered_lines
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant, raw_from_alleles, shortened

_CONTIG = re.compile(r"##contig=<ID=([^,>]+)")
_LENGTH = re.compile(r"[<,]length=(\d{1,18})[,>]")


@dataclass(frozen=True, slots=True)
class VcfAllele:
    """One ALT allele of one record: what it says, or why it cannot be read.

    Attributes
    ----------
    record
        1-based number of the data line.
    line_number
        1-based number of the line in the file.
    allele_index
        Which ALT of the record, 1-based; 0 for a line that could not be split into alleles.
    text
        `chr1-11648826-G-C`, or the line itself where it is malformed.
    id
        The ID column, `.` if there is none.
    line
        The whole line, for writing it out again.
    raw
        The allele, not yet compared with a genome; None if there is an error.
    error
        Why there is none; None if there is.
    """

    record: int
    line_number: int
    allele_index: int
    text: str
    id: str
    line: str
    raw: RawVariant | None = None
    error: SpliceEngineError | None = None


def iter_vcf(path: Path | str, build: GenomeBuild | None = None) -> Iterator[VcfAllele]:
    """Yield every ALT allele of a VCF, plain or gzipped, in the file's order.

    Parameters
    ----------
    path
        The file.
    build
        Genome build of its positions.

    Raises
    ------
    ResourceError
        If the file cannot be read, is damaged, or is a BCF. A bad line is no exception but an item with its `error`.
    """
    record = 0
    for number, line in _lines(Path(path)):
        if not line.strip() or line.startswith("#"):
            continue
        record += 1
        yield from _alleles(record, number, line, build)


def iter_vcf_records(path: Path | str, build: GenomeBuild | None = None) -> Iterator[tuple[VcfAllele, ...]]:
    """Yield the alleles of each record together, at least one; arguments and errors are those of `iter_vcf`."""
    for _, alleles in groupby(iter_vcf(path, build), key=lambda allele: allele.record):
        yield tuple(alleles)


def read_vcf_header(path: Path | str) -> list[str]:
    """Return the lines before the first record, `#CHROM` included, without line ends; raises as `iter_vcf`."""
    header: list[str] = []
    for _, line in _lines(Path(path)):
        if not line.startswith("#"):
            break
        header.append(line)
    return header


def check_contig_lengths(header: Iterable[str], genome: ReferenceGenome) -> None:
    """Refuse a VCF whose header gives contigs other lengths than the genome has: its positions mean other bases.

    The mitochondrion is left out: two sequences of it go with GRCh37.

    Raises
    ------
    BuildMismatchError
        Naming the first such contig.
    """
    for line in header:
        if (match := _CONTIG.match(line)) is None or (length := _LENGTH.search(line)) is None:
            continue
        try:
            known = genome.contig_length(match[1])
        except UnknownContigError:
            continue
        if known != int(length[1]) and canonical_contig(match[1]) != "chrM":
            raise BuildMismatchError(
                f"{match[1]} has {int(length[1]):,} nt in the VCF's header and {known:,} in the genome.",
                "Give the genome that the VCF was made with; liftover brings a VCF to another build.",
            )


def refuse_bcf(first_line: str, name: str) -> None:
    """Raise ResourceError if a file's first line is that of a BCF."""
    if first_line.startswith("BCF"):
        raise ResourceError(f"{name} is a BCF.", f"Turn it into a VCF: `bcftools view {name} > in.vcf`.")


def _alleles(record: int, number: int, line: str, build: GenomeBuild | None) -> Iterator[VcfAllele]:
    # A cohort's samples are not looked at.
    fields = line.split("\t", 8)
    why = ""
    if len(fields) < 5:
        why = f"it has {len(fields)} tab-separated columns, and a record has at least 5"
    elif not (fields[1].isascii() and fields[1].isdigit() and len(fields[1]) <= 12):
        why = f"POS {shortened(fields[1])} {_wrong_position(fields[1])}"
    elif not fields[0].strip():
        why = "CHROM is empty"
    if why:
        error = InvalidVariantError(f"line {number} of the VCF is malformed: {why}.", "Correct the line.")
        yield VcfAllele(record, number, 0, line, ".", line, error=error)
        return
    contig, position, identifier, ref = fields[0], int(fields[1]), fields[2], fields[3]
    for index, alt in enumerate(fields[4].split(","), 1):
        text = f"{contig}-{position}-{ref}-{alt}"
        try:
            if not ref or not alt:
                raise InvalidVariantError(f"line {number} of the VCF has an empty allele.", "Correct the line.")
            if alt == ".":
                raise UnsupportedAlleleError(
                    f"{shortened(text)} has no alternate allele.", "Nothing to score: leave the record as it is."
                )
            raw = raw_from_alleles(text, contig, position, ref, alt, build)
        except SpliceEngineError as error:
            yield VcfAllele(record, number, index, text, identifier, line, error=error)
        else:
            yield VcfAllele(record, number, index, text, identifier, line, raw=raw)


def _wrong_position(text: str) -> str:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return "is no number"
    return "is before base 1" if text.startswith("-") else "has too many digits"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in numbered_lines(path, ResourceError, "the VCF"):
        if number == 1:
            refuse_bcf(line, path.name)
        yield number, line
