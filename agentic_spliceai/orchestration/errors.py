"""What can be wrong with a workflow, its inputs or a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentic_spliceai.splice_engine.errors import SpliceEngineError


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a workflow file; `line` and `column` are 1-based."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class GraphError(SpliceEngineError):
    """The workflow cannot be run; every problem is listed.

    Parameters
    ----------
    problems
        At least one.
    """

    code: ClassVar[str] = "graph"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(set(problems)))
        rest = len(self.problems) - 1
        more = f" (and {rest} more)" if rest else ""
        super().__init__(f"{self.problems[0]}{more}", "`agentic-spliceai validate GRAPH` lists every problem.")


class UnknownGraphError(SpliceEngineError):
    """There is no workflow of this name or path."""

    code: ClassVar[str] = "unknown_graph"


class InputError(SpliceEngineError):
    """An input of a workflow is missing, unknown or of the wrong type."""

    code: ClassVar[str] = "input"


class StepTimeoutError(SpliceEngineError):
    """A step took longer than its `timeout`."""

    code: ClassVar[str] = "timeout"
