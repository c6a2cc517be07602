"""Write down that a plan waits for a person's approval."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.records.plan import Approval
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class RequestApprovalArgs(ToolModel):
    """The plan."""

    plan_id: str = Field(min_length=1, description=PLAN)


class RequestApprovalResult(ToolModel):
    """The request."""

    approval: Approval = Field(description="The approval that was asked for, still to be decided.")


def run(args: RequestApprovalArgs, context: ToolContext) -> RequestApprovalResult:
    """Record the request; again in the same run it is the same request."""
    plan = context.records.plans.get(args.plan_id)
    return RequestApprovalResult(approval=context.records.plans.request_approval(plan, workflow_run_id=context.run_id))


TOOL = ToolSpec(
    name="request_approval",
    purpose="Record that a plan waits for a person's approval.",
    args=RequestApprovalArgs,
    result=RequestApprovalResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
