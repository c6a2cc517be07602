"""Write a person's decision about a plan down."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentic_spliceai.records.plan import Approval, ApprovalDecision
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class RecordApprovalArgs(ToolModel):
    """The decision."""

    approval: Approval = Field(description="The request.")
    decision: Literal["approved", "rejected"] = Field(description="What was decided.")
    by: str = Field(min_length=1, description="Who decided.")
    comment: str = Field(default="", description="Why.")


class RecordApprovalResult(ToolModel):
    """The approval as it is recorded."""

    approval: Approval = Field(description="With its decision.")
    decision: Literal["approved", "rejected"] = Field(description="What was decided.")


def run(args: RecordApprovalArgs, context: ToolContext) -> RecordApprovalResult:
    """Record the decision; a decision that stands is not changed."""
    decided = context.records.plans.decide(args.approval.id, ApprovalDecision(args.decision), args.by, args.comment)
    return RecordApprovalResult(approval=decided, decision=args.decision)


TOOL = ToolSpec(
    name="record_approval",
    purpose="Record a person's decision about a plan.",
    args=RecordApprovalArgs,
    result=RecordApprovalResult,
    # An approval lets jobs start and money be spent: no language model may give one.
    side_effect=SideEffect.STARTS_JOB,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
