"""Brings a database to the present tables."""

from __future__ import annotations

from sqlalchemy import Engine, inspect

from agentic_spliceai.records import tables as _tables  # noqa: F401 - puts every table into the metadata
from agentic_spliceai.records.base import Table


def prepare(engine: Engine) -> None:
    """Make the tables that are missing, whoever else starts at the same moment."""
    with engine.connect() as connection:
        # A database that has them all is only read here: it may be read-only.
        if set(Table.metadata.tables) <= set(inspect(connection).get_table_names()):
            return
        if engine.dialect.name == "sqlite":
            # The lock is taken before `create_all` looks at what is there, so that no other process can come between.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        Table.metadata.create_all(connection)
        connection.commit()
