"""What a run tells those who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from agentic_spliceai.tools.interaction import ToolProgress

if TYPE_CHECKING:
    from agentic_spliceai.orchestration.errors import PausedRun


class StepOutcome(StrEnum):
    """How an attempt at a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Step:
    """Which step: a node, or one item of a node with `each`.

    Attributes
    ----------
    node
        Its name.
    item, items
        Which item, counted from 1, of how many; None where the node is no fan-out.
    """

    node: str
    item: int | None = None
    items: int | None = None

    def __str__(self) -> str:
        return self.node if self.item is None else f"{self.node}[{self.item}]"


@dataclass(frozen=True)
class StepStart:
    """A step begins; `attempt` counts from 1, over the processes that took the run up again."""

    node: str
    tool: str
    purpose: str
    attempt: int
    started_at: datetime
    step: Step


@dataclass(frozen=True)
class StepEnd:
    """A step ended after `seconds`; `error` where it failed."""

    node: str
    tool: str
    attempt: int
    started_at: datetime
    seconds: float
    outcome: StepOutcome
    step: Step
    error: BaseException | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RunStart:
    """A run begins with these inputs, or is taken up again: then `attempt` is above 1."""

    run_id: str
    graph: str
    graph_sha256: str
    inputs: Mapping[str, Any]
    started_at: datetime
    attempt: int = 1


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

    def step_progressed(self, step: Step, progress: ToolProgress) -> None:
        """Hear how far a step's tool is."""

    def step_paused(self, step: Step) -> None:
        """Hear that a step waits for a person's answer; it begins again when the answer is there."""

    def run_succeeded(self, result: RunResult) -> None:
        """Hear that the run came to its end."""

    def run_paused(self, paused: PausedRun) -> None:
        """Hear that the run waits for a person's answer and that this process is done with it."""

    def run_failed(self, start: RunStart, error: BaseException, node: str | None) -> None:
        """Hear that the run ended with `error`, in `node` where it was in one."""
