"""Jobs as the database knows them, bound to the backends that run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentic_spliceai.compute.types import ComputeBackend, JobSpec, JobStatus
from agentic_spliceai.records.jobs import JobRecord, JobStore


class JobManager:
    """Starts, follows and ends jobs; every state is in the database before it is acted on.

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
        """Write the job down and start it; a key that is known gives the job that has it, started if it was not."""
        raise NotImplementedError

    def refresh(self, job_id: str) -> JobRecord:
        """Ask the backend where the job stands, and write it down."""
        raise NotImplementedError

    def wait(
        self,
        job_ids: tuple[str, ...],
        *,
        poll_seconds: float = 1.0,
        listen: Callable[[JobRecord, JobStatus], None] | None = None,
    ) -> tuple[JobRecord, ...]:
        """Follow jobs until each has ended."""
        raise NotImplementedError
