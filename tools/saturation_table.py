"""The table of a saturation as Parquet, or as TSV where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.parquet import open_pyarrow
from agentic_spliceai.tools.plain_text import json_text, table_cell
from agentic_spliceai.tools.saturation_rows import DECIMALS, DTYPES, Rows
from agentic_spliceai.tools.track_files import TextFile

METADATA_KEY = b"agentic_spliceai"
"""Under which a Parquet file's schema holds, as JSON, what made it."""

COLUMNS = ("contig", *DTYPES)

_GROUP = 1 << 18
"""Rows of a row group: small enough for memory, large enough to compress."""

_SUFFIXES = (".parquet", ".tsv", ".tsv.gz")
_INSTEAD = "write .tsv.gz"


class TableWriter(AbstractContextManager[Any], Protocol):
    """A growing table."""

    def write(self, rows: Rows) -> None:
        """Add rows behind those that are there."""
        ...


def table_suffix(output: str) -> str:
    """Return which of the formats a file's name asks for, without its dot.

    Raises
    ------
    SettingError
        If it is none.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.
    """
    found = next((suffix for suffix in _SUFFIXES if Path(output).name.lower().endswith(suffix)), None)
    if found is None or Path(output).name.lower() == found:
        raise SettingError(f"cannot write {output}: its suffix names no format.", "Use .parquet, .tsv or .tsv.gz.")
    if found == ".parquet":
        open_pyarrow(_INSTEAD)
    return Path(output).name[-len(found) + 1 :]


def table_writer(path: Path, about: Mapping[str, Any]) -> TableWriter:
    """Open a table to be written, in the format of its suffix.

    Parameters
    ----------
    path
        The file.
    about
        What made it, JSON-able: metadata of a Parquet file's schema, comments ahead of a TSV's header.
    """
    return ParquetTable(path, about) if path.name.lower().endswith(".parquet") else TsvTable(path, about)


class ParquetTable:
    """Rows as Parquet, zstd; names are dictionaries."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        arrow, parquet = open_pyarrow(_INSTEAD)
        self._arrow = arrow
        fields = [arrow.field(name, self._type(name), nullable=False) for name in COLUMNS]
        self._schema = arrow.schema(fields, metadata={METADATA_KEY: json_text(about).encode()})
        self._writer = parquet.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=9,
            # Rising positions are a delta of 0 or 1; all other columns repeat few values.
            use_dictionary=[name for name in COLUMNS if name != "position"],
            column_encoding={"position": "DELTA_BINARY_PACKED"},
            sorting_columns=[parquet.SortingColumn(COLUMNS.index(name)) for name in ("position", "alt")],
        )
        self._waiting: list[Rows] = []

    def write(self, rows: Rows) -> None:
        """See `TableWriter`."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        contig = self._waiting[0].contig
        columns = {name: np.concatenate([rows[name] for rows in self._waiting]) for name in DTYPES}
        self._waiting.clear()
        columns = {"contig": np.full(len(columns["position"]), contig), **columns}
        arrays = [self._array(name, columns[name]) for name in COLUMNS]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def _type(self, name: str) -> Any:
        if DTYPES.get(name, np.str_) is np.str_:
            return self._arrow.dictionary(self._arrow.int32(), self._arrow.string())
        return self._arrow.from_numpy_dtype(np.dtype(DTYPES[name]))

    def _array(self, name: str, values: Any) -> Any:
        if values.dtype.kind == "U":
            return self._arrow.array(values, type=self._arrow.string()).dictionary_encode()
        return self._arrow.array(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()


class TsvTable:
    """Rows as TSV, block-gzipped where the name ends with `.gz`; comments say what made them."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._text = TextFile(path)
        self._text.write("".join(f"#{name}: {_plain(value)}\n" for name, value in about.items()))
        self._text.write("\t".join(COLUMNS) + "\n")

    def write(self, rows: Rows) -> None:
        """See `TableWriter`."""
        columns = [[table_cell(rows.contig)] * len(rows), *(_texts(rows, name) for name in DTYPES)]
        self._text.write("".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.__exit__(kind, error, trace)


def _plain(value: object) -> str:
    return table_cell(value) if isinstance(value, str) else json_text(value)


def _texts(rows: Rows, name: str) -> Iterator[str]:
    values = rows[name]
    if values.dtype.kind == "U":
        shown = {text: text if name == "strand" else table_cell(text) for text in set(values.tolist())}
        return (shown[text] for text in values.tolist())
    form: Callable[[Any], str] = (lambda value: f"{value:.{DECIMALS}f}") if values.dtype.kind == "f" else str
    return map(form, values.tolist())
