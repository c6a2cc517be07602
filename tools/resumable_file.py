"""A file of results whose writing is taken up again where it stopped: a part file, and a journal of what is done."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.bgzf import BlockBuffer
from agentic_spliceai.tools.batch_types import BatchSummary
from agentic_spliceai.tools.result_file import cannot_write, journal_of, part_of, put_in_place

_VERSION = 1  # of the journal; a file that an older program began is not gone on with
_SECONDS_BETWEEN = 1.0
_RESTART = "Give the same command and files to go on, or --restart to begin again."


class _Journal(BaseModel):
    """What is known of a part file: made of what, how far, and how it went so far."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    made_of: dict[str, str]
    bytes: int = Field(ge=0, description="Of the part file, that are whole; what follows is written again.")
    pending: str = Field(description="Text that is done and fills no compressed block yet, base64.")
    inputs: int = Field(ge=0)
    scored: int = Field(ge=0)
    reasons: dict[str, int]


class ResumableFile:
    """A growing file with its journal; see `resumable_file`.

    Attributes
    ----------
    summary : BatchSummary
        What is done, also by earlier commands.
    """

    def __init__(self, handle: BinaryIO, output: str, journal: Path, kept: _Journal, *, blocks: bool) -> None:
        self._handle = handle
        self._output = output
        self._path = journal
        self._journal = kept
        self._buffer = BlockBuffer(base64.b64decode(kept.pending)) if blocks else None
        self._last = time.monotonic()
        self.summary = BatchSummary(kept.inputs, kept.scored, Counter(kept.reasons))

    def write(self, text: str) -> None:
        """Append text; raises SettingError where there is no room for it."""
        data = text.encode("utf-8", errors="surrogateescape")
        with self._writing():
            self._handle.write(data if self._buffer is None else self._buffer.add(data))

    def done(self) -> None:
        """Write into the journal how far it is, about once a second: the file reaches the disk before the journal."""
        if time.monotonic() - self._last < _SECONDS_BETWEEN:
            return
        with self._writing():
            self._keep()
        self._last = time.monotonic()

    def _keep(self) -> None:
        self._reach_disk()
        self._journal = self._journal.model_copy(
            update={
                "bytes": self._handle.tell(),
                "pending": base64.b64encode(self._buffer.pending if self._buffer else b"").decode("ascii"),
                "inputs": self.summary.inputs,
                "scored": self.summary.scored,
                "reasons": dict(self.summary.reasons),
            }
        )
        _replace(self._path, self._journal)

    def end(self) -> None:
        """Write what is held back; nothing follows."""
        with self._writing():
            if self._buffer is not None:
                self._handle.write(self._buffer.end())
            self._reach_disk()

    def close(self) -> None:
        """Close the file; what `end` or the journal does not speak of may be lost."""
        with contextlib.suppress(OSError):
            self._handle.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self._output, error) from error

    def _reach_disk(self) -> None:
        self._handle.flush()
        os.fsync(self._handle.fileno())


@contextlib.contextmanager
def resumable_file(
    output: str, made_of: Mapping[str, str], *, blocks: bool = False, restart: bool = False
) -> Iterator[ResumableFile]:
    """Yield a file that takes the place of `output` once everything is written.

    Until then it is `<output>.partial`, with a journal `<output>.partial.json`. When the program ends before, by
    whatever cause, the next call with the same `made_of` goes on after what the journal says is done.

    Parameters
    ----------
    output
        A regular file, or none yet; an earlier one stays as it is until the new one is whole.
    made_of
        What decides the content, by what it is called in messages.
    blocks
        Whether to write block-gzipped.
    restart
        Begin again, whatever is there.

    Raises
    ------
    SettingError
        If the file cannot be written, another process writes it, or what is there was made of something else.
    """
    target = Path(os.path.realpath(Path(output).expanduser()))
    part = part_of(target)
    journal = journal_of(target)
    lock = FileLock(part.with_name(f"{part.name}.lock"))
    try:
        # The lock would make the folder.
        target.parent.stat()
        # Where no file can be made, the lock would say that another process has it.
        Path(lock.lock_file).touch()
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingError(
            f"another process is writing {output}.", "Wait for it, or give another file with -o."
        ) from None
    except OSError as error:
        raise cannot_write(output, error) from error
    try:
        growing = _open(part, journal, output, made_of, blocks=blocks, restart=restart)
        try:
            yield growing
            growing.end()
        except BaseException as error:
            error.add_note(f"What was done is in {part}; the same command goes on from there.")
            raise
        finally:
            growing.close()
        put_in_place(part, target, output)
        journal.unlink(missing_ok=True)
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _open(
    part: Path, journal: Path, output: str, made_of: Mapping[str, str], *, blocks: bool, restart: bool
) -> ResumableFile:
    kept = None if restart else _read(part, journal, made_of)
    try:
        # Of a process that was killed in the middle of it.
        _next(journal).unlink(missing_ok=True)
        if kept is None:
            # The journal comes first: a part without one would be nobody's.
            kept = _Journal(
                version=_VERSION, made_of=dict(made_of), bytes=0, pending="", inputs=0, scored=0, reasons={}
            )
            _replace(journal, kept)
            part.write_bytes(b"")
        handle = part.open("r+b")
        handle.truncate(kept.bytes)
        handle.seek(kept.bytes)
    except OSError as error:
        raise cannot_write(output, error) from error
    return ResumableFile(handle, output, journal, kept, blocks=blocks)


def _replace(journal: Path, content: _Journal) -> None:
    new = _next(journal)
    with new.open("w", encoding="utf-8") as handle:
        handle.write(content.model_dump_json())
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(journal)


def _next(journal: Path) -> Path:
    """Return where a journal is written that takes the place of this one."""
    return journal.with_name(f"{journal.name}.new")


def _read(part: Path, journal: Path, made_of: Mapping[str, str]) -> _Journal | None:
    """Return what the journal says, or None where nothing was begun."""
    if not part.exists():
        return None
    if not journal.is_file():
        raise SettingError(
            f"{part} is there, and no journal says what it holds.", "Move it away, or give --restart to overwrite it."
        )
    try:
        kept = _Journal.model_validate(json.loads(journal.read_bytes()))
    except (ValueError, ValidationError):
        raise SettingError(f"{journal} is no journal of this program.", "Give --restart to begin again.") from None
    if kept.version != _VERSION:
        raise SettingError(f"{journal} is of another version of this program.", "Give --restart to begin again.")
    if kept.made_of != dict(made_of):
        names = [name for name in {**kept.made_of, **made_of} if kept.made_of.get(name) != made_of.get(name)]
        changes = "; ".join(
            f"{name}: {_short(kept.made_of.get(name))}, now {_short(made_of.get(name))}" for name in names
        )
        raise SettingError(f"{part} was begun with something else ({changes}).", _RESTART)
    if part.stat().st_size < kept.bytes:
        raise SettingError(f"{part} is shorter than its journal says.", "Give --restart to begin again.")
    return kept


def _short(value: str | None) -> str:
    text = value or "none"
    return text if len(text) <= 60 else f"{text[:12]}..."
