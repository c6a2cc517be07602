"""One evaluator, and a digest that says which: two results are comparable if theirs is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.base_layer.training import metrics


def evaluator_digest(folder: Path | None = None) -> str:
    """Return the SHA-256 of the evaluator's sources.

    It covers every module of this package and the ranking measures that it shares with the base layer, by name and
    content. Where the package lies and how lines end do not matter.

    Parameters
    ----------
    folder
        Another copy of this package; by default the one that runs.
    """
    folder = Path(__file__).parent if folder is None else folder
    total = hashlib.sha256()
    for path in [*sorted(folder.glob("*.py"), key=lambda path: path.name), Path(metrics.__file__)]:
        text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        total.update(f"{path.name}\0{len(text)}\0".encode())
        total.update(text)
    return total.hexdigest()


def array_digest(arrays: Iterable[tuple[str, np.ndarray | None]]) -> str:
    """Return the SHA-256 of named arrays: name, kind, shape and values, in order; text as UTF-8."""
    total = hashlib.sha256()
    for name, array in arrays:
        if array is None:
            total.update(f"{name}\0none\0".encode())
            continue
        if array.dtype.kind in "OSU":
            parts = [str(value).encode() for value in array.ravel().tolist()]
            data = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
        else:
            # One width and byte order, so that a table read as float32 or on another machine is the same table.
            data = np.ascontiguousarray(array, dtype="<f8").tobytes()
        total.update(f"{name}\0{array.shape}\0".encode())
        total.update(data)
    return total.hexdigest()
