"""Jobs and their events in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from pydantic import AwareDatetime, Field, JsonValue
from sqlmodel import Session, col, func, select

from agentic_spliceai.records.base import Border, find, new_id, now
from agentic_spliceai.records.database import Database, insert_new
from agentic_spliceai.records.errors import RecordError, UnknownJobError
from agentic_spliceai.records.tables import JobEventRow, JobRow

_ADVICE = "`agentic-spliceai jobs list` shows the jobs."
#: States that a job may be in, by the names of the compute layer.
OPEN_STATES = ("created", "queued", "running")
#: These never change again. A lost job may be found.
FINAL_STATES = ("succeeded", "failed", "cancelled", "timed_out")
STATES = (*OPEN_STATES, *FINAL_STATES, "lost")


class JobEvent(Border):
    """A change of a job's state."""

    sequence: int = Field(description="1 is the first.")
    at: AwareDatetime
    state: str
    message: str


class JobRecord(Border):
    """A job as the database knows it."""

    id: str
    key: str
    name: str
    backend: str
    state: str
    spec: dict[str, JsonValue]
    handle: dict[str, JsonValue] | None
    run_id: str | None
    exit_code: int | None
    message: str
    cost_usd: float
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class JobStore:
    """The jobs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, *, key: str, name: str, backend: str, spec: Mapping[str, JsonValue], run_id: str | None = None
    ) -> JobRecord:
        """Write a job down, state 'created'; where the key is known already, return the job that has it, as it is.

        Two processes that do so at the same moment get the same job.
        """
        job_id, at = new_id(), now()
        with self._database.writing() as session:
            values = JobRow(
                id=job_id, key=key, name=name, backend=backend, state="created", spec=dict(spec), run_id=run_id,
                created_at=at,
            ).model_dump()  # fmt: skip
            if insert_new(session, JobRow, [values], "key"):
                session.add(JobEventRow(job_id=job_id, sequence=1, at=at, state="created"))
            row = session.exec(select(JobRow).where(JobRow.key == key)).one()
            return _record(row)

    def set_handle(self, job_id: str, handle: Mapping[str, JsonValue]) -> JobRecord:
        """Keep how the backend finds the job again."""
        with self._database.writing() as session:
            row = _get(session, job_id, lock=True)
            row.handle = dict(handle)
            session.add(row)
            return _record(row)

    def set_state(
        self,
        job_id: str,
        state: str,
        *,
        message: str = "",
        exit_code: int | None = None,
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        cost_usd: float | None = None,
    ) -> JobRecord:
        """Write down where the job stands, and return it.

        A change of state is an event. A job that has ended stays as it is, whoever says otherwise; only a lost one may
        be found again. Times and exit code that are known are kept where none is given; the first end stays.
        """
        if state not in STATES:
            raise RecordError(f"{state!r} is no state of a job.", f"States: {', '.join(STATES)}.")
        with self._database.writing() as session:
            row = _get(session, job_id, lock=True)
            if row.state in FINAL_STATES:
                return _record(row)
            changed = row.state != state
            row.state = state
            row.message = message if changed else message or row.message
            row.exit_code = row.exit_code if exit_code is None else exit_code
            row.started_at = started_at or row.started_at or (now() if state == "running" else None)
            row.cost_usd = row.cost_usd if cost_usd is None else cost_usd
            if state in OPEN_STATES:
                row.finished_at = None
            else:
                row.finished_at = finished_at or row.finished_at or now()
            session.add(row)
            if changed:
                last = session.exec(select(func.max(JobEventRow.sequence)).where(JobEventRow.job_id == row.id)).one()
                event = JobEventRow(job_id=row.id, sequence=(last or 0) + 1, at=now(), state=state, message=message)
                session.add(event)
            return _record(row)

    def get(self, job_id: str) -> JobRecord:
        """Return a job by its id or an unambiguous beginning of it.

        Raises
        ------
        UnknownJobError
            If there is none, or more than one.
        """
        with self._database.session() as session:
            return _record(_get(session, job_id, prefix=True))

    def by_key(self, key: str) -> JobRecord | None:
        """Return the job that has the key."""
        with self._database.session() as session:
            row = session.exec(select(JobRow).where(JobRow.key == key)).first()
            return None if row is None else _record(row)

    def list(
        self, limit: int = 50, *, states: Collection[str] | None = None, run_id: str | None = None
    ) -> tuple[JobRecord, ...]:
        """Return the latest jobs, newest first."""
        query = select(JobRow).order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc()).limit(limit)
        if states is not None:
            query = query.where(col(JobRow.state).in_(list(states)))
        if run_id is not None:
            query = query.where(JobRow.run_id == run_id)
        with self._database.session() as session:
            return tuple(_record(row) for row in session.exec(query).all())

    def open(self) -> tuple[JobRecord, ...]:
        """Return every job that has not ended, oldest first."""
        query = select(JobRow).where(col(JobRow.state).in_(OPEN_STATES)).order_by(col(JobRow.created_at), JobRow.id)
        with self._database.session() as session:
            return tuple(_record(row) for row in session.exec(query).all())

    def events(self, job_id: str) -> tuple[JobEvent, ...]:
        """Return how the job's state changed, by its id or an unambiguous beginning of it, oldest first."""
        with self._database.session() as session:
            row = _get(session, job_id, prefix=True)
            query = select(JobEventRow).where(JobEventRow.job_id == row.id).order_by(col(JobEventRow.sequence))
            found = session.exec(query).all()
            return tuple(JobEvent.model_validate(event.model_dump(exclude={"job_id"})) for event in found)


def _get(session: Session, job_id: str, *, prefix: bool = False, lock: bool = False) -> JobRow:
    return find(session, JobRow, job_id, what="job", advice=_ADVICE, error=UnknownJobError, prefix=prefix, lock=lock)


def _record(row: JobRow) -> JobRecord:
    return JobRecord.model_validate(row.model_dump())
