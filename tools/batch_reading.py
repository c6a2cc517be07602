"""Variants from a file, or from standard input, as they come."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.tools.batch_types import BatchInput

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.genome.types import GenomeBuild

_GZIP = b"\x1f\x8b"
_VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
_VCF_HEADER = "##fileformat=VCF"


def read_inputs(source: str, build: GenomeBuild | None = None, stdin: TextIO | None = None) -> Iterator[BatchInput]:
    """Open a VCF, or a text file with one variant a line, and return its variants; `-` reads standard input.

    In a text file, blank lines and lines that begin with `#` are skipped. Both may be gzipped.

    Raises
    ------
    ResourceError
        At once if the file cannot be read; from the iterator where it turns out to be damaged further on.
    """
    if source == "-":
        stream = stdin or _standard_input()
        zipped = _zipped(stream)
        return _first_at_once(_read_zipped(zipped, build)) if zipped else _read_stream(stream, build)
    path = Path(source).expanduser()
    if path.name.lower().endswith(_VCF_SUFFIXES) or _begins_as_vcf(path):
        inputs = _read_vcf(path, build)
    else:
        from agentic_spliceai.splice_engine.genome.text_files import numbered_lines

        inputs = _from_lines(numbered_lines(path, ResourceError, "the list of variants"))
    return _first_at_once(inputs)


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


def _read_stream(stream: TextIO, build: GenomeBuild | None) -> Iterator[BatchInput]:
    first = stream.readline()
    if not first.startswith(_VCF_HEADER):
        yield from _from_lines(enumerate(chain([first], stream), 1))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.vcf"
        with path.open("w", encoding="utf-8", errors="surrogateescape") as handle:
            handle.write(first)
            shutil.copyfileobj(stream, handle)
        yield from _read_vcf(path, build)


def _zipped(stream: TextIO) -> BinaryIO | None:
    """Return the bytes behind a stream that has not been read from, if they are gzipped."""
    binary = getattr(stream, "buffer", None)
    return binary if isinstance(binary, io.BufferedReader) and binary.peek(2)[:2] == _GZIP else None


def _read_zipped(stream: BinaryIO, build: GenomeBuild | None) -> Iterator[BatchInput]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.gz"
        with path.open("wb") as handle:
            shutil.copyfileobj(stream, handle)
        yield from read_inputs(str(path), build)


def _begins_as_vcf(path: Path) -> bool:
    from agentic_spliceai.splice_engine.genome.text_files import numbered_lines

    first = next(numbered_lines(path, ResourceError, "the list of variants"), (1, ""))
    return first[1].startswith(_VCF_HEADER)


def _printable(text: str) -> str:
    """Replace bytes that are no UTF-8: they can neither be a variant nor be written out."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
