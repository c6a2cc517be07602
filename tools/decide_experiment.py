"""Decide by the comparison which arms of a plan are kept, and propose what to try next."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.records.experiment_types import ExperimentRunDetail, ExperimentStatus
from agentic_spliceai.records.plan import ExperimentPlan, RunDecision
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import ComparedArm, Comparison, Contrast
from agentic_spliceai.tools.compare_experiments import CompareExperimentsArgs
from agentic_spliceai.tools.compare_experiments import run as compare
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.experiments import PLAN
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

#: Seeds below which the noise of training is hardly known.
FEW_SEEDS = 3

#: Runs on one test part up to which nothing is said about their number.
FEW_LOOKS = 10


class DecideExperimentArgs(ToolModel):
    """The plan and its runs; what they found is read from their records."""

    plan_id: str = Field(min_length=1, description=PLAN)
    runs: tuple[str, ...] = Field(min_length=1, description="Experiment runs of this plan that have ended.")


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
    proposal: str = Field(description="What to try next.")
    looks: int = Field(ge=0, description="Recorded runs that were measured on this data set for this task.")
    note: str = Field(description="What many looks at one test part mean; empty for few.")


def run(args: DecideExperimentArgs, context: ToolContext) -> DecideExperimentResult:
    """Compare the runs again from their records, and record a decision for each; the rule is the comparison's.

    Raises
    ------
    ToolArgumentError
        If a run is not of this plan, or has not ended.
    """
    plan = context.records.plans.get(args.plan_id)
    store = context.records.experiments
    details = [store.get(name) for name in args.runs]
    for detail in details:
        if detail.plan_id is None or not plan.digest.startswith(detail.plan_id):
            raise ToolArgumentError(f"run {detail.id} is not of plan {plan.id}.", "Give the runs of one plan.")
        if detail.status is ExperimentStatus.RUNNING:
            raise ToolArgumentError(f"run {detail.id} has not ended.", "Wait for it: jobs list.")
    measured = [detail.id for detail in details if detail.result is not None]
    comparison = _comparison(plan, measured, context) if measured else None
    decisions = [_decide(detail, comparison) for detail in details]
    for item in decisions:
        store.decide(item.run_id, item.decision, item.reason)
    best = None
    if comparison is not None:
        kept = [comparison.arm(item.label) for item in decisions if item.decision is RunDecision.KEEP]
        sign = 1 if comparison.higher_is_better else -1
        best = max(kept, key=lambda arm: sign * (contrast_of(arm).difference or 0.0), default=None)
    spec = plan.arms[0].spec
    looks = len(store.list(task=spec.task.value, dataset=spec.dataset, status="succeeded", limit=1000))
    return DecideExperimentResult(
        decisions=tuple(decisions),
        best=best.label if best else None,
        proposal=_propose(plan, decisions, baseline=comparison.baseline if comparison else None),
        looks=looks,
        note="" if looks <= FEW_LOOKS else _many_looks(looks, spec.dataset),
    )


def _many_looks(looks: int, dataset: str) -> str:
    return (
        f"{looks} recorded runs were measured on the test part of {dataset}: the more are tried, the likelier a gain "
        "on it is chance."
    )


def _comparison(plan: ExperimentPlan, runs: list[str], context: ToolContext) -> Comparison:
    args = CompareExperimentsArgs(
        runs=tuple(runs), metric=plan.metric, baseline=plan.baseline, missing_baseline="base_model"
    )
    return compare(args, context).comparison


def _decide(detail: ExperimentRunDetail, comparison: Comparison | None) -> ArmDecision:
    if detail.result is None or comparison is None:
        cancelled = detail.status is ExperimentStatus.CANCELLED
        decision = RunDecision.UNDECIDED if cancelled else RunDecision.CRASH
        reason = "it was cancelled" if cancelled else (detail.error.message if detail.error else "it left no result")
    else:
        arm = comparison.arm(detail.label)
        if arm.against_baseline is None:
            decision = RunDecision.UNDECIDED
            reason = f"the others are compared with it; against the base model: {arm.against_base_model.reason}"
        else:
            decision, reason = RunDecision(arm.against_baseline.decision.value), arm.against_baseline.reason
    return ArmDecision(label=detail.label, run_id=detail.id, decision=decision, reason=reason)


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
