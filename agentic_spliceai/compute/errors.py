"""What can go wrong with jobs."""

from __future__ import annotations

from typing import ClassVar

from agentic_spliceai.splice_engine.errors import SpliceEngineError


class ComputeError(SpliceEngineError):
    """A backend could not do what it was asked."""

    code: ClassVar[str] = "compute"


class UnknownBackendError(ComputeError):
    """No backend has this name."""

    code: ClassVar[str] = "unknown_backend"


class UnknownJobError(ComputeError):
    """No job has this id, or several begin with it."""

    code: ClassVar[str] = "unknown_job"


class JobFailedError(ComputeError):
    """A job ended without a result."""

    code: ClassVar[str] = "job_failed"
