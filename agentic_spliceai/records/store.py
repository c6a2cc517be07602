"""The database of runs: SQLite by default, any SQLAlchemy URL otherwise."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session, col, create_engine, select

from agentic_spliceai.records.errors import RecordError, UnknownRunError
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.records.models import (
    ArtifactRecord,
    InterpretationRecord,
    NewArtifact,
    NewRun,
    NewStep,
    RecordedError,
    Run,
    RunDetail,
    RunStatus,
    RunSummary,
    StepRecord,
    _Table,
)
from agentic_spliceai.records.process import has_ended

_WITHOUT = "To go on without keeping a record, add --no-record."
_PASSWORD = re.compile(r":.*@")
_LOCK_POLL = 0.01  # seconds


class RecordStore:
    """Runs, their steps, interpretations and artifacts.

    Parameters
    ----------
    url
        SQLAlchemy URL. A SQLite file gets WAL, foreign keys and a busy timeout; its folder and tables are made on first
        use.
    busy_timeout
        Seconds to wait for another process's lock (SQLite).

    Raises
    ------
    RecordError
        From every method, if the database is locked, read-only, damaged or cannot be reached.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0) -> None:
        self._busy_timeout = busy_timeout
        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError):  # ValueError: a port that is no number
            raise RecordError(
                f"{_PASSWORD.sub(':***@', url)!r} is no database URL.",
                "Give one like sqlite:////folder/records.sqlite in AGENTIC_SPLICEAI_DATABASE_URL.",
            ) from None
        self._engine: Engine | None = None

    @property
    def location(self) -> str:
        """The URL without a password."""
        return self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close every connection; the store opens again when it is used."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def start_run(self, run: NewRun) -> None:
        """Record that a run has started."""
        with self._session() as session:
            session.add(Run.model_validate({**run.model_dump(), "status": RunStatus.RUNNING.value}))
            session.commit()

    def finish_run(
        self, run_id: str, status: RunStatus, *, finished_at: datetime | None = None, error: RecordedError | None = None
    ) -> None:
        """Record how a run ended."""
        with self._session() as session:
            run = self._get(session, run_id)
            run.status = status.value
            run.finished_at = finished_at or datetime.now(UTC)
            run.error = error.model_dump() if error else None
            session.add(run)
            session.commit()

    def add_step(self, run_id: str, step: NewStep) -> None:
        """Record one attempt at one node."""
        with self._session() as session:
            values = step.model_dump() | {"run_id": run_id, "status": step.status.value}
            session.add(StepRecord.model_validate(values))
            session.commit()

    def add_interpretation(
        self, run_id: str, interpretation: Interpretation, artifacts: tuple[NewArtifact, ...] = ()
    ) -> None:
        """Record what a run found and the files it made, all or nothing."""
        deltas = [gene.delta for gene in interpretation.genes]
        build = interpretation.variant.build
        with self._session() as session:
            session.add(
                InterpretationRecord.model_validate(
                    {
                        "run_id": run_id,
                        "variant": str(interpretation.variant),
                        "build": build.value if build else None,
                        "genes": [gene.gene_name for gene in interpretation.genes],
                        "verdict": interpretation.verdict,
                        "max_score": max(delta.raw.max_score for delta in deltas),
                        "schema_version": interpretation.schema_version,
                        "provenance": [delta.provenance.model_dump(mode="json") for delta in deltas],
                        "document": interpretation.model_dump(mode="json"),
                    }
                )
            )
            for artifact in artifacts:
                session.add(ArtifactRecord.model_validate(artifact.model_dump() | {"run_id": run_id}))
            session.commit()

    def mark_interrupted(self) -> tuple[RunSummary, ...]:
        """Mark runs whose process has ended without a word as interrupted, and return them."""
        with self._session() as session:
            running = session.exec(select(Run).where(Run.status == RunStatus.RUNNING.value)).all()
            ended = [run for run in running if has_ended(run.host, run.pid, run.process_token)]
            error = RecordedError(code="interrupted", message="the process ended before the run did")
            for run in ended:
                run.status = RunStatus.INTERRUPTED.value
                run.error = error.model_dump()
                session.add(run)
            session.commit()
            return tuple(_summary(run, None) for run in ended)

    def list_runs(self, limit: int = 20, *, graph: str | None = None) -> tuple[RunSummary, ...]:
        """Return the latest runs, newest first."""
        query = (
            select(Run, InterpretationRecord)
            .join(InterpretationRecord, col(InterpretationRecord.run_id) == col(Run.id), isouter=True)
            .order_by(col(Run.started_at).desc(), col(Run.id).desc())
            .limit(limit)
        )
        if graph is not None:
            query = query.where(Run.graph_name == graph)
        with self._session() as session:
            return tuple(_summary(run, found) for run, found in session.exec(query).all())

    def get_run(self, run_id: str) -> RunDetail:
        """Return everything about a run, by its id or an unambiguous beginning of it.

        Raises
        ------
        UnknownRunError
            If there is none, or more than one.
        """
        with self._session() as session:
            run = self._get(session, run_id, prefix=True)
            steps = session.exec(
                select(StepRecord).where(StepRecord.run_id == run.id).order_by(col(StepRecord.id))
            ).all()
            artifacts = session.exec(select(ArtifactRecord).where(ArtifactRecord.run_id == run.id)).all()
            found = session.exec(select(InterpretationRecord).where(InterpretationRecord.run_id == run.id)).first()
            return RunDetail.model_validate(
                {
                    **_summary(run, found).model_dump(),
                    "graph_sha256": run.graph_sha256,
                    "software_version": run.software_version,
                    "environment": run.environment,
                    "steps": [step.model_dump(exclude={"id", "run_id"}) for step in steps],
                    "artifacts": [artifact.model_dump(exclude={"id", "run_id"}) for artifact in artifacts],
                    "interpretation": found.document if found else None,
                }
            )

    def _get(self, session: Session, run_id: str, *, prefix: bool = False) -> Run:
        run = session.get(Run, run_id)
        if run is not None:
            return run
        matches = (
            session.exec(select(Run).where(col(Run.id).startswith(run_id, autoescape=True)).limit(2)).all()
            if prefix and run_id
            else []
        )
        if len(matches) == 1:
            return matches[0]
        what = "several runs begin with" if matches else "there is no run"
        raise UnknownRunError(f"{what} {run_id!r}.", "`agentic-spliceai runs list` shows the runs.")

    @contextlib.contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with Session(self._open()) as session:
                yield session
        except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
            raise self._explain(error) from error

    def _open(self) -> Engine:
        if self._engine is None:
            sqlite = self._url.get_backend_name() == "sqlite"
            if sqlite and self._url.database and not self._url.database.startswith((":memory:", "file:")):
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            arguments = {"timeout": self._busy_timeout} if sqlite else {}
            engine = create_engine(self._url, connect_args=arguments)
            if sqlite:
                event.listen(engine, "connect", _sqlite_setup(self._busy_timeout))
            try:
                _create_tables(engine)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _explain(self, error: Exception) -> RecordError:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        where = f"the database {self.location}"
        if isinstance(error, NoSuchModuleError | ModuleNotFoundError):
            return RecordError(f"{where} needs a driver that is not installed ({cause}).", f"Install it. {_WITHOUT}")
        for sign, what, advice in (
            ("locked", "is locked by another process", "Wait until the other process has finished."),
            (
                "readonly",
                "is read-only",
                "Make it writable, or set AGENTIC_SPLICEAI_DATA_DIR to a folder you may write to.",
            ),
            ("malformed", "is damaged", "Move it away; a new one is made on the next run."),
            ("not a database", "is no SQLite database", "Move the file away; a new one is made on the next run."),
            ("FOREIGN KEY", "refused a row that belongs to no run", "Start the run before recording its results."),
        ):
            if sign in cause:
                return RecordError(f"{where} {what} ({cause}).", f"{advice} {_WITHOUT}")
        return RecordError(
            f"{where} cannot be used ({cause}).",
            f"Check AGENTIC_SPLICEAI_DATA_DIR and AGENTIC_SPLICEAI_DATABASE_URL. {_WITHOUT}",
        )


def _create_tables(engine: Engine) -> None:
    """Make the tables that are missing, whoever else starts at the same moment."""
    with engine.connect() as connection:
        # A database that has them all is only read here: it may be read-only.
        if set(_Table.metadata.tables) <= set(inspect(connection).get_table_names()):
            return
        if engine.dialect.name == "sqlite":
            # The lock is taken before `create_all` looks at what is there, so that no other process can come between.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        _Table.metadata.create_all(connection)
        connection.commit()


def _sqlite_setup(busy_timeout: float) -> Callable[[Any, object], None]:
    """Return what prepares each new connection to SQLite."""

    def prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA foreign_keys=ON")
            _turn_wal_on(cursor, time.monotonic() + busy_timeout)
            cursor.execute("PRAGMA synchronous=NORMAL")
        finally:
            cursor.close()

    return prepare


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


def _summary(run: Run, found: InterpretationRecord | None) -> RunSummary:
    return RunSummary(
        id=run.id,
        graph_name=run.graph_name,
        status=RunStatus(run.status),
        started_at=run.started_at,
        finished_at=run.finished_at,
        inputs=run.inputs,
        variant=found.variant if found else None,
        verdict=found.verdict if found else None,
        error=RecordedError.model_validate(run.error) if run.error else None,
    )
