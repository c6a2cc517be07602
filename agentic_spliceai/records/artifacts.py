"""Files by the sha256 of their content: what is too large for a result or a database row."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agentic_spliceai.records.errors import ArtifactError

_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, lower-case hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class ArtifactStore:
    """A folder of files named by their sha256, in subfolders named by its first two digits.

    Writes are atomic and the same content is kept once. `path` and `read` verify the content before they hand it out,
    so that a damaged file is never mistaken for a result.

    Parameters
    ----------
    root
        The folder; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_bytes(self, data: bytes) -> str:
        """Store `data` and return its sha256."""
        digest = hashlib.sha256(data).hexdigest()
        with self._writing(digest) as handle:
            if handle is not None:
                handle.write(data)
        return digest

    def put_file(self, path: Path) -> str:
        """Store a copy of the file at `path` and return its sha256."""
        digest = sha256_of(path)
        with path.open("rb") as source, self._writing(digest) as handle:
            if handle is not None:
                copied = hashlib.sha256()
                while chunk := source.read(_CHUNK):
                    copied.update(chunk)
                    handle.write(chunk)
                if copied.hexdigest() != digest:
                    raise ArtifactError(
                        f"{path} changed while it was being stored.", "Store it again when it is complete."
                    )
        return digest

    def path(self, digest: str) -> Path:
        """Return the verified file of `digest`.

        Raises
        ------
        ArtifactError
            If there is none, or its content is not what the digest says.
        """
        path = self._location(digest)
        if not path.is_file():
            raise ArtifactError(
                f"there is no artifact {digest}.", f"Run the analysis again; artifacts are in {self.root}."
            )
        actual = sha256_of(path)
        if actual != digest:
            raise ArtifactError(
                f"the artifact {digest} is damaged: its content has sha256 {actual}.", f"Delete {path} and run again."
            )
        return path

    def read(self, digest: str) -> bytes:
        """Return the verified content of `digest`; raises as `path` does."""
        return self.path(digest).read_bytes()

    def size(self, digest: str) -> int:
        """Return the length of the artifact in bytes; raises as `path` does."""
        return self.path(digest).stat().st_size

    def _location(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ArtifactError(
                f"{digest!r} is no sha256.", "An artifact is named by 64 lower-case hexadecimal digits."
            )
        return self.root / digest[:2] / digest

    @contextlib.contextmanager
    def _writing(self, digest: str) -> Iterator[IO[bytes] | None]:
        """Yield a temporary file that becomes the artifact on success, or None where an intact one is there."""
        target = self._location(digest)
        if target.is_file() and sha256_of(target) == digest:
            yield None
            return
        temporary: str | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
            with os.fdopen(descriptor, "wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            Path(temporary).replace(target)
            temporary = None
        except OSError as error:
            raise ArtifactError(
                f"cannot write the artifact {digest} into {self.root}: {error.strerror or error}.",
                "Check the folder's permissions and free space, or set AGENTIC_SPLICEAI_DATA_DIR.",
            ) from error
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)


class TemporaryArtifactStore(ArtifactStore):
    """A store of a run that keeps nothing: its folder, which only the user can read, goes when the store does.

    Raises
    ------
    ArtifactError
        If there is no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            root = Path(tempfile.mkdtemp(prefix="agentic-spliceai-"))
        except OSError as error:
            raise ArtifactError(
                f"cannot make a temporary folder: {error.strerror or error}.", "Set TMPDIR to a folder with free space."
            ) from error
        super().__init__(root)
        # Also at the end of the process, should something still hold the store then.
        weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
