"""SpliceVarDB's table: each row becomes part of one record or has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import SchemaError, SettingError, TrainingDataError
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, SiteType
from agentic_spliceai.splice_engine.meta_layer.data.splicevardb import (
    COLUMNS,
    Region,
    SpliceVarDBLoader,
    balanced_subset,
    hgvs_hint,
    load_splicevardb,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass
from tests.splice_engine.base_layer.toys import write_genome

from .variant_toys import write_table


def row(
    name: str, hg38: str, classification: str, *, hg19: str = "", gene: str = "G", hgvs: str = "", method: str = "m"
) -> list[object]:
    return [name, hg19, hg38, gene, hgvs, method, classification, "Exonic", f"doi-{name}"]


def test_each_row_is_part_of_a_record_or_has_a_reason(tmp_path: Path) -> None:
    rows = [
        row("1", "1-100-T-C", "Splice-altering", hg19="1-90-T-C", hgvs="NM_1.2:c.236+1G>A"),
        row("2", "chr1-200-A-G", " splice altering "),
        row("3", "1-300-A-G", "NORMAL"),
        row("4", "1-400-A-G", "low_frequency"),
        row("5", "1-500-A-G", "Conflicting"),
        row("6", "1-600-A-G", "Benign"),  # no such class
        row("7", "", "Normal", hg19="1-700-A-G"),  # not on this build
        row("8", "1-xx-A-G", "Normal"),  # no coordinate
        row("9", "1-900-A-A", "Normal"),  # changes nothing
        row("10", "1-100-T-C", "Splice-altering", method="other"),  # as row 1
        row("11", "1-300-A-G", "Splice-altering"),  # contradicts row 3
        row("12", "1-400-A-G", "Low-frequency", hg19="nonsense"),  # as row 4, other build unreadable
    ]
    table = load_splicevardb(write_table(tmp_path / "t.tsv", list(COLUMNS), rows))
    report = table.report

    assert report.rows == 12
    lines = [line for record in table.records for line in record.lines] + [bad.line for bad in report.rejected]
    assert sorted(lines) == list(range(2, 14))
    assert [(bad.line, bad.id, bad.reason.code) for bad in report.rejected] == [
        (7, "6", "unknown_class"),
        (8, "7", "missing_coordinate"),
        (9, "8", "invalid_variant"),
        (10, "9", "invalid_variant"),
    ]
    assert "Benign" in report.rejected[0].reason.message
    assert report.reasons == {"unknown_class": 1, "missing_coordinate": 1, "invalid_variant": 2}
    assert report.duplicates == 2
    assert report.conflicts == {"chr1-300-A-G": (4, 12)}
    assert report.other_build_unreadable == 1
    assert [(str(r.variant), r.classification, r.weight) for r in table.records] == [
        ("chr1-100-T-C", VariantClass.SPLICE_ALTERING, 2.0),
        ("chr1-200-A-G", VariantClass.SPLICE_ALTERING, 2.0),
        ("chr1-300-A-G", VariantClass.CONFLICTING, 0.5),
        ("chr1-400-A-G", VariantClass.LOW_FREQUENCY, 0.5),
        ("chr1-500-A-G", VariantClass.CONFLICTING, 0.5),
    ]
    first = table.records[0]
    assert (first.methods, first.dois, first.lines) == (("m", "other"), ("doi-1", "doi-10"), (2, 11))
    assert {build: v.position for build, v in first.variants.items()} == {
        GenomeBuild.GRCH37: 90,
        GenomeBuild.GRCH38: 100,
    }
    assert [r.altering for r in table.records] == [True, True, None, None, None]


def test_the_other_build_and_conflicts_left_out(tmp_path: Path) -> None:
    rows = [
        row("1", "1-100-T-C", "Normal", hg19="1-90-T-C"),
        row("2", "1-100-T-C", "Splice-altering", hg19="1-90-T-C"),
        row("3", "", "Normal", hg19="2-50-AT-A"),
    ]
    path = write_table(tmp_path / "t.csv", list(COLUMNS), rows, delimiter=",")
    table = SpliceVarDBLoader("hg19", conflicts="leave_out").load(path)
    assert [str(record.variant) for record in table.records] == ["chr2-50-AT-A"]
    assert table.records[0].variant.build is GenomeBuild.GRCH37
    assert [bad.reason.code for bad in table.report.rejected] == ["conflicting_classes"] * 2
    assert "line 2: Normal; line 3: Splice-altering" in table.report.rejected[0].reason.message


def test_a_genome_checks_ref_and_joins_spellings_of_one_indel(tmp_path: Path) -> None:
    genome = ReferenceGenome(write_genome(tmp_path, "ACGTTTTTACGT" + "ACGT" * 20))
    rows = [
        row("1", "1-3-GT-G", "Normal"),
        row("2", "1-6-TT-T", "Normal"),  # another T of the same run
        row("3", "1-2-G-A", "Normal"),  # the genome has C
    ]
    path = write_table(tmp_path / "t.tsv.gz", list(COLUMNS), rows)
    table = load_splicevardb(path, genome=genome)
    assert [(str(r.variant), r.lines) for r in table.records] == [("chr1-3-GT-G", (2, 3))]
    assert [bad.reason.code for bad in table.report.rejected] == ["reference_mismatch"]
    assert len(load_splicevardb(path).records) == 3  # without it, coordinates are taken as they stand


def test_group_is_the_gene_or_the_place(tmp_path: Path) -> None:
    rows = [row("1", "1-2500000-T-C", "Normal", gene=""), row("2", "1-5-T-C", "Normal", gene="BRCA1")]
    records = load_splicevardb(write_table(tmp_path / "t.tsv", list(COLUMNS), rows)).records
    assert [(r.gene, r.group) for r in records] == [(None, "chr1:2Mb"), ("BRCA1", "BRCA1")]


@pytest.mark.parametrize(
    ("text", "region", "offset", "site"),
    [
        ("c.236+1G>A", Region.DONOR_SIDE, 1, SiteType.DONOR),
        ("NM_005957.5:c.236+2T>C", Region.DONOR_SIDE, 2, SiteType.DONOR),
        ("NM_1.2:c.-12+5T>C", Region.DONOR_SIDE, 5, None),
        ("MLH1:c.791-2A>G", Region.ACCEPTOR_SIDE, -2, SiteType.ACCEPTOR),
        ("c.*24-21A>G", Region.ACCEPTOR_SIDE, -21, None),
        ("c.100-3_100-1del", Region.ACCEPTOR_SIDE, -1, SiteType.ACCEPTOR),
        ("c.236+3_236+6delinsAA", Region.DONOR_SIDE, 3, None),
        ("c.88_88+3del", Region.DONOR_SIDE, 1, SiteType.DONOR),
        ("c.100-3_104del", Region.ACCEPTOR_SIDE, -1, SiteType.ACCEPTOR),
        ("c.10+5_11-3del", Region.ACCEPTOR_SIDE, -3, None),
        ("c.100-5_200+5del", Region.EXONIC, 0, None),
        ("n.1116G>A", Region.EXONIC, 0, None),
    ],
)
def test_hints_of_hgvs(text: str, region: Region, offset: int, site: SiteType | None) -> None:
    hint = hgvs_hint(text)
    assert hint is not None
    assert (hint.region, hint.offset, hint.site) == (region, offset, site)


@pytest.mark.parametrize("text", ["", "p.Arg117His", "chr1:g.100A>G", "c.", "c.236+G>A", "NM_1.2:c.?"])
def test_no_hint_is_guessed(text: str) -> None:
    assert hgvs_hint(text) is None


def test_balanced_subset_is_balanced_seeded_and_in_order(tmp_path: Path) -> None:
    rows = [row(str(i), f"1-{100 + i}-A-G", "Splice-altering" if i % 5 == 0 else "Normal") for i in range(50)]
    rows.append(row("x", "1-900-A-G", "Low-frequency"))
    records = load_splicevardb(write_table(tmp_path / "t.tsv", list(COLUMNS), rows)).records
    drawn = balanced_subset(records, seed=3)
    classes = [record.classification for record in drawn]
    assert classes.count(VariantClass.SPLICE_ALTERING) == classes.count(VariantClass.NORMAL) == 10
    assert len(drawn) == 20
    assert drawn == balanced_subset(records, seed=3)
    assert drawn != balanced_subset(records, seed=4)
    assert list(drawn) == sorted(drawn, key=lambda record: record.lines)
    assert len(balanced_subset(records, per_class=4)) == 8
    with pytest.raises(TrainingDataError, match="11 variants of each class"):
        balanced_subset(records, per_class=11)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    wrong = write_table(tmp_path / "wrong.tsv", [name for name in COLUMNS if name != "hg38"], [])
    with pytest.raises(SchemaError, match="lacks the column hg38"):
        load_splicevardb(wrong)
    with pytest.raises(SchemaError, match="cannot be read"):
        load_splicevardb(tmp_path / "none.tsv")
    with pytest.raises(SettingError, match="hg18"):
        SpliceVarDBLoader("hg18")
    short = tmp_path / "short.tsv"
    short.write_text("\t".join(COLUMNS) + "\n1\t1-1-A-G\n\n", encoding="utf-8")
    table = load_splicevardb(short)
    assert [(bad.line, bad.reason.code) for bad in table.report.rejected] == [(2, "malformed_row")]


def test_the_real_table(mirror: Path) -> None:
    table = load_splicevardb(mirror / "variants" / "splicevardb_format_mfass.tsv.gz")
    assert table.report.rows == len(table.records) == 27_733
    assert table.report.classes == {
        VariantClass.SPLICE_ALTERING: 1_050,
        VariantClass.NORMAL: 10_066,
        VariantClass.LOW_FREQUENCY: 16_617,
        VariantClass.CONFLICTING: 0,
    }
    assert not table.report.rejected
    assert all(len(record.variants) == 2 for record in table.records)
