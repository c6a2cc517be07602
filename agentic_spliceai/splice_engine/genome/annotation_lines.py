"""Reading annotation files line by line, with errors that name the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agentic_spliceai.splice_engine.errors import AnnotationFileError
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig, refseq_build
from agentic_spliceai.splice_engine.genome.text_files import numbered_lines
from agentic_spliceai.splice_engine.genome.types import Strand

_BUILD_LINE = re.compile(r"#!\s*genome-build\s+(?:Genome Reference Consortium\s+)?(\S+)", re.IGNORECASE)
_GENCODE_LINE = re.compile(r"##description:.*genome \(([^)]+)\)", re.IGNORECASE)
_SOURCE_LINE = re.compile(r"(?:#!\s*(?:annotation-)?source|##description:)\s+(.+)", re.IGNORECASE)


class Row(NamedTuple):
    """One feature of a GTF or GFF3; start and end 0-based, half-open."""

    number: int
    contig: str
    type: str
    start: int
    end: int
    strand: Strand | None
    attributes: str
    phase: str = "."

    @property
    def is_out_of_phase(self) -> bool:
        """Whether this coding part starts inside a codon."""
        return self.phase in ("1", "2")


def malformed(path: Path, number: int, why: str) -> AnnotationFileError:
    """Return the error for a line that cannot be read."""
    return AnnotationFileError(f"line {number} of {path.name}: {why}.", "Correct the line or fetch the file again.")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (1-based number, line without its end); AnnotationFileError if the file cannot be read or is damaged."""
    for number, line in numbered_lines(path, AnnotationFileError, "the annotation"):
        # The cache and the reports are UTF-8: a byte that is none must not travel on as a surrogate.
        yield number, line if line.isascii() else line.encode("utf-8", "replace").decode("utf-8")


class Header:
    """What a file's comment lines say about it."""

    def __init__(self) -> None:
        self.build_name = ""
        self.source = ""

    def read(self, line: str) -> None:
        """Take in one comment line."""
        for pattern in (_BUILD_LINE, _GENCODE_LINE):
            if not self.build_name and (match := pattern.match(line)):
                self.build_name = match[1]
        if not self.source and (match := _SOURCE_LINE.match(line)):
            self.source = match[1].strip()


def rows(path: Path, wanted: frozenset[str] | None, unwanted: frozenset[str], header: Header) -> Iterator[Row]:
    """Yield the features of a GTF or GFF3 whose type is wanted; a `##FASTA` line ends the file.

    Parameters
    ----------
    path
        The file.
    wanted
        Feature types to keep; None for all that are not in `unwanted`.
    unwanted
        Feature types to skip.
    header
        Takes in the comment lines.

    Raises
    ------
    AnnotationFileError
        If a line has not nine columns, or its coordinates or strand are no such thing.
    """
    contigs: dict[str, str] = {}
    strands = {"+": Strand.PLUS, "-": Strand.MINUS, ".": None, "?": None}
    for number, line in lines(path):
        if not line:
            continue
        if line[0] == "#":
            if line.startswith("##FASTA"):
                return
            header.read(line)
            continue
        fields = line.split("\t")
        if len(fields) != 9:
            if not line.strip():
                continue
            raise malformed(path, number, f"it has {len(fields)} tab-separated columns instead of 9")
        kind = fields[2]
        if kind in unwanted or (wanted is not None and kind not in wanted):
            continue
        try:
            start, end = int(fields[3]) - 1, int(fields[4])
        except ValueError as problem:
            raise malformed(path, number, f"{fields[3][:20]!r}, {fields[4][:20]!r} are no coordinates") from problem
        if not 0 <= start < end:
            raise malformed(path, number, f"coordinates {start + 1}-{end} are not ascending from 1")
        if fields[6] not in strands:
            raise malformed(path, number, f"strand {fields[6][:20]!r} is not + or -")
        name = fields[0]
        contig = contigs.get(name)
        if contig is None:
            contig = contigs[name] = canonical_contig(name)
            if not header.build_name and (build := refseq_build(name)) is not None:
                header.build_name = str(build)
        yield Row(number, contig, kind, start, end, strands[fields[6]], fields[8], fields[7])
