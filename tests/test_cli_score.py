"""`agentic-spliceai score`: what a person or a pipeline sees of it."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pysam
import pytest

from agentic_spliceai.cli import main
from agentic_spliceai.tools.context import ToolContext
from tests.test_run import _own_folders  # noqa: F401 - the fixture
from tests.tools.test_meta_tools import write_model

HEAD = "##fileformat=VCFv4.2\n##contig=<ID=minigene,length=5480>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
TAG = "AgenticSpliceAI_small"
DEMO = ["--genome", "demo"]


def snvs(count: int, start: int = 2001) -> str:
    from importlib.resources import files

    fasta = files("agentic_spliceai.demo").joinpath("minigene.fa").read_text(encoding="ascii")
    sequence = "".join(fasta.splitlines()[1:])
    rows = []
    for number in range(count):
        position = start + number // 3
        ref = sequence[position - 1]
        alt = [base for base in "ACGT" if base != ref][number % 3]
        rows.append(f"minigene\t{position}\t.\t{ref}\t{alt}\t.\t.\t.\n")
    return "".join(rows)


def test_score_writes_one_row_or_reason_an_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("minigene-2139-G-A\nnonsense\n")
    assert main(["score", "list.txt", "--genome", "demo", "-o", "out.jsonl", "--masked"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["not_scored"] and row["not_scored"]["code"] for row in rows] == [None, "invalid_variant"]
    assert "2 inputs: 1 scored, not scored: invalid_variant 1" in capsys.readouterr().err
    assert main(["score", "nothing.vcf", "--genome", "demo"]) == 2
    assert main(["score", "list.txt", "--genome", "demo", "--distance", "0", "--quiet"]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


@pytest.mark.parametrize("other", ["./list.tsv", "hard.tsv", "soft.tsv"])
def test_score_refuses_to_write_over_what_it_reads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, other: str
) -> None:
    source = tmp_path / "list.tsv"
    source.write_text("minigene-2139-G-A\n")
    (tmp_path / "hard.tsv").hardlink_to(source)
    (tmp_path / "soft.tsv").symlink_to(source)
    assert main(["score", "list.tsv", "--genome", "demo", "-o", other]) == 2
    captured = capsys.readouterr()
    assert f"cannot write {other}: it is the list of variants" in captured.err
    assert source.read_text() == "minigene-2139-G-A\n"
    for option in ("--genome", "--annotation", "--weights"):
        arguments = {"--genome": "demo", option: "list.tsv"}
        flat = [part for pair in arguments.items() for part in pair]
        (tmp_path / "x.txt").write_text("minigene-2139-G-A\n")
        assert main(["score", "x.txt", *flat, "-o", other]) == 2
        assert f"cannot write {other}: it is the {option[2:]}" in capsys.readouterr().err
        assert source.read_text() == "minigene-2139-G-A\n"


def test_score_does_not_leave_a_partial_file_over_what_it_reads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.tsv.partial").write_text("minigene-2139-G-A\n")
    assert main(["score", "x.tsv.partial", "--genome", "demo", "-o", "x.tsv"]) == 2
    assert "cannot write x.tsv: its x.tsv.partial is the list of variants" in capsys.readouterr().err
    assert not (tmp_path / "x.tsv").exists()


def test_score_reads_redirected_input_and_does_not_write_over_it(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("minigene-2139-G-A\n")
    with (tmp_path / "x.tsv").open() as given:
        done = subprocess.run(
            [sys.executable, "-m", "agentic_spliceai.cli", "score", "-", "--genome", "demo", "-o", "x.tsv"],
            stdin=given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "it is the list of variants" in done.stderr
    assert (tmp_path / "x.tsv").read_text() == "minigene-2139-G-A\n"


CANNOT_START = {
    "unknown model": ["--genome", "demo", "--base-model", "typo"],
    "unknown genome": ["--genome", "hg99"],
    "distance": ["--genome", "demo", "--distance", "0"],
    "no transcript": ["--genome", "demo", "--transcript", "ENST9"],
    "no list": ["nothing.vcf", "--genome", "demo"],
    "damaged list": ["cut.gz", "--genome", "demo"],
}


@pytest.mark.parametrize("case", CANNOT_START)
def test_score_that_cannot_start_writes_nothing(case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("minigene-2139-G-A\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"minigene-2139-G-A\n")[:12])
    (tmp_path / "s.tsv").write_text("earlier\n")
    arguments = CANNOT_START[case]
    arguments = arguments if arguments[0].endswith(("vcf", "gz")) else ["list.txt", *arguments]
    assert main(["score", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert main(["score", *arguments, "-o", "s.tsv"]) == 2
    assert (tmp_path / "s.tsv").read_text() == "earlier\n"
    assert sorted(path.name for path in tmp_path.glob("s.tsv*")) == ["s.tsv"]


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_score_that_is_stopped_says_where_its_rows_are(tmp_path: Path, stop: signal.Signals, status: int) -> None:
    (tmp_path / "s.tsv").write_text("earlier\n")
    with subprocess.Popen(
        [sys.executable, "-m", "agentic_spliceai.cli", "score", "-", "--genome", "demo", "-o", "s.tsv"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stderr is not None
        # Two chunks and a bit, and no end: it waits for more, with the rows of the full chunks written.
        child.stdin.write("nonsense\n" * 150)
        child.stdin.flush()
        for _ in range(600):
            if any(path.stat().st_size for path in tmp_path.glob("s.tsv.*")):
                break
            time.sleep(0.1)
        child.send_signal(stop)
        heard = child.stderr.read()
        child.wait(20)
    assert child.returncode == status
    assert f"What was done is in {tmp_path / 's.tsv.partial'}." in heard
    assert "Traceback" not in heard
    assert (tmp_path / "s.tsv").read_text() == "earlier\n"
    assert (tmp_path / "s.tsv.partial").read_text().startswith("index\tinput\t")


def test_score_shows_progress_unless_quiet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic_spliceai.orchestration.meter._SECONDS_BETWEEN_LINES", 0)
    (tmp_path / "x.txt").write_text("nonsense\n")
    assert main(["score", "x.txt", "--genome", "demo", "-o", "x.tsv"]) == 0
    assert capsys.readouterr().err.startswith("  1 of 1 inputs (100%)")
    assert main(["score", "x.txt", "--genome", "demo", "-o", "x.tsv", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_vcf_is_written_in_blocks_with_its_index(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in.vcf.gz").write_bytes(gzip.compress((HEAD + snvs(30)).encode()))
    assert main(["score", "in.vcf.gz", *DEMO, "-o", "out.vcf.gz"]) == 0
    assert capsys.readouterr().err.endswith("30 inputs: 30 scored\nindex: out.vcf.gz.tbi\n")
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.vcf.gz", "out.vcf.gz.tbi"]
    with pysam.VariantFile("out.vcf.gz") as read:
        found = list(read.fetch("minigene", 2004, 2006))
        assert [(record.pos, len(record.info[TAG])) for record in found] == [(2005, 1)] * 3 + [(2006, 1)] * 3

    # The index of an earlier file does not stay beside another one.
    (tmp_path / "in.vcf").write_text(HEAD + snvs(3, 2100) + snvs(3, 2001))
    assert main(["score", "in.vcf", *DEMO, "-o", "out.vcf.gz"]) == 0
    assert "there is no index: the records are not in the order of contig and position. Sort" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("out*")] == ["out.vcf.gz"]
    assert gzip.decompress((tmp_path / "out.vcf.gz").read_bytes()).count(b"\nminigene\t") == 6


def test_a_vcf_goes_through_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentic_spliceai.cli", "score", "-", *DEMO, "--format", "vcf", "--tag", "SpliceAI"],
        input=(HEAD + "minigene\t2139\t\xff\tG\tA\t.\t.\tX=\xfe\n").encode("latin-1"),
        capture_output=True, timeout=120, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(b"minigene\t2139\t\xff\tG\tA\t.\t.\tX=\xfe;SpliceAI=A|DEMO1|0.0")
    assert b"##INFO=<ID=SpliceAI,Number=.,Type=String," in done.stdout


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    feed = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(HEAD + snvs(5)))
    feed.start()
    assert main(["score", "pipe", *DEMO, "-o", "out.vcf", "--quiet"]) == 0
    feed.join()
    assert (tmp_path / "out.vcf").read_text().count(f"\t{TAG}=") == 5


@pytest.mark.parametrize("name", ["out.vcf", "out.vcf.gz", "out.tsv", "out.jsonl"])
def test_a_vcf_without_records_is_a_result(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in.vcf").write_text(HEAD)
    assert main(["score", "in.vcf", *DEMO, "-o", name]) == 0
    assert "0 inputs: 0 scored" in capsys.readouterr().err
    if ".vcf" in name:
        with pysam.VariantFile(name) as read:
            assert (list(read.header.contigs), list(read)) == (["minigene"], [])
    assert not list(tmp_path.glob("*.partial*"))


WRONG = {
    "a list": (b"minigene-2139-G-A\n", "list.txt is no VCF. Write a table: -o out.tsv, or --format tsv.\n"),
    "no header": (b"##fileformat=VCFv4.2\nminigene\t2139\t.\tG\tA\t.\t.\t.\n", "has no line that begins with #CHROM."),
    "nothing": (b"", "is no VCF."),
    "a tag that is taken": (
        HEAD.encode().replace(b"#CHROM", b"##INFO=<ID=AgenticSpliceAI_small>\n#CHROM"),
        "--replace",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_become_a_vcf_is_one_line(case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content, said = WRONG[case]
    (tmp_path / "list.txt").write_bytes(content)
    assert main(["score", "list.txt", *DEMO, "-o", "out.vcf"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_a_damaged_file_leaves_what_was_done_and_is_not_gone_on_with_when_mended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = gzip.compress((HEAD + snvs(600)).encode())
    (tmp_path / "in.vcf.gz").write_bytes(whole[: len(whole) * 3 // 4])
    assert main(["score", "in.vcf.gz", *DEMO, "-o", "out.vcf", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "the VCF in.vcf.gz is damaged after line " in error
    assert "note: What was done is in " in error
    assert (tmp_path / "out.vcf.partial").read_text().startswith(HEAD[:20])
    (tmp_path / "in.vcf.gz").write_bytes(whole)
    assert main(["score", "in.vcf.gz", *DEMO, "-o", "out.vcf", "--quiet"]) == 2
    assert "out.vcf.partial was begun with something else (Input: sha256 " in capsys.readouterr().err
    assert main(["score", "in.vcf.gz", *DEMO, "-o", "out.vcf", "--quiet", "--restart"]) == 0
    assert (tmp_path / "out.vcf").read_text().count(f"\t{TAG}=") == 600
    assert not list(tmp_path.glob("*.partial*"))


JOURNAL_OFTEN = """
import sys
from agentic_spliceai.cli import main
from agentic_spliceai.tools import resumable_file
resumable_file._SECONDS_BETWEEN = 0.0
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("name", ["out.vcf.gz", pytest.param("out.tsv", marks=pytest.mark.slow)])
def test_a_killed_command_goes_on_where_it_was(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Two alleles a record, and chunks of an odd number, so that chunks end within a record.
    lines = [line.split("\t") for line in snvs(301).splitlines()]
    records = ["\t".join([*one[:4], f"{one[4]},<X>", *one[5:]]) + "\n" for one in lines]
    (tmp_path / "in.vcf").write_text(HEAD + snvs(1) + "".join(records))
    command = ["score", "in.vcf", *DEMO, "--quiet"]
    with subprocess.Popen([sys.executable, "-c", JOURNAL_OFTEN, *command, "-o", name]) as child:
        wanted = random.Random().uniform(1, 200)
        while child.poll() is None and _journal(tmp_path / name) < wanted:
            time.sleep(0.01)
        child.kill()
    assert 0 < _journal(tmp_path / name) < 603
    assert main([*command, "-o", name, "--distance", "20"]) == 2
    assert "(Distance: 50, now 20). Give the same command and files to go on, or --restart" in capsys.readouterr().err
    assert main([*command[:-1], "-o", name]) == 0
    assert "603 inputs: 302 scored, not scored: unsupported_allele 301" in capsys.readouterr().err
    assert main([*command, "-o", f"whole-{name}"]) == 0
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert not list(tmp_path.glob("*.partial*"))


def _journal(output: Path) -> int:
    try:
        return int(json.loads(output.with_name(f"{output.name}.partial.json").read_text())["inputs"])
    except FileNotFoundError:
        return 0


def test_a_table_has_columns_of_the_meta_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path, ToolContext(keep_record=False))
    (tmp_path / "x.txt").write_text("minigene-2139-G-A\nnonsense\n")
    assert main(["score", "x.txt", *DEMO, "--meta", str(model), "-o", "x.tsv", "--quiet"]) == 0
    scored, refused = csv.DictReader((tmp_path / "x.tsv").read_text().splitlines(), delimiter="\t")
    assert (scored["meta_call"], scored["meta_threshold"]) == ("altering", "0.5000")
    assert float(scored["meta_probability"]) > 0.5
    assert len(scored["meta_card_sha256"]) == 64
    assert (refused["reason_code"], refused["meta_call"]) == ("invalid_variant", "")
    assert main(["score", "x.txt", *DEMO, "--meta-model", str(model), "-o", "x.jsonl", "--quiet"]) == 0
    line = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])
    assert line["meta"][0]["triage"]["probability"] == pytest.approx(float(scored["meta_probability"]), abs=5e-5)
    assert main(["score", "x.txt", *DEMO, "--meta", "nothing", "-o", "y.tsv"]) == 2
    assert "There is no trained model 'nothing'" in capsys.readouterr().err


def test_a_vcf_of_another_build_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.vcf"
    for length, code in ((5, 2), (None, 0)):
        declared = f"##contig=<ID=minigene,assembly=x,length={length}>\n" if length else "##contig=<ID=minigene>\n"
        source.write_text(f"##fileformat=VCFv4.2\n{declared}#CHROM\tPOS\tID\tREF\tALT\nminigene\t2139\t.\tG\tA\n")
        assert main(["score", str(source), "--genome", "demo", "-o", str(tmp_path / "out.vcf"), "--quiet"]) == code
    message = capsys.readouterr().err
    assert "minigene has 5 nt in the VCF's header" in message
    assert "Traceback" not in message


def test_many_alleles_that_do_not_fit_are_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "list.txt"
    source.write_text(
        "".join(f"minigene-{2139 + at}-{'ACGT'[at % 4]}-N\n" for at in range(4)) + "minigene-2139-A-C\n" * 12
    )
    assert main(["score", str(source), "--genome", "demo", "-o", str(tmp_path / "out.tsv")]) == 0
    assert "12 of 16 REF alleles are not what the genome has" in capsys.readouterr().err


def test_a_bcf_is_named_whatever_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.bcf"
    source.write_bytes(gzip.compress(b"BCF\x02\x02" + bytes(50)))
    for output in ("out.vcf", "out.tsv"):
        assert main(["score", str(source), "--genome", "demo", "-o", str(tmp_path / output)]) == 2
        assert "bcftools view" in capsys.readouterr().err


def test_a_dash_is_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "list.txt"
    source.write_text("minigene-2139-G-A\n")
    assert main(["score", str(source), "--genome", "demo", "-o", "-", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("index\tinput")
