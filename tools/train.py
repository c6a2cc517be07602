"""Start the training and evaluation of one experiment, without waiting for it."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plan_one import PlanOneArgs
from agentic_spliceai.tools.plan_one import run as plan_one
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.submit_plan import SubmitPlanArgs
from agentic_spliceai.tools.submit_plan import run as submit_plan


class TrainArgs(PlanOneArgs):
    """The experiment, where it runs, its limits, and its approval."""

    approval_id: str | None = Field(
        default=None, description="Approval of exactly this plan; null for short local work, which needs none."
    )


class TrainResult(ToolModel):
    """What was started."""

    plan_id: str = Field(description="The plan.")
    run_id: str = Field(description="The experiment run.")
    job_id: str = Field(description="The job; job_status follows it.")


def run(args: TrainArgs, context: ToolContext) -> TrainResult:
    """Start the job; raises as `submit_plan`."""
    planned = plan_one(PlanOneArgs.model_validate(args.model_dump(exclude={"approval_id"})), context)
    submitted = submit_plan(SubmitPlanArgs(plan_id=planned.plan_id, approval_id=args.approval_id), context)
    (arm,) = submitted.arms
    return TrainResult(plan_id=planned.plan_id, run_id=arm.run_id, job_id=arm.job_id)


TOOL = ToolSpec(
    name="train",
    purpose="Start training and evaluating one named experiment as a job, without waiting for its end.",
    args=TrainArgs,
    result=TrainResult,
    side_effect=SideEffect.STARTS_JOB,
    cost_class=CostClass.SECONDS,
    function=run,
)
