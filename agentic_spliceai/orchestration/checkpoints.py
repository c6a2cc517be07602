"""Where runs keep their state between steps: SQLite by default, Postgres by its URL.

Of each run the latest state is kept, and none once the run has succeeded; what is left behind by runs that nobody took
up again goes after `KEPT_DAYS`. So the file holds what is under way, and gives its pages back.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agentic_spliceai.orchestration.errors import CheckpointError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

KEPT_DAYS = 30

_BUSY_SECONDS = 30.0
_LOCK_POLL = 0.01  # seconds
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@contextlib.contextmanager
def open_checkpoints(url: str) -> Iterator[BaseCheckpointSaver[str]]:
    """Open the place where runs keep their state, and close it at the end.

    Parameters
    ----------
    url
        `sqlite:////folder/checkpoints.sqlite`, whose folder and tables are made on first use, or `postgresql://...`.

    Raises
    ------
    CheckpointError
        If it cannot be opened; also from the saver, wherever it cannot be written or read.
    """
    if url.startswith(_SQLITE):
        with contextlib.closing(_connect(Path(url.removeprefix(_SQLITE)))) as connection:
            yield LatestSaver(connection)
    elif url.startswith(_POSTGRES):
        with _postgres(url) as saver:
            yield saver
    else:
        raise CheckpointError(
            f"runs cannot be kept at {url.partition(':')[0]}:...", "Give a sqlite:/// or postgresql:// URL."
        )


def serializer() -> JsonPlusSerializer:
    """Return what writes states: on reading nothing but plain data and LangGraph's own types is made."""
    return JsonPlusSerializer(allowed_msgpack_modules=None)


class LatestSaver(SqliteSaver):
    """Keeps the latest checkpoint of each run, and the writes since.

    Parameters
    ----------
    connection
        Of a file whose journal is a WAL; used by several threads, one at a time.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, serde=serializer())

    @contextlib.contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """Give a cursor; SQLite's errors become `CheckpointError`."""
        try:
            with super().cursor(transaction) as cursor:
                yield cursor
        except sqlite3.Error as error:
            # What is half done must not be kept with the next write.
            with contextlib.suppress(sqlite3.Error):
                self.conn.rollback()
            raise _explain(error) from error

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint, and drop those before it."""
        kept = super().put(config, checkpoint, metadata, new_versions)
        thread, namespace = config["configurable"]["thread_id"], config["configurable"]["checkpoint_ns"]
        with self.cursor() as cursor:
            for table in ("checkpoints", "writes"):
                cursor.execute(
                    f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id < ?",
                    (thread, namespace, checkpoint["id"]),
                )
        return kept

    def delete_thread(self, thread_id: str) -> None:
        """Drop what is kept of a run, and give the room back."""
        super().delete_thread(thread_id)
        with self.cursor(transaction=False) as cursor:
            cursor.execute("PRAGMA incremental_vacuum").fetchall()

    def runs(self) -> Sequence[str]:
        """Return the ids of the runs of which something is kept."""
        with self.cursor(transaction=False) as cursor:
            rows = cursor.execute("SELECT DISTINCT thread_id FROM checkpoints").fetchall()
        return [str(thread) for (thread,) in rows]


def drop_abandoned(saver: BaseCheckpointSaver[Any], may_go: Callable[[str, datetime], bool]) -> None:
    """Drop the state of runs that have ended and were not taken up again.

    Parameters
    ----------
    saver
        Of Postgres nothing is dropped here: its runs may belong to other machines, whose records are not at hand.
    may_go
        Takes a run's id and the time before which an ended run is abandoned.
    """
    if isinstance(saver, LatestSaver):
        before = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        for run_id in saver.runs():
            if may_go(run_id, before):
                saver.delete_thread(run_id)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise _explain(error) from error
    try:
        # Before the first table: later it would take a rewrite of the file.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _turn_wal_on(connection)
        # Each step is on the disk before the next begins, whatever becomes of the machine.
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise _explain(error) from error
        raise
    return connection


def _turn_wal_on(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait here as it does elsewhere: of two processes that turn WAL on at once, it refuses one.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(_LOCK_POLL)


def _explain(error: sqlite3.Error | OSError) -> CheckpointError:
    return CheckpointError(
        f"the state of runs cannot be kept ({error}).",
        "Check the data folder's permissions and free space; to go on without keeping anything, add --no-record.",
    )


@contextlib.contextmanager
def _postgres(url: str) -> Iterator[BaseCheckpointSaver[str]]:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg import Connection, Error
        from psycopg.rows import dict_row
    except ImportError as error:
        raise CheckpointError(
            f"to keep runs in Postgres a package is missing ({error.name}).",
            "Install it: pip install 'agentic-spliceai[postgres]'.",
        ) from error
    try:
        with Connection.connect(
            url.replace("+psycopg", "", 1), autocommit=True, prepare_threshold=0, row_factory=dict_row
        ) as connection:
            saver = PostgresSaver(connection, serde=serializer())
            saver.setup()
            yield saver
    except Error as error:
        raise CheckpointError(
            f"the state of runs cannot be kept ({str(error).splitlines()[0]}).", "Check that the database is reachable."
        ) from error
