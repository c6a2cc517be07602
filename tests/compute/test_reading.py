"""Pages of a file that grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.compute import reading
from agentic_spliceai.compute.errors import ComputeError
from agentic_spliceai.compute.reading import read_page


def pages(path: Path, limit: int, *, complete: bool) -> list[str]:
    cursor, lines = "", []
    while (page := read_page(path, cursor, limit, complete=complete)).lines:
        cursor = page.cursor
        lines += page.lines
    return lines


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("complete", [True, False])
def test_pages_put_together_are_the_file(tmp_path: Path, limit: int, complete: bool) -> None:
    path = tmp_path / "log"
    path.write_bytes("eins\n\nzwölf\r\nlast".encode())
    assert pages(path, limit, complete=complete) == ["eins", "", "zwölf", *(["last"] if complete else [])]


def test_a_line_that_is_longer_than_a_page_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST", 8)
    path = tmp_path / "log"
    path.write_bytes(b"ab\n" + b"x" * 20 + b"\nend\n12345678")
    assert pages(path, 10, complete=True) == ["ab", "x" * 8, "x" * 8, "xxxx", "end", "12345678"]
    assert "".join(pages(path, 10, complete=False)) == "ab" + "x" * 20 + "end" + "12345678"


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    page = read_page(tmp_path / "log", "", 10, complete=True)
    assert (page.lines, page.cursor) == ((), "0")


def test_what_is_added_is_on_the_next_page(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    page = read_page(path, "", 10, complete=False)
    assert page.lines == ("one",)
    path.write_bytes(b"one\ntwo\n")
    assert read_page(path, page.cursor, 10, complete=False).lines == ("two",)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "²"])
def test_a_cursor_that_no_page_gave(tmp_path: Path, cursor: str) -> None:
    with pytest.raises(ComputeError, match="no cursor"):
        read_page(tmp_path / "log", cursor, 10, complete=True)
