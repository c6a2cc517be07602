"""What a tool may ask for beside its arguments: a person's answer, a model's words, an ear for its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field, JsonValue

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.spec import ToolModel

if TYPE_CHECKING:
    from agentic_spliceai.records.plan import ExperimentPlan


class Question(ToolModel):
    """Something that a person decides."""

    title: str = Field(min_length=1, description="One line.")
    details: dict[str, JsonValue] = Field(default_factory=dict, description="What the decision is about, to be shown.")
    choices: tuple[str, ...] = Field(min_length=2, description="The possible answers.")


class Answer(ToolModel):
    """What the person decided."""

    choice: str = Field(description="One of the question's choices.")
    by: str = Field(min_length=1, description="Who answered.")
    comment: str = Field(default="", description="Why, in the person's words.")


class NoOneToAskError(SpliceEngineError):
    """A tool needs a person's answer, and was called where nobody can be asked."""

    code: ClassVar[str] = "no_one_to_ask"


class TextWriter(Protocol):
    """A language model, as far as tools know of it."""

    @property
    def name(self) -> str:
        """Name of the model, for the record."""
        ...

    def write(self, system: str, request: str) -> str:
        """Return the model's text.

        Raises
        ------
        WriterError
            If it cannot be reached, or a limit is used up.
        """
        ...


class WriterError(SpliceEngineError):
    """The language model gave no text."""

    code: ClassVar[str] = "writer"


class Planner(Protocol):
    """Turns a request in words into a plan."""

    def plan(self, request: str) -> ExperimentPlan:
        """Return the whole plan.

        Raises
        ------
        PlanError
            If the request leaves something open, or asks for what cannot be done; the questions are in the advice.
        """
        ...


class NoPlanner:
    """Makes no plans: for tools that are called without a workflow or a chat around them."""

    def plan(self, request: str) -> ExperimentPlan:
        """Raise `NoPlannerError`."""
        raise NoPlannerError(
            "there is nobody here who turns a request into a plan.",
            "Run the workflow plan_experiment or the chat, or give a recorded plan.",
        )


class NoPlannerError(SpliceEngineError):
    """A request was to be turned into a plan where there is no planner."""

    code: ClassVar[str] = "no_planner"


@dataclass(frozen=True)
class ToolProgress:
    """How far a tool is.

    Attributes
    ----------
    message
        One line.
    done, total
        In whatever unit the tool counts; None where it cannot tell.
    """

    message: str
    done: float | None = None
    total: float | None = None


Asker = Callable[[Question], Answer]
Listener = Callable[[ToolProgress], None]


def no_one(question: Question) -> Answer:
    """Refuse to answer; raises `NoOneToAskError`."""
    raise NoOneToAskError(
        f"nobody can be asked here: {question.title}",
        "Run the workflow with `agentic-spliceai run`, or pass --approve.",
    )


def nobody_listens(progress: ToolProgress) -> None:
    """Do nothing."""
