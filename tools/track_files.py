"""Files for genome browsers: bedGraph, bigWig and BED, written as stretches of a genome come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import MissingExtraError, SettingError
from agentic_spliceai.splice_engine.tracks import CLASSES, MergedStretch
from agentic_spliceai.splice_engine.tracks.parts import FloatArray

_ENTRIES = 500_000  # that bigWig is given at once: pyBigWig wants a list with the contig's name for each
_TBI_LONGEST = 2**29  # bases of a contig that a .tbi can index
_NO_NAME = re.compile(r"[^\w.\-]+")


@dataclass(frozen=True, eq=False)
class Runs:
    """Neighbouring positions of one value.

    Attributes
    ----------
    starts, ends : int64 [N]
        0-based half-open, ascending.
    values : int64 [N]
        Probabilities in units of 10^-decimals.
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]


def runs_of(values: FloatArray, start: int, *, floor: float, decimals: int) -> Runs:
    """Round probabilities and join neighbours that are then equal.

    Parameters
    ----------
    values : float32 [L]
        NaN where there is none.
    start
        0-based position of the first.
    floor
        Probability below which a position is left out.
    decimals
        Digits behind the point.
    """
    shown = values >= floor  # false for NaN
    rounded = np.where(shown, np.rint(np.nan_to_num(values).astype(np.float64) * 10**decimals), -1).astype(np.int64)
    edges = np.flatnonzero(np.diff(rounded, prepend=-2, append=-2))
    firsts, lasts = edges[:-1], edges[1:]
    real = rounded[firsts] >= 0
    return Runs(firsts[real] + start, lasts[real] + start, rounded[firsts[real]])


class TrackWriter(AbstractContextManager[Any], Protocol):
    """A file of one track."""

    def write(self, contig: str, runs: Runs) -> None:
        """Add runs behind what is there: contigs in the order of their names, positions rising."""
        ...


class TextFile:
    """A text file, plain or block-gzipped by its name, indexed for tabix when it is closed.

    Raises
    ------
    SettingError
        If it is to be block-gzipped and pysam is not installed.
    """

    def __init__(self, path: Path, *, indexed_as: str | None = None, longest: int = 0) -> None:
        self._path = path
        self._preset = indexed_as
        self._csi = longest > _TBI_LONGEST
        self._blocked = path.suffix == ".gz"
        self._handle: Any = _pysam().BGZFile(str(path), "w") if self._blocked else path.open("wb")

    def write(self, text: str) -> None:
        """Write text, UTF-8."""
        self._handle.write(text.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()
        if error is None and self._blocked and self._preset is not None:
            _pysam().tabix_index(str(self._path), preset=self._preset, force=True, csi=self._csi, keep_original=True)


def index_suffix(longest: int) -> str:
    """Return the suffix of the index of a block-gzipped file of a genome whose longest contig has so many bases."""
    return "csi" if longest > _TBI_LONGEST else "tbi"


class BedGraphWriter:
    """A bedGraph: contig, start (0-based), end, probability.

    Parameters
    ----------
    path
        With `.gz` it is block-gzipped and indexed.
    header
        Lines that say what it is; they get a `#`.
    track_line
        A line for a genome browser that shows the file as it is; empty for none.
    decimals
        Of the probabilities.
    longest
        Bases of the genome's longest contig.
    """

    def __init__(self, path: Path, header: Sequence[str], track_line: str, decimals: int, longest: int) -> None:
        self._text = TextFile(path, indexed_as="bed", longest=longest)
        self._decimals = decimals
        self._text.write(_heading(header, track_line))

    def write(self, contig: str, runs: Runs) -> None:
        """See `TrackWriter`."""
        scale, digits = 10**self._decimals, self._decimals
        rows = zip(runs.starts.tolist(), runs.ends.tolist(), runs.values.tolist(), strict=True)
        self._text.write("".join(f"{contig}\t{start}\t{end}\t{n / scale:.{digits}f}\n" for start, end, n in rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.__exit__(kind, error, trace)


class BigWigWriter:
    """A bigWig.

    Parameters
    ----------
    path
        The file.
    lengths
        Length of every contig; in the file they stand in the order of their names, as readers search them.
    decimals
        Of the probabilities.

    Attributes
    ----------
    empty : bool
        Whether nothing was written. Then there is no file: a bigWig without a value is none that every program reads.

    Raises
    ------
    MissingExtraError
        If pyBigWig is not installed.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int], decimals: int) -> None:
        self._path = path
        self._decimals = decimals
        self._file = _pybigwig().open(str(path), "w")
        self._file.addHeader(sorted(lengths.items()))
        self.empty = True

    def write(self, contig: str, runs: Runs) -> None:
        """See `TrackWriter`."""
        for at in range(0, len(runs.starts), _ENTRIES):
            part = slice(at, at + _ENTRIES)
            values = runs.values[part] / 10**self._decimals
            self._file.addEntries([contig] * len(values), runs.starts[part], ends=runs.ends[part], values=values)
            self.empty = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self.empty:
            self._path.unlink()


class SitesWriter:
    """A BED6 of predicted sites, one row a site: the exonic base next to the intron.

    The name is `gene|donor|annotated`, or `new` where no transcript of a predicted gene has the site; the score is the
    probability times 1000. Both strands stand in one file, so rows are kept until their contig is over.

    Parameters
    ----------
    path, header, track_line
        See `BedGraphWriter`.
    threshold
        Probability from which a position is a site.
    """

    def __init__(self, path: Path, header: Sequence[str], track_line: str, threshold: float) -> None:
        self._text = TextFile(path)
        self._threshold = threshold
        self._rows: list[tuple[int, str, str]] = []
        self._text.write(_heading(header, track_line))

    def add(self, stretch: MergedStretch, name: str) -> None:
        """Keep the sites that a predictor sees in a stretch."""
        values, owners = stretch.values[name], stretch.owners[name]
        for column, kind in enumerate(CLASSES):
            for index in np.flatnonzero(values[:, column] >= self._threshold).tolist():
                start, probability = stretch.start + index, float(values[index, column])
                gene = _NO_NAME.sub("_", stretch.genes[owners[index, column]].gene_name) or "."
                known = "annotated" if stretch.sites[index, column] else "new"
                text = f"{start}\t{start + 1}\t{gene}|{kind}|{known}\t{round(1000 * probability)}\t{stretch.strand}"
                self._rows.append((start, str(stretch.strand), f"{stretch.contig}\t{text}\n"))

    def end_contig(self) -> None:
        """Write the rows of the contig that is over."""
        self._text.write("".join(row for *_, row in sorted(self._rows)))
        self._rows.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.end_contig()
        self._text.__exit__(kind, error, trace)


def _heading(header: Sequence[str], track_line: str) -> str:
    return "".join(f"#{line}\n" for line in header) + (f"{track_line}\n" if track_line else "")


def _pysam() -> Any:
    try:
        import pysam
    except ImportError as error:
        raise SettingError(
            "Block-gzipped files are written by pysam, which is not installed (there is none for Windows).",
            "Ask for other formats, such as bedgraph, bigwig and bed.",
        ) from error
    return pysam


def _pybigwig() -> Any:
    try:
        import pyBigWig
    except ImportError as error:
        raise MissingExtraError(
            "Writing bigWig needs pyBigWig, which is not installed.",
            "Install it: pip install 'agentic-spliceai[tracks]', or ask for bedgraph.gz.",
        ) from error
    return pyBigWig
