"""Every Python block of the page on tracks runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.settings import reset_settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tracks.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)


def run(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    reset_settings()
    space: dict[str, Any] = {}
    try:
        exec(compile(text, PAGE.name, "exec"), space)
    finally:
        reset_settings()
    return space


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files, _ = BLOCKS
    run(files, tmp_path, monkeypatch)
    assert capsys.readouterr().out == "6 sites\n"
    assert (tmp_path / "tracks" / "tracks.base.donor.plus.bedgraph.gz").exists()


def test_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, values = BLOCKS
    found = run(values, tmp_path, monkeypatch)
    assert found["donors"].tolist() == [1380, 2138, 3184]
    assert found["stretch"].contig == "minigene"
