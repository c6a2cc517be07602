"""Jobs as the database knows them, bound to the backends that run them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from agentic_spliceai.compute.errors import ComputeError, UnknownBackendError
from agentic_spliceai.compute.types import (
    ComputeBackend,
    CostEstimate,
    FetchedFile,
    Finding,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogPage,
)
from agentic_spliceai.records.jobs import JobRecord, JobStore

#: Seconds between the first two looks at a job that is waited for; the pause grows from there.
_FIRST_PAUSE = 0.05
#: Seconds for which `cancel` waits until the job's processes are gone.
_CANCEL_PATIENCE = 20.0


class JobManager:
    """Starts, follows and ends jobs; every job is in the database before it is acted on.

    Jobs are named by their id or an unambiguous beginning of it; what does not exist is an `UnknownJobError`.

    Parameters
    ----------
    store
        The jobs of the database.
    backends
        By name.
    """

    def __init__(self, store: JobStore, backends: Mapping[str, ComputeBackend]) -> None:
        self.store = store
        self.backends = backends

    def submit(self, spec: JobSpec, backend: str = "local", *, run_id: str | None = None) -> JobRecord:
        """Write the job down and start it; a key that is known gives the job that has it, started if it was not.

        Raises
        ------
        UnknownBackendError
            If there is no such backend; nothing is written down.
        ComputeError
            If it cannot be started. The job stays in state 'created', with the reason, until it is submitted again
            with the same key, found by `reconcile`, or cancelled.
        """
        self.backend(backend)
        record = self.store.create(
            key=spec.key, name=spec.name, backend=backend, spec=spec.model_dump(mode="json"), run_id=run_id
        )
        return self._start(record)

    def refresh(self, job_id: str) -> JobRecord:
        """Ask the backend where the job stands, and write it down."""
        return self._look(self.store.get(job_id))[0]

    def wait(
        self,
        job_ids: tuple[str, ...],
        *,
        poll_seconds: float = 1.0,
        listen: Callable[[JobRecord, JobStatus], None] | None = None,
    ) -> tuple[JobRecord, ...]:
        """Follow jobs until each has ended, and return them in the order in which they were named.

        A job that was written down and never started is started.

        Parameters
        ----------
        job_ids
            The jobs.
        poll_seconds
            Longest time between two looks.
        listen
            Hears of every job that has not ended at every look, and of every end.
        """
        records = [self.store.get(job_id) for job_id in job_ids]
        for record in records:
            self._start(self.store.get(record.id))
        ended: dict[str, JobRecord] = {}
        pause = min(_FIRST_PAUSE, poll_seconds)
        while True:
            for record in records:
                if record.id in ended:
                    continue
                now, status = self._look(self.store.get(record.id))
                if listen is not None:
                    listen(now, status)
                if _ended(now):
                    ended[record.id] = now
            if all(record.id in ended for record in records):
                return tuple(ended[record.id] for record in records)
            time.sleep(pause)
            pause = min(pause * 1.5, poll_seconds)

    def logs(self, job_id: str, cursor: str = "", limit: int = 1000) -> LogPage:
        """Return a page of the job's output; '' begins at the beginning."""
        record = self.store.get(job_id)
        return self.backend(record.backend).logs(_handle(record), cursor, limit)

    def tail(self, job_id: str, lines: int) -> LogPage:
        """Return the last lines of the job's output, and where the next page begins."""
        record = self.store.get(job_id)
        backend, handle = self.backend(record.backend), _handle(record)
        last: deque[str] = deque(maxlen=max(1, lines))
        cursor = ""
        while True:
            page = backend.logs(handle, cursor, 10_000)
            last.extend(page.lines)
            if not page.lines:
                return LogPage(lines=tuple(last), cursor=page.cursor)
            cursor = page.cursor

    def metrics(self, job_id: str, cursor: str = "") -> LogPage:
        """Return lines of the job's `metrics.jsonl`; '' begins at the beginning."""
        record = self.store.get(job_id)
        return self.backend(record.backend).metrics(_handle(record), cursor)

    def cancel(self, job_id: str, *, patience: float = _CANCEL_PATIENCE) -> JobRecord:
        """End the job and return it as it then is; nothing happens where it has ended.

        Parameters
        ----------
        job_id
            The job.
        patience
            Seconds to wait for its processes to be gone; it is being ended even if they take longer.
        """
        record = self.store.get(job_id)
        if _ended(record):
            return record
        backend = self.backend(record.backend)
        # Where no handle was written down, the job may run all the same: its submitter may have died in between.
        backend.cancel(_handle(record))
        if record.handle is None:
            status = backend.poll(_handle(record))
            if status.state is JobState.LOST and status.started_at is None:
                return self.store.set_state(record.id, JobState.CANCELLED, message="cancelled before it started")
            record = self.store.set_handle(record.id, _handle(record).model_dump(mode="json"))
        deadline = time.monotonic() + patience
        while True:
            record = self._look(self.store.get(record.id))[0]
            if _ended(record) or time.monotonic() > deadline:
                return record
            time.sleep(_FIRST_PAUSE)

    def fetch(self, job_id: str, destination: Path) -> tuple[FetchedFile, ...]:
        """Copy what the job left into a folder, verified; may be repeated."""
        record = self.store.get(job_id)
        return self.backend(record.backend).fetch(_handle(record), str(destination))

    def estimate(self, spec: JobSpec, seconds: float, backend: str = "local") -> CostEstimate:
        """Return the price of `seconds` of this job."""
        return self.backend(backend).estimate(spec, seconds)

    def reconcile(self) -> tuple[Finding, ...]:
        """Bring database and backends together: start what was only written down, note ends, stop what nobody knows.

        Raises
        ------
        ComputeError
            If a backend cannot be asked; the others were.
        """
        findings: list[Finding] = []
        failures: list[ComputeError] = []
        known = self.store.open()
        for record in known:
            if record.backend not in self.backends:
                action = f"left alone: there is no backend {record.backend!r} here"
                findings.append(Finding(job_id=record.id, state=JobState(record.state), action=action))
        for name, backend in self.backends.items():
            mine = {record.id: record for record in known if record.backend == name}
            handles = {job_id: _handle(record) if record.handle else None for job_id, record in mine.items()}
            try:
                found = backend.reconcile(handles)
            except ComputeError as error:
                failures.append(error)
                continue
            findings += [self._settle(mine[f.job_id], f) if f.job_id in mine else f for f in found]
        if failures:
            raise failures[0]
        return tuple(findings)

    def backend(self, name: str) -> ComputeBackend:
        """Return a backend.

        Raises
        ------
        UnknownBackendError
            If there is none of this name.
        """
        try:
            return self.backends[name]
        except KeyError:
            known = ", ".join(self.backends) or "none on this system"
            raise UnknownBackendError(f"there is no backend {name!r}.", f"Backends: {known}.") from None

    def _settle(self, record: JobRecord, finding: Finding) -> Finding:
        """Write down what a backend found out about a job that the database knows."""
        try:
            if record.handle is None and not _ended(self.store.get(record.id)):
                started = self._start(record)
                if finding.state is JobState.CREATED:
                    return Finding(job_id=record.id, state=JobState(started.state), action="submitted")
            self._look(self.store.get(record.id))
        except ComputeError as error:
            return Finding(job_id=record.id, state=finding.state, action=f"left alone: {error}")
        return finding

    def _start(self, record: JobRecord) -> JobRecord:
        """Hand a job that has no handle to its backend; any other is only looked at."""
        if record.handle is not None or record.state != JobState.CREATED:
            return record
        backend = self.backend(record.backend)
        try:
            handle = backend.submit(record.id, JobSpec.model_validate(record.spec))
        except ComputeError as error:
            self.store.set_state(record.id, JobState.CREATED, message=str(error))
            raise
        record = self.store.set_handle(record.id, handle.model_dump(mode="json"))
        if _ended(record):  # cancelled while it was being started
            backend.cancel(handle)
            return record
        return self.store.set_state(record.id, JobState.QUEUED) if record.state == JobState.CREATED else record

    def _look(self, record: JobRecord) -> tuple[JobRecord, JobStatus]:
        """Ask the backend, and write down what is new."""
        if record.handle is None or (_ended(record) and record.state != JobState.LOST):
            return record, _status(record)
        status = self.backend(record.backend).poll(_handle(record))
        if (status.state, status.message, status.cost_usd) == (record.state, record.message, record.cost_usd):
            return record, status
        record = self.store.set_state(
            record.id,
            status.state,
            message=status.message,
            exit_code=status.exit_code,
            started_at=status.started_at,
            finished_at=status.finished_at,
            cost_usd=status.cost_usd,
        )
        return record, status


def _handle(record: JobRecord) -> JobHandle:
    """Return the handle; where none was written down, one by which the backend can look for the job."""
    if record.handle is None:
        return JobHandle(backend=record.backend, job_id=record.id)
    return JobHandle.model_validate(record.handle)


def _status(record: JobRecord) -> JobStatus:
    return JobStatus(
        state=JobState(record.state),
        message=record.message,
        exit_code=record.exit_code,
        started_at=record.started_at,
        finished_at=record.finished_at,
        cost_usd=record.cost_usd,
    )


def _ended(record: JobRecord) -> bool:
    return JobState(record.state).terminal
