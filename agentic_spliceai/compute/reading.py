"""Pages of a file that grows, by lines."""

from __future__ import annotations

from pathlib import Path

from agentic_spliceai.compute.errors import ComputeError
from agentic_spliceai.compute.types import LogPage

#: Bytes that one page reads at most; a longer line comes in pieces.
_MOST = 1 << 20


def read_page(path: Path, cursor: str, limit: int, *, complete: bool) -> LogPage:
    """Return up to `limit` lines from `cursor` on.

    Parameters
    ----------
    path
        The file; one that is not there yet is empty.
    cursor
        Where to begin: '' for the beginning, or what the last page gave.
    limit
        Most lines.
    complete
        Whether nothing will be added. Until then a last line without an end is held back.

    Raises
    ------
    ComputeError
        If the cursor is none that a page gave.
    """
    if cursor and not (cursor.isascii() and cursor.isdigit()):
        raise ComputeError(f"{cursor!r} is no cursor.", "Give back the cursor of the last page, or '' to begin.")
    start = int(cursor or 0)
    try:
        with path.open("rb") as handle:
            handle.seek(start)
            data = handle.read(_MOST)
    except FileNotFoundError:
        data = b""
    lines: list[str] = []
    used = 0
    while len(lines) < max(1, limit):
        end = data.find(b"\n", used)
        if end >= 0:
            after = end + 1
        elif used < len(data) and ((complete and len(data) < _MOST) or (used == 0 and len(data) == _MOST)):
            end = after = len(data)
        else:
            break
        lines.append(data[used:end].decode("utf-8", errors="replace").removesuffix("\r"))
        used = after
    return LogPage(lines=tuple(lines), cursor=str(start + used))
