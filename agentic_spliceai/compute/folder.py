"""A job's folder on this machine: what is where, and who may act on it.

Standard library only, as in everything that the supervisor imports: it starts once a job and must start quickly.

Beside the job's own files there is a folder `.job` with

- `job.json`: what to run and under which limits,
- `lock`: held by the supervisor as long as it lives (the kernel lets go of it however the supervisor ends),
- `gate`: held for moments by whoever looks at the lock or starts a supervisor: looking is never taken for living,
- `started.json`: written before the command is started; with it, the command is never started again,
- `process.json`: the command's process group, written by the command's own process before it becomes the command,
- `cancel`: there once somebody wants the job ended,
- `ended.json`: how it ended,
- `supervisor.log`: what the supervisor has to say, which is nothing unless it fails.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = ".job"
OUTPUT = "output.log"
QUEUE = ".queue"

JOB, STARTED, PROCESS, ENDED, CANCEL, LOG = (
    "job.json",
    "started.json",
    "process.json",
    "ended.json",
    "cancel",
    "supervisor.log",
)
_LOCK, _GATE, _RESERVE = "lock", "gate", "reserve"

#: Seconds to wait for a lock that is only ever held for moments.
PATIENCE = 20.0

#: Room that is set aside for `ended.json`, so that a full disk does not make an ended job a lost one.
_RESERVED = 4096


@dataclass(frozen=True)
class JobFolder:
    """One job's folder."""

    path: Path

    def state(self, name: str) -> Path:
        """Return the path of a state file."""
        return self.path / STATE / name

    def has(self, name: str) -> bool:
        """Whether the state file is there."""
        return self.state(name).exists()

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the content of a state file, None where there is none."""
        try:
            content: dict[str, Any] = json.loads(self.state(name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: Mapping[str, object]) -> None:
        """Write a state file, whole or not at all."""
        write_atomically(self.state(name), json.dumps(content).encode())

    def mark(self, name: str) -> None:
        """Create an empty state file."""
        self.state(name).touch()

    def reserve(self) -> None:
        """Set room aside for `end`."""
        with self.state(_RESERVE).open("wb") as handle:
            handle.write(b" " * _RESERVED)
            handle.flush()
            os.fsync(handle.fileno())

    def end(self, content: Mapping[str, object]) -> None:
        """Write `ended.json` into the room that was set aside, or as any other file where there is none."""
        data = json.dumps(content).encode()
        reserve = self.state(_RESERVE)
        if len(data) > _RESERVED or not reserve.exists():
            write_atomically(self.state(ENDED), data)
            return
        with reserve.open("r+b") as handle:
            handle.write(data.ljust(_RESERVED))
            handle.flush()
            os.fsync(handle.fileno())
        reserve.replace(self.state(ENDED))

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Hold the gate; raises `TimeoutError` where somebody else does not let go of it."""
        with held(self.state(_GATE)):
            yield

    def take_lock(self) -> int | None:
        """Return a descriptor that holds the lock, or None where somebody has it; only behind the gate."""
        descriptor = os.open(self.state(_LOCK), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees it whole or not at all, also after a crash."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`.

    Raises
    ------
    TimeoutError
        If another process keeps it for longer than `PATIENCE` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process holds {path}") from None
            time.sleep(0.005)
        try:
            yield
        finally:
            # Not only closed: a process that was forked meanwhile has a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
