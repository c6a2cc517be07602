"""What each gene's own prediction was, as tables: by position (TSV, Parquet), and one row a gene."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from agentic_spliceai.splice_engine.tracks import CLASSES, GenePrediction, GeneSpans, Refused
from agentic_spliceai.tools.parquet import open_pyarrow
from agentic_spliceai.tools.plain_text import table_cell
from agentic_spliceai.tools.track_files import TextFile

_GROUP = 200_000  # rows of a row group: small enough for memory, large enough to compress


class PositionWriter(Protocol):
    """A table of positions."""

    def write(self, prediction: GenePrediction) -> None:
        """Add the rows of a gene."""
        ...


class PositionColumns:
    """Which positions of a gene are rows, and what they hold.

    Parameters
    ----------
    floor
        A row is a position where a probability of donor or acceptor is at least so high, or that is annotated.
    decimals
        Of the probabilities.
    """

    def __init__(self, floor: float, decimals: int) -> None:
        self._floor = floor
        self._decimals = decimals

    def of(self, prediction: GenePrediction) -> dict[str, Any]:
        """Return columns by name, as lists of text or arrays; positions are 1-based."""
        values = prediction.values
        sites = prediction.sites()
        known = ~np.isnan(values.base[:, 0])
        highest = np.max([given.max(axis=1) for given in values.tracks().values()], axis=0)
        rows = np.flatnonzero(known & ((np.nan_to_num(highest) >= self._floor) | sites.any(axis=1)))
        about = prediction.spans
        annotated = np.array(["", "donor", "acceptor", "both"])[sites[rows] @ np.array([1, 2])]
        columns: dict[str, Any] = {
            "gene_id": [about.gene_id] * len(rows),
            "gene_name": [about.gene_name] * len(rows),
            "chrom": [about.contig] * len(rows),
            "position": prediction.positions[rows] + 1,
            "strand": [str(about.strand)] * len(rows),
            "annotated": annotated.tolist(),
        }
        for name, given in values.tracks().items():
            for column, kind in enumerate(CLASSES):
                columns[f"{name}_{kind}"] = np.round(given[rows, column].astype(np.float64), self._decimals)
        if values.judged is not None:
            columns["recalibrated"] = values.judged[rows]
        return columns


class TsvPositions:
    """The table as block-gzipped TSV, gene after gene."""

    def __init__(self, path: Path, header: Sequence[str], columns: PositionColumns, decimals: int) -> None:
        self._text = TextFile(path)
        self._columns = columns
        self._decimals = decimals
        self._text.write("".join(f"#{line}\n" for line in header))
        self._begun = False

    def write(self, prediction: GenePrediction) -> None:
        """See `PositionWriter`."""
        columns = self._columns.of(prediction)
        if not self._begun:
            self._text.write("\t".join(columns) + "\n")
            self._begun = True
        self._text.write("".join("\t".join(row) + "\n" for row in self._rows(columns)))

    def _rows(self, columns: dict[str, Any]) -> Iterator[tuple[str, ...]]:
        texts = []
        for values in columns.values():
            if isinstance(values, list):
                cells = {text: table_cell(text) for text in set(values)}
                texts.append([cells[text] if text not in "+-" else text for text in values])
            elif values.dtype == np.float64:
                texts.append([f"{value:.{self._decimals}f}" for value in values.tolist()])
            else:
                texts.append([str(int(value)) for value in values.tolist()])
        return zip(*texts, strict=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.__exit__(kind, error, trace)


class ParquetPositions:
    """The table as Parquet, with the header in the file's metadata.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """

    def __init__(self, path: Path, header: Sequence[str], columns: PositionColumns) -> None:
        self._arrow, self._parquet = open_pyarrow("ask for tsv")
        self._path = path
        self._about = {b"agentic_spliceai": "\n".join(header).encode()}
        self._columns = columns
        self._waiting: list[Any] = []
        self._rows = 0
        self._writer: Any = None

    def write(self, prediction: GenePrediction) -> None:
        """See `PositionWriter`."""
        arrow = self._arrow
        columns = self._columns.of(prediction)
        arrays = {
            name: arrow.array(values, type=arrow.string()).dictionary_encode()
            if isinstance(values, list)
            else arrow.array(values.astype(np.float32) if values.dtype == np.float64 else values)
            for name, values in columns.items()
        }
        table = arrow.table(arrays).replace_schema_metadata(self._about)
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= _GROUP or self._writer is None:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = self._arrow.concat_tables(self._waiting).unify_dictionaries()
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=_GROUP)
        self._waiting.clear()
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()


class GenesTable:
    """One row a gene with its counts, or a target with its reason; `start` is 0-based.

    Parameters
    ----------
    path
        The file.
    names
        Predictors.
    threshold
        Probability from which a position is a site.
    """

    def __init__(self, path: Path, names: tuple[str, ...], threshold: float) -> None:
        self._names = names
        self._threshold = threshold
        self._handle = path.open("w", encoding="utf-8", newline="")
        self._table = csv.writer(
            self._handle, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        counts = [f"{name}_{what}" for name in names for what in ("sites", "annotated_found")]
        self._counts = ("positions", "without_sequence", "annotated_sites", *counts)
        place = ("target", "gene_id", "gene_name", "chrom", "start", "end", "strand")
        self._table.writerow((*place, *self._counts, "reason_code", "reason", "advice"))

    def add(self, prediction: GenePrediction) -> None:
        """Add a gene with values."""
        values, sites = prediction.values, prediction.sites()
        known = ~np.isnan(values.base[:, 0])
        counts = [int(known.sum()), int((~known).sum()), int(sites[known].sum())]
        for given in values.tracks().values():
            above = given >= self._threshold
            counts += [int(above.sum()), int((above & sites).sum())]
        self._table.writerow([*_place(prediction.spans.gene_name, prediction.spans), *counts, "", "", ""])

    def refused(self, item: Refused) -> None:
        """Add a reason."""
        texts = (item.reason.code, item.reason.message, item.reason.advice)
        self._table.writerow([*_place(item.target, item.gene), *[""] * len(self._counts), *map(table_cell, texts)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.close()


def _place(target: str, gene: GeneSpans | None) -> list[object]:
    if gene is None:
        return [table_cell(target), *[""] * 6]
    names = [table_cell(text) for text in (target, gene.gene_id, gene.gene_name, gene.contig)]
    return [*names, gene.start, gene.end, str(gene.strand)]
