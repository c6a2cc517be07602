"""The compact form of an annotation on disk, so that only the first start reads the file itself."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import tempfile
from pathlib import Path

from agentic_spliceai.splice_engine.errors import AnnotationFileError
from agentic_spliceai.splice_engine.genome.annotation_table import TABLE_FORMAT, AnnotationTable

_logger = logging.getLogger(__name__)


def file_sha256(path: Path) -> str:
    """Return the digest of a file's bytes; AnnotationFileError if it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as problem:
        raise AnnotationFileError(
            f"the annotation {path} cannot be read ({problem.strerror}).", "Check the path and its permissions."
        ) from problem


class AnnotationCache:
    """Compact forms by the digest of the file, and the digests by what the folder says of the file."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder = folder
        self._note: Path | None = None
        with contextlib.suppress(OSError):  # a missing file is reported when it is opened
            state = path.stat()
            key = hashlib.sha256(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()
            self._note = folder / f"annotation-digest-{key[:24]}.json"

    def _file(self, digest: str) -> Path:
        return self._folder / f"annotation-v{TABLE_FORMAT}-{digest[:24]}.npz"

    def known_digest(self) -> str | None:
        """Return the file's digest if its path, size and time of change are as they were; saves reading it."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8")) if self._note else None
        except (OSError, ValueError):
            return None
        digest = note.get("sha256") if isinstance(note, dict) else None
        return digest if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) else None

    def read(self, digest: str) -> AnnotationTable | None:
        """Return the compact form, or None where there is none that can be used."""
        file = self._file(digest)
        if not file.is_file():
            return None
        try:
            return AnnotationTable.read(file)
        except (OSError, ValueError) as problem:
            _logger.warning("the annotation cache %s is rebuilt: %s", file, problem)
            return None

    def write(self, digest: str, table: AnnotationTable) -> None:
        """Keep the compact form; without a writable folder the next start is slower, nothing else."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder) as work:
                fresh = Path(work) / "fresh"
                table.save(fresh)
                fresh.replace(self._file(digest))
                if self._note:
                    fresh.write_text(json.dumps({"sha256": digest}), encoding="utf-8")
                    fresh.replace(self._note)
        except OSError as problem:
            _logger.warning("the annotation cache %s cannot be written: %s", self._folder, problem)
