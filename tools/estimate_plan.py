"""Estimate the time and the cost of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.records.plan import PlanEstimate
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN, job_of
from agentic_spliceai.tools.plan_blockers import blockers_of
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.experiments.estimate import PastRun
    from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec

#: Local work that is expected to end within this many seconds, and costs nothing, needs no approval by itself.
SHORT = 600.0

#: Most runs that are looked at for how long such work took before.
_LOOKED_AT = 20


class EstimatePlanArgs(ToolModel):
    """The plan."""

    plan_id: str = Field(min_length=1, description=PLAN)


class EstimatePlanResult(ToolModel):
    """What the plan will take."""

    estimate: PlanEstimate = Field(description="Time and cost, with what they rest on.")
    needs_approval: bool = Field(description="Whether it costs money or takes longer than ten minutes.")
    blockers: tuple[str, ...] = Field(
        default=(), description="Why it cannot run at all: data, weights, device or backend that are not there."
    )


def run(args: EstimatePlanArgs, context: ToolContext) -> EstimatePlanResult:
    """Add up the arms, and see whether they can run; raises `UnknownRecordError` for an unknown plan."""
    from agentic_spliceai.splice_engine.meta_layer.experiments.estimate import estimate_seconds

    plan = context.records.plans.get(args.plan_id)
    low = expected = high = usd = usd_high = 0.0
    bases: list[str] = []
    blockers = blockers_of(plan, context)
    warnings = [f"It cannot run: {blocker}" for blocker in blockers]
    for arm in plan.arms:
        time = estimate_seconds(arm.spec, plan.device, _history(arm.spec, context))
        low, expected, high = low + time.low, expected + time.expected, high + time.high
        bases.append(time.basis)
        if time.high > plan.time_limit_hours * 3600:
            warnings.append(
                f"{arm.label} may need {time.high / 3600:.1f} h, more than its limit of {plan.time_limit_hours:g} h."
            )
        if plan.backend not in context.jobs.backends:
            continue  # of which nobody knows a price
        job = job_of(plan, arm, "estimate", context)
        price = context.jobs.estimate(job, time.expected, plan.backend)
        usd, usd_high = usd + price.usd, usd_high + price.usd_per_hour * time.high / 3600
        bases.append(price.basis)
    if usd_high > plan.budget_usd >= usd:
        warnings.append(f"The cost may reach {usd_high:.2f} dollars, more than the budget of {plan.budget_usd:.2f}.")
    if usd > plan.budget_usd:
        warnings.append(f"The expected cost, {usd:.2f} dollars, is above the budget of {plan.budget_usd:.2f}.")
    estimate = PlanEstimate(
        seconds_low=low,
        seconds=expected,
        seconds_high=high,
        usd=usd,
        usd_high=usd_high,
        basis="; ".join(dict.fromkeys(bases)),
        within_budget=usd <= plan.budget_usd,
        warnings=tuple(warnings),
    )
    return EstimatePlanResult(estimate=estimate, needs_approval=usd_high > 0 or expected > SHORT, blockers=blockers)


def _history(spec: ExperimentSpec, context: ToolContext) -> tuple[PastRun, ...]:
    """Return how long recorded runs of the same model on the same data took."""
    from agentic_spliceai.splice_engine.meta_layer.experiments.estimate import PastRun

    store = context.records.experiments
    runs = store.list(task=spec.task.value, dataset=spec.dataset, status="succeeded", limit=_LOOKED_AT)
    details = [store.get(run.id) for run in runs if run.model == spec.model]
    return tuple(
        PastRun(spec=detail.spec, device=detail.device, seconds=detail.seconds)
        for detail in details
        if detail.device is not None and detail.seconds is not None
    )


TOOL = ToolSpec(
    name="estimate_plan",
    purpose="Estimate how long the arms of a plan take and what they cost, and say whether that needs approval.",
    args=EstimatePlanArgs,
    result=EstimatePlanResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
)
