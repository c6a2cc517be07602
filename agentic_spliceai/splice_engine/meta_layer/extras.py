"""Libraries of the `meta` extra, imported when they are needed and asked for by name when they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from agentic_spliceai.splice_engine.errors import MissingExtraError


def require(module: str, *, purpose: str) -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module
        Its import name, for example `sklearn.metrics`.
    purpose
        What it is needed for, as a noun: `training`, `the HyenaDNA encoder`.

    Raises
    ------
    MissingExtraError
        If it is not installed; the advice names the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{purpose[:1].upper()}{purpose[1:]} needs {module.split('.')[0]}, which is not installed.",
            "Install it: pip install 'agentic-spliceai[meta]'.",
        ) from None
