"""Copying what a job left, verified, out of a folder and into another, and never out of either."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from agentic_spliceai.compute.errors import FetchError, JobSpecError
from agentic_spliceai.compute.types import FetchedFile

_CHUNK = 1 << 20
_AGAIN = "Fetch again when the job has ended."


def check_patterns(patterns: Iterable[str]) -> None:
    """Raise `JobSpecError` for a pattern that would leave the job's folder."""
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise JobSpecError(
                f"the output pattern {pattern!r} leads out of the job's folder.", "Give a relative one, without '..'."
            )


def fetch_files(
    source: Path, patterns: Iterable[str], destination: Path, *, without: frozenset[str] = frozenset()
) -> tuple[FetchedFile, ...]:
    """Copy the files that match into `destination`, each under its path relative to `source`.

    Parameters
    ----------
    source, destination
        Folders.
    patterns
        Glob patterns; a folder that matches is copied with all its files.
    without
        First parts of paths that are left out.

    Raises
    ------
    FetchError
        If a file lies outside of `source` (a symbolic link), would be written outside of `destination`, changes while
        it is copied, or cannot be read or written; what was copied before stays.
    """
    check_patterns(patterns := tuple(patterns))
    try:
        root = source.resolve(strict=True)
        destination.mkdir(parents=True, exist_ok=True)
        target_root = destination.resolve(strict=True)
        found = sorted(
            path
            for path in {path for pattern in patterns for path in _matches(root, pattern)}
            if path.relative_to(root).parts[0] not in without
        )
        return tuple(_fetch(path, root, target_root) for path in found)
    except OSError as error:
        raise FetchError(
            f"cannot copy from {source} to {destination}: {error.strerror or error}.",
            "Check permissions and free space.",
        ) from error


def _matches(root: Path, pattern: str) -> set[Path]:
    found: set[Path] = set()
    for path in root.glob(pattern):
        if path.is_dir():
            # Not through links: what they lead to is judged where it is named itself.
            found.update(below for below in path.rglob("*") if not below.is_dir())
        else:
            found.add(path)
    return found


def _fetch(path: Path, root: Path, target_root: Path) -> FetchedFile:
    relative = path.relative_to(root)
    real = path.resolve(strict=True)
    if not real.is_relative_to(root):
        raise FetchError(f"{relative} leads out of the job's folder, to {real}.", "Let the job write a copy, no link.")
    target = target_root / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve(strict=True).is_relative_to(target_root):
        raise FetchError(f"{relative} would be written outside of {target_root}.", "Choose an empty folder.")
    # Not through a link that takes the file's place now, nor blocking on a pipe.
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    temporary: Path | None = None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise FetchError(f"{relative} is no ordinary file.", "Leave it out of the job's outputs.")
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
        temporary = Path(name)
        digest, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as copy:
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
                copy.write(chunk)
                size += len(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        after = os.fstat(descriptor)
        if size != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
            raise FetchError(f"{relative} changed while it was copied.", _AGAIN)
        with temporary.open("rb") as written:
            if hashlib.file_digest(written, "sha256").hexdigest() != digest.hexdigest():
                raise FetchError(f"the copy of {relative} is not what was read.", "Check the disk, and fetch again.")
        temporary.chmod(0o644)
        temporary.replace(target)
        temporary = None
    finally:
        os.close(descriptor)
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return FetchedFile(path=relative.as_posix(), sha256=digest.hexdigest(), bytes=size)
