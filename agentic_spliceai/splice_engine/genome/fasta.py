"""FASTA files through their libraries: pyfaidx for plain text, pysam for what is block-gzipped; and their indices."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import secrets
import shutil
import tempfile
import threading
import warnings
import weakref
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentic_spliceai.splice_engine.errors import GenomeFileError

# What the libraries raise on a damaged file, and what gzip raises.
PROBLEMS = (OSError, ValueError, LookupError, EOFError, zlib.error)

# htslib's readers and its verbosity are no one thread's, and a fork must not happen in the midst of them.
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@dataclass(frozen=True, slots=True)
class ContigRecord:
    """One line of a `.fai`: bases, byte of the first base, bases a line and bytes a line."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    @property
    def last_byte(self) -> int:
        """Byte of the last base; the record must have one."""
        row, column = divmod(self.length - 1, self.line_bases)
        return self.offset + row * self.line_bytes + column

    def __str__(self) -> str:
        return f"{self.name}\t{self.length}\t{self.offset}\t{self.line_bases}\t{self.line_bytes}"


class FastaReader:
    """Bases by contig and position; safe between threads, and opened anew in a forked process.

    Parameters
    ----------
    path
        FASTA file.
    cache_dir
        Folder for indices that cannot lie beside the file. Without it they live as long as the reader.
    blocked
        Whether the file is block-gzipped.

    Raises
    ------
    GenomeFileError
        If the file cannot be indexed, an index is malformed, or the library for it is missing.
    """

    def __init__(self, path: Path, cache_dir: Path | None, blocked: bool) -> None:
        self._path = path
        # pyfaidx goes by the name, and needs Biopython for a name that looks compressed.
        self._with_pysam = blocked or path.suffix.lower() in (".gz", ".bgz", ".bz2", ".zip")
        self._handles: dict[int, Any] = {}
        self._indices, temporary = _find_or_build(path, cache_dir, blocked, self._with_pysam)
        self._release = weakref.finalize(self, _release, self._handles, temporary, os.getpid())

    def records(self) -> list[ContigRecord]:
        """Return the contigs of the index, in the file's order."""
        return _read_fai(self._indices[0])

    def fetch(self, name: str, start: int, end: int) -> str:
        """Return the bases [start, end), 0-based, as the file has them; raises one of `PROBLEMS`."""
        if not self._release.alive:
            raise GenomeFileError(f"{self._path} was closed.", "Fetch before closing it, or open it again.")
        with _LOCK, _library(self._path, self._with_pysam) as library:
            handle = self._handles.get(os.getpid())
            if handle is None:
                handle = self._handles[os.getpid()] = self._open(library)
            bases = handle.fetch(name, start, end) if self._with_pysam else handle.fetch(name, start + 1, end)
        return str(bases)

    def _open(self, library: Any) -> Any:
        path, indices = str(self._path), [str(index) for index in self._indices]
        if self._with_pysam:
            return library.FastaFile(
                path, **dict(zip(("filepath_index", "filepath_index_compressed"), indices, strict=False))
            )
        with warnings.catch_warnings():  # an index older than its file: the times of copied files tell nothing
            warnings.simplefilter("ignore", RuntimeWarning)
            return library.Faidx(path, indexname=indices[0], as_raw=True, rebuild=False, build_index=False)

    def text(self, start: int, size: int) -> bytes:
        """Return at most `size` bytes of the uncompressed file from byte `start` on; raises one of `PROBLEMS`."""
        if len(self._indices) == 1:
            with self._path.open("rb") as handle:
                handle.seek(start)
                return handle.read(size)
        table = np.fromfile(self._indices[1], dtype="<u8")
        if len(table) == 0 or self._indices[1].stat().st_size != 8 + 16 * int(table[0]):
            raise GenomeFileError(
                f"{self._path.name}.gzi is no BGZF index.",
                f"Remove it, or write it again with `bgzip -r {self._path.name}`.",
            )
        blocks = np.concatenate([np.zeros((1, 2), dtype=np.int64), table[1:].reshape(-1, 2).astype(np.int64)])
        place, before = blocks[np.searchsorted(blocks[:, 1], start, side="right") - 1]
        with self._path.open("rb") as handle:
            handle.seek(int(place))
            with gzip.GzipFile(fileobj=handle) as text:
                return text.read(start - int(before) + size)[start - int(before) :]

    def close(self) -> None:
        """Close the file and remove indices that nobody keeps."""
        self._release()


def is_blocked(head: bytes) -> bool:
    """Whether these first bytes of a file are those of BGZF (SAM specification, 4.1)."""
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:16] == b"BC\x02\x00"


@contextlib.contextmanager
def _library(path: Path, with_pysam: bool) -> Iterator[Any]:
    """Yield pysam, which then keeps its complaints off stderr, or pyfaidx."""
    if not with_pysam:
        import pyfaidx

        yield pyfaidx
        return
    try:
        import pysam
    except ImportError as problem:
        raise GenomeFileError(
            f"{path} is block-gzipped, which pysam reads, and pysam is not installed.",
            f"Install pysam, or decompress: `gunzip -k {path.name}` (pysam has no version for Windows).",
        ) from problem
    level = pysam.set_verbosity(0)
    try:
        yield pysam
    finally:
        pysam.set_verbosity(level)


def _release(handles: dict[int, Any], temporary: Path | None, owner: int) -> None:
    for handle in handles.values():
        handle.close()
    handles.clear()
    if temporary is not None and os.getpid() == owner:
        shutil.rmtree(temporary, ignore_errors=True)


def _find_or_build(
    path: Path, cache_dir: Path | None, blocked: bool, with_pysam: bool
) -> tuple[Sequence[Path], Path | None]:
    """Return the index files (`.fai`, for BGZF also `.gzi`), and the temporary folder where they could only lie."""
    suffixes = (".fai", ".gzi") if blocked else (".fai",)
    stems = [str(path)]
    if cache_dir is not None:
        state = path.stat()
        key = hashlib.sha256(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()[:20]
        stems.append(str(cache_dir / f"{path.name}-{key}"))
    places = [[Path(stem + suffix) for suffix in suffixes] for stem in stems]
    for place in places:
        if all(file.is_file() for file in place):
            return place, None
    folder = Path(tempfile.mkdtemp(prefix="agentic-spliceai-"))
    try:
        built = [folder / f"{path.name}{suffix}" for suffix in suffixes]
        _build(path, built, with_pysam)
        kept = next((place for place in places if _keep(built, place)), None)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if kept is None:
        return built, folder
    shutil.rmtree(folder, ignore_errors=True)
    return kept, None


def _build(path: Path, indices: Sequence[Path], with_pysam: bool) -> None:
    with _LOCK, _library(path, with_pysam) as library:
        if with_pysam:
            options = zip(("--fai-idx", "--gzi-idx"), map(str, indices), strict=False)
            try:
                library.faidx(str(path), *(word for option in options for word in option))
            except library.SamtoolsError as problem:
                raise GenomeFileError(
                    f"{path.name} cannot be indexed: it is damaged, or no FASTA with equally long lines in a record.",
                    "Fetch the file again and compare its checksum; `bgzip -t` and `samtools faidx` tell more.",
                ) from problem
            return
        try:
            library.Faidx(str(path), indexname=str(indices[0])).close()
        except (library.FastaIndexingError, ValueError, RuntimeError) as problem:
            # pyfaidx has a RuntimeError, and no words, for blank lines that it does not expect.
            why = "lines of unequal length, or blank ones" if isinstance(problem, RuntimeError) else str(problem)
            raise GenomeFileError(
                f"{path.name} is no readable FASTA: {why}",
                "Give a FASTA whose lines within a record are equally long and whose names all differ.",
            ) from problem


def _keep(built: Sequence[Path], place: Sequence[Path]) -> bool:
    """Copy so that no other process ever sees half a file; False where the folder is not writable."""
    for source, target in zip(built, place, strict=True):
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, temporary)
            temporary.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return False
    return True


def _read_fai(path: Path) -> list[ContigRecord]:
    records: list[ContigRecord] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        fields = line.split(b"\t")
        try:
            name = fields[0].decode()
            length, offset, bases, width = (int(field) for field in fields[1:5])
            if not name or min(length, offset, bases) < 0 or width < bases or (length and not bases):
                raise ValueError(line)
        except ValueError as problem:
            raise GenomeFileError(
                f"line {number} of the index {path.name} is malformed.", "Write it again with `samtools faidx`."
            ) from problem
        # Where a file ends without a line end, samtools counts one all the same, and pyfaidx does not.
        records.append(ContigRecord(name, length, offset, bases, max(width, bases + 1)))
    if not records:
        raise GenomeFileError(f"the index {path.name} is empty.", "Write it again with `samtools faidx`.")
    return records
