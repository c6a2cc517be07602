"""Random access to the bytes of a FASTA, plain or block-gzipped, through the indices that samtools writes.

The formats are those of samtools' `faidx` (`.fai`) and htslib's `bgzip -i` (`.gzi`). The blocks are read with zlib
alone: pyfaidx needs Biopython for them, and pysam would be a compiled dependency of the core.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import GenomeFileError

_BLOCKS_KEPT = 64  # of at most 64 KiB each
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class ContigRecord:
    """One line of a `.fai`: bases, byte of the first base, bases a line and bytes a line."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def byte_of(self, position: int) -> int:
        """Byte of the 0-based base `position`."""
        row, column = divmod(position, self.line_bases) if self.line_bases else (0, 0)
        return self.offset + row * self.line_bytes + column

    def __str__(self) -> str:
        return f"{self.name}\t{self.length}\t{self.offset}\t{self.line_bases}\t{self.line_bytes}"


class ByteSource(Protocol):
    """Uncompressed bytes of a file."""

    def read(self, start: int, end: int) -> bytes:
        """Return bytes [start, end); fewer at the end of the file."""
        ...

    def stream(self) -> Iterator[bytes]:
        """All bytes in chunks."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class PlainBytes:
    """Bytes of an uncompressed file; safe to share between threads and with forked processes (positioned reads)."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()

    def read(self, start: int, end: int) -> bytes:
        """Return bytes [start, end); fewer at the end of the file."""
        if hasattr(os, "pread"):
            return os.pread(self._fd, end - start, start)
        with self._lock:
            os.lseek(self._fd, start, os.SEEK_SET)
            return os.read(self._fd, end - start)

    def stream(self) -> Iterator[bytes]:
        """All bytes in chunks."""
        position = 0
        while chunk := self.read(position, position + _CHUNK):
            yield chunk
            position += len(chunk)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class BlockGzipBytes:
    """Uncompressed bytes of a BGZF file.

    Parameters
    ----------
    path
        The file.
    compressed, uncompressed : int64 [B]
        Where each block starts in the file and in the text.
    """

    def __init__(self, path: Path, compressed: npt.NDArray[np.int64], uncompressed: npt.NDArray[np.int64]) -> None:
        self._path = path
        self._file = PlainBytes(path)
        self._compressed = compressed
        self._uncompressed = uncompressed
        self._size = path.stat().st_size
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def _block(self, index: int) -> bytes:
        with self._lock:
            if (kept := self._kept.get(index)) is not None:
                self._kept.move_to_end(index)
                return kept
        start = int(self._compressed[index])
        end = int(self._compressed[index + 1]) if index + 1 < len(self._compressed) else self._size
        text = inflate_blocks(self._file.read(start, end), self._path)
        with self._lock:
            self._kept[index] = text
            while len(self._kept) > _BLOCKS_KEPT:
                self._kept.popitem(last=False)
        return text

    def read(self, start: int, end: int) -> bytes:
        """Return bytes [start, end) of the text; fewer at its end."""
        first = int(np.searchsorted(self._uncompressed, start, side="right")) - 1
        last = int(np.searchsorted(self._uncompressed, end, side="left")) - 1
        text = b"".join(self._block(index) for index in range(first, max(first, last) + 1))
        skip = start - int(self._uncompressed[first])
        return text[skip : skip + end - start]

    def stream(self) -> Iterator[bytes]:
        """The text, block by block."""
        for index in range(len(self._compressed)):
            yield self._block(index)

    def close(self) -> None:
        """Close the file and drop the blocks kept."""
        self._file.close()
        self._kept.clear()


def block_size(header: bytes) -> int | None:
    """Return the length of the BGZF block that `header` starts, or None (SAM specification, 4.1)."""
    if len(header) < 18 or header[:4] != b"\x1f\x8b\x08\x04":
        return None
    (extra,) = struct.unpack_from("<H", header, 10)
    place = 12
    while place + 4 <= min(12 + extra, len(header)):
        tag, length = header[place : place + 2], struct.unpack_from("<H", header, place + 2)[0]
        if tag == b"BC" and length == 2 and place + 6 <= len(header):
            return int(struct.unpack_from("<H", header, place + 4)[0]) + 1
        place += 4 + length
    return None


def inflate_blocks(data: bytes, path: Path) -> bytes:
    """Inflate whole BGZF blocks.

    Raises
    ------
    GenomeFileError
        If a block is damaged or cut short.
    """
    parts: list[bytes] = []
    try:
        while data:
            inflater = zlib.decompressobj(31)
            parts.append(inflater.decompress(data))
            if not inflater.eof:
                raise zlib.error("incomplete block")
            data = inflater.unused_data
    except zlib.error as problem:
        raise GenomeFileError(
            f"{path.name} has a damaged or missing block ({problem}).", "Fetch the file again and compare its checksum."
        ) from problem
    return b"".join(parts)


def scan_blocks(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find where each BGZF block starts, in the file and in the text, from the blocks' headers alone."""
    compressed, uncompressed = [], []
    place = text = 0
    size = path.stat().st_size
    with path.open("rb") as handle:
        while place < size:
            handle.seek(place)
            length = block_size(handle.read(64))
            if length is None or place + length > size:
                raise GenomeFileError(
                    f"{path.name} is damaged at byte {place}: no whole BGZF block starts there.",
                    "Fetch the file again and compare its checksum.",
                )
            handle.seek(place + length - 4)
            size_of_text = int(struct.unpack("<I", handle.read(4))[0])
            if size_of_text:  # the empty block that ends a file is in no index
                compressed.append(place)
                uncompressed.append(text)
            text += size_of_text
            place += length
    return np.array(compressed, dtype=np.int64), np.array(uncompressed, dtype=np.int64)


def read_gzi(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Read a `.gzi`: the starts of the blocks in the file and in the text, the first block (0, 0) put in front."""
    data = np.fromfile(path, dtype="<u8")
    if len(data) == 0 or len(data) != 1 + 2 * int(data[0]):
        raise GenomeFileError(
            f"{path.name} is no BGZF index.", f"Remove it, or write it again with `bgzip -r {path.stem}`."
        )
    pairs = np.concatenate([np.zeros((1, 2), dtype=np.int64), data[1:].reshape(-1, 2).astype(np.int64)])
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def gzi_bytes(compressed: npt.NDArray[np.int64], uncompressed: npt.NDArray[np.int64]) -> bytes:
    """Return the content of a `.gzi` for these blocks."""
    pairs = np.stack([compressed[1:], uncompressed[1:]], axis=1).astype("<u8")
    return struct.pack("<Q", len(pairs)) + pairs.tobytes()


def read_fai(text: str, name: str) -> list[ContigRecord]:
    """Read the content of a `.fai`.

    Raises
    ------
    GenomeFileError
        If a line is malformed (the message has its number), or there is none.
    """
    records: list[ContigRecord] = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split("\t")
        try:
            length, offset, bases, width = (int(field) for field in fields[1:5])
            if not fields[0] or min(length, offset, bases) < 0 or width < bases:
                raise ValueError(line)
        except ValueError as problem:
            raise GenomeFileError(
                f"line {number} of the index {name} is malformed.", "Write it again with `samtools faidx`."
            ) from problem
        records.append(ContigRecord(fields[0], length, offset, bases, width))
    if not records:
        raise GenomeFileError(f"the index {name} is empty.", "Write it again with `samtools faidx`.")
    return records


def build_fai(source: ByteSource, name: str) -> list[ContigRecord]:
    """Index a FASTA by reading it once.

    Raises
    ------
    GenomeFileError
        If it holds no FASTA record, a name occurs twice, or lines within a record differ in length.
    """
    records: list[ContigRecord] = []
    header, length, offset, bases, width = "", 0, 0, 0, 0
    place = number = 0
    ended = False  # a line shorter than the first one must be the record's last
    rest = b""

    def finish() -> None:
        if header:
            records.append(ContigRecord(header, length, offset, bases, width))

    def fail(why: str) -> GenomeFileError:
        return GenomeFileError(
            f"{name} is no readable FASTA: {why}.", "Give a FASTA whose lines within a record are equally long."
        )

    def lines() -> Iterator[bytes]:
        nonlocal rest
        for chunk in source.stream():
            block = (rest + chunk).splitlines(keepends=True)
            rest = b"" if not block or block[-1].endswith(b"\n") else block.pop()
            yield from block
        if rest:
            yield rest

    for line in lines():
        number += 1
        place += len(line)
        if line.startswith(b">"):
            finish()
            words = line[1:].split(None, 1)
            if not words:
                raise fail(f"line {number} has no name")
            header, length, offset, bases, width = words[0].decode("utf-8", "replace"), 0, place, 0, 0
            ended = False
            continue
        content = line.rstrip(b"\r\n")
        if not header:
            if not content:
                continue
            raise fail(f"line {number} stands before any '>' line")
        if not content:
            ended = True
            continue
        if ended or (bases and len(content) > bases):
            raise fail(f"line {number} differs in length from the lines before it")
        if not bases:
            bases, width = len(content), len(line)
            if not line.endswith(b"\n"):
                width += 1
        elif len(content) < bases:
            ended = True
        elif line.endswith(b"\n") and len(line) != width:
            raise fail(f"line {number} ends differently from the lines before it")
        length += len(content)
    finish()
    if not any(record.length for record in records):
        raise fail("it holds no base")
    if len({record.name for record in records}) != len(records):
        raise fail("a name occurs twice")
    return records


def write_beside_or_cached(path: Path, suffix: str, content: bytes, cache_dir: Path | None) -> None:
    """Keep an index for next time: beside the file where that is writable, else in the cache folder, else nowhere."""
    for target in (Path(f"{path}{suffix}"), cached_index(path, suffix, cache_dir)):
        if target is not None and _write_whole(target, content):
            return


def cached_index(path: Path, suffix: str, cache_dir: Path | None) -> Path | None:
    """Where the cache folder keeps an index of this very file (its path, size and time of change)."""
    if cache_dir is None:
        return None
    state = path.stat()
    key = hashlib.sha256(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()[:20]
    return cache_dir / f"{path.name}-{key}{suffix}"


def _write_whole(target: Path, content: bytes) -> bool:
    """Write through a temporary file, so that a reader never sees half; False where the folder is not writable."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        return False
    return True
