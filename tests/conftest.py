"""Shared fixtures: one small set of toy data, and the mirror of real data where it is at hand."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell lets what it runs in the background ignore SIGINT, and children would inherit that: tests that interrupt one
# would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    """Keep parallel test workers from fighting over the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The local mirror of real genomes, annotation and weights; skips where there is none."""
    folder = os.environ.get("AGENTIC_SPLICEAI_MIRROR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("AGENTIC_SPLICEAI_MIRROR names no folder: real data is not at hand")
    return Path(folder).resolve()
