"""Turn a request into a typed plan of an experiment, and record it."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN, PlanError
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class MakePlanArgs(ToolModel):
    """A request in words, or a plan that is recorded already."""

    request: str | None = Field(default=None, description="What is to be found out, in the field's words.")
    plan: str | None = Field(default=None, description=f"{PLAN} Taken instead of a request.")


class MakePlanResult(ToolModel):
    """The plan."""

    plan_id: str = Field(description="Its id.")
    plan: ExperimentPlan = Field(description="What will run.")
    planner: str = Field(description="Who made it: offline, form, or model:NAME.")


def run(args: MakePlanArgs, context: ToolContext) -> MakePlanResult:
    """Make and record the plan, or look up the recorded one.

    Raises
    ------
    PlanError
        If neither or both are given, or the request leaves something open: the questions are in the error.
    """
    if (args.request is None) == (args.plan is None):
        raise PlanError(
            "a plan needs a request or the id of a recorded plan, one of them.", "Give request=... or plan=..."
        )
    if args.plan is not None:
        plan = context.records.plans.get(args.plan)
    else:
        plan = context.planner.plan(args.request or "")
        context.records.plans.add(plan)
    return MakePlanResult(plan_id=plan.id, plan=plan, planner=plan.planner)


TOOL = ToolSpec(
    name="make_plan",
    purpose="Turn a request into a typed plan of an experiment and record it, or look up a recorded plan.",
    args=MakePlanArgs,
    result=MakePlanResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
