"""Texts as cells of a table."""

from __future__ import annotations

import hashlib

import pytest

from agentic_spliceai.tools.plain_text import table_cell


@pytest.mark.parametrize(
    "text",
    ["=cmd|'/C calc'!A0", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "+1", "\t=1+1", "\r\n=1", " =1", "\uff1dcmd", "-x"],
)
def test_what_a_spreadsheet_would_calculate_is_a_text(text: str) -> None:
    assert table_cell(text) == f"'{' '.join(text.split())}"


@pytest.mark.parametrize("text", ["", "+", "-", "chr3-5-A-G", "a=b", "rs1", "'=1", "."])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert table_cell(text) == text


def test_a_long_allele_is_given_by_its_ends() -> None:
    allele = "ACGT" * 30_000
    digest = hashlib.sha256(allele.encode()).hexdigest()[:12]
    cell = table_cell(f"chr3-5-A-{allele}")
    assert cell == f"chr3-5-A-{allele[:20]}\u2026{allele[-20:]}(120000 characters, sha256 {digest})"
    assert table_cell(f"chr3-5-A-{allele}") != table_cell(f"chr3-5-A-{allele[:60_000]}T{allele[60_001:]}")
    assert table_cell(f"chr3-5-A-{'A' * 200}") == f"chr3-5-A-{'A' * 200}"


def test_any_cell_is_of_bounded_length_and_printable() -> None:
    cell = table_cell("\x1b[31m1,2;" * 20_000 + "\ud800")
    assert len(cell) < 300
    assert cell.isprintable()
    assert cell.startswith("\\u001b[31m")
