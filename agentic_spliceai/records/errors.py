"""What can go wrong with the records."""

from __future__ import annotations

from typing import ClassVar

from agentic_spliceai.splice_engine.errors import SpliceEngineError


class RecordError(SpliceEngineError):
    """The database cannot be opened, read or written."""

    code: ClassVar[str] = "records"


class SchemaError(RecordError):
    """The database has tables that this version of the program does not know how to use."""

    code: ClassVar[str] = "schema"


class UnknownRecordError(RecordError):
    """Nothing has this id, or several things begin with it."""

    code: ClassVar[str] = "unknown_record"


class UnknownRunError(UnknownRecordError):
    """No run has this id, or several begin with it."""

    code: ClassVar[str] = "unknown_run"


class UnknownJobError(UnknownRecordError):
    """No job has this id, or several begin with it."""

    code: ClassVar[str] = "unknown_job"


class ConflictError(RecordError):
    """What is to be recorded contradicts what is recorded already and must not change."""

    code: ClassVar[str] = "record_conflict"


class ArtifactError(RecordError):
    """An artifact is missing, or its content is not what its digest says."""

    code: ClassVar[str] = "artifact"


class TrackingError(RecordError):
    """Runs cannot be exported to the tracking server."""

    code: ClassVar[str] = "tracking"
