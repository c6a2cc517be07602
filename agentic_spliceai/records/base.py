"""What every table and every border of the records shares: the naming of constraints, times in UTC, finding by id."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, Dialect, MetaData, Text, TypeDecorator
from sqlmodel import Session, SQLModel, col, select

from agentic_spliceai.records.errors import UnknownRecordError

#: Constraints get predictable names, which migrations on SQLite need.
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps no time zone, so it is stored naive and comes back aware."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into naive UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be recorded")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark what was read as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value that may be a bare number.

    It is kept as text: SQLite takes a column of type JSON for a numeric one, and makes 2.0 an integer.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write the value as JSON; None is null."""
        return json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the value."""
        return None if value is None else json.loads(value)


class Table(SQLModel):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMING)


class Border(BaseModel):
    """Base of what enters and leaves the records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Row = TypeVar("Row", bound=Table)


def new_id() -> str:
    """Return a new id, 12 hexadecimal digits."""
    return secrets.token_hex(6)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def finite(value: float | None) -> float | None:
    """Return the number, or None where it is none: a database keeps neither NaN nor infinity everywhere."""
    return value if value is not None and math.isfinite(value) else None


def plain_json(value: Any) -> Any:
    """Return a JSON value with None where a number is not finite."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Mapping):
        return {str(name): plain_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(one) for one in value]
    return value


def find(
    session: Session,
    table: type[Row],
    given: str,
    *,
    what: str,
    advice: str,
    error: type[UnknownRecordError] = UnknownRecordError,
    prefix: bool = True,
    lock: bool = False,
) -> Row:
    """Return the row whose `id` is `given` or, with `prefix`, the only one whose id begins so.

    Parameters
    ----------
    what
        What a row is, for the message: 'job'.
    advice
        Where the ids are shown.
    lock
        Whether the row is kept from changes by others until the session ends (SQLite locks the whole database instead).

    Raises
    ------
    UnknownRecordError
        If there is none, or more than one.
    """
    id_column = col(table.id)  # type: ignore[attr-defined]
    query = select(table).where(id_column == given)
    row = session.exec(query.with_for_update() if lock else query).first()
    if row is not None:
        return row
    begins = select(table).where(id_column.startswith(given, autoescape=True)).limit(2)
    matches = session.exec(begins).all() if prefix and given else []
    if len(matches) == 1:
        if lock:
            session.refresh(matches[0], with_for_update=True)
        return matches[0]
    raise error(f"several {what}s begin with {given!r}." if matches else f"there is no {what} {given!r}.", advice)
