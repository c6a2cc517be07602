"""Files of results: whole or not there, and never in the place of what they were made from."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from agentic_spliceai.splice_engine.errors import SettingError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ADVICE = "Give another file with -o."


def refuse_to_overwrite(output: str | None, given: Mapping[str, str | None]) -> None:
    """Refuse an output that is also an input, under whatever name.

    Parameters
    ----------
    output
        Where results are to go; None for standard output.
    given
        What is read, by what it is: a path, `-` for standard input, or a name that is no file.

    Raises
    ------
    SettingError
        If writing would destroy one of them.
    """
    if output is None:
        return
    path = Path(output).expanduser()
    partial = part_of(path)
    for what, source in given.items():
        if source is not None and _same_file(path, source):
            raise SettingError(f"cannot write {output}: it is the {what}.", _ADVICE)
        if source is not None and _same_file(partial, source):
            raise SettingError(f"cannot write {output}: its {partial.name} is the {what}.", _ADVICE)


@contextlib.contextmanager
def result_file(output: str) -> Iterator[TextIO]:
    """Yield a file that takes the place of `output` once everything is written.

    Until then an earlier file stays as it is. When something fails, what was written is left as `<output>.partial`, or
    under a name of its own where a `resumable_file` has that one, and the exception gets a note that says where. What
    is no regular file (a pipe, a device) is written into directly.

    Raises
    ------
    SettingError
        If the file cannot be written, or there is no room for it.
    """
    path = Path(output).expanduser()
    try:
        replaceable = is_replaceable(output)
        # A link goes on pointing to where it did: the file behind it is replaced.
        target = Path(os.path.realpath(path)) if replaceable else path
        # A name of its own: two runs with one output must not write into each other's file.
        growing = target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial") if replaceable else target
        handle = growing.open("x" if replaceable else "w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise cannot_write(output, error) from error
    try:
        with handle:
            yield handle
        if replaceable:
            put_in_place(growing, target, output)
    except BaseException as error:
        known = cannot_write(output, error) if isinstance(error, OSError) and no_room(error) else error
        if replaceable:
            left = growing
            # Where it cannot get the short name, or that is what another command will go on with, it keeps its own.
            if not journal_of(target).exists():
                with contextlib.suppress(OSError):
                    left = growing.replace(part_of(target))
            known.add_note(f"What was done is in {left}.")
        if known is error:
            raise
        raise known from error


def is_replaceable(output: str) -> bool:
    """Whether it is a regular file, or nothing yet; not a pipe or a device, which can only be written into."""
    path = Path(output).expanduser()
    return path.is_file() or not path.exists()


def part_of(path: Path) -> Path:
    """Return where a file is written that is not whole yet."""
    return path.parent / f"{path.name}.partial"


def journal_of(path: Path) -> Path:
    """Return where it is written how far a part file is that can be gone on with."""
    return path.parent / f"{path.name}.partial.json"


def put_in_place(growing: Path, target: Path, output: str) -> None:
    """Let a whole file take the place of an earlier one, with its permissions; `output` is how the user calls it."""
    try:
        if target.exists():
            shutil.copymode(target, growing)
        growing.replace(target)
    except OSError as error:
        raise cannot_write(output, error) from error


def cannot_write(output: str, error: OSError) -> SettingError:
    """Return the error that says why there is no result."""
    return SettingError(f"cannot write {output}: {error.strerror}.", _ADVICE)


def no_room(error: OSError) -> bool:
    """Whether the disk, or what the user may have of it, is full."""
    return error.errno in _NO_ROOM


def _same_file(path: Path, source: str) -> bool:
    """Whether both name one regular file; a stream or a name that is no file is never the same."""
    try:
        status = os.fstat(sys.stdin.fileno()) if source == "-" else Path(source).expanduser().stat()
        return path.is_file() and os.path.samestat(path.stat(), status)
    except (OSError, ValueError):
        return False
