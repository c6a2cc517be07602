"""Reading text files line by line, plain or gzipped, with errors that say where a file is damaged."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO, cast

from agentic_spliceai.splice_engine.errors import SpliceEngineError


def numbered_lines(path: Path, error: type[SpliceEngineError], what: str) -> Iterator[tuple[int, str]]:
    """Yield (1-based number, line without its end).

    Bytes that are no UTF-8 are kept as surrogate escapes, so that a line can be written out as it was.

    Parameters
    ----------
    path
        The file; its first bytes tell whether it is gzipped.
    error
        What to raise if it is missing, unreadable, or its compression is damaged.
    what
        What the file is, for the message.
    """
    number = 0
    try:
        with path.open("rb") as probe:
            zipped = probe.read(2) == b"\x1f\x8b"
        with ExitStack() as stack:
            if zipped:
                opened = gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
                handle = stack.enter_context(cast(TextIO, opened))
            else:
                handle = stack.enter_context(path.open(encoding="utf-8", errors="surrogateescape"))
            for number, line in enumerate(handle, 1):
                yield number, line.rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise error(
            f"{what} {path.name} is damaged after line {number} ({problem}).",
            "Fetch the file again and compare its checksum.",
        ) from problem
    except OSError as problem:
        raise error(
            f"{what} {path} cannot be read ({problem.strerror}).", "Check the path and its permissions."
        ) from problem
