"""Which process runs a run, and whether it still lives. Light: supervisors of jobs import it and must start quickly."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue


def environment() -> dict[str, JsonValue]:
    """Return `records.environment.environment()`."""
    from agentic_spliceai.records import environment as described

    return described.environment()


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def process_token(pid: int) -> str:
    """Return something that differs between two processes that had the same id; empty where the system gives none."""
    try:
        # The name in field 2 may contain spaces and brackets: count from behind its closing bracket. Field 22 is the
        # start time since boot.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot}:{fields[19]}"


def has_ended(host: str, pid: int, token: str) -> bool:
    """Whether the process is known to be gone; False where that cannot be told (another machine, Windows)."""
    if host != host_name() or sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(token) and process_token(pid) not in ("", token)
