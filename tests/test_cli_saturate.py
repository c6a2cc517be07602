"""`agentic-spliceai saturate` as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from agentic_spliceai.cli import main
from tests.test_run import _own_folders  # noqa: F401 - the fixture


def test_an_exon_becomes_a_table_and_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["saturate", "DEMO1", "--exon", "2", "--flank", "2", "--genome", "demo", "--distance", "10"]
    assert main([*arguments, "-o", "x.parquet", "--plot", "x.html", "--quiet", "--top", "3"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "exon 2 of 4 of DEMO1 (DEMO1.1) and 2 nt beside it, minigene:2019-2140: 122 nt"
    assert lines[1] == "366 single-base changes; 366 scored by small 1"
    top = [line.split() for line in lines if line.startswith("  ")]
    assert len(top) == 3
    table = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [float(line[0]) for line in top] == [
        round(score, 2) for score in sorted((row["max"] for row in table), reverse=True)[:3]
    ]
    assert lines[-1] == "x.html: heat map"
    assert err == ""
    page = (tmp_path / "x.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "acceptor loss" in page


def test_what_cannot_be_used_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["DEMO1", "--exon", "7", "-o", "x.tsv"], ["nobody", "-o", "x.tsv"], ["DEMO1", "-o", "x.doc"]):
        assert main(["saturate", *arguments, "--genome", "demo"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1


def test_json_for_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["saturate", "minigene:2138-2140", "--genome", "demo", "-o", "x.tsv", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["region"], summary["scored"]) == ("minigene:2138-2140", 9)
    assert len(summary["top"]) == 9


@pytest.fixture
def real(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_spliceai.settings import reset_settings

    monkeypatch.setenv("AGENTIC_SPLICEAI_MIRROR", str(mirror))
    reset_settings()


def rows_at(region: str, *options: str) -> dict[tuple[int, str], dict[str, Any]]:
    assert main(["saturate", region, "--genome", "GRCh38", *options, "-o", "x.parquet", "--quiet"]) == 0
    return {(row["position"], row["alt"]): row for row in pq.read_table("x.parquet").to_pylist()}


@pytest.mark.usefixtures("real")
def test_a_known_acceptor_gain_is_found_where_its_neighbourhood_is_saturated() -> None:
    """MYBPC3 c.1227-13G>A makes an acceptor 11 nt upstream, seen in patients' RNA."""
    rows = rows_at("chr11:47343155-47343161", "--transcript", "NM_000256")
    row = rows[47343158, "T"]
    assert (row["ref"], row["gene"], row["position"] + row["dp_ag"]) == ("C", "MYBPC3", 47343156)
    assert row["ds_ag"] > 0.9
    assert row["ds_ag"] == max(other["ds_ag"] for other in rows.values())


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_a_known_donor_loss_has_the_published_score() -> None:
    """TP53 c.1100+1G>A and its neighbours, on OpenSpliceAI's networks."""
    rows = rows_at("chr17:7670607-7670609", "--base-model", "openspliceai", "--transcript", "NM_000546")
    row = rows[7670608, "T"]
    assert (row["ref"], row["gene"], row["position"] + row["dp_dl"]) == ("C", "TP53", 7670609)
    assert row["ds_dl"] == row["max"] == pytest.approx(0.85, abs=0.006)
    # Both bases of GT matter alike.
    assert all(rows[7670607, alt]["ds_dl"] > 0.5 for alt in "CGT")


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["saturate", "minigene:1201-2000", "--genome", "demo", "-o", "x.parquet", "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "agentic_spliceai.cli", *arguments], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    kept = tmp_path / "x.work" / "kept"
    until = time.monotonic() + 60
    while len(list(kept.glob("*.npz"))) < 1 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(kept.glob("*.npz"))) >= 1
    assert not (tmp_path / "x.parquet").exists()
    assert main(arguments) == 0
    assert "of them from an earlier attempt" in capsys.readouterr().out
    table = pq.read_table("x.parquet")
    assert table.num_rows == len({(row["position"], row["alt"]) for row in table.to_pylist()}) == 3 * 800
