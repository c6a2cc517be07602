"""The processes of a job: finding all of them, and ending them. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentic_spliceai.compute.folder import PROCESS, JobFolder
from agentic_spliceai.records.process import process_token

#: Module that supervises a job, as the command line of its process has it.
SUPERVISOR = "agentic_spliceai.compute.supervisor"
#: Seconds that processes have to end before they are killed, where nobody said otherwise.
GRACE = 10.0
#: The same for what a dead supervisor left, which others wait for.
ORPHAN_GRACE = 2.0
#: Seconds after which killed processes that still are there are given up: they hang in the kernel.
_HOPELESS = 20.0
_PAUSE = 0.02
_PROC = Path("/proc")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    group: int
    session: int


def _processes() -> list[_Process]:
    """Return the processes of the machine that are no zombies; Linux."""
    found = []
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            # The name in field 2 may contain anything: count from behind its closing bracket.
            fields = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        # A process whose first thread has ended looks like a zombie as long as its other threads live.
        if fields[0] not in ("Z", "X") or int(fields[17]) > 1:
            found.append(_Process(int(entry.name), int(fields[1]), int(fields[2]), int(fields[3])))
    return found


@dataclass(frozen=True)
class ProcessTree:
    """The processes of one job.

    Parameters
    ----------
    group
        Process group and session of its command; None as long as there is none.
    supervisor
        Process whose descendants all belong to the job; None where it is gone.
    """

    group: int | None
    supervisor: int | None = None

    def living(self) -> set[int]:
        """Return their ids, without zombies."""
        if not _PROC.joinpath("self", "stat").exists():
            return self._group_if_alive()
        processes = _processes()
        found = {p.pid for p in processes if self.group is not None and self.group in (p.group, p.session)}
        if self.supervisor is not None:
            children: dict[int, list[int]] = {}
            for process in processes:
                children.setdefault(process.parent, []).append(process.pid)
            todo = [self.supervisor]
            while todo:
                below = [pid for pid in children.get(todo.pop(), []) if not _supervises(pid)]
                found.update(below)
                todo += below
        return found - {os.getpid()}

    def _group_if_alive(self) -> set[int]:
        """Stand in for `living` where the system does not list its processes: the group as a whole."""
        if self.group is None:
            return set()
        try:
            os.killpg(self.group, 0)
        except ProcessLookupError:
            return set()
        except PermissionError:  # macOS says so of a group of zombies
            return set()
        return {-self.group}

    def end(self, grace: float, between: Callable[[], object] = lambda: None) -> bool:
        """End them all: SIGTERM, and SIGKILL after `grace` seconds; return whether none is left.

        Parameters
        ----------
        grace
            Seconds.
        between
            Called while waiting, to reap children.
        """
        start = time.monotonic()
        asked: set[int] = set()
        while True:
            between()
            living = self.living()
            if not living:
                return True
            waited = time.monotonic() - start
            if waited >= grace:
                _send(living, signal.SIGKILL)
                if waited > grace + _HOPELESS:
                    return False
            elif new := living - asked:
                _send(new, signal.SIGTERM)
                _send(new, signal.SIGCONT)  # one that was stopped hears nothing else
                asked |= new
            time.sleep(_PAUSE)


def _supervises(pid: int) -> bool:
    """Whether the process supervises a job that this job submitted, which lives on without it."""
    try:
        return SUPERVISOR.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _send(pids: set[int], what: signal.Signals) -> None:
    for pid in pids:
        # Gone meanwhile, or started with other rights, which is seen by its staying.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, what)


def end_orphans(folder: JobFolder, grace: float = ORPHAN_GRACE) -> bool:
    """End what a dead supervisor left of its job; return whether there was something."""
    content = folder.read(PROCESS)
    if content is None:
        return False
    group, token = int(content["group"]), str(content["token"])
    now = process_token(group)
    # No process has the leader's number: what is left of the group is ours, for a number is not given away as long as
    # a group has it. Another process has it, or the machine was started anew: everything of ours is gone. A system that
    # does not tell which process is which (macOS) leaves no way to be sure, and a stranger must not be ended.
    if not token or (now and now != token) or (not now and token.partition(":")[0] != _boot()):
        return False
    tree = ProcessTree(group)
    if not tree.living():
        return False
    tree.end(grace)
    return True


def _boot() -> str:
    return process_token(os.getpid()).partition(":")[0]
