"""What can go wrong with jobs."""

from __future__ import annotations

from typing import ClassVar

from agentic_spliceai.records.errors import UnknownJobError as UnknownJobError
from agentic_spliceai.splice_engine.errors import SpliceEngineError


class ComputeError(SpliceEngineError):
    """A backend could not do what it was asked."""

    code: ClassVar[str] = "compute"


class UnknownBackendError(ComputeError):
    """No backend has this name."""

    code: ClassVar[str] = "unknown_backend"


class JobFailedError(ComputeError):
    """A job ended without a result."""

    code: ClassVar[str] = "job_failed"


class JobSpecError(ComputeError):
    """A job asks for something that no backend can give: an impossible path, an unusable id."""

    code: ClassVar[str] = "job_spec"


class NoCapacityError(ComputeError):
    """A job needs more slots than the machine has: it would wait forever."""

    code: ClassVar[str] = "no_capacity"


class JobFolderError(ComputeError):
    """The folder of jobs cannot be read or written: no room, no permission, another process in the way."""

    code: ClassVar[str] = "job_folder"


class FetchError(ComputeError):
    """What a job left cannot be copied, or the copy is not what was read."""

    code: ClassVar[str] = "fetch"
