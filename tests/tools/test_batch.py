"""Batches: every input has its row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import NotScored, ResourceError, SettingError
from agentic_spliceai.tools.batch import (
    COLUMNS,
    BatchInput,
    BatchResult,
    format_of,
    read_inputs,
    score_inputs,
    write_results,
)
from agentic_spliceai.tools.batch_reading import count_inputs, opened_source
from agentic_spliceai.tools.context import Resources

VCF_HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT
minigene\t2139\t.\tG\tA,<DEL>
minigene\tx\t.\tG\tA
chr3\t22\t.\tA\tG
minigene\t3038\trs1\tG\tT
"""
TEXTS = ["minigene-2139-G-A", "minigene-2139-G-<DEL>", "minigene\tx\t.\tG\tA", "chr3-22-A-G", "minigene-3038-G-T"]


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("batch")
    return Resources(Settings(data_dir=folder / "data", cache_dir=folder / "cache", allow_download=False))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_a_vcf_is_read_allele_by_allele(tmp_path: Path) -> None:
    plain, zipped, unnamed = tmp_path / "x.vcf", tmp_path / "x.vcf.gz", tmp_path / "variants"
    plain.write_text(VCF)
    unnamed.write_text(VCF)
    zipped.write_bytes(gzip.compress(VCF.encode()))
    for path in (plain, zipped, unnamed):
        found = list(read_inputs(str(path)))
        assert [item.text for item in found] == TEXTS
        assert [item.not_scored.code if item.not_scored else None for item in found] == [
            None, "unsupported_allele", "invalid_variant", None, None,
        ]  # fmt: skip
    assert [item.text for item in read_inputs("-", stdin=io.StringIO(VCF))] == TEXTS


def test_a_list_is_read_line_by_line(tmp_path: Path) -> None:
    text = "# mine\n\n  chr1-5-A-G \nNM_000256.3:c.1227-13G>A\n"
    (tmp_path / "list.txt").write_text(text)
    expected = ["chr1-5-A-G", "NM_000256.3:c.1227-13G>A"]
    assert [item.text for item in read_inputs(str(tmp_path / "list.txt"))] == expected
    assert [item.text for item in read_inputs("-", stdin=io.StringIO(text))] == expected


def test_standard_input_is_read_as_a_file_is_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"chr1-5-A-G\n\xff\xc3\xa4\n"), encoding="ascii", errors="strict")
    monkeypatch.setattr("sys.stdin", given)
    assert [item.text for item in read_inputs("-")] == ["chr1-5-A-G", "\ufffd\u00e4"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"nothing\.txt cannot be read"):
        list(read_inputs(str(tmp_path / "nothing.txt")))


def test_every_input_has_its_row_in_order(
    resources: Resources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.vcf"
    path.write_text(VCF)
    scored = score_inputs(read_inputs(str(path)), resources, genome="demo", base_model="small", distance=50)
    results = list(scored)
    assert [(r.index, r.text) for r in results] == list(enumerate(TEXTS))
    summary = write_results(results, None, "tsv", masked=False)
    table = rows(capsys.readouterr().out)
    assert [row["index"] for row in table] == ["0", "1", "2", "3", "4"]
    assert [row["reason_code"] for row in table] == ["", "unsupported_allele", "invalid_variant", "unknown_contig", ""]
    assert table[2]["input"] == "minigene x . G A"
    assert [row["record"] for row in table] == ["1", "1", "2", "3", "4"]
    assert [row["id"] for row in table] == ["", "", "", "", "rs1"]
    assert table[3]["advice"] == "It has minigene; use one of its 1 names."
    assert COLUMNS[:4] == ("index", "input", "record", "id")
    assert COLUMNS[-2:] == ("reason", "advice")
    assert (summary.inputs, summary.scored) == (5, 2)
    assert str(summary).startswith("5 inputs: 2 scored, not scored: invalid_variant 1, unknown_contig 1")
    delta = results[0].deltas[0]
    assert float(table[0]["donor_loss"]) == pytest.approx(delta.raw.donor_loss.score, abs=5e-5)
    assert int(table[0]["donor_loss_position"]) == delta.raw.donor_loss.position
    assert float(table[0]["max_score"]) == pytest.approx(delta.raw.max_score, abs=5e-5)
    assert table[0]["masked"] == "false"

    write_results(results, str(tmp_path / "m.tsv"), "tsv", masked=True)
    masked = rows((tmp_path / "m.tsv").read_text())
    assert float(masked[0]["donor_loss"]) == pytest.approx(delta.masked.donor_loss.score, abs=5e-5)
    assert tuple(masked[0]) == COLUMNS

    write_results(results, str(tmp_path / "m.jsonl"), "jsonl", masked=True)
    lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert lines[3]["not_scored"]["code"] == "unknown_contig"
    assert (lines[4]["record"], lines[4]["id"]) == (4, "rs1")


def test_bytes_that_are_no_text_become_a_row(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"foo\xff\xfe\nminigene-2139-G-A\n")
    results = list(score_inputs(read_inputs(str(path)), resources, genome="demo", base_model="small", distance=50))
    assert [bool(r.deltas) for r in results] == [False, True]
    assert write_results(results, str(tmp_path / "out.tsv"), "tsv", masked=False).scored == 1


def refused(number: int) -> BatchResult:
    return BatchResult(
        index=number, text="nonsense", not_scored=NotScored(code="invalid_variant", message="No.", advice="No.")
    )


def test_results_are_written_as_they_come_beside_an_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    out.write_text("earlier\n")
    out.chmod(0o640)
    seen: list[int] = []

    def watched() -> Iterator[BatchResult]:
        for number in range(3):
            (growing,) = tmp_path.glob("out.tsv.*")
            seen.append(len(growing.read_text().splitlines()))
            assert out.read_text() == "earlier\n"
            yield refused(number)

    write_results(watched(), str(out), "tsv", masked=False)
    assert seen in ([0, 1, 2], [0, 2, 3], [1, 2, 3])
    assert [row["index"] for row in rows(out.read_text())] == ["0", "1", "2"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.tsv"]
    assert out.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "stop", [ResourceError("the list is damaged.", "Fetch it."), KeyboardInterrupt(), ValueError()]
)
def test_what_stops_a_batch_leaves_the_earlier_file_and_a_partial_one(tmp_path: Path, stop: BaseException) -> None:
    out = tmp_path / "out.tsv"
    out.write_text("earlier\n")
    (tmp_path / "out.tsv.partial").write_text("of another day\n")

    def stopped() -> Iterator[BatchResult]:
        yield refused(0)
        raise stop

    with pytest.raises(type(stop)) as caught:
        write_results(stopped(), str(out), "tsv", masked=False)
    assert out.read_text() == "earlier\n"
    assert [row["index"] for row in rows((tmp_path / "out.tsv.partial").read_text())] == ["0"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tsv", "out.tsv.partial"]
    assert caught.value.__notes__ == [f"What was done is in {out}.partial."]


def test_a_link_to_the_output_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "out.tsv").write_text("earlier\n")
    (tmp_path / "link.tsv").symlink_to("real/out.tsv")
    write_results([refused(0)], str(tmp_path / "link.tsv"), "tsv", masked=False)
    assert (tmp_path / "link.tsv").is_symlink()
    assert len(rows((tmp_path / "real" / "out.tsv").read_text())) == 1


def test_what_is_no_file_is_written_into_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.tsv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_results([refused(7)], str(pipe), "tsv", masked=False)
        assert [row["index"] for row in rows(os.read(reader, 65536).decode())] == ["7"]
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_in_one_line() -> None:
    with pytest.raises(SettingError, match="cannot write /dev/full: No space left on device"):
        write_results([refused(0)], "/dev/full", "tsv", masked=False)


def test_an_allele_of_a_vcf_is_not_read_twice(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.vcf"
    contigs = ["HLA-A*01:01", "chr6 alt", "a>b", "minigene"]
    path.write_text(VCF_HEAD + "".join(f"{contig}\t2139\t.\tG\tA\n" for contig in contigs))
    results = list(score_inputs(read_inputs(str(path)), resources, genome="demo", base_model="small", distance=50))
    assert [r.not_scored.code if r.not_scored else None for r in results] == [*["unknown_contig"] * 3, None]
    assert [r.text for r in results] == [f"{contig}-2139-G-A" for contig in contigs]


def test_a_contig_that_is_no_text_becomes_a_row(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.vcf"
    path.write_bytes(VCF_HEAD.encode() + b"chr\xff\t5\t.\tG\tA\n")
    results = score_inputs(read_inputs(str(path)), resources, genome="demo", base_model="small", distance=50)
    write_results(results, str(tmp_path / "out.tsv"), "tsv", masked=False)
    (row,) = rows((tmp_path / "out.tsv").read_text(encoding="utf-8"))
    assert (row["input"], row["reason_code"]) == ("chr\ufffd-5-G-A", "unknown_contig")


def test_formats_go_by_the_suffix(tmp_path: Path) -> None:
    assert [format_of(name) for name in (None, "x.tsv", "x.TXT", "x.jsonl", "x.ndjson")] == [
        "tsv", "tsv", "tsv", "jsonl", "jsonl",
    ]  # fmt: skip
    with pytest.raises(SettingError, match=r"suffix '\.xlsx' is unknown"):
        format_of("x.xlsx")
    with pytest.raises(SettingError, match="cannot write"):
        write_results([], str(tmp_path / "no" / "x.tsv"), "tsv", masked=False)


def test_a_list_names_the_line_of_each_input(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# mine\n\nchr1-5-A-G\nchr1-6-A-G\n")
    assert [(item.record, item.id) for item in read_inputs(str(tmp_path / "list.txt"))] == [(3, ""), (4, "")]
    given = io.StringIO("\nchr1-5-A-G\n")
    assert [item.record for item in read_inputs("-", stdin=given)] == [2]


def test_rows_come_before_the_inputs_end(resources: Resources) -> None:
    taken: list[int] = []

    def endless() -> Iterator[BatchInput]:
        for number in range(100):
            taken.append(number)
            yield BatchInput("minigene-2139-G-A" if number % 2 else "nonsense")

    results = score_inputs(endless(), resources, genome="demo", base_model="small", distance=50)
    assert [next(results).index for _ in range(9)] == list(range(9))
    assert len(taken) <= 16


@pytest.mark.parametrize("text", [VCF, "minigene-2139-G-A\n"])
def test_standard_input_may_be_gzipped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    zipped = gzip.compress(text.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(zipped)), encoding="ascii"))
    assert [item.text for item in read_inputs("-")] == (TEXTS if text is VCF else ["minigene-2139-G-A"])
    cut = io.BufferedReader(io.BytesIO(zipped[:12]))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(cut, encoding="ascii"))
    with pytest.raises(ResourceError, match="is damaged after line 0"):
        read_inputs("-")


def test_a_table_holds_no_formula_and_no_endless_line(resources: Resources, tmp_path: Path) -> None:
    long = "ACGT" * 20_000
    vcf = tmp_path / "in.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n"
        "minigene\t2139\t=cmd|'/C calc'!A0\tG\tA\n"
        f"minigene\t2139\t@SUM(A1)\tG\t{long}\n"
        "=1+1\t5\t-2+3+cmd|\tA\tG\n"
    )
    for name in ("t.tsv", "t.jsonl"):
        results = score_inputs(read_inputs(str(vcf)), resources, genome="demo", base_model="small", distance=50)
        write_results(results, str(tmp_path / name), format_of(name), masked=False)
    rows = [line.split("\t") for line in (tmp_path / "t.tsv").read_text(encoding="utf-8").splitlines()]
    cells = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [cell["id"] for cell in cells] == ["'=cmd|'/C calc'!A0", "'@SUM(A1)", "'-2+3+cmd|"]
    assert cells[2]["input"].startswith("'=1+1-5")
    assert cells[0]["strand"] in ("+", "-")
    assert "(80000 characters, sha256 " in cells[1]["input"]
    assert all(len(cell) < 300 for row in rows for cell in row)
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["=cmd|'/C calc'!A0", "@SUM(A1)", "-2+3+cmd|"]
    assert long in lines[1]["text"]


def test_inputs_are_counted_and_of_a_large_file_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = "chr1\t{}\t.\tA\tC,G\t.\t.\t.\n"
    text = "##fileformat=VCFv4.2\n#CHROM\n" + "".join(record.format(10_000_000 + n) for n in range(40_000)) + "\n"
    plain, zipped, names = tmp_path / "x.vcf", tmp_path / "x.vcf.gz", tmp_path / "x.txt"
    plain.write_text(text)
    zipped.write_bytes(gzip.compress(text.encode()))
    names.write_text("# mine\n\nchr1-5-A-G\nchr1-6-A-G")
    for limit, tolerance in ((1 << 30, 0), (50_000, 16_000)):
        monkeypatch.setattr("agentic_spliceai.tools.batch_reading._COUNTED", limit)
        for path in (plain, zipped):
            with opened_source(str(path)) as source:
                assert count_inputs(source) == pytest.approx(80_000, abs=tolerance)
    with opened_source(str(names)) as source:
        assert count_inputs(source) == 2
