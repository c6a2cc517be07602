"""The `agentic-spliceai` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentic_spliceai import __version__
from agentic_spliceai.cli import main
from tests.test_run import _own_folders  # noqa: F401 - the fixture


def test_interpret_then_list_and_show(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--genome", "demo", "--base-model", "small", "--distance", "100", "--out", "here", "--json", "--quiet"]
    assert main(["interpret", "minigene-2139-G-A", *arguments]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["interpretation"]["genes"][0]["delta"]["provenance"]["distance"] == 100
    assert (tmp_path / "here").is_dir()
    assert main(["runs", "list"]) == 0
    line = capsys.readouterr().out
    assert result["run_id"] in line
    assert "succeeded" in line
    assert "minigene-2139-G-A" in line
    assert main(["runs", "show", result["run_id"][:6]]) == 0
    shown = capsys.readouterr().out
    assert "step         score (score_variant) succeeded" in shown
    assert "input        distance = 100" in shown
    assert main(["runs", "show", result["run_id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["interpretation"] == result["interpretation"]
    assert main(["runs", "show", "zz"]) == 2
    assert "there is no run 'zz'" in capsys.readouterr().err


def test_an_empty_list_of_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out.startswith("no runs in sqlite:///")
    assert main(["runs", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_run_and_validate_take_a_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "interpret_variant"]) == 0
    assert "valid" in capsys.readouterr().out
    assert main(["run", "interpret_variant", "--set", "variant=x", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["validate", "nothing.yaml"]) == 2
    assert main(["graph", "draw", "interpret_variant"]) == 0
    assert "flowchart TD" in capsys.readouterr().out


def test_models_and_genomes_say_what_is_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "list", "--json"]) == 0
    models = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert models["small"]["found"] == models["small"]["files"] == 1
    assert (models["openspliceai"]["files"], models["openspliceai"]["found"]) == (5, 0)
    assert main(["genomes", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "here" in lines["demo"]
    assert "to download" in lines["GRCh38"]


def test_models_are_found_in_the_mirror(
    mirror: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentic_spliceai.settings import reset_settings

    monkeypatch.setenv("AGENTIC_SPLICEAI_MIRROR", str(mirror))
    reset_settings()
    assert main(["models", "list", "--json"]) == 0
    models = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert models["openspliceai"]["found"] == 5


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"agentic-spliceai {__version__}\n"


def by_process(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = command.replace("agentic-spliceai", f"{sys.executable} -m agentic_spliceai.cli")
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["models list --json", "models list", "score x.txt --genome demo --quiet"])
def test_a_full_disk_behind_standard_output_is_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nonsense\n")
    done = by_process(f"agentic-spliceai {command} > /dev/full")
    assert (
        done.stderr
        == "error: there is no room for the output: No space left on device. Free some, or write elsewhere.\n"
    )
    assert done.returncode == 2


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nonsense\n" * 3000)
    done = by_process("agentic-spliceai score x.txt --genome demo --quiet | head -n 1")
    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout.startswith("index\t")


def test_a_missing_driver_is_one_line_without_the_password() -> None:
    url = "postgresql+pg8000://user:secret@localhost/x"
    done = by_process("agentic-spliceai runs list", AGENTIC_SPLICEAI_DATABASE_URL=url)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs a driver that is not installed (No module named 'pg8000')" in done.stderr
    assert "secret" not in done.stderr


def test_a_database_of_another_kind_is_refused_without_the_password() -> None:
    url = "mssql+pymssql://user:secret@localhost/x"
    done = by_process("agentic-spliceai runs list", AGENTIC_SPLICEAI_DATABASE_URL=url)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Give a SQLite or PostgreSQL URL" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_list_of_less_than_one_run_is_refused(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--limit", limit]) == 2
    assert capsys.readouterr().err == f"error: --limit {limit} cannot be used. Give 1 or more.\n"


def test_models_that_are_missing_say_how_to_get_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["small"]["how_to_get"] == ""
    assert rows["openspliceai"]["how_to_get"] == "downloaded at first use"
    if rows["spliceai"]["found"] < rows["spliceai"]["files"]:
        assert "pip install 'agentic-spliceai[spliceai]' or `make spliceai`" in rows["spliceai"]["how_to_get"]
    assert main(["models", "list"]) == 0
    assert "downloaded at first use" in capsys.readouterr().out


def test_another_contig_on_the_demo_says_which_genome_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interpret", "chr17-7670608-C-T", "--quiet", "--no-record"]) == 2
    assert capsys.readouterr().err == (
        "error: contig 'chr17' is not in the file. "
        "This is the demo genome; add --genome GRCh38 (or genome=GRCh38 with --set).\n"
    )
