"""Parquet without a dependency of the core: pyarrow where it is installed, and what to do where it is not."""

from __future__ import annotations

from typing import Any

from agentic_spliceai.splice_engine.errors import MissingExtraError


def open_pyarrow(instead: str) -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet`.

    Parameters
    ----------
    instead
        What can be written without it, as an advice goes on after "or".

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Writing Parquet needs pyarrow, which is not installed.",
            f"Install it: pip install 'agentic-spliceai[parquet]', or {instead}.",
        ) from error
    return pyarrow, pyarrow.parquet
