"""Variants from a file, or from standard input, as they come."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.genome.text_files import numbered_lines
from agentic_spliceai.tools.batch_types import BatchInput

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.genome.types import GenomeBuild

_GZIP = b"\x1f\x8b"
VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
_VCF_HEADER = "##fileformat=VCF"
_LIST = "the list of variants"
_COUNTED = 16 << 20
"""Bytes of a file whose inputs are counted; what follows is taken to be like them."""


@dataclass(frozen=True)
class Source:
    """What variants are read from.

    Attributes
    ----------
    is_vcf
        Whether it is a VCF; else it has one variant a line.
    path
        A file that can be read again; None for a stream.
    stream
        Its lines, where it is one.
    """

    is_vcf: bool
    path: Path | None
    stream: Iterable[tuple[int, str]] = ()

    def inputs(self, build: GenomeBuild | None = None) -> Iterator[BatchInput]:
        """Yield its variants: of a file always, of a stream once; raises as `read_inputs`."""
        if self.path is None:
            return _from_lines(self.stream)
        if self.is_vcf:
            return _first_at_once(_read_vcf(self.path, build))
        return _first_at_once(_from_lines(numbered_lines(self.path, ResourceError, _LIST)))


@contextmanager
def opened_source(source: str, stdin: TextIO | None = None) -> Iterator[Source]:
    """Open a VCF, or a text file with one variant a line; `-` reads standard input.

    A VCF, or whatever is gzipped, is read from standard input to its end first, into a file that can be read again.

    Raises
    ------
    ResourceError
        If it cannot be read.
    """
    if source != "-":
        path = Path(source).expanduser()
        with _seekable(path) as file:
            yield Source(path.name.lower().endswith(VCF_SUFFIXES) or _begins_as_vcf(file), file)
        return
    stream = stdin or _standard_input()
    zipped = _zipped(stream)
    first = "" if zipped else stream.readline()
    if zipped is None and not first.startswith(_VCF_HEADER):
        yield Source(False, None, enumerate(chain([first], stream), 1))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("standard-input.gz" if zipped else "standard-input")
        with path.open("wb") as handle:
            if zipped is not None:
                shutil.copyfileobj(zipped, handle)
            else:
                handle.writelines(line.encode("utf-8", "surrogateescape") for line in chain([first], stream))
        yield Source(_begins_as_vcf(path), path)


@contextmanager
def _seekable(path: Path) -> Iterator[Path]:
    """Yield the file itself, or what a pipe holds."""
    if not path.exists() or path.is_file() or path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as given, copy.open("wb") as handle:
            shutil.copyfileobj(given, handle)
        yield copy


def read_inputs(source: str, build: GenomeBuild | None = None, stdin: TextIO | None = None) -> Iterator[BatchInput]:
    """Open a VCF, or a text file with one variant a line, and return its variants; `-` reads standard input.

    In a text file, blank lines and lines that begin with `#` are skipped. Both may be gzipped.

    Raises
    ------
    ResourceError
        At once if the file cannot be read; from the iterator where it turns out to be damaged further on.
    """
    inputs = _read(source, build, stdin)
    # Somebody may still be typing the first line.
    waits = source == "-" and _zipped(stdin or _standard_input()) is None
    return inputs if waits else _first_at_once(inputs)


def count_inputs(source: Source) -> int:
    """Return how many inputs a file has; of a large one the beginning is read, and the rest taken to be like it."""
    if source.path is None:
        raise ValueError("a stream cannot be counted")
    size = source.path.stat().st_size
    found = 0
    with source.path.open("rb") as raw:
        zipped = raw.peek(2)[:2] == _GZIP
        lines: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw
        # Where it is damaged, what reads it for its variants says so.
        with suppress(EOFError, OSError, zlib.error):
            for line in lines:
                if line.strip() and not line.startswith(b"#"):
                    found += _alleles_of(line) if source.is_vcf else 1
                if _COUNTED < (at := raw.tell()) < size:
                    return round(found * size / at)
    return found


def _alleles_of(line: bytes) -> int:
    fields = line.split(b"\t", 5)
    return fields[4].count(b",") + 1 if len(fields) > 4 else 1


def _read(source: str, build: GenomeBuild | None, stdin: TextIO | None) -> Iterator[BatchInput]:
    with opened_source(source, stdin) as opened:
        yield from opened.inputs(build)


def _first_at_once(inputs: Iterator[BatchInput]) -> Iterator[BatchInput]:
    """Read the first input now, so that a file that cannot be read is heard of before anything is written."""
    return chain(list(islice(inputs, 1)), inputs)


def _from_lines(lines: Iterable[tuple[int, str]]) -> Iterator[BatchInput]:
    for number, line in lines:
        text = _printable(line.strip())
        if text and not text.startswith("#"):
            yield BatchInput(text, record=number)


def _read_vcf(path: Path, build: GenomeBuild | None) -> Iterator[BatchInput]:
    from agentic_spliceai.splice_engine.genome.vcf import iter_vcf

    for allele in iter_vcf(path, build):
        text = _printable(allele.text)
        raw = replace(allele.raw, text=text) if allele.raw else None
        identifier = "" if allele.id == "." else _printable(allele.id)
        yield BatchInput(text, raw, allele.error.as_not_scored() if allele.error else None, allele.record, identifier)


def _standard_input() -> TextIO:
    """Return standard input, read as files are, whatever the locale."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdin


def _zipped(stream: TextIO) -> BinaryIO | None:
    """Return the bytes behind a stream that has not been read from, if they are gzipped."""
    binary = getattr(stream, "buffer", None)
    return binary if isinstance(binary, io.BufferedReader) and binary.peek(2)[:2] == _GZIP else None


def _begins_as_vcf(path: Path) -> bool:
    from agentic_spliceai.splice_engine.genome.vcf import refuse_bcf

    first = next(numbered_lines(path, ResourceError, _LIST), (1, ""))
    refuse_bcf(first[1], path.name)
    return first[1].startswith(_VCF_HEADER)


def _printable(text: str) -> str:
    """Replace bytes that are no UTF-8: they can neither be a variant nor be written out."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
