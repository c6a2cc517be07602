"""Run by Alembic: migrates the connection that it is given, inside the transaction that is open on it."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from agentic_spliceai.records import tables as _tables  # noqa: F401 - puts every table into the metadata
from agentic_spliceai.records.base import Table


def _render(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Write the types of a new revision as the database's own, so that revisions depend on no class of today."""
    names = {"UtcDateTime": "sa.DateTime()", "JsonText": "sa.Text()", "AutoString": "sa.String()"}
    return names.get(type(item).__name__, False) if kind == "type" else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    compare_type=True,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    render_item=_render,
    # Whoever opened the connection commits, after all revisions or after none.
    transactional_ddl=False,
)
context.run_migrations()
