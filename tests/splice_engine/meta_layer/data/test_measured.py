"""The measured tables in one form, checked against their own sequences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import SchemaError
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand
from agentic_spliceai.splice_engine.meta_layer.data.measured import (
    load_mfass,
    load_mutsplicedb,
    load_vexseq,
    locate_change,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass

from .variant_toys import write_table

VEXSEQ = ["id", "build", "chrom", "pos", "ref", "alt", "strand", "group", "delta", "delta2", "seq_ref", "seq_alt",
          "var_off", "exon_beg", "exon_len"]  # fmt: skip
# Plus strand of chr1:1001-1040; an exon at 1011-1030 has 10 nt of construct on either side.
GENOMIC = "ACGTCATTAGCCATGGATCCTTGAACTGCAGTAAGTCATT"


def vexseq_row(position: int, ref: str, alt: str, strand: str, seq_alt: str, delta: object = -0.25) -> list[object]:
    seq_ref = GENOMIC if strand == "+" else reverse_complement(GENOMIC)
    name = f"{position}{ref}{alt}"
    return [name, "hg19", "1", position, ref, alt, strand, "chr1:1011-1030", delta, "", seq_ref, seq_alt, 0, 10, 20]


def test_snv_and_indels_are_found_in_their_constructs(tmp_path: Path) -> None:
    plus_snv = GENOMIC[:12] + "C" + GENOMIC[13:]  # A1013C
    deleted = GENOMIC[:5] + GENOMIC[6:]  # A1006 gone
    minus = reverse_complement(GENOMIC[:12] + "C" + GENOMIC[13:])
    rows = [
        vexseq_row(1013, "A", "C", "+", plus_snv),
        vexseq_row(1013, "A", "C", "-", minus),
        vexseq_row(1005, "CA", "C", "+", deleted),  # kept 39 nt
        vexseq_row(1005, "CA", "C", "+", "G" + deleted),  # filled up from the left
        vexseq_row(1005, "CA", "C", "+", deleted + "G"),  # filled up from the right
        vexseq_row(1005, "C", "CTT", "+", (GENOMIC[:5] + "TT" + GENOMIC[5:])[2:]),  # cut on the left
        vexseq_row(1012, "CA", "TA", "+", GENOMIC[:11] + "T" + GENOMIC[12:]),  # an SNV written as two bases
        vexseq_row(1013, "A", "C", "+", GENOMIC),  # alt is ref
        vexseq_row(1013, "G", "C", "+", plus_snv),  # the sequence has A
    ]
    table = load_vexseq(write_table(tmp_path / "v.tsv", VEXSEQ, rows))
    assert [(bad.line, bad.reason.code) for bad in table.rejected] == [
        (9, "construct_mismatch"),
        (10, "construct_mismatch"),
    ]
    assert len(table) == 9
    found = [(c.ref_at, c.alt_at, c.ref_allele, c.alt_allele) for r in table.records if (c := r.construct)]
    assert found == [
        (12, 12, "A", "C"),
        (27, 27, "T", "G"),
        (5, 5, "A", ""),
        (5, 6, "A", ""),
        (5, 5, "A", ""),
        (5, 3, "", "TT"),
        (11, 11, "C", "T"),
    ]
    for record in table.records:
        assert str(record.exon_interval(GenomeBuild.GRCH37)) == "chr1:1011-1030"
        assert record.exon_interval(GenomeBuild.GRCH38) is None
        assert record.psi == -0.25
        assert record.altering is False
        assert record.classification is VariantClass.LOW_FREQUENCY
    assert str(table.records[6].variant) == "chr1-1012-C-T"
    assert table.records[1].strand is Strand.MINUS


def test_percent_is_read_as_percent_and_noticed_otherwise(tmp_path: Path) -> None:
    alt = GENOMIC[:12] + "C" + GENOMIC[13:]
    rows = [vexseq_row(1013, "A", "C", "+", alt, delta=-62.5)]
    path = write_table(tmp_path / "v.tsv", VEXSEQ, rows)
    (record,) = load_vexseq(path, percent=True).records
    assert record.psi == -0.625
    assert record.altering is True
    (bad,) = load_vexseq(path).rejected
    assert bad.reason.code == "value_out_of_range"
    assert "column delta holds -62.5" in bad.reason.message


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("strand", ".", "malformed_value"),
        ("build", "hg17", "malformed_value"),
        ("pos", "1013.5", "malformed_value"),
        ("delta", "", "malformed_value"),
        ("delta", "nan", "value_out_of_range"),
        ("alt", "N", "invalid_variant"),
        ("group", "exon7", "malformed_value"),
        ("exon_len", "40", "construct_mismatch"),
    ],
)
def test_a_bad_value_is_a_rejected_row(tmp_path: Path, column: str, value: str, code: str) -> None:
    row = vexseq_row(1013, "A", "C", "+", GENOMIC[:12] + "C" + GENOMIC[13:])
    row[VEXSEQ.index(column)] = value
    table = load_vexseq(write_table(tmp_path / "v.tsv", VEXSEQ, [row]))
    assert not table.records
    assert [bad.reason.code for bad in table.rejected] == [code]


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="lacks the column seq_alt"):
        load_vexseq(write_table(tmp_path / "v.tsv", [name for name in VEXSEQ if name != "seq_alt"], []))
    with pytest.raises(SchemaError, match="the mfass table"):
        load_mfass(write_table(tmp_path / "m.tsv", VEXSEQ, []))


def test_change_that_is_none_is_not_located() -> None:
    assert locate_change("ACGTACGT", "ACGAACGT", 3, "T", "A") == 3
    assert locate_change("ACGTACGT", "ACGAACGA", 3, "T", "A") is None
    assert locate_change("ACGTACGT", "ACGAACGT", 2, "T", "A") is None
    assert locate_change("ACGTACGT", "ACGAACGT", -1, "T", "A") is None


def test_mfass(mirror: Path) -> None:
    table = load_mfass(mirror / "variants" / "mfass.tsv.gz")
    records = table.records
    assert (len(records), len(table.rejected)) == (27_733, 0)
    assert sum(record.altering is True for record in records) == 1_050
    assert len({record.group for record in records}) == 2_185
    held_out = [record for record in records if record.chrom in ("chr1", "chr3", "chr5", "chr7", "chr9")]
    assert (len(held_out), sum(bool(record.altering) for record in held_out)) == (8_354, 296)
    assert sum(bool(record.genome_available) for record in records) == 2_202
    # Every exon of the assay ends in GT or GC, and begins after AG: the offsets are right on both strands.
    ends: Counter[tuple[str, str]] = Counter()
    for record in records:
        construct = record.construct
        assert construct is not None
        assert record.altering == (record.psi is not None and record.psi <= -0.5)
        stop = construct.exon_offset + construct.exon_length
        ends[construct.ref[construct.exon_offset - 2 : construct.exon_offset], construct.ref[stop : stop + 2]] += 1
    assert set(ends) == {("AG", "GT"), ("AG", "GC")}


def test_vexseq_and_mutsplicedb(mirror: Path) -> None:
    vexseq = load_vexseq(mirror / "variants" / "vexseq_train.tsv.gz")
    assert (len(vexseq.records), len(vexseq.rejected)) == (957, 0)
    assert {r.group for r in vexseq.records} == {str(r.exon_interval(GenomeBuild.GRCH37)) for r in vexseq.records}
    assert sum(len(r.variant.ref) != len(r.variant.alt) for r in vexseq.records) == 44
    tumours = load_mutsplicedb(mirror / "variants" / "mutsplicedb.tsv.gz")
    assert (len(tumours.records), len(tumours.rejected)) == (322, 0)
    assert all(r.altering and r.psi is None and r.construct is None for r in tumours.records)
    assert {r.classification for r in tumours.records} == {VariantClass.SPLICE_ALTERING}
