"""What can go wrong with the records."""

from __future__ import annotations

from typing import ClassVar

from agentic_spliceai.splice_engine.errors import SpliceEngineError


class RecordError(SpliceEngineError):
    """The database cannot be opened, read or written."""

    code: ClassVar[str] = "records"


class UnknownRunError(RecordError):
    """No run has this id, or several begin with it."""

    code: ClassVar[str] = "unknown_run"


class ArtifactError(RecordError):
    """An artifact is missing, or its content is not what its digest says."""

    code: ClassVar[str] = "artifact"
