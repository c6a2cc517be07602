"""The `agentic-spliceai` command."""

from __future__ import annotations

import json
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


def test_score_writes_one_row_or_reason_an_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("minigene-2139-G-A\nnonsense\n")
    assert main(["score", "list.txt", "--genome", "demo", "-o", "out.jsonl", "--masked"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["not_scored"] and row["not_scored"]["code"] for row in rows] == [None, "invalid_variant"]
    assert "2 inputs: 1 scored, not scored: invalid_variant 1" in capsys.readouterr().err
    assert main(["score", "nothing.vcf", "--genome", "demo"]) == 2
    assert main(["score", "list.txt", "--genome", "demo", "--distance", "0", "--quiet"]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"agentic-spliceai {__version__}\n"
