"""Tables of variants as text: checked columns, numbered rows, and a reason for every row that is left out."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from agentic_spliceai.splice_engine.errors import NotScored, SchemaError
from agentic_spliceai.splice_engine.genome.text_files import numbered_lines

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a table that gives no record.

    Attributes
    ----------
    line
        1-based line in the file.
    id
        The row's own name, as far as it has one.
    reason
        Why.
    """

    line: int
    id: str
    reason: NotScored


class RowError(Exception):
    """What is wrong with one row; its reader turns it into a `RejectedRow`."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.reason = NotScored(code=code, message=message, advice=advice)


def read_rows(path: Path, columns: Collection[str], what: str) -> Iterator[tuple[int, Row | RowError]]:
    """Yield the rows of a TSV or CSV, plain or gzipped, by column name.

    Parameters
    ----------
    path
        The table; its first line names the columns, and a tab in it makes it a TSV.
    columns
        Names that must be there; others are passed on.
    what
        What the table is, for messages.

    Yields
    ------
    (int, dict or RowError)
        1-based line and the row, values stripped; an error for a row of another length. Empty lines are no rows.

    Raises
    ------
    SchemaError
        If the file cannot be read, is empty, lacks a column or names one twice.
    """
    lines = numbered_lines(path, SchemaError, what)
    first = next(lines, None)
    if first is None or not first[1].strip():
        raise SchemaError(f"{what} {path.name} is empty.", "Give a table whose first line names its columns.")
    header = first[1].lstrip("\ufeff")
    delimiter = "\t" if "\t" in header else ","
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    missing = [name for name in columns if name not in names]
    if missing:
        raise SchemaError(
            f"{what} {path.name} lacks the column {', '.join(missing)}; it has {', '.join(names[:12])}.",
            f"The columns must be {', '.join(columns)}.",
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SchemaError(f"{what} {path.name} names the column {doubled[0]} twice.", "Remove one of them.")
    reader = csv.reader((line for _, line in lines), delimiter=delimiter)
    for values in reader:
        number = reader.line_num + 1
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(names):
            yield (
                number,
                RowError(
                    "malformed_row",
                    f"the row has {len(values)} values, the header names {len(names)} columns.",
                    "Check the row's separators.",
                ),
            )
        else:
            yield number, {name: value.strip() for name, value in zip(names, values, strict=True)}


def number(row: Row, column: str, low: float = float("-inf"), high: float = float("inf")) -> float:
    """Return a column as a float.

    Raises
    ------
    RowError
        If it is empty, no number, not finite, or outside `low` to `high`; the message names the column.
    """
    try:
        value = float(row[column])
    except ValueError:
        raise RowError(
            "malformed_value", f"column {column} holds {row[column]!r}, which is no number.", "Correct the value."
        ) from None
    if not low <= value <= high or value in (float("inf"), float("-inf")):
        raise RowError(
            "value_out_of_range", f"column {column} holds {value:g}, outside {low:g} to {high:g}.", "Check its unit."
        )
    return value


def optional_number(row: Row, column: str) -> float | None:
    """Return a column as a float, or None where it is empty or NA; raises as `number` does."""
    return None if row.get(column, "").lower() in ("", "na", "nan", "none") else number(row, column)


def integer(row: Row, column: str, low: int = 0) -> int:
    """Return a column as an integer of at least `low` (`62.0` is 62); raises as `number` does."""
    value = number(row, column, low=low)
    if value != int(value):
        raise RowError("malformed_value", f"column {column} holds {value:g}, no whole number.", "Correct the value.")
    return int(value)


def flag(row: Row, column: str) -> bool:
    """Return True for 1 and true, False for 0 and false, in any case; raises `RowError` for anything else."""
    found = {"1": True, "true": True, "0": False, "false": False}.get(row[column].lower())
    if found is None:
        raise RowError("malformed_value", f"column {column} holds {row[column]!r}, not 0 or 1.", "Correct the value.")
    return found
