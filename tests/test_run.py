"""`python -m agentic_spliceai.run`: results, errors and exit codes as a user meets them."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai import run
from agentic_spliceai.orchestration.loader import load_document
from agentic_spliceai.records.models import RunStatus
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.settings import get_settings, reset_settings
from agentic_spliceai.splice_engine.errors import SettingError


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AGENTIC_SPLICEAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_ALLOW_DOWNLOAD", "false")
    monkeypatch.chdir(tmp_path)
    reset_settings()
    yield
    reset_settings()


def store() -> RecordStore:
    return RecordStore(get_settings().database_url)


def in_a_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentic_spliceai.run", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run.main(["interpret_variant", "--json", "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    result: dict[str, Any] = json.loads(captured.out)
    assert (result["status"], result["graph"]) == ("succeeded", "interpret_variant")
    assert result["interpretation"]["is_demo"] is True
    assert result["interpretation"]["run_id"] == result["run_id"]
    assert all(Path(path).is_file() and Path(path).parent == tmp_path / "out" for path in result["report"].values())
    steps = [
        "resolve", "locate", "score", "triage", "predict_delta", "consequence", "codes", "compose", "evidence",
        "summary", "complete", "report", "record",
    ]  # fmt: skip
    assert list(result["timings"]) == steps
    assert [line.strip().split(":")[0] for line in captured.err.splitlines()[1:-1:2]] == steps
    kept = store()
    recorded = kept.get_run(result["run_id"])
    assert recorded.status is RunStatus.SUCCEEDED
    assert recorded.interpretation == result["interpretation"]
    evidence = {item.id: item for item in kept.evidence.of_run(result["run_id"])}
    assert [item["id"] for item in result["interpretation"]["evidence"]] == list(evidence)
    (prediction,) = kept.predictions.find("minigene-2139-G-A", "demo1")
    assert (prediction.run_id, prediction.predictor, prediction.kind) == (result["run_id"], "small 1", "score")
    claims = kept.evidence.claims_of(result["run_id"])
    assert " ".join(claim.rendered for claim in claims) == result["summary"]
    assert all(set(claim.evidence_ids) <= set(evidence) for claim in claims)
    assert {artifact.kind for artifact in recorded.artifacts} == {
        "tracks", "report_html", "report_markdown", "report_json",
    }  # fmt: skip
    assert recorded.graph_sha256 == load_document("interpret_variant").sha256
    kept.close()


def test_a_summary_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["interpret_variant", "--quiet", "--no-record", "--set", "distance=50"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "DEMO1" in captured.out
    assert "reports/minigene-" in captured.out
    assert len(list(Path("reports").glob("*.html"))) == 1
    assert not Path("data/records.sqlite").exists()


@pytest.mark.parametrize("usable", [True, False])
def test_without_a_record_the_data_folder_is_not_touched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usable: bool
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if not usable:
        (tmp_path / "data").write_text("a file is in the way")
    assert run.main(["interpret_variant", "--quiet", "--no-record", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert all(Path(path).is_file() for path in result["report"].values())
    assert not (tmp_path / "data").is_dir()
    gc.collect()
    assert list(temporary.iterdir()) == []


#: Tenth base of the demo's contig, far from its gene.
TENTH = files("agentic_spliceai.demo").joinpath("minigene.fa").read_text(encoding="ascii").splitlines()[1][9]
OTHER = "C" if TENTH == "A" else "A"

ERRORS = {
    "unknown contig": (["--set", "variant=chr3-5-A-G"], "unknown_contig", "chr3"),
    "REF mismatch": (["--set", "variant=minigene-2139-C-A"], "reference_mismatch", "REF"),
    "outside genes": (
        ["--set", f"variant=minigene-10-{TENTH}-{'C' if TENTH == 'A' else 'A'}"],
        "outside_genes",
        "no gene",
    ),
    "malformed": (["--set", "variant=hello"], "invalid_variant", "hello"),
    "symbolic": (["--set", "variant=minigene-2139-G-<DEL>"], "unsupported_allele", "<DEL>"),
    "unknown model": (["--set", "base_model=smal"], "registry", "Did you mean small"),
    "unknown genome": (["--set", "genome=hg99"], "registry", "hg99"),
    "weights that are not here": (["--set", "base_model=openspliceai-80nt"], "resource", "downloads are off"),
    "misspelt input": (["--set", "vraiant=x"], "input", "Did you mean 'variant'?"),
    "wrong type": (["--set", "distance=far"], "input", "is no integer"),
    "out of range": (["--set", "distance=0"], "input", "greater than or equal to 1"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_input_is_one_line_and_exit_code_2(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, code, words = ERRORS[case]
    assert run.main(["interpret_variant", "--json", "--quiet", *arguments]) == 2
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["status"] == "failed"
    recorded = [summary.id for summary in store().list_runs()]
    assert result["run_id"] == (recorded[0] if recorded else None)
    assert result["error"]["code"] == code
    assert result["error"]["message"]
    assert result["error"]["advice"]
    assert captured.err.startswith("error: ")
    assert len(captured.err.splitlines()) == 1
    assert words in captured.err


def test_a_failed_run_is_recorded_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["interpret_variant", "--quiet", "--set", "variant=minigene-2139-C-A"]) == 2
    assert capsys.readouterr().out == ""
    kept = store()
    (summary,) = kept.list_runs()
    assert summary.status is RunStatus.FAILED
    assert summary.error is not None
    assert (summary.error.code, summary.error.node) == ("reference_mismatch", "resolve")
    kept.close()


def test_validate_lists_every_problem_and_runs_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = files("agentic_spliceai.graphs").joinpath("interpret_variant.yaml").read_text(encoding="utf-8")
    wrong = text.replace("use: score_variant", "use: score_varient").replace("out: $", "oot: $")
    (tmp_path / "mine.yaml").write_text(wrong)
    assert run.main(["mine.yaml", "--validate"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: mine.yaml:") for line in lines)
    assert "did you mean 'score_variant'?" in lines[0]
    assert run.main(["interpret_variant", "--validate", "--set", "distance=7"]) == 0
    assert "valid (13 nodes" in capsys.readouterr().out
    assert run.main(["interpret_variant", "--validate", "--set", "distance=x"]) == 2
    assert not (tmp_path / "data").exists()


def test_an_unwritable_database_stops_the_run_and_no_record_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATABASE_URL", f"sqlite:///{tmp_path / 'broken.sqlite'}")
    reset_settings()
    assert run.main(["interpret_variant", "--quiet"]) == 2
    assert "--no-record" in capsys.readouterr().err
    assert not Path("reports").exists()
    assert run.main(["interpret_variant", "--quiet", "--no-record"]) == 0


def test_an_unexpected_error_is_exit_code_1_with_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("agentic_spliceai.splice_engine.base_layer.scoring.score_variant", broken)
    assert run.main(["interpret_variant", "--quiet", "--json"]) == 1
    captured = capsys.readouterr()
    assert "Traceback" in captured.err
    failure = json.loads(captured.out)
    assert failure["status"] == "failed"
    assert failure["error"] == {
        "code": "unexpected", "message": "ZeroDivisionError: boom", "advice": "Report this with the traceback.",
    }  # fmt: skip
    kept = store()
    (summary,) = kept.list_runs()
    assert summary.status is RunStatus.FAILED
    assert summary.error is not None
    assert summary.error.node == "score"
    assert summary.id == failure["run_id"]
    kept.close()


def test_ctrl_c_is_exit_code_130_and_recorded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agentic_spliceai.splice_engine.base_layer.scoring.score_variant", stopped)
    assert run.main(["interpret_variant", "--quiet", "--json"]) == 130
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "interrupted"
    kept = store()
    assert [(summary.id, summary.status) for summary in kept.list_runs()] == [(result["run_id"], RunStatus.INTERRUPTED)]
    kept.close()


def test_the_module_runs_as_a_process_with_its_exit_codes() -> None:
    good = in_a_process("interpret_variant", "--json", "--quiet")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["status"] == "succeeded"
    bad = in_a_process("interpret_variant", "--set", "vraiant=chr3-5-A-G", "genome=demo", "--quiet")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("error: ")
    assert bad.stderr.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom agentic_spliceai import cli, run\n"
        "cli.build_parser().format_help(); run.build_parser().format_help()\n"
        "print([m for m in ('torch', 'numpy', 'langgraph', 'sqlmodel', 'rich', 'yaml') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AGENTIC_SPLICEAI_MIROR", "/x")
    reset_settings()
    with pytest.raises(SettingError, match="AGENTIC_SPLICEAI_MIROR"):
        get_settings()
    assert run.main(["interpret_variant"]) == 2
    assert "Did you mean AGENTIC_SPLICEAI_MIRROR?" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("THREADS", "0"), ("DEVICE", "gpu"), ("ALLOW_DOWNLOAD", "perhaps")])
def test_a_setting_of_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AGENTIC_SPLICEAI_{name}", value)
    reset_settings()
    with pytest.raises(SettingError, match=f"AGENTIC_SPLICEAI_{name}='{value}'"):
        get_settings()


def test_a_mirror_that_is_no_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTIC_SPLICEAI_MIRROR", str(tmp_path / "Nope"))
    reset_settings()
    with pytest.raises(SettingError, match=r"AGENTIC_SPLICEAI_MIRROR='.*/Nope': there is no such folder\."):
        get_settings()


def test_a_full_stop_stands_between_what_is_wrong_and_what_to_do() -> None:
    assert str(SettingError("no room: File exists", "Give a folder.")) == "no room: File exists. Give a folder."
    assert str(SettingError("no room.", "Give a folder.")) == "no room. Give a folder."
    assert str(SettingError("is it?", "")) == "is it?"
