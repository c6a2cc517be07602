"""Decide by the comparison which arms of a plan are kept, and propose what to try next."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.records.plan import ExperimentPlan, RunDecision
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import ComparedArm, Comparison, Contrast
from agentic_spliceai.tools.collect_results import CollectedRun
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

#: Seeds below which the noise of training is hardly known.
FEW_SEEDS = 3


class DecideExperimentArgs(ToolModel):
    """The plan, its runs, and how they compare."""

    plan_id: str = Field(min_length=1, description=PLAN)
    collected: tuple[CollectedRun, ...] = Field(min_length=1, description="Runs as they are recorded.")
    comparison: Comparison = Field(description="Of the runs that left a result, by their labels in the plan.")


class ArmDecision(ToolModel):
    """What becomes of an arm."""

    label: str = Field(description="The arm.")
    run_id: str = Field(description="Its experiment run.")
    decision: RunDecision = Field(description="keep, discard, crash or undecided.")
    reason: str = Field(description="Why, with the figures.")


class DecideExperimentResult(ToolModel):
    """The decisions."""

    decisions: tuple[ArmDecision, ...] = Field(min_length=1, description="One an arm.")
    best: str | None = Field(description="The kept arm with the best figure; null where none is kept.")
    proposal: str = Field(description="What to try next, as a request that the planner understands.")


def run(args: DecideExperimentArgs, context: ToolContext) -> DecideExperimentResult:
    """Record a decision for every arm; the rule is the comparison's."""
    plan = context.records.plans.get(args.plan_id)
    compared = {arm.label: arm for arm in args.comparison.arms}
    decisions: list[ArmDecision] = []
    for collected in args.collected:
        arm = compared.get(collected.label)
        if arm is None:
            decision, reason = RunDecision.CRASH, collected.message or "it left no result"
        elif arm.against_baseline is None and args.comparison.baseline is not None:
            decision = RunDecision.UNDECIDED
            reason = f"the others are compared with it; against the base model: {arm.against_base_model.reason}"
        else:
            found = contrast_of(arm)
            decision, reason = RunDecision(found.decision.value), found.reason
        context.records.experiments.decide(collected.run_id, decision, reason)
        decisions.append(ArmDecision(label=collected.label, run_id=collected.run_id, decision=decision, reason=reason))
    kept = [compared[item.label] for item in decisions if item.decision is RunDecision.KEEP]
    sign = 1 if args.comparison.higher_is_better else -1
    best = max(kept, key=lambda arm: sign * (contrast_of(arm).difference or 0.0), default=None)
    return DecideExperimentResult(
        decisions=tuple(decisions),
        best=best.label if best else None,
        proposal=_propose(plan, decisions, baseline=args.comparison.baseline),
    )


def contrast_of(arm: ComparedArm) -> Contrast:
    """Return what decides about an arm: its difference to the baseline, or to the base model where there is none."""
    return arm.against_baseline or arm.against_base_model


def _propose(plan: ExperimentPlan, decisions: list[ArmDecision], *, baseline: str | None) -> str:
    """Return the next request by plain rules: repair what crashed, settle what is open, then enlarge what was kept."""
    spec = plan.arms[0].spec
    crashed = [item.label for item in decisions if item.decision is RunDecision.CRASH]
    if crashed:
        return f"find out why {', '.join(crashed)} crashed: its job's log says more (agentic-spliceai jobs logs)"
    open_ = [item.label for item in decisions if item.decision is RunDecision.UNDECIDED and item.label != baseline]
    seeds = len(spec.seeds)
    if open_ and seeds < FEW_SEEDS:
        return f"the same with {FEW_SEEDS} seeds: with {seeds} the noise of training is hardly known"
    if open_ and spec.max_variants is not None:
        return (
            f"the same on all variants of {spec.dataset}: on {spec.max_variants:,} the interval is too wide to decide"
        )
    if open_:
        return f"the same with {2 * seeds} seeds, or another model: {', '.join(open_)} cannot be told from the baseline"
    kept = [item.label for item in decisions if item.decision is RunDecision.KEEP]
    if kept and spec.max_variants is not None:
        return f"{kept[0]} on all variants of {spec.dataset}, to see whether the gain holds"
    if kept:
        return f"{kept[0]} on another data set, to see whether the gain holds"
    return f"another model than {', '.join(arm.label for arm in plan.arms)}: none was better than the baseline"


TOOL = ToolSpec(
    name="decide_experiment",
    purpose="Record keep, discard, crash or undecided for every arm of a plan, and propose the next experiment.",
    args=DecideExperimentArgs,
    result=DecideExperimentResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
