"""What a conversation tells whoever shows it: one typed event after the other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.interaction import Question


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenEvent(_Event):
    """A sentence of a language model that passed the check, while it goes on writing; what has not is never sent."""

    kind: Literal["token"] = "token"
    text: str


class ToolStarted(_Event):
    """A tool, or a step of a workflow, begins."""

    kind: Literal["tool_started"] = "tool_started"
    name: str
    purpose: str
    run_id: str | None = Field(default=None, description="Workflow run that it is a step of.")


class ToolAdvanced(_Event):
    """How far a tool is."""

    kind: Literal["tool_progress"] = "tool_progress"
    name: str
    message: str
    done: float | None = None
    total: float | None = None


class ToolEnded(_Event):
    """A tool ended."""

    kind: Literal["tool_ended"] = "tool_ended"
    name: str
    ok: bool
    seconds: float = Field(ge=0)
    message: str = Field(default="", description="Why it failed.")


class PlanProposed(_Event):
    """A plan is complete and recorded; nothing runs before a person approves it."""

    kind: Literal["plan"] = "plan"
    plan_id: str
    plan: ExperimentPlan


class ApprovalNeeded(_Event):
    """A workflow run waits for a person's answer; `ChatSession.answer` gives it."""

    kind: Literal["approval"] = "approval"
    run_id: str
    question: Question


class AnswerEvent(_Event):
    """An answer."""

    kind: Literal["answer"] = "answer"
    text: str = Field(description="References to evidence in brackets: 0.97 [E-0a1b2c3d].")
    source: str = Field(default="", description="The text with its references in braces, where a model wrote it.")
    author: str = Field(description="'rules', 'offline planner', or the language model's name.")
    evidence: tuple[str, ...] = ()
    refused: tuple[str, ...] = Field(default=(), description="Why what a language model wrote is not shown.")


class StatusEvent(_Event):
    """What a turn took; the last event of every turn."""

    kind: Literal["status"] = "status"
    line: str
    model: str
    model_calls: int
    tool_calls: int
    evidence: int
    cost_usd: float | None = Field(description="Null where the model's price is not known.")
    seconds: float


class ErrorEvent(_Event):
    """Something went wrong; the conversation goes on."""

    kind: Literal["error"] = "error"
    code: str
    message: str
    advice: str


ChatEvent = Annotated[
    TokenEvent
    | ToolStarted
    | ToolAdvanced
    | ToolEnded
    | PlanProposed
    | ApprovalNeeded
    | AnswerEvent
    | StatusEvent
    | ErrorEvent,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[ChatEvent] = TypeAdapter(ChatEvent)
"""Reads and writes any of them as JSON."""
