"""Files of a folder of artifacts: written whole or not at all, and read back."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from agentic_spliceai.splice_engine.errors import ResourceError

MANIFEST = "manifest.json"


@contextmanager
def writing(path: Path) -> Iterator[IO[str]]:
    """Open a text file that gets its name only when the block ends without an error; `.gz` is compressed.

    The same text gives the same bytes: the gzip header names neither time nor file.
    """
    part = path.with_name(path.name + ".part")
    with part.open("wb") as raw:
        with ExitStack() as stack:
            out: IO[bytes] = raw
            if path.suffix == ".gz":
                packed = gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=raw, mtime=0)
                out = cast("IO[bytes]", stack.enter_context(packed))
            text = io.TextIOWrapper(out, encoding="utf-8", newline="\n", write_through=False)
            yield text
            text.flush()
            text.detach()
        raw.flush()
        os.fsync(raw.fileno())
    part.replace(path)


def write_atomically(path: Path, text: str) -> None:
    """Write a whole text file."""
    with writing(path) as out:
        out.write(text)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what `manifest.json` holds, None where there is none.

    Raises
    ------
    ResourceError
        If it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document["chunks"], dict) or not isinstance(document["digest"], str):
            raise TypeError("it lacks chunks or digest")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResourceError(f"{path} is damaged: {error}.", "Remove it and write the artifacts again.") from error
    return document
