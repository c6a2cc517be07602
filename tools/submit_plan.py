"""Start the jobs of an approved plan."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.records.plan import ApprovalDecision, ExperimentPlan
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.estimate_plan import EstimatePlanArgs
from agentic_spliceai.tools.estimate_plan import run as estimate
from agentic_spliceai.tools.experiments import PLAN, NotApprovedError, PlanError, SubmittedArm, job_of
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.environment import GitState
    from agentic_spliceai.records.experiments import NewExperimentRun


class SubmitPlanArgs(ToolModel):
    """The plan and its approval."""

    plan_id: str = Field(min_length=1, description=PLAN)
    approval_id: str | None = Field(
        default=None, description="The approval of exactly this plan; null for short local work, which needs none."
    )


class SubmitPlanResult(ToolModel):
    """What was started."""

    experiment: str = Field(description="Name of the experiment that the runs belong to.")
    arms: tuple[SubmittedArm, ...] = Field(min_length=1, description="Run and job of each arm.")
    job_ids: tuple[str, ...] = Field(min_length=1, description="The jobs, in the order of the arms.")
    run_ids: tuple[str, ...] = Field(min_length=1, description="The experiment runs, in the order of the arms.")


def run(args: SubmitPlanArgs, context: ToolContext) -> SubmitPlanResult:
    """Record each arm, then start its job; repeated with one approval, or in one run, it starts nothing twice.

    Raises
    ------
    NotApprovedError
        If the plan needs an approval and has none, or the approval is of another plan or was refused.
    PlanError
        If the plan cannot run here, or is expected to cost more than its budget.
    ComputeError
        If a job cannot be started.
    """
    plan = context.records.plans.get(args.plan_id)
    _require_approval(plan, args.approval_id, context)
    from agentic_spliceai.records.environment import git_state

    experiment = context.records.experiments.ensure(experiment_name(plan), plan.hypothesis)
    git = git_state()
    diff = context.artifacts.put_bytes(git.dirty_diff.encode()) if git.dirty_diff else None
    arms: list[SubmittedArm] = []
    for arm in plan.arms:
        key = _key(plan, arm.label, args.approval_id, context)
        run_id = key[:12]
        context.records.experiments.add_run(
            _new_run(
                run_id,
                experiment.name,
                plan,
                arm.label,
                approval_id=args.approval_id,
                workflow_run_id=context.run_id if context.keep_record else None,
                git=git,
                diff=diff,
            )
        )
        job = context.jobs.submit(job_of(plan, arm, key, context), plan.backend)
        context.records.experiments.set_job(run_id, job.id)
        arms.append(SubmittedArm(label=arm.label, run_id=run_id, job_id=job.id))
    return SubmitPlanResult(
        experiment=experiment.name,
        arms=tuple(arms),
        job_ids=tuple(arm.job_id for arm in arms),
        run_ids=tuple(arm.run_id for arm in arms),
    )


def experiment_name(plan: ExperimentPlan) -> str:
    """Return the experiment that a plan's runs belong to: everything about one task on one data set stands together."""
    first = plan.arms[0].spec
    return f"{first.task}-{first.dataset}"


def _key(plan: ExperimentPlan, label: str, approval_id: str | None, context: ToolContext) -> str:
    """Return an arm's key: an approval starts its arms once, whoever submits with it and however often."""
    if approval_id is None:
        return context.key("arm", plan.digest, label)
    approval = context.records.plans.approval(approval_id)
    return hashlib.sha256("\x1f".join(("approval", approval.id, plan.digest, label)).encode()).hexdigest()


def _require_approval(plan: ExperimentPlan, approval_id: str | None, context: ToolContext) -> None:
    found = estimate(EstimatePlanArgs(plan_id=plan.id), context)
    if found.blockers:
        raise PlanError(f"the plan cannot run: {'; '.join(found.blockers)}", "Mend that, or change the plan.")
    if not found.estimate.within_budget:
        raise PlanError(
            f"the plan is expected to cost {found.estimate.usd:.2f} dollars, its budget is {plan.budget_usd:.2f}.",
            "Give it a larger budget, fewer arms or seeds, or another machine.",
        )
    if approval_id is None:
        if found.needs_approval:
            raise NotApprovedError(
                "the plan costs money or takes longer than ten minutes, and nobody approved it.",
                "Run it with the workflow plan_experiment, which asks.",
            )
        return
    approval = context.records.plans.approval(approval_id)
    if approval.subject_sha256 != plan.digest:
        raise NotApprovedError(
            f"approval {approval_id} is of another plan than {plan.id}.", "Ask for approval of this plan."
        )
    if approval.decision is not ApprovalDecision.APPROVED:
        raise NotApprovedError(f"the plan {plan.id} is {approval.decision}, not approved.", "Ask for approval.")


def _new_run(
    run_id: str,
    experiment: str,
    plan: ExperimentPlan,
    label: str,
    *,
    approval_id: str | None,
    workflow_run_id: str | None,
    git: GitState,
    diff: str | None,
) -> NewExperimentRun:
    from agentic_spliceai.records.environment import environment
    from agentic_spliceai.records.experiments import NewExperimentRun

    spec = next(arm.spec for arm in plan.arms if arm.label == label)
    return NewExperimentRun(
        id=run_id,
        experiment=experiment,
        label=label,
        spec=spec,
        parent_id=plan.parent,
        plan_id=plan.id,
        approval_id=approval_id,
        workflow_run_id=workflow_run_id,
        hypothesis=plan.hypothesis,
        # Without the reason, a difference that is not known would look like none.
        environment=environment() | {"git": git.summary()},
        git_commit=git.commit,
        git_dirty_sha256=diff,
        started_at=datetime.now(UTC),
    )


TOOL = ToolSpec(
    name="submit_plan",
    purpose="Record the arms of an approved plan and start one job for each.",
    args=SubmitPlanArgs,
    result=SubmitPlanResult,
    side_effect=SideEffect.STARTS_JOB,
    cost_class=CostClass.SECONDS,
    function=run,
)
