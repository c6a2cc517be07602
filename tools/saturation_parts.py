"""Finished blocks of a saturation on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.errors import ResourceError, SettingError
from agentic_spliceai.tools.saturation_rows import DTYPES, Rows, Unscored
from agentic_spliceai.tools.whole_file import write_whole

_SETTINGS = "settings.json"
_UNSCORED = "unscored"
_ADVICE = "Free space, or give another file with -o."


@dataclass(frozen=True)
class Block:
    """What came out of a block of neighbouring positions.

    Attributes
    ----------
    rows
        Its scores.
    unscored
        Its positions without any, by rising position.
    """

    rows: Rows
    unscored: tuple[Unscored, ...]


class Parts:
    """A folder with one file a finished block, all made with the same settings.

    Parameters
    ----------
    folder
        Made by `begin`.
    settings
        Everything that decides scores and blocks, by the names that a message calls them.

    Raises
    ------
    SettingError
        If the folder holds blocks that were made with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self._settings = settings
        before = self._before()
        if before is not None and before != settings and any(folder.glob("*.npz")):
            raise SettingError(_difference(folder.parent, before, settings), "Give another file with -o, or remove it.")

    def begin(self) -> None:
        """Make the folder, and write down the settings.

        Raises
        ------
        ResourceError
            If it cannot be written.
        """
        if self._before() == self._settings:
            return
        # Blocks without readable settings could be anybody's.
        for stray in self.folder.glob("*.npz"):
            stray.unlink()
        text = json.dumps(dict(self._settings), indent=1)
        write_whole(self.folder / _SETTINGS, lambda handle: handle.write(text.encode()), _ADVICE)

    def _before(self) -> object:
        try:
            return json.loads((self.folder / _SETTINGS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def get(self, start: int, contig: str) -> Block | None:
        """Return the block that begins at a position; None where there is none that can be read."""
        try:
            with self._path(start).open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in DTYPES}
                listed = json.loads(str(arrays[_UNSCORED]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return Block(Rows(contig, columns), tuple(Unscored(**item) for item in listed))

    def kept(self, start: int, contig: str) -> Block:
        """Return a block that is there.

        Raises
        ------
        ResourceError
            If somebody took it away.
        """
        block = self.get(start, contig)
        if block is None:
            raise ResourceError(f"{self._path(start)} is gone or damaged.", "Give the same command again.")
        return block

    def put(self, start: int, block: Block) -> None:
        """Keep a block: the file is there whole, or not at all.

        Raises
        ------
        ResourceError
            If the folder cannot be written.
        """
        listed = np.array(json.dumps([asdict(item) for item in block.unscored]))
        arrays = {**block.rows.columns, _UNSCORED: listed}
        write_whole(
            self._path(start), lambda handle: np.savez_compressed(handle, allow_pickle=False, **arrays), _ADVICE
        )

    def _path(self, start: int) -> Path:
        return self.folder / f"{start}.npz"


def _difference(folder: Path, before: object, now: Mapping[str, str]) -> str:
    known = before if isinstance(before, dict) else {}
    names = [name for name in dict.fromkeys([*now, *known]) if known.get(name) != now.get(name)]
    listed = "; ".join(f"{name} {known.get(name, 'none')}, now {now.get(name, 'none')}" for name in names)
    return f"{folder} holds what was done with other settings ({listed})."
