"""One database: how it is opened, shared and set up, and what its errors mean."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, CursorResult, Engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session, create_engine

from agentic_spliceai.records.base import Table
from agentic_spliceai.records.errors import RecordError
from agentic_spliceai.records.schema import prepare

_WITHOUT = "To go on without keeping a record, add --no-record."
_PASSWORD = re.compile(r":.*@")
_LOCK_POLL = 0.01  # seconds


class Database:
    """A SQLite or PostgreSQL database, opened and brought to the present tables on first use; safe to share by threads.

    Parameters
    ----------
    url
        SQLAlchemy URL. A SQLite file gets WAL, foreign keys and a busy timeout; its folder is made on first use.
    busy_timeout
        Seconds to wait for another process's lock (SQLite).

    Raises
    ------
    RecordError
        From every method, if the database is locked, read-only, damaged or cannot be reached.
    SchemaError
        If it was made by a later version of the program.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0) -> None:
        self._busy_timeout = busy_timeout
        self._url = _parse(url)
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """The URL without a password."""
        return self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close every connection; the database opens again when it is used."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a session; what goes wrong in it is raised as `RecordError`. Nothing is kept without a commit."""
        with self.explained(), Session(self._open()) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session that commits at its end, and that no other writer can come between (on SQLite)."""
        with self.session() as session:
            if self.is_sqlite:
                # Taken before anything is read, so that what is decided by it still holds when it is written.
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session
            session.commit()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self._url.get_backend_name() == "sqlite"

    def connect(self) -> Engine:
        """Return an engine that leaves the tables as they are; the caller disposes of it."""
        if self.is_sqlite and self._url.database and not self._url.database.startswith((":memory:", "file:")):
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self._url, connect_args={"timeout": self._busy_timeout} if self.is_sqlite else {})
        if self.is_sqlite:
            event.listen(engine, "connect", _sqlite_setup(self._busy_timeout))
        return engine

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what goes wrong inside as `RecordError`."""
        try:
            yield
        except (SQLAlchemyError, OSError, ModuleNotFoundError, UnicodeError) as error:
            raise self._explain(error) from error

    def _open(self) -> Engine:
        with self._lock:
            if self._engine is None:
                engine = self.connect()
                try:
                    prepare(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _explain(self, error: Exception) -> RecordError:
        cause = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
        where = f"the database {self.location}"
        if isinstance(error, NoSuchModuleError | ModuleNotFoundError):
            return RecordError(f"{where} needs a driver that is not installed ({cause}).", f"Install it. {_WITHOUT}")
        if isinstance(error, UnicodeError):
            return RecordError(f"{where} cannot keep a text that is no Unicode ({cause}).", "Correct the text.")
        for sign, what, advice in (
            ("locked", "is locked by another process", "Wait until the other process has finished."),
            (
                "readonly",
                "is read-only",
                "Make it writable, or set AGENTIC_SPLICEAI_DATA_DIR to a folder you may write to.",
            ),
            ("malformed", "is damaged", "Move it away; a new one is made on the next run."),
            ("not a database", "is no SQLite database", "Move the file away; a new one is made on the next run."),
            ("foreign key", "refused a row that belongs to no run", "Start the run before recording its results."),
        ):
            if sign in cause.lower():
                return RecordError(f"{where} {what} ({cause}).", f"{advice} {_WITHOUT}")
        return RecordError(
            f"{where} cannot be used ({cause}).",
            f"Check AGENTIC_SPLICEAI_DATA_DIR and AGENTIC_SPLICEAI_DATABASE_URL. {_WITHOUT}",
        )


def insert_new(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]], *unique: str) -> int:
    """Insert the rows that differ from every present one in the columns `unique`, and return how many those were.

    The database itself decides, so that of two processes that insert a row at once one succeeds and neither fails.
    """
    if not rows:
        return 0
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).on_conflict_do_nothing(index_elements=list(unique))
    result = session.connection().execute(
        statement, [dict(row) for row in rows], execution_options={"preserve_rowcount": True}
    )
    assert isinstance(result, CursorResult)
    return result.rowcount


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise RecordError(
            f"{_PASSWORD.sub(':***@', url)!r} is no database URL.",
            "Give one like sqlite:////folder/records.sqlite in AGENTIC_SPLICEAI_DATABASE_URL.",
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise RecordError(
            f"records cannot be kept in {parsed.render_as_string(hide_password=True)}.",
            "Give a SQLite or PostgreSQL URL in AGENTIC_SPLICEAI_DATABASE_URL.",
        )
    # The driver that the extra `postgres` brings.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _sqlite_setup(busy_timeout: float) -> Callable[[Any, object], None]:
    """Return what prepares each new connection to SQLite."""

    def set_up(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA foreign_keys=ON")
            _turn_wal_on(cursor, time.monotonic() + busy_timeout)
            cursor.execute("PRAGMA synchronous=NORMAL")
        finally:
            cursor.close()

    return set_up


def _turn_wal_on(cursor: Any, deadline: float) -> None:
    """Let readers and a writer not block each other; the setting stays with the file.

    With `synchronous=NORMAL` the database stays consistent through a crash of the process.
    """
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait here as it does elsewhere: of two processes that turn WAL on at once, it refuses one.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(_LOCK_POLL)
