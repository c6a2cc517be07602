"""The tables of a database: which revision it has, and how it gets the present one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from agentic_spliceai.records import tables as _tables  # noqa: F401 - puts every table into the metadata
from agentic_spliceai.records.base import Table
from agentic_spliceai.records.errors import SchemaError
from agentic_spliceai.records.migrations import BASELINE, HEAD, REVISIONS

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION_TABLE = "alembic_version"
#: What release 0.1.0 made, without a revision.
_BASELINE_TABLES = frozenset({"run", "step", "interpretation", "artifact"})
#: Any number, the same in every process: PostgreSQL's lock for making and changing tables.
_ADVISORY_LOCK = 0x5B11CE


def prepare(engine: Engine) -> None:
    """Bring a database to the present tables, whoever else starts at the same moment.

    A database that has them is only read: it may be read-only, and Alembic is not loaded.

    Raises
    ------
    SchemaError
        If it was made by a later version of the program.
    """
    with engine.connect() as connection:
        if _is_present(connection):
            return
    upgrade(engine)


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring a database to the present tables, all or nothing, and return the revisions before and after.

    Raises
    ------
    SchemaError
        As `prepare`.
    """
    with _alone(engine) as connection:
        before = revision_of(connection)
        # Another process may have done it while this one waited for its turn.
        if not _is_present(connection):
            _migrate(connection, before)
    return before, HEAD


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database's tables; None where it has none of them.

    Raises
    ------
    SchemaError
        As `prepare`.
    """
    names = set(inspect(connection).get_table_names())
    found = (
        list(connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalars())
        if _VERSION_TABLE in names
        else []
    )
    if not found:
        # Release 0.1.0 wrote no revision.
        return BASELINE if names & _BASELINE_TABLES else None
    if len(found) > 1 or found[0] not in REVISIONS:
        raise SchemaError(
            f"the database {connection.engine.url.render_as_string(hide_password=True)} has tables of revision "
            f"{', '.join(sorted(found))}, which this version of the program does not know (it knows {HEAD}).",
            "Use the later version that made it, or name another database in AGENTIC_SPLICEAI_DATABASE_URL.",
        )
    revision: str = found[0]
    return revision


def problems_of(connection: Connection) -> tuple[str, ...]:
    """Return what is wrong with a database of the present revision: tables that differ, damage, dangling rows."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    problems = [f"differs from the program: {_words(change)}" for change in compare_metadata(context, Table.metadata)]
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            problems += [] if said == "ok" else [f"damaged: {said}"]
        problems += [f"dangling: {line}" for line in _dangling(connection)]
    return tuple(problems)


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration with the revisions of this package, to be run on `connection`."""
    from alembic.config import Config

    config = Config()
    # Alembic expands %(name)s.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _is_present(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names())
    return revision_of(connection) == HEAD and set(Table.metadata.tables) <= names


def _migrate(connection: Connection, before: str | None) -> None:
    if before != HEAD:
        from alembic import command

        config = configuration(connection)
        if before is not None and _VERSION_TABLE not in inspect(connection).get_table_names():
            command.stamp(config, before)
        command.upgrade(config, "head")
    # What someone took out by hand is made anew.
    Table.metadata.create_all(connection)


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other process of the program can come between."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield connection
            connection.commit()
            return
        # A table that is made anew is dropped for a moment; with foreign keys on, that would take its rows' rows along.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            dangling = _dangling(connection)
            if dangling:
                raise SchemaError(
                    f"the tables were left as they are: {dangling[0]}.", "Keep a copy of the file, and report this."
                )
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _dangling(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"row {row} of {table} belongs to no row of {parent}" for table, row, parent, _ in found]


def _words(change: object) -> str:
    """Return one of Alembic's differences in words."""
    while isinstance(change, list):  # several changes of one column
        change = change[0]
    kind, *what = change if isinstance(change, tuple) else (str(change),)
    names = [str(getattr(one, "name", one)) for one in what if one is not None and not isinstance(one, dict)]
    return " ".join([str(kind).replace("_", " "), *names])
