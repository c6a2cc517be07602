"""Make and record the plan of one named experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentic_spliceai.records.plan import Arm, ExperimentPlan
from agentic_spliceai.splice_engine.meta_layer.experiments.library import load_experiment
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentTask
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.make_plan import MakePlanResult
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec

#: The measure that decides, by task.
METRICS = {ExperimentTask.TRIAGE: "pr_auc", ExperimentTask.DELTA: "pearson", ExperimentTask.SITES: "pr_auc"}


class PlanOneArgs(ToolModel):
    """The experiment, where it runs, and its limits."""

    experiment: Annotated[str, PathAccess.READ] = Field(
        min_length=1, description="Name of an experiment, or the path of a YAML file with one."
    )
    backend: str = Field(default="local", min_length=1, description="Where it runs.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="What it runs on there.")
    budget_usd: float = Field(default=0.0, ge=0, description="Most that it may cost, US dollars.")
    time_limit_hours: float = Field(default=12.0, gt=0, le=240, description="Longest that it may run.")


def run(args: PlanOneArgs, context: ToolContext) -> MakePlanResult:
    """Record the plan; raises `SettingError` where there is no such experiment."""
    spec = load_experiment(args.experiment)
    metric = METRICS[spec.task]
    plan = ExperimentPlan(
        request=f"run {spec.name}",
        planner="form",
        hypothesis=f"{spec.model} has a better {metric} on {spec.dataset} than {spec.base_model} alone.",
        arms=(Arm(label=spec.name, spec=spec),),
        metric=metric,
        backend=args.backend,
        device=args.device,
        budget_usd=args.budget_usd,
        time_limit_hours=args.time_limit_hours,
    )
    context.records.plans.add(plan)
    return MakePlanResult(plan_id=plan.id, plan=plan, planner=plan.planner)


TOOL = ToolSpec(
    name="plan_one",
    purpose="Make and record the plan of one named experiment, with where it runs and its limits.",
    args=PlanOneArgs,
    result=MakePlanResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
