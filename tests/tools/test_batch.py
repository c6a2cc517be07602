"""Batches: every input has its row."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import ResourceError, SettingError
from agentic_spliceai.tools.batch import COLUMNS, format_of, read_inputs, score_inputs, write_results
from agentic_spliceai.tools.context import Resources

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


def test_bytes_that_are_no_text_become_a_row(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"foo\xff\xfe\nminigene-2139-G-A\n")
    results = list(score_inputs(read_inputs(str(path)), resources, genome="demo", base_model="small", distance=50))
    assert [bool(r.deltas) for r in results] == [False, True]
    assert write_results(results, str(tmp_path / "out.tsv"), "tsv", masked=False).scored == 1


def test_results_are_written_as_they_come(resources: Resources, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    seen: list[int] = []

    def watched() -> Iterator[object]:
        inputs = read_inputs("-", stdin=io.StringIO("nonsense\n" * 3))
        for result in score_inputs(inputs, resources, genome="demo", base_model="small", distance=50):
            seen.append(len(out.read_text().splitlines()))
            yield result

    write_results(watched(), str(out), "tsv", masked=False)  # type: ignore[arg-type]
    assert seen == [0, 2, 3] or seen == [1, 2, 3]


def test_formats_go_by_the_suffix(tmp_path: Path) -> None:
    assert [format_of(name) for name in (None, "x.tsv", "x.TXT", "x.jsonl", "x.ndjson")] == [
        "tsv", "tsv", "tsv", "jsonl", "jsonl",
    ]  # fmt: skip
    with pytest.raises(SettingError, match=r"suffix '\.xlsx' is unknown"):
        format_of("x.xlsx")
    with pytest.raises(SettingError, match="cannot write"):
        write_results([], str(tmp_path / "no" / "x.tsv"), "tsv", masked=False)
