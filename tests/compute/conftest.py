"""Backends that the conformance tests run on, and the proof that no test leaves a process behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.types import ComputeBackend
from tests.compute.jobs import processes_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no local backend there")

#: Makes a backend that keeps what it has in a folder. A new backend is one more line.
BACKENDS: dict[str, Callable[[Path], ComputeBackend]] = {
    "local": lambda folder: LocalBackend(folder, cpu_slots=4, gpu_slots=0, grace=0.5, orphan_age=0.0),
}


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path) -> Iterator[None]:
    """Fail a test whose processes outlive it, and end them."""
    yield
    deadline = time.monotonic() + 5
    while (left := processes_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"processes outlived the test: {left}"


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> ComputeBackend:
    return BACKENDS[request.param](tmp_path / "jobs")


@pytest.fixture
def local(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "jobs", cpu_slots=4, gpu_slots=0, grace=0.5, orphan_age=0.0)
