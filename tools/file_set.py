"""Several result files that get their names together, and a folder beside them for what a stopped run goes on from."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.result_file import refuse_to_overwrite

_ADVICE = "Give another place with -o."


class FileSet:
    """The files `<folder>/<name>.<suffix>` of one result, as a context.

    They grow in the folder `<name>.work` beside them. When the block ends without an error, all of them take the
    places of earlier files of these names, and the folder is removed. When it fails or is stopped, earlier files stay
    as they are, what had grown is removed, and what was put into `kept` stays for the next attempt.

    Parameters
    ----------
    folder
        Where; it is made if need be.
    name
        Beginning of the files' names.
    given
        What is read, by what it is: a path, or a name that is no file. None of it may be replaced.

    Raises
    ------
    SettingError
        On entry if the place cannot be written, or another run writes there.
    """

    def __init__(self, folder: Path, name: str, given: Mapping[str, str | None]) -> None:
        self._prefix = folder / name
        self._work = folder / f"{name}.work"
        self._growing = self._work / "files"
        self._suffixes: dict[str, bool] = {}
        self._given = given

    @property
    def kept(self) -> Path:
        """Folder for what the next attempt can use."""
        return self._work / "kept"

    def final(self, suffix: str) -> Path:
        """Return where a file will be."""
        return self._prefix.with_name(f"{self._prefix.name}.{suffix}")

    def growing(self, suffix: str) -> Path:
        """Return where a file of the result is to be written until then; raises as `refuse_to_overwrite`."""
        refuse_to_overwrite(str(self.final(suffix)), self._given)
        self._suffixes[suffix] = True
        return self._growing / self.final(suffix).name

    def without(self, suffix: str) -> None:
        """Say that the result has no such file: an earlier one of this name is not of this result, and goes."""
        self._suffixes[suffix] = False

    def __enter__(self) -> Self:
        try:
            self._work.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._work / "lock", timeout=0)
            self._lock.acquire()
            shutil.rmtree(self._growing, ignore_errors=True)
            self._growing.mkdir()
        except Timeout:
            raise SettingError(f"cannot write {self._prefix}.*: another run is writing them.", _ADVICE) from None
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        done = False
        try:
            if error is None:
                self._put_in_place()
                done = True
        finally:
            shutil.rmtree(self._growing, ignore_errors=True)
            self._lock.release()
            if done or not self.kept.is_dir():
                shutil.rmtree(self._work, ignore_errors=True)
        if error is not None and self.kept.is_dir():
            error.add_note(f"What was done is kept in {self._work}; the same command goes on from there.")

    def _put_in_place(self) -> None:
        try:
            for suffix, exists in self._suffixes.items():
                target = Path(os.path.realpath(self.final(suffix)))
                if exists:
                    if target.exists():
                        shutil.copymode(target, self._growing / self.final(suffix).name)
                    (self._growing / self.final(suffix).name).replace(target)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        target.unlink()
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> SettingError:
        return SettingError(f"cannot write {self._prefix}.*: {error.strerror}.", _ADVICE)
