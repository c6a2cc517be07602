"""Jobs on this machine: a folder a job, and a process that supervises it and outlives whoever submitted it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from agentic_spliceai.compute.errors import ComputeError, JobFolderError, JobSpecError, NoCapacityError, UnknownJobError
from agentic_spliceai.compute.fetching import check_patterns, fetch_files
from agentic_spliceai.compute.folder import (
    CANCEL,
    ENDED,
    JOB,
    OUTPUT,
    STARTED,
    STATE,
    JobFolder,
    write_atomically,
)
from agentic_spliceai.compute.processes import GRACE, SUPERVISOR, end_orphans
from agentic_spliceai.compute.reading import read_page
from agentic_spliceai.compute.slots import visible_devices
from agentic_spliceai.compute.supervisor import JOB_ID
from agentic_spliceai.compute.types import (
    METRICS_FILE,
    CostEstimate,
    FetchedFile,
    Finding,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogPage,
)

_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
#: Seconds that a supervisor may take to go into the background.
_START = 60.0
#: Seconds that a supervisor may take beyond the grace to write down that a job was ended.
_LONGER = 10.0
_LOST = "its supervisor is gone, and it left no result"
_QUEUED_AGAIN = "queued again: its supervisor was gone before it began"


class LocalBackend:
    """Runs jobs on this machine.

    Parameters
    ----------
    folder
        Where jobs live, each in a folder named by its id; made on first use. It belongs to one database: `reconcile`
        stops jobs in it that the database does not know.
    cpu_slots
        How many CPU slots running jobs share; by default the number of cores.
    gpu_slots
        How many GPUs they share; by default those that this process may use.
    grace
        Seconds between SIGTERM and SIGKILL when a job is ended.
    orphan_age
        Seconds after its submission during which a job is no orphan: whoever submitted it may still be writing it down.
    """

    name = "local"

    def __init__(
        self,
        folder: Path,
        *,
        cpu_slots: int | None = None,
        gpu_slots: int | None = None,
        grace: float = GRACE,
        orphan_age: float = 60.0,
    ) -> None:
        self.folder = folder.absolute()
        self.cpu_slots = cpu_slots or os.cpu_count() or 1
        visible = visible_devices()
        # More slots than there are GPUs are for tests and for what the system does not show.
        names = (*visible, *(str(index) for index in range(len(visible), gpu_slots or 0)))
        self.devices = names if gpu_slots is None else names[:gpu_slots]
        self.grace = grace
        self.orphan_age = orphan_age

    def estimate(self, spec: JobSpec, seconds: float) -> CostEstimate:
        """Return a price of nothing."""
        return CostEstimate(usd_per_hour=0.0, usd=0.0, basis="this machine")

    def path(self, job_id: str) -> Path:
        """Return the folder of a job."""
        return self._of(job_id).path

    def submit(self, job_id: str, spec: JobSpec) -> JobHandle:
        """Start or queue the job; with an id that it knows already, return that job's handle and start nothing.

        Whatever a crash left undone is done by the next call: the lock that says that a job has a supervisor passes
        from this process to the supervisor without being free in between.

        Raises
        ------
        JobSpecError, NoCapacityError
            If it can never run.
        JobFolderError
            If its folder cannot be written.
        ComputeError
            If its supervisor does not start.
        """
        folder = self._of(job_id)
        self._check(spec)
        handle = JobHandle(backend=self.name, job_id=job_id, details={"folder": str(folder.path)})
        with self._explained("submit the job to"):
            folder.state("").mkdir(parents=True, exist_ok=True)
            with folder.gate():
                lock = folder.take_lock()
                if lock is None:
                    return handle
                try:
                    if not folder.has(ENDED) and not folder.has(STARTED):
                        self._write(folder, spec)
                        _spawn(folder, lock)
                finally:
                    os.close(lock)
        return handle

    def poll(self, handle: JobHandle) -> JobStatus:
        """Return where the job stands; LOST where its supervisor is gone without having written how it ended.

        What a lost job left running is ended first. A job whose supervisor was gone before it started the command is
        queued again.
        """
        folder = self._of(handle.job_id)
        with self._explained("look at the job in"):
            return self._status(folder)

    def logs(self, handle: JobHandle, cursor: str = "", limit: int = 1000) -> LogPage:
        """Return output from `cursor` on, standard output and error together; '' begins at the beginning."""
        return self._page(handle, OUTPUT, cursor, limit)

    def metrics(self, handle: JobHandle, cursor: str = "") -> LogPage:
        """Return lines of `metrics.jsonl` from `cursor` on."""
        return self._page(handle, METRICS_FILE, cursor, 10_000)

    def cancel(self, handle: JobHandle) -> None:
        """Have the job ended; `poll` says so once its processes are gone."""
        folder = self._of(handle.job_id)
        with self._explained("cancel the job in"):
            if not folder.has(JOB):
                return
            with folder.gate():
                if folder.has(ENDED):
                    return
                lock = folder.take_lock()
                if lock is None:
                    folder.mark(CANCEL)
                    return
                try:
                    if folder.has(STARTED):
                        end_orphans(folder)
                    elif not folder.has(ENDED):
                        now = _now()
                        folder.end({"state": "cancelled", "message": "cancelled before it started", "finished_at": now})
                finally:
                    os.close(lock)

    def fetch(self, handle: JobHandle, destination: str) -> tuple[FetchedFile, ...]:
        """Copy what matches `outputs` into the folder `destination`, verified; may be repeated.

        Raises
        ------
        FetchError
            As `fetch_files`.
        UnknownJobError
            If there is no such job.
        """
        folder = self._of(handle.job_id)
        with self._explained("fetch from"):
            spec = self._spec(folder)
            if spec is None:
                raise UnknownJobError(
                    f"there is no job {handle.job_id!r} in {self.folder}.", "Was the data folder changed?"
                )
            return fetch_files(folder.path, spec.outputs, Path(destination), without=frozenset({STATE}))

    def reconcile(self, known: Mapping[str, JobHandle | None]) -> tuple[Finding, ...]:
        """Compare what runs with the jobs that the database holds as not ended, by id.

        A job that runs and that the database does not know is stopped.
        """
        with self._explained("compare the jobs in"):
            findings = [self._compare(job_id, handle) for job_id, handle in known.items()]
            folders = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
            for path in folders:
                if path.name not in known and _ID.match(path.name):
                    findings += self._stop_orphan(JobFolder(path))
        return tuple(findings)

    def _compare(self, job_id: str, handle: JobHandle | None) -> Finding:
        folder = self._of(job_id)
        if handle is None and not folder.has(JOB):
            return Finding(job_id=job_id, state=JobState.CREATED, action="left alone: it was never submitted")
        status = self._status(folder)
        if status.message == _QUEUED_AGAIN:
            action = status.message
        elif status.state is JobState.LOST:
            action = f"marked lost: {status.message}"
        elif status.state.terminal:
            action = "noted its end"
        elif handle is None:
            action = "adopted: its submission was not written down"
        else:
            action = "left alone"
        return Finding(job_id=job_id, state=status.state, action=action)

    def _stop_orphan(self, folder: JobFolder) -> list[Finding]:
        job = folder.read(JOB)
        if job is None or folder.has(ENDED) or time.time() - float(job["submitted"]) < self.orphan_age:
            return []
        handle = JobHandle(backend=self.name, job_id=folder.path.name)
        lived = _supervised(folder)
        self.cancel(handle)
        if not lived:
            return []
        deadline = time.monotonic() + self.grace + _LONGER
        while not (status := self._status(folder)).state.terminal and time.monotonic() < deadline:
            time.sleep(0.05)
        return [Finding(job_id=handle.job_id, state=status.state, action="stopped an orphan: no record knows it")]

    def _status(self, folder: JobFolder) -> JobStatus:
        ended = folder.read(ENDED)
        if ended is not None:
            return JobStatus.model_validate(ended)
        if not folder.has(JOB):
            return JobStatus(state=JobState.LOST, message=f"its folder {folder.path} is gone")
        with folder.gate():
            lock = folder.take_lock()
            if lock is not None:
                try:
                    return self._status_without_supervisor(folder, lock)
                finally:
                    os.close(lock)
        started = folder.read(STARTED)
        if started is None:
            return JobStatus(state=JobState.QUEUED, message="waits for free slots")
        return JobStatus(state=JobState.RUNNING, started_at=started["at"])

    def _status_without_supervisor(self, folder: JobFolder, lock: int) -> JobStatus:
        ended = folder.read(ENDED)  # written after the first look
        if ended is not None:
            return JobStatus.model_validate(ended)
        started = folder.read(STARTED)
        if started is None:
            # Nothing of it has run. Its supervisor notes at once where it was cancelled.
            _spawn(folder, lock)
            return JobStatus(state=JobState.QUEUED, message=_QUEUED_AGAIN)
        left = "; what it left running was ended" if end_orphans(folder) else ""
        return JobStatus(state=JobState.LOST, message=f"{_LOST}{left}", started_at=started["at"])

    def _page(self, handle: JobHandle, name: str, cursor: str, limit: int) -> LogPage:
        folder = self._of(handle.job_id)
        with self._explained("read the output in"):
            # Looked at before the file: what is read afterwards is all there is.
            complete = folder.has(ENDED)
            return read_page(folder.path / name, cursor, limit, complete=complete)

    def _of(self, job_id: str) -> JobFolder:
        if not _ID.match(job_id):
            raise JobSpecError(f"{job_id!r} is no id of a job.", "Ids have letters, digits, '-' and '_'.")
        return JobFolder(self.folder / job_id)

    def _spec(self, folder: JobFolder) -> JobSpec | None:
        job = folder.read(JOB)
        if job is None:
            return None
        return JobSpec.model_validate(job["spec"])

    def _check(self, spec: JobSpec) -> None:
        for what, needed, there in (("CPU", spec.cpus, self.cpu_slots), ("GPU", spec.gpus, len(self.devices))):
            if needed > there:
                raise NoCapacityError(
                    f"{spec.name!r} needs {needed} {what} slots; this machine has {there}.",
                    f"Ask for at most {there}, or run it on another backend.",
                )
        check_patterns(spec.outputs)
        for name in spec.files:
            path = PurePosixPath(name)
            if path.parts[0] == STATE or path == PurePosixPath(OUTPUT):
                raise JobSpecError(f"{name!r} in a job's folder belongs to the backend.", "Name the file otherwise.")

    def _write(self, folder: JobFolder, spec: JobSpec) -> None:
        for name, text in spec.files.items():
            path = folder.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        folder.reserve()
        job: dict[str, Any] = {
            "spec": spec.model_dump(mode="json"),
            "cpu_slots": self.cpu_slots,
            "devices": self.devices,
            "grace": self.grace,
            "submitted": time.time(),
        }
        folder.write(JOB, job)

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise JobFolderError(
                f"cannot {what} {self.folder}: {error}.",
                "Is a process of this program stopped? End it or let it go on.",
            ) from error
        except OSError as error:
            advice = "Check the folder's permissions, or set AGENTIC_SPLICEAI_DATA_DIR."
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                advice = "Free some space, or set AGENTIC_SPLICEAI_DATA_DIR."
            raise JobFolderError(f"cannot {what} {self.folder}: {error.strerror or error}.", advice) from error
        except (ValueError, KeyError, TypeError) as error:
            why = str(error).splitlines()[0]
            raise JobFolderError(f"cannot {what} {self.folder}: {why}.", "A state file there is damaged.") from error


def _supervised(folder: JobFolder) -> bool:
    """Whether the job has a living supervisor."""
    with folder.gate():
        lock = folder.take_lock()
        if lock is not None:
            os.close(lock)
    return lock is None


def _spawn(folder: JobFolder, lock: int) -> None:
    """Start the supervisor, which gets the lock, and return once it is in the background."""
    # A supervisor belongs to no job, not even where a job submits this one.
    environment = {name: value for name, value in os.environ.items() if name != JOB_ID}
    command = [sys.executable, "-m", SUPERVISOR, str(folder.path), "--lock", str(lock)]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(lock,),
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=_START)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ComputeError(
                f"the supervisor of {folder.path} did not start within {_START:g} s.", "Is the machine overloaded?"
            ) from None
    if process.returncode != 0:
        lines = said.decode("utf-8", errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise ComputeError(f"the supervisor of {folder.path} did not start: {lines[-1]}.", "Submit it again.")


def _now() -> str:
    return datetime.now(UTC).isoformat()
