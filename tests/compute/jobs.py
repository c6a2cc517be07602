"""Small jobs, and waiting for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentic_spliceai.compute.types import PYTHON, ComputeBackend, JobHandle, JobSpec, JobState, JobStatus

PATIENCE = 15.0


def python(code: str, **changes: Any) -> JobSpec:
    """A job that runs a line of Python."""
    values: dict[str, Any] = {
        "key": "key",
        "name": "a test",
        "command": (PYTHON, "-I", "-S", "-u", "-c", code),
        "time_limit": 30,
    }
    return JobSpec.model_validate(values | changes)


def until(backend: ComputeBackend, handle: JobHandle, *states: JobState) -> JobStatus:
    """Wait until the job is in one of the states; by default until it has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status = backend.poll(handle)
        if status.state in states or (status.state.terminal and not states):
            return status
        assert not status.state.terminal, f"ended as {status}"
        assert time.monotonic() < deadline, f"still {status}"
        time.sleep(0.02)


def eventually(what: Callable[[], Any]) -> Any:
    """Wait until `what` gives something true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def output(backend: ComputeBackend, handle: JobHandle) -> tuple[str, ...]:
    return backend.logs(handle).lines


def processes_in(folder: Path) -> list[int]:
    """Processes, but this one, that work in the folder or were started on it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue
            where = (entry / "cwd").readlink()
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if where.is_relative_to(folder) or any(word.startswith(str(folder)) for word in words):
            found.append(int(entry.name))
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
