"""Finished genes on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import ResourceError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GeneValues:
    """Probabilities along the wanted parts of a gene, by rising position on the plus strand.

    Attributes
    ----------
    base : float32 [L, 2]
        The base model's ensemble probability of donor and acceptor; NaN where the genome has no base.
    recalibrated : float32 [L, 2] or None
        The meta-layer's.
    judged : bool [L] or None
        Where the meta-layer has spoken; elsewhere `recalibrated` is `base`.
    """

    base: FloatArray
    recalibrated: FloatArray | None = None
    judged: npt.NDArray[np.bool_] | None = None

    def tracks(self) -> dict[str, FloatArray]:
        """Return the values by what made them: `base`, and `recalibrated` where there is one."""
        found = {"base": self.base}
        if self.recalibrated is not None:
            found["recalibrated"] = self.recalibrated
        return found


class PartStore:
    """A folder with one file a gene, named by the digest of everything that decides its values.

    What is damaged or of another shape counts as not there, and is written again.

    Parameters
    ----------
    folder
        Made when the first part is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, length: int, *, recalibrated: bool) -> GeneValues | None:
        """Return the values of a key, None where there are none that can be used."""
        try:
            # Opened here: numpy leaves a file that is no archive open.
            with self._path(key).open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                read = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        names = ("base", "recalibrated", "judged") if recalibrated else ("base",)
        if set(read) != set(names) or any(len(read[name]) != length for name in names):
            return None
        return GeneValues(read["base"], read.get("recalibrated"), read.get("judged"))

    def put(self, key: str, values: GeneValues) -> None:
        """Keep values: the file is there whole, or not at all.

        Raises
        ------
        ResourceError
            If the folder cannot be written.
        """
        path = self._path(key)
        growing = path.with_name(f".{key}.{secrets.token_hex(4)}")
        arrays: dict[str, npt.NDArray[np.generic]] = {"base": values.base}
        if values.recalibrated is not None and values.judged is not None:
            arrays |= {"recalibrated": values.recalibrated, "judged": values.judged}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with growing.open("wb") as handle:
                np.savez(handle, allow_pickle=False, **arrays)
                handle.flush()
                os.fsync(handle.fileno())
            growing.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                growing.unlink()
            raise ResourceError(
                f"cannot write to {self.folder}: {error.strerror}.", "Free space, or name another folder for parts."
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
