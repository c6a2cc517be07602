"""What a run tells those who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class StepOutcome(StrEnum):
    """How an attempt at a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class StepStart:
    """A step begins; `attempt` counts from 1."""

    node: str
    tool: str
    purpose: str
    attempt: int
    started_at: datetime


@dataclass(frozen=True)
class StepEnd:
    """A step ended after `seconds`; `error` where it failed."""

    node: str
    tool: str
    attempt: int
    started_at: datetime
    seconds: float
    outcome: StepOutcome
    error: BaseException | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RunStart:
    """A run begins with these inputs."""

    run_id: str
    graph: str
    graph_sha256: str
    inputs: Mapping[str, Any]
    started_at: datetime


@dataclass(frozen=True)
class RunResult:
    """A run that came to its end.

    Attributes
    ----------
    outputs
        The workflow's outputs, JSON-able.
    timings
        Seconds by step; of a repeated step, its last attempt.
    """

    run_id: str
    graph: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    started_at: datetime
    seconds: float
    timings: Mapping[str, float]


class RunObserver:
    """Hears what a run does; override what is of interest. An exception in an observer ends the run."""

    def run_started(self, start: RunStart) -> None:
        """Hear that a run begins."""

    def step_started(self, start: StepStart) -> None:
        """Hear that a step begins."""

    def step_ended(self, end: StepEnd) -> None:
        """Hear that a step ended, well or not."""

    def run_succeeded(self, result: RunResult) -> None:
        """Hear that the run came to its end."""

    def run_failed(self, start: RunStart, error: BaseException, node: str | None) -> None:
        """Hear that the run ended with `error`, in `node` where it was in one."""
