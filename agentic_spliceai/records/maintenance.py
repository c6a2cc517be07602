"""What a person does with a database: look at its revision, bring it to the present one, check it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from agentic_spliceai.records.base import Border
from agentic_spliceai.records.database import Database
from agentic_spliceai.records.migrations import HEAD
from agentic_spliceai.records.schema import problems_of, revision_of
from agentic_spliceai.records.schema import upgrade as upgrade_engine


class DatabaseState(Border):
    """Which tables a database has."""

    location: str
    """Its URL without a password."""
    revision: str | None
    """Of its tables; None where it has none yet."""
    head: str
    """Of the tables that this version of the program uses."""

    @property
    def up_to_date(self) -> bool:
        """Whether it has the present tables."""
        return self.revision == self.head


def current(url: str) -> DatabaseState:
    """Return which tables a database has, without changing it; raises as `Database`."""
    database = Database(url)
    revision = None
    if _exists(url):
        with database.explained():
            engine = database.connect()
            try:
                with engine.connect() as connection:
                    revision = revision_of(connection)
            finally:
                engine.dispose()
    return DatabaseState(location=database.location, revision=revision, head=HEAD)


def upgrade(url: str) -> tuple[DatabaseState, DatabaseState]:
    """Bring a database to the present tables, made if there is none, and return its state before and after.

    All or nothing: a database that cannot be brought there is left as it is.
    """
    database = Database(url)
    with database.explained():
        engine = database.connect()
        try:
            before, after = upgrade_engine(engine)
        finally:
            engine.dispose()
    return (
        DatabaseState(location=database.location, revision=before, head=HEAD),
        DatabaseState(location=database.location, revision=after, head=HEAD),
    )


def check(url: str) -> tuple[str, ...]:
    """Return what is wrong with a database; empty where nothing is. Changes nothing."""
    state = current(url)
    if state.revision is None:
        return ("there is no database yet; it is made when it is first used",)
    if not state.up_to_date:
        return (f"has revision {state.revision}, not {state.head}; `agentic-spliceai db upgrade` brings it there",)
    database = Database(url)
    with database.explained():
        engine = database.connect()
        try:
            with engine.connect() as connection:
                return problems_of(connection)
        finally:
            engine.dispose()


def _exists(url: str) -> bool:
    """Whether there is a file to look at: opening one that is not there would make it."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database.startswith(("file:", ":")):
        return True
    return Path(parsed.database).exists()
