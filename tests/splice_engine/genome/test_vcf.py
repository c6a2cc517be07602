"""VCF files: every allele one item, none lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from agentic_spliceai.splice_engine.errors import InvalidVariantError, ResourceError, UnsupportedAlleleError
from agentic_spliceai.splice_engine.genome import GenomeBuild, iter_vcf, read_vcf_header

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
TEXT = (
    HEADER
    + "1\t10\trs1\ta\tC,<DEL>,G\t.\t.\t.\n"
    + "\n"
    + "chr2\t20\t.\tAC\tA\n"
    + "chr2\tx\t.\tA\tC\t.\t.\t.\n"
    + "only words\n"
    + "chr2\t30\t.\tA\t.\t.\t.\t.\n"
    + "chr2\t40\t.\tA\t*\t.\t.\t.\n"
    + "chr2\t50\t.\tA\tN\t.\t.\t.\n"
    + "chr2\t60\t.\tG\tG]17:1]\t.\t.\t.\n"
    + "chr2\t70\t.\tA\tC,\t.\t.\t.\n"
    + "chr2\t0\t.\tA\tC\t.\t.\t.\n"
    + "chr2\t80\t.\tN\tA\t.\t.\t.\n"
)


@pytest.mark.parametrize("zipped", [False, True])
def test_every_allele_is_an_item(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "in.vcf"
    path.write_bytes(gzip.compress(TEXT.encode()) if zipped else TEXT.encode())
    items = list(iter_vcf(path, GenomeBuild.GRCH38))
    assert [(item.record, item.line_number, item.allele_index, type(item.error)) for item in items] == [
        (1, 3, 1, type(None)), (1, 3, 2, UnsupportedAlleleError), (1, 3, 3, type(None)), (2, 5, 1, type(None)),
        (3, 6, 0, InvalidVariantError), (4, 7, 0, InvalidVariantError), (5, 8, 1, UnsupportedAlleleError),
        (6, 9, 1, UnsupportedAlleleError), (7, 10, 1, InvalidVariantError), (8, 11, 1, UnsupportedAlleleError),
        (9, 12, 1, type(None)), (9, 12, 2, InvalidVariantError), (10, 13, 1, InvalidVariantError),
        (11, 14, 1, type(None)),
    ]  # fmt: skip
    assert all((item.raw is None) == (item.error is not None) for item in items)
    first = items[0].raw
    assert first is not None
    assert (first.contig, first.position, first.ref, first.alt, first.build) == (
        "chr1",
        10,
        "A",
        "C",
        GenomeBuild.GRCH38,
    )
    assert (items[0].id, items[0].text, items[0].line) == ("rs1", "1-10-a-C", TEXT.splitlines()[2])
    assert "line 6" in str(items[4].error)
    assert "has 1 tab-separated columns" in str(items[5].error)
    assert read_vcf_header(path) == HEADER.splitlines()


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    path = tmp_path / "in.vcf"
    path.write_bytes(HEADER.encode() + b"1\t10\tr\xe9s\tA\tC\t.\t.\t.\r\n")
    (item,) = iter_vcf(path)
    assert item.raw is not None
    assert item.line.encode(errors="surrogateescape") == b"1\t10\tr\xe9s\tA\tC\t.\t.\t."


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be read"):
        list(iter_vcf(tmp_path / "absent.vcf"))
    cut = tmp_path / "cut.vcf.gz"
    cut.write_bytes(gzip.compress((HEADER + "1\t10\t.\tA\tC\n" * 5000).encode())[:-20])
    with pytest.raises(ResourceError, match="damaged"):
        list(iter_vcf(cut))
    bcf = tmp_path / "in.bcf"
    bcf.write_bytes(gzip.compress(b"BCF\x02\x02" + bytes(range(256))))
    with pytest.raises(ResourceError, match="is a BCF"):
        list(iter_vcf(bcf))


def test_the_golden_records_agree_with_htslib(mirror: Path) -> None:
    path = mirror / "golden" / "variants" / "variants.vcf"
    items = list(iter_vcf(path))
    with pysam.VariantFile(str(path)) as oracle:
        expected = [
            (number, record.pos, record.id, str(record.ref).upper(), alt.upper())
            for number, record in enumerate(oracle, 1)
            for alt in record.alts or (".",)
        ]
    assert [(i.record, int(i.line.split("\t")[1]), i.id, i.text.split("-")[2].upper(), i.text.split("-")[3].upper())
            for i in items] == expected  # fmt: skip
    assert items[-1].record == 79
    assert {i.id for i in items if i.error} == {"edge_symbolic_INTS12", "edge_star_SEPT14", "edge_noalt_CFTR"}


@pytest.mark.parametrize(
    ("position", "why"),
    [
        ("-5", "POS '-5' is before base 1"),
        ("0", "position 0 is before base 1"),
        ("x", "POS 'x' is no number"),
        ("-x", "POS '-x' is no number"),
        ("1e5", "POS '1e5' is no number"),
        ("1" * 13, "has too many digits"),
    ],
)
def test_a_position_that_is_none_says_why(tmp_path: Path, position: str, why: str) -> None:
    path = tmp_path / "in.vcf"
    path.write_text(f"##fileformat=VCFv4.2\nchr3\t{position}\t.\tA\tG\n")
    (allele,) = iter_vcf(path)
    assert allele.error is not None
    assert why in allele.error.message
