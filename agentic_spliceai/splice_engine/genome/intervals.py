"""Stretches of a genome as people write them, and as BED files list them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from agentic_spliceai.splice_engine.errors import InvalidRegionError, ResourceError
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.text_files import numbered_lines
from agentic_spliceai.splice_engine.genome.types import Interval

_REGION = re.compile(r"(?P<contig>[^\s]+):(?P<start>[\d,]{1,15})-(?P<end>[\d,]{1,15})", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_NOT_DATA = ("#", "track ", "track\t", "browser ", "browser\t")


def looks_like_region(text: str) -> bool:
    """Whether a text has the shape `contig:start-end`, whatever its numbers are."""
    return _REGION.fullmatch(text.strip()) is not None


def parse_region(text: str) -> Interval:
    """Read `chr7:117,559,500-117,559,700`: 1-based, both ends included.

    Raises
    ------
    InvalidRegionError
        If it is not written so, or ends before it begins.
    """
    match = _REGION.fullmatch(text.strip())
    digits = [match[name].replace(",", "") for name in ("start", "end")] if match else []
    if match is None or not all(digits):
        raise InvalidRegionError(f"{text.strip()!r:.60} is no region.", "Write chr7:117559500-117559700, 1-based.")
    start, end = (int(number) for number in digits)
    if not 1 <= start <= end:
        raise InvalidRegionError(
            f"{text.strip()!r:.60} does not begin before it ends.", "Positions are 1-based and rise."
        )
    return Interval(contig=canonical_contig(match["contig"]), start=start - 1, end=end)


def read_bed(path: Path) -> Iterator[tuple[str, Interval | InvalidRegionError]]:
    """Read the first three columns of a BED file, plain or gzipped: 0-based, half-open.

    Yields
    ------
    (str, Interval or InvalidRegionError)
        For each line with data: where it stands, and its interval, or what is wrong with it.

    Raises
    ------
    ResourceError
        If the file cannot be read or is damaged.
    """
    for number, line in numbered_lines(path, ResourceError, "the BED file"):
        if not line.strip() or line.startswith(_NOT_DATA):
            continue
        place = f"{path.name}, line {number}"
        fields = line.split("\t") if "\t" in line else line.split()
        try:
            contig, start, end = fields[0], *(int(_whole(field)) for field in fields[1:3])
            if not contig or end <= start:
                raise ValueError("empty")
            yield place, Interval(contig=canonical_contig(contig), start=start, end=end)
        except ValueError:
            yield (
                place,
                InvalidRegionError(
                    f"{place} is no BED interval.",
                    "Write contig, start (0-based) and end, separated by tabs; start < end.",
                ),
            )


def _whole(field: str) -> str:
    if _NUMBER.fullmatch(field.strip()) is None:
        raise ValueError(field)
    return field.strip()
