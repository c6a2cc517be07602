"""Every Python block of the page on saturation runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.settings import reset_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "saturation.md"


def test_the_blocks_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write, read, stream = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    reset_settings()
    space: dict[str, Any] = {}
    try:
        for block in (write, read, stream):
            exec(compile(block, PAGE.name, "exec"), space)
    finally:
        reset_settings()
    summary, made, *rows = capsys.readouterr().out.splitlines()
    assert float(summary.split()[1]) > 0.9
    assert made.split()[:2] == ["small", "[]"]
    assert int(made.split()[2]) > 0
    assert [row.split()[0] for row in rows] == [
        f"minigene-{position}-{ref}-{alt}" for position, ref in zip(range(2137, 2141), "AGGT", strict=True)
        for alt in "ACGT" if alt != ref
    ]  # fmt: skip
    # The bases behind the exon's last one, GT, are what the donor cannot do without.
    assert all((float(row.split()[1]) > 0.9) == (number >= 6) for number, row in enumerate(rows))
