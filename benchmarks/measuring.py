"""Processes with their time and memory, and tables of what they gave: shared by the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Setting:
    """How everything is measured.

    Attributes
    ----------
    threads
        Of every program, on the processor.
    processor_time
        Count processor seconds instead of those of the clock.
    """

    threads: int
    processor_time: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a measured process."""
        count = str(self.threads)
        return os.environ | {
            "OMP_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            "TF_NUM_INTRAOP_THREADS": count,
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }

    def clock(self) -> float:
        """Return seconds, of this process where they are the processor's."""
        return time.process_time() if self.processor_time else time.perf_counter()

    def __str__(self) -> str:
        kind = "processor seconds" if self.processor_time else "wall-clock seconds"
        return f"{self.threads} thread{'s' * (self.threads > 1)}, {kind}"


@dataclass(frozen=True)
class Finished:
    """A process that ended well: its seconds, the most memory that it held (MiB), and what it printed where."""

    seconds: float
    mib: float
    output: str
    errors: str


def run(name: str, command: Sequence[str | Path], setting: Setting, extra: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end.

    Raises
    ------
    SystemExit
        If it fails; the message has the end of what it said.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=errors,
            env=setting.environment | dict(extra or {}),
        )
        # Not Popen.wait: only this call tells the memory and processor time of one child and its own children.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{texts[1][-2000:]}")
    if setting.processor_time:
        seconds = usage.ru_utime + usage.ru_stime
    return Finished(seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), *texts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the scripts that time our own code have in common."""
    mirror = os.environ.get("AGENTIC_SPLICEAI_MIRROR")
    parser.add_argument("--mirror", type=Path, default=Path(mirror) if mirror else None, help="folder with real data")
    parser.add_argument("--base-model", default="openspliceai", help="(default: openspliceai)")
    parser.add_argument("--device", default="cpu", help="of ours (default: cpu)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: all cores)")
    parser.add_argument(
        "--processor-time", action="store_true", help="count processor seconds: for a busy machine, with --threads 1"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--write-readme", action="store_true", help="put what is printed into benchmarks/README.md")


def checked_mirror(arguments: argparse.Namespace) -> Path:
    """Return the folder with real data.

    Raises
    ------
    SystemExit
        If there is none, or the device is not at hand.
    """
    mirror: Path | None = arguments.mirror
    if mirror is None:
        raise SystemExit("Set AGENTIC_SPLICEAI_MIRROR or give --mirror: this benchmark runs on real data.")
    if arguments.device != "cpu":
        from agentic_spliceai.splice_engine.base_layer.model import pick_device
        from agentic_spliceai.splice_engine.errors import SettingError

        try:
            pick_device(arguments.device)
        except SettingError as error:
            raise SystemExit(f"{error.message} {error.advice}") from None
    return mirror


def machine() -> dict[str, Any]:
    """Return what the figures are measured on.

    This process imports nothing large: what it holds counts as what each process that it starts held at first.
    """
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        pairs = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
        name = next((value.strip() for key, _, value in pairs if key.strip() == "model name"), name)
    return {"processor": name, "cores": os.cpu_count(), "torch": version("torch")}


def table_head(columns: Sequence[str], texts: int) -> str:
    """Return the head of a Markdown table whose first columns hold texts, and the others numbers."""
    rule = " | ".join("---" if number < texts else "---:" for number in range(len(columns)))
    return f"| {' | '.join(columns)} |\n| {rule} |"


def table_row(cells: Sequence[str]) -> str:
    """Return a row of it."""
    return f"| {' | '.join(cells)} |"


class Report:
    """Lines that are printed as they come, and kept for the README and for a file."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.data: dict[str, Any] = {"machine": machine(), "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])}

    @property
    def machine(self) -> str:
        """What the figures are measured on, in words."""
        about = self.data["machine"]
        return f"{about['processor']}, {about['cores']} cores, PyTorch {about['torch']}"

    def say(self, *lines: str) -> None:
        """Print lines and keep them."""
        for line in lines:
            print(line, flush=True)
            self._lines.append(line)

    def write(self, json_file: Path | None, block: str | None) -> None:
        """Write the data as JSON, and the lines into the README's block of that name, where these are given.

        Raises
        ------
        SystemExit
            If the README has no such block.
        """
        if json_file is not None:
            json_file.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        if block is not None:
            begin, end = f"<!-- {block}: begin -->", f"<!-- {block}: end -->"
            text = README.read_text(encoding="utf-8")
            before, found, rest = text.partition(begin)
            _, closed, after = rest.partition(end)
            if not (found and closed):
                raise SystemExit(f"{README} has no block {begin} ... {end}.")
            written = "\n".join([begin, f"`python benchmarks/{self.data['command']}` printed:", "", *self._lines, end])
            README.write_text(before + written + after, encoding="utf-8")
