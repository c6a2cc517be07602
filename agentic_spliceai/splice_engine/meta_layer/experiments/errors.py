"""What can be wrong with an experiment, beyond data, settings and files."""

from __future__ import annotations

from agentic_spliceai.splice_engine.errors import SpliceEngineError


class UnknownDatasetError(SpliceEngineError):
    """No data set has this name."""

    code = "unknown_dataset"


class MissingDatasetError(SpliceEngineError):
    """The file of a data set is not on this machine."""

    code = "missing_dataset"


class UnsupportedExperimentError(SpliceEngineError):
    """The task, model and data set do not fit each other."""

    code = "unsupported_experiment"


class ExperimentFolderError(SpliceEngineError):
    """The folder holds another experiment, or another process works in it."""

    code = "experiment_folder"


class IncomparableError(SpliceEngineError):
    """Two results cannot be compared: other rows, other data, or another evaluator."""

    code = "incomparable"
