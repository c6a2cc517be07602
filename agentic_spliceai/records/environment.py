"""What a result depends on beside its data: versions, machine, and the state of the code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from pydantic import Field, JsonValue

from agentic_spliceai.records.base import Border

_PACKAGES = (
    "agentic-spliceai",
    "torch",
    "numpy",
    "lightning",
    "scikit-learn",
    "transformers",
    "langgraph",
    "langchain-core",
    "pydantic",
    "sqlmodel",
)
_GIT_SECONDS = 20.0
#: A longer difference is no difference of code.
_LONGEST_DIFF = 5_000_000  # bytes


class GitState(Border):
    """The code's commit, and how the files differ from it."""

    commit: str | None = Field(description="Null where there is none; `reason` says why.")
    dirty_diff: str | None = Field(
        description="Difference of the tracked files from the commit, and the names of files that git does not know; "
        "null where there is none, or it is not known."
    )
    reason: str = Field(default="", description="Why something is not known.")

    @property
    def dirty(self) -> bool | None:
        """Whether the files differ from the commit; None where that is not known, or how they differ is not kept."""
        return None if self.reason else self.dirty_diff is not None

    def summary(self) -> dict[str, JsonValue]:
        """Return what an environment keeps of it: not the difference itself."""
        return {"commit": self.commit, "dirty": self.dirty, "reason": self.reason}


def environment() -> dict[str, JsonValue]:
    """Return the versions and the machine that a result may depend on; imports nothing heavy."""
    versions: dict[str, JsonValue] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "threads": _threads(),
        "gpus": list(_gpus()),
    }


def git_state(folder: Path | None = None) -> GitState:
    """Return the commit of the repository that `folder` (by default this package) lies in, and what differs from it."""
    where = folder or Path(__file__).resolve().parent
    git = shutil.which("git")
    if git is None:
        return GitState(commit=None, dirty_diff=None, reason="git is not installed")
    if folder is None and "site-packages" in where.parts:
        # An environment inside a repository: its commit says nothing about the installed code.
        return GitState(commit=None, dirty_diff=None, reason="the code is installed, not in a repository")
    if folder is None:
        _, problem = _git(git, where, "ls-files", "--error-unmatch", "--", Path(__file__).name)
        if problem:
            # The files lie inside somebody else's repository, or in none.
            return GitState(commit=None, dirty_diff=None, reason=problem)
    commit, problem = _git(git, where, "rev-parse", "--verify", "HEAD")
    if problem:
        return GitState(commit=None, dirty_diff=None, reason=problem)
    diff, problem = _git(git, where, "diff", "--no-ext-diff", "--no-color", "--no-textconv", "HEAD", "--", ":/")
    if not problem:
        unknown, problem = _git(git, where, "ls-files", "--others", "--exclude-standard", "--full-name", "--", ":/")
        names = "".join(f"?? {name}\n" for name in unknown.splitlines())
        diff = diff + names
    if not problem and len(diff.encode(errors="replace")) > _LONGEST_DIFF:
        problem = f"the files differ from the commit by more than {_LONGEST_DIFF:,} bytes"
    return GitState(commit=commit.strip(), dirty_diff=None if problem else diff or None, reason=problem)


def _git(git: str, folder: Path, *arguments: str) -> tuple[str, str]:
    """Return what git said, and what went wrong."""
    # GIT_DIR and the like, set inside a hook, would point to another repository.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env=inherited | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"git cannot be asked: {error}"
    said = done.stdout.decode("utf-8", errors="replace")
    if done.returncode:
        lines = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
        return "", lines[0] if lines else f"git ended with {done.returncode}"
    return said, ""


@lru_cache(maxsize=1)
def _cpu() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _threads() -> JsonValue:
    """Return how many threads the network may use, where that is known without loading torch."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        threads: int = torch.get_num_threads()
        return threads
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() else None


@lru_cache(maxsize=1)
def _gpus() -> tuple[str, ...]:
    """Return the names of NVIDIA GPUs."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return ()
    command = [smi, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip()) if done.returncode == 0 else ()
