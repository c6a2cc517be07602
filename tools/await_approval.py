"""Ask a person to approve a plan. This step asks and does nothing else: it may run again from its top."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentic_spliceai.records.plan import Approval, ExperimentPlan, PlanEstimate
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN
from agentic_spliceai.tools.interaction import Question
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

APPROVE, REJECT = "approve", "reject"


class AwaitApprovalArgs(ToolModel):
    """What is to be approved."""

    plan_id: str = Field(min_length=1, description=PLAN)
    approval: Approval = Field(description="The request that was recorded.")
    estimate: PlanEstimate = Field(description="Time and cost, to be shown.")


class AwaitApprovalResult(ToolModel):
    """What the person said."""

    decision: Literal["approved", "rejected"] = Field(description="approved or rejected.")
    by: str = Field(description="Who decided.")
    comment: str = Field(description="Why, in their words.")


def run(args: AwaitApprovalArgs, context: ToolContext) -> AwaitApprovalResult:
    """Show the plan and wait for the answer."""
    plan = context.records.plans.get(args.plan_id)
    answer = context.ask(
        Question(
            title=f"Run this plan? {plan.hypothesis}",
            details={
                "plan": plan.id,
                "approval": args.approval.id,
                "request": plan.request,
                "planner": plan.planner,
                "hypothesis": plan.hypothesis,
                "arms": [_arm(plan, index) for index in range(len(plan.arms))],
                "decides": f"{plan.metric}, against {plan.baseline or 'the base model'}",
                "where": f"{plan.backend}, device {plan.device}",
                "expected time": _duration(args.estimate.seconds),
                "time range": f"{_duration(args.estimate.seconds_low)} to {_duration(args.estimate.seconds_high)}",
                "expected cost": f"${args.estimate.usd:.2f} of a budget of ${plan.budget_usd:.2f}",
                "estimate rests on": args.estimate.basis,
                "notes": list(plan.notes),
                "warnings": list(args.estimate.warnings),
            },
            choices=(APPROVE, REJECT),
        )
    )
    return AwaitApprovalResult(
        decision="approved" if answer.choice == APPROVE else "rejected", by=answer.by, comment=answer.comment
    )


def _arm(plan: ExperimentPlan, index: int) -> str:
    arm = plan.arms[index]
    spec = arm.spec
    size = "all variants" if spec.max_variants is None else f"at most {spec.max_variants:,} variants"
    seeds = ", ".join(map(str, spec.seeds))
    changes = "".join(f", {name} {value}" for name, value in sorted(spec.training.items()))
    return (
        f"{arm.label}: {spec.model} for {spec.task} on {spec.dataset} ({size}), base model {spec.base_model}, "
        f"seeds {seeds}{changes}"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


TOOL = ToolSpec(
    name="await_approval",
    purpose="Show a plan with its time and cost to a person and wait for their decision.",
    args=AwaitApprovalArgs,
    result=AwaitApprovalResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
    asks=True,
    internal=True,
)
