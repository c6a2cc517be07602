"""Backends by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from agentic_spliceai.compute.types import ComputeBackend


def backends(folder: Path) -> Mapping[str, ComputeBackend]:
    """Return the backends that can be used here; `folder` is where jobs of this machine live."""
    if sys.platform == "win32":  # no process groups, no flock
        return {}
    from agentic_spliceai.compute.local import LocalBackend

    return {LocalBackend.name: LocalBackend(folder)}
