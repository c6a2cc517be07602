"""A file that is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from agentic_spliceai.splice_engine.errors import ResourceError


def write_whole(path: Path, write: Callable[[BinaryIO], object], advice: str) -> None:
    """Write a file beside its place and put it there when it is on the disk; an earlier one is replaced.

    Parameters
    ----------
    path
        The file; its folder is made.
    write
        Writes into what it is given.
    advice
        What to do if that fails.

    Raises
    ------
    ResourceError
        If it cannot be written. An earlier file is then as it was.
    """
    growing = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with growing.open("wb") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        growing.replace(path)
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}.", advice) from error
    finally:
        with contextlib.suppress(OSError):
            growing.unlink()
