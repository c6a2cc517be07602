"""Runs one job of the local backend, whoever submitted it and whatever becomes of them.

`python -m agentic_spliceai.compute.supervisor FOLDER`: takes a ticket of the queue, moves into the background in a
session of its own, waits for its slots, runs the command in a process group of the command's own, and writes down how
it ended. Where another process supervises the job already, or its command was started before, nothing happens.

Standard library only, and one thread only: it forks.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentic_spliceai.compute.folder import CANCEL, ENDED, JOB, LOG, OUTPUT, PROCESS, QUEUE, STARTED, JobFolder
from agentic_spliceai.compute.processes import ProcessTree
from agentic_spliceai.compute.slots import SlotQueue
from agentic_spliceai.records.process import process_token

#: Name of the variable by which a command knows which job it is.
JOB_ID = "AGENTIC_SPLICEAI_JOB_ID"
#: First word of a command that stands for this Python; `types.PYTHON`, which would bring pydantic.
_PYTHON = "{python}"
#: Seconds between two looks at the time limit and at whether the job was cancelled.
_TICK = 0.1
#: Seconds between two looks at the queue, for each job that waits before; and the longest.
_QUEUE_TICK, _LONGEST_QUEUE_TICK = 0.1, 2.0
#: Seconds during which a full disk is waited for before the end of a job stays unwritten.
_WAIT_FOR_ROOM = 60.0
#: Seconds in which a command that has ended gives its exit code.
_WAIT_FOR_CODE = 5.0
_LONGEST_MESSAGE = 400
_PR_SET_CHILD_SUBREAPER = 36
#: Shells' code for a command that was not found.
_NOT_FOUND = 127


def main(argv: Sequence[str] | None = None) -> int:
    """Supervise the job in a folder; returns in the foreground process once the background has the job."""
    parser = argparse.ArgumentParser(prog="python -m agentic_spliceai.compute.supervisor")
    parser.add_argument("folder", type=Path, help="the job's folder")
    parser.add_argument("--lock", type=int, help="descriptor that holds the job's lock already")
    arguments = parser.parse_args(argv)
    folder = JobFolder(arguments.folder.absolute())
    lock: int | None = arguments.lock
    if lock is None:
        with folder.gate():
            lock = folder.take_lock()
        if lock is None:
            return 0
    os.set_inheritable(lock, False)
    if folder.has(STARTED) or folder.has(ENDED):
        return 0
    job = folder.read(JOB)
    if job is None:
        sys.stderr.write(f"{folder.path} holds no job\n")
        return 1
    queue = SlotQueue(folder.path.parent, folder.path.parent / QUEUE, job["cpu_slots"], job["devices"])
    # Before the fork, so that jobs queue in the order in which their submissions returned.
    queue.join(folder.path.name, job["spec"]["cpus"], job["spec"]["gpus"])
    if os.fork():
        os._exit(0)
    os.setsid()
    _leave_the_terminal(folder)
    supervisor = Supervisor(folder, job, queue)
    try:
        supervisor.supervise()
    except BaseException as error:
        supervisor.give_up(error)
        raise
    return 0


class Supervisor:
    """One job, from its place in the queue to its end."""

    def __init__(self, folder: JobFolder, job: dict[str, Any], queue: SlotQueue) -> None:
        self._folder, self._spec, self._queue = folder, job["spec"], queue
        self._job_id = folder.path.name
        self._grace = float(job["grace"])
        self._told_to_end = False
        self._command: subprocess.Popen[bytes] | None = None
        self._exit_code: int | None = None
        self._started_at: str | None = None
        self._tree = ProcessTree(None, os.getpid())
        self._wake, wake = os.pipe()
        for descriptor in (self._wake, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # Handlers, and not SIG_IGN, which the command would inherit.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end_soon)
        signal.signal(signal.SIGINT, self._end_soon)
        _adopt_orphans()

    def supervise(self) -> None:
        """Wait, run, and write down how it ended."""
        devices = self._wait_for_turn()
        if devices is None:
            self._finish("cancelled", "cancelled before it started")
            return
        if not self._start(devices):
            return
        reason = self._wait_for_end()
        # Also after an orderly end: what the command left in the background holds slots that the next job gets.
        clean = self._tree.end(self._grace, self._reap)
        deadline = time.monotonic() + _WAIT_FOR_CODE
        while self._exit_code is None and time.monotonic() < deadline:
            self._sleep(_TICK)
            self._reap()
        self._finish(*self._outcome(reason, clean))

    def give_up(self, error: BaseException) -> None:
        """End the job's processes after a failure of the supervisor itself, and say so."""
        self._tree.end(self._grace, self._reap)
        self._finish("failed", f"the supervisor failed: {type(error).__name__}: {error}")

    def _end_soon(self, *_: object) -> None:
        self._told_to_end = True

    def _cancelled(self) -> bool:
        return self._told_to_end or self._folder.has(CANCEL)

    def _wait_for_turn(self) -> tuple[str, ...] | None:
        """Return the CUDA devices that the job may use, None if it was cancelled while it waited."""
        next_look = 0.0
        while not self._cancelled():
            if time.monotonic() >= next_look:
                with contextlib.suppress(TimeoutError):  # a stopped process holds the queue: nobody's turn comes
                    turn = self._queue.turn()
                    if turn.devices is not None:
                        return turn.devices
                    next_look = time.monotonic() + min(_QUEUE_TICK * (turn.ahead + 1), _LONGEST_QUEUE_TICK)
            self._sleep(_TICK)
        return None

    def _start(self, devices: tuple[str, ...]) -> bool:
        program, *arguments = self._spec["command"]
        command = [sys.executable if program == _PYTHON else program, *arguments]
        environment = os.environ | self._spec["environment"] | {JOB_ID: self._job_id}
        # A job that asked for no GPU gets none: else it would run on one that belongs to another job.
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        self._started_at = _now()
        # From here on the command is never started again, not even where nobody knows whether it was.
        self._folder.write(STARTED, {"at": self._started_at, "devices": devices})
        try:
            with (self._folder.path / OUTPUT).open("ab") as output:
                self._command = subprocess.Popen(
                    command,
                    cwd=self._folder.path,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=self._in_the_child,
                )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if isinstance(error, subprocess.SubprocessError):  # which does not say what went wrong in the child
                why = "its process could not write into the job's folder"
            self._exit_code = _NOT_FOUND
            self._finish("failed", f"cannot start {command[0]!r}: {why}")
            return False
        self._tree = ProcessTree(self._command.pid, os.getpid())
        return True

    def _in_the_child(self) -> None:
        """Write down which group it is, by the group itself.

        The child still has the supervisor's lock at this point: whoever finds the lock free finds the group written.
        """
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(ignored, signal.SIG_DFL)
        pid = os.getpid()
        self._folder.write(PROCESS, {"group": pid, "token": process_token(pid)})

    def _wait_for_end(self) -> str:
        """Return why the waiting is over: '' where the command ended by itself."""
        deadline = time.monotonic() + float(self._spec["time_limit"])
        while True:
            self._reap()
            if self._exit_code is not None:
                return ""
            if self._cancelled():
                return "cancelled"
            left = deadline - time.monotonic()
            if left <= 0:
                return "timed_out"
            self._sleep(min(_TICK, left))

    def _sleep(self, seconds: float) -> None:
        """Sleep until a signal comes, a child's end for instance, or the time is over."""
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _reap(self) -> None:
        """Take note of children that have ended, the command or what it left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self._command is not None and pid == self._command.pid:
                self._exit_code = self._command.returncode = os.waitstatus_to_exitcode(status)

    def _outcome(self, reason: str, clean: bool) -> tuple[str, str]:
        left = "" if clean else "; some of its processes could not be ended"
        if reason == "cancelled":
            return "cancelled", f"cancelled while it ran{left}"
        if reason == "timed_out":
            return "timed_out", f"ended after its time limit of {self._spec['time_limit']:g} s{left}"
        code = self._exit_code or 0
        if code == 0:
            return "succeeded", left.removeprefix("; ")
        what = f"exit code {code}" if code > 0 else f"ended by {_signal_name(-code)}"
        if code == -signal.SIGKILL:
            what += ", perhaps for want of memory"
        last = last_line(self._folder.path / OUTPUT)
        return "failed", f"{what}: {last}{left}" if last else f"{what}{left}"

    def _finish(self, state: str, message: str) -> None:
        ended = {
            "state": state,
            "message": message[:_LONGEST_MESSAGE],
            "exit_code": self._exit_code,
            "started_at": self._started_at,
            "finished_at": _now(),
        }
        patience = time.monotonic() + _WAIT_FOR_ROOM
        while not self._folder.has(ENDED):
            try:
                self._folder.end(ended)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() > patience:
                    raise
                time.sleep(1)
        # At the latest the end of this process gives the slots back.
        with contextlib.suppress(OSError):
            self._queue.leave()


def last_line(path: Path) -> str:
    """Return the last line of a file that is not blank, '' where there is none."""
    try:
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - 4096))
            text = handle.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return lines[-1] if lines else ""


def _leave_the_terminal(folder: JobFolder) -> None:
    """Let go of what belongs to whoever submitted the job."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    log = os.open(folder.state(LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nowhere)
    os.close(log)
    os.chdir("/")


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none is out of sight; Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    sys.exit(main())
