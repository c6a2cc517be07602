"""Results of a batch on their way into a file, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from agentic_spliceai.tools.batch_types import BatchResult, BatchSummary


@dataclass(frozen=True)
class Piece:
    """Text that stands or falls together, and the results that it holds; at least one."""

    text: str
    results: Sequence[BatchResult]


class Sink(Protocol):
    """Where pieces go."""

    @property
    def summary(self) -> BatchSummary:
        """What is there already; it grows with the pieces."""
        ...

    def write(self, text: str) -> None:
        """Append text."""
        ...

    def done(self) -> None:
        """Hear that what was written so far is whole."""
        ...


class StreamSink:
    """Writes into an open text file, each piece at once."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self.summary = BatchSummary()

    def write(self, text: str) -> None:
        """Append text."""
        self._handle.write(text)

    def done(self) -> None:
        """Pass on what was written."""
        self._handle.flush()


def write_pieces(header: str, pieces: Iterable[Piece], sink: Sink) -> BatchSummary:
    """Write a header, unless the sink has it already, and pieces as they come.

    Returns
    -------
    BatchSummary
        Of all that the sink holds.
    """
    if not sink.summary.inputs:
        sink.write(header)
    for piece in pieces:
        sink.write(piece.text)
        sink.summary.add(piece.results)
        sink.done()
    return sink.summary
