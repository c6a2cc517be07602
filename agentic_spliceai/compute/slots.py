"""Slots of a machine, shared by the supervisors of one folder of jobs; who came first is served first.

Every supervisor that waits or runs has a ticket, a file that it keeps locked: the ticket of a supervisor that is gone
is known by its free lock. Tickets are made, read and removed under one lock. Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic_spliceai.compute.folder import JobFolder, held
from agentic_spliceai.compute.processes import end_orphans

_LOCK = "lock"
_TICKET = re.compile(r"^(\d{12})-(.+)$")
_DEVICE = re.compile(r"^nvidia\d+$")


def visible_devices() -> tuple[str, ...]:
    """Return the CUDA devices of this process, as CUDA_VISIBLE_DEVICES names them; asks no library."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        devices: list[str] = []
        for name in chosen.split(","):
            if name.strip() in ("", "-1", "NoDevFiles"):  # CUDA does not look behind what it does not know
                break
            devices.append(name.strip())
        return tuple(devices)
    count = sum(1 for path in Path("/dev").iterdir() if _DEVICE.match(path.name)) if Path("/dev").is_dir() else 0
    return tuple(str(index) for index in range(count))


@dataclass(frozen=True)
class Turn:
    """Whether a job may start.

    Attributes
    ----------
    devices
        CUDA devices that it may use; None as long as it has to wait.
    ahead
        How many wait before it.
    """

    devices: tuple[str, ...] | None
    ahead: int


class SlotQueue:
    """The queue of one folder of jobs.

    Parameters
    ----------
    jobs
        The folder of jobs.
    folder
        Where tickets are kept.
    cpu_slots
        How many there are.
    devices
        CUDA devices; each is a slot.
    """

    def __init__(self, jobs: Path, folder: Path, cpu_slots: int, devices: Sequence[str]) -> None:
        self._jobs, self._folder = jobs, folder
        self._cpu_slots, self._devices = cpu_slots, tuple(devices)
        self._path: Path | None = None
        self._descriptor = -1
        self._content: dict[str, Any] = {}

    def join(self, job_id: str, cpus: int, gpus: int) -> None:
        """Take a ticket at the end of the queue."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with held(self._folder / _LOCK):
            last = max((int(match[1]) for match in self._names()), default=0)
            self._path = self._folder / f"{last + 1:012d}-{job_id}"
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._write({"cpus": cpus, "gpus": gpus, "devices": [], "running": False})

    def turn(self) -> Turn:
        """Take the slots if it is this ticket's turn.

        A job that does not fit keeps others from the slots that it waits for, so that small ones do not overtake it
        forever, and only from those.
        """
        with held(self._folder / _LOCK):
            cpus, gpus, free, ahead = self._cpu_slots, len(self._devices), list(self._devices), 0
            before: list[dict[str, Any]] = []
            behind = False
            for match in self._names():
                path = self._folder / match[0]
                if path == self._path:
                    behind = True
                    continue
                content = self._living(path, match[2])
                if content is None:
                    continue
                if content["running"]:
                    cpus, gpus = cpus - content["cpus"], gpus - content["gpus"]
                    free = [device for device in free if device not in content["devices"]]
                elif not behind:
                    before.append(content)
            for content in before:
                cpus, gpus, ahead = cpus - content["cpus"], gpus - content["gpus"], ahead + 1
            mine = self._content
            if mine["cpus"] > cpus or (mine["gpus"] and mine["gpus"] > gpus):
                return Turn(None, ahead)
            devices = free[: mine["gpus"]]
            self._write({**mine, "running": True, "devices": devices})
            return Turn(tuple(devices), ahead)

    def leave(self) -> None:
        """Give the ticket and its slots back."""
        if self._path is None:
            return
        with held(self._folder / _LOCK):
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
        self._path = None

    def _names(self) -> list[re.Match[str]]:
        return [match for path in sorted(self._folder.iterdir()) if (match := _TICKET.match(path.name))]

    def _living(self, path: Path, job_id: str) -> dict[str, Any] | None:
        """Return what the ticket says; None, and the ticket removed, where its supervisor is gone."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return content
            # Its slots are not free before its processes are gone.
            end_orphans(JobFolder(self._jobs / job_id))
            path.unlink(missing_ok=True)
            return None
        finally:
            os.close(descriptor)

    def _write(self, content: dict[str, Any]) -> None:
        # In place: a lock belongs to the file and would not follow a new one. Readers are kept out by the queue's lock.
        data = json.dumps(content).encode()
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))
        self._content = content
