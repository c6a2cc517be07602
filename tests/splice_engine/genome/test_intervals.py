"""Regions as people write them, and BED files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import InvalidRegionError, ResourceError
from agentic_spliceai.splice_engine.genome.intervals import looks_like_region, parse_region, read_bed
from agentic_spliceai.splice_engine.genome.types import Interval


@pytest.mark.parametrize(
    ("text", "contig", "start", "end"),
    [
        ("chr7:117559500-117559700", "chr7", 117559499, 117559700),
        (" 7:1-1 ", "chr7", 0, 1),
        ("NC_000007.14:1,000-2,000", "chr7", 999, 2000),
        ("HLA-A*01:01:5-9", "HLA-A*01:01", 4, 9),  # a contig's name may hold colons
    ],
)
def test_a_region_is_one_based_and_closed(text: str, contig: str, start: int, end: int) -> None:
    assert parse_region(text) == Interval(contig=contig, start=start, end=end)
    assert looks_like_region(text)


@pytest.mark.parametrize("text", ["chr7", "chr7:10", "chr7:0-5", "chr7:9-8", "chr7:,-5", "chr7:1-2 x"])
def test_what_is_no_region_says_so(text: str) -> None:
    with pytest.raises(InvalidRegionError):
        parse_region(text)


def test_the_name_of_a_gene_is_no_region() -> None:
    assert not any(looks_like_region(name) for name in ("MLH1", "HLA-A", "ENSG00000076242.15", "chr7"))


@pytest.mark.parametrize("zipped", [False, True])
def test_each_line_of_a_bed_is_an_interval_or_an_error(tmp_path: Path, zipped: bool) -> None:
    text = "# header\ntrack name=x\nchr1\t0\t10\tname\n\n2 5 6\nchr1\t7\t7\nchr1\tx\t9\nchr1\t4\n"
    path = tmp_path / ("a.bed.gz" if zipped else "a.bed")
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    found = list(read_bed(path))
    assert [interval for _, interval in found[:2]] == [
        Interval(contig="chr1", start=0, end=10),
        Interval(contig="chr2", start=5, end=6),
    ]
    assert [place.rpartition(" ")[2] for place, _ in found] == ["3", "5", "6", "7", "8"]
    assert all(isinstance(item, InvalidRegionError) for _, item in found[2:])


def test_a_missing_bed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="BED file"):
        list(read_bed(tmp_path / "none.bed"))
