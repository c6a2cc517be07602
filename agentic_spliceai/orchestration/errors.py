"""What can be wrong with a workflow, its inputs or a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.interaction import Question


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


class DrawingError(SpliceEngineError):
    """A picture or schema cannot be made as what was asked for, or not be written there."""

    code: ClassVar[str] = "drawing"


class AnswerError(SpliceEngineError):
    """A person's answer is none of the question's choices, or answers no question."""

    code: ClassVar[str] = "answer"


class CheckpointError(SpliceEngineError):
    """What a workflow keeps between its steps cannot be written or read."""

    code: ClassVar[str] = "checkpoint"


class ResumeError(SpliceEngineError):
    """A run cannot be taken up again."""

    code: ClassVar[str] = "resume"


class RunFinishedError(ResumeError):
    """The run has succeeded: there is nothing left to do."""

    code: ClassVar[str] = "run_finished"


class RunBusyError(ResumeError):
    """Another process works on the run."""

    code: ClassVar[str] = "run_busy"


class SecondQuestionError(Exception):
    """A tool asked twice in one call: a mistake of its author, for the step begins again with each answer."""


class PausedRun(SpliceEngineError):  # noqa: N818 - nothing went wrong
    """The run waits for a person's answer; `resume_run` takes it up again.

    Parameters
    ----------
    run_id
        The run.
    node
        The step that asks.
    question
        What it asks.
    """

    code: ClassVar[str] = "waiting"

    def __init__(self, run_id: str, node: str, question: Question) -> None:
        self.run_id = run_id
        self.node = node
        self.question = question
        super().__init__(
            f"run {run_id} waits for an answer: {question.title}",
            f"Go on with `agentic-spliceai run --resume {run_id}`.",
        )
