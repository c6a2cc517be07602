"""The tools of an experiment: who may start it, what is recorded, what is decided, what an answer rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentic_spliceai.compute.errors import JobFailedError
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.types import (
    CostEstimate,
    FetchedFile,
    Finding,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogPage,
)
from agentic_spliceai.records.artifacts import sha256_of
from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.plan import Arm, ExperimentPlan
from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import PartScores
from agentic_spliceai.splice_engine.meta_layer.experiments.result import (
    DatasetUse,
    ExperimentResult,
    Figure,
    LeftFile,
    SeedOutcome,
)
from agentic_spliceai.tools.choose_runs import ChooseRunsArgs
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.experiments import NotApprovedError, PlanError
from agentic_spliceai.tools.follow_jobs import FollowJobsArgs
from agentic_spliceai.tools.interaction import Answer, NoOneToAskError, Question
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError
from agentic_spliceai.tools.submit_plan import SubmitPlanArgs, SubmitPlanResult
from tests.splice_engine.meta_layer.experiments.toys import hand_made_scores, right, tiny_spec

TOOLS = default_registry()
NOW = datetime(2026, 1, 2, tzinfo=UTC)
#: Validation losses by epoch: the second is the best, the training loss goes on falling.
LOSSES = {"validation": (0.9, 0.5, 0.7), "train": (0.8, 0.4, 0.2)}


class Arms:
    """A backend whose jobs end when they are looked at, leaving scores made by hand."""

    name = "arms"

    def __init__(self, scores: Mapping[str, PartScores | str], *, usd_per_hour: float = 0.0) -> None:
        self.scores = scores
        self.usd_per_hour = usd_per_hour
        self.submitted: list[JobSpec] = []
        self.specs: dict[str, JobSpec] = {}

    def estimate(self, spec: JobSpec, seconds: float) -> CostEstimate:
        usd = self.usd_per_hour * seconds / 3600
        return CostEstimate(usd_per_hour=self.usd_per_hour, usd=usd, basis="a price list")

    def submit(self, job_id: str, spec: JobSpec) -> JobHandle:
        if job_id not in self.specs:
            self.submitted.append(spec)
        self.specs[job_id] = spec
        return JobHandle(backend=self.name, job_id=job_id)

    def _label(self, job_id: str) -> str:
        return self.specs[job_id].name.partition(": ")[2]

    def poll(self, handle: JobHandle) -> JobStatus:
        scores = self.scores[self._label(handle.job_id)]
        failed = isinstance(scores, str)
        return JobStatus(
            state=JobState.FAILED if failed else JobState.SUCCEEDED,
            message=scores if isinstance(scores, str) else "",
            started_at=NOW,
            finished_at=NOW.replace(minute=1),
            cost_usd=self.usd_per_hour / 60,
        )

    def logs(self, handle: JobHandle, cursor: str = "", limit: int = 1000) -> LogPage:
        return LogPage(lines=(), cursor=cursor)

    def metrics(self, handle: JobHandle, cursor: str = "") -> LogPage:
        if cursor:
            return LogPage(lines=(), cursor=cursor)
        lines = [
            json.dumps(
                {"step": 10 * epoch, "epoch": epoch, "seed": 1, "split": split, "name": "loss", "value": value,
                 "at": NOW.isoformat()}
            )
            for split, values in LOSSES.items()
            for epoch, value in enumerate(values)
        ]  # fmt: skip
        return LogPage(lines=tuple(lines), cursor="end")

    def cancel(self, handle: JobHandle) -> None:
        raise NotImplementedError

    def fetch(self, handle: JobHandle, destination: str) -> tuple[FetchedFile, ...]:
        scores = self.scores[self._label(handle.job_id)]
        assert isinstance(scores, PartScores)
        folder = Path(destination)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "scores.npz", **scores.arrays("test"))  # type: ignore[arg-type]
        spec = json.loads(self.specs[handle.job_id].files["spec.json"])
        result = result_of(tiny_spec(**spec).digest, folder / "scores.npz")
        (folder / "result.json").write_text(result.model_dump_json())
        return tuple(
            FetchedFile(path=name, sha256=sha256_of(folder / name), bytes=(folder / name).stat().st_size)
            for name in ("result.json", "scores.npz")
        )

    def reconcile(self, known: Mapping[str, JobHandle | None]) -> tuple[Finding, ...]:
        return ()


def result_of(spec_digest: str, scores: Path) -> ExperimentResult:
    figure = {"measure": "pr_auc", "of": "altering", "low": 0.4, "high": 0.6, "n": 40, "positives": 20, "groups": 20}
    return ExperimentResult(
        name="tiny",
        spec_digest=spec_digest,
        evaluator_digest="e" * 64,
        code_digest="c" * 64,
        base_model="small 1",
        datasets=(DatasetUse(name="minigene", role="test", digest="d" * 64, n=40, positives=20, synthetic=True),),
        figures=(Figure(subject="base", value=0.5, **figure), Figure(subject="model", value=0.51, **figure)),
        seeds=(SeedOutcome(seed=1, epochs=3, best_epoch=1, best=0.5, stopped_early=True, seconds=1.0),),
        parameters=10,
        trainable=10,
        device="cpu",
        seconds=3.0,
        files=(LeftFile(path="scores.npz", kind="scores", sha256=sha256_of(scores), bytes=scores.stat().st_size),),
    )


#: Three seeds each.
GOOD = hand_made_scores(right(1.0), right(0.95), right(0.95))
BAD = hand_made_scores(right(0.5), right(0.5), right(0.5))


def plan_of(*labels: str, **changes: Any) -> ExperimentPlan:
    values: dict[str, Any] = {
        "request": "compare them",
        "planner": "form",
        "hypothesis": "They differ.",
        "arms": tuple(Arm(label=label, spec=tiny_spec(draws=200)) for label in labels),
        "metric": "roc_auc",
        "backend": "arms",
    }
    return ExperimentPlan.model_validate(values | changes)


def context_with(folder: Path, backend: Arms, **changes: Any) -> ToolContext:
    resources = Resources(
        Settings(
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            reports_dir=folder / "reports",
            mirror=None,
            allow_download=False,
        )
    )
    resources.__dict__["jobs"] = JobManager(resources.records.jobs, {"arms": backend})
    return ToolContext(resources, run_id="0123456789ab", **changes).at("submit")


def call(name: str, context: ToolContext, **values: Any) -> Any:
    """Call a tool as a workflow does: arguments and result go through JSON."""
    tool = TOOLS[name]
    result = tool.call(tool.parse_args(values), context)
    return tool.result.model_validate_json(json.dumps(tool.dump_result(result)), strict=True)


def approved(context: ToolContext, plan: ExperimentPlan, decision: str = "approved") -> str:
    context.records.plans.add(plan)
    request = call("request_approval", context, plan_id=plan.id).approval
    call("record_approval", context, approval=request.model_dump(mode="json"), decision=decision, by="ada")
    approval_id: str = request.id
    return approval_id


def carried_out(context: ToolContext, plan: ExperimentPlan) -> Any:
    submitted = call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    followed = call("follow_jobs", context, arms=[arm.model_dump() for arm in submitted.arms])
    return call("collect_results", context, jobs=[job.model_dump(mode="json") for job in followed.jobs])


# --- who may start it


def test_nothing_starts_that_costs_money_without_approval(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD}, usd_per_hour=6.0)
    context = context_with(tmp_path, backend)
    plan = plan_of("good", budget_usd=100.0)
    context.records.plans.add(plan)
    assert call("estimate_plan", context, plan_id=plan.id).needs_approval
    with pytest.raises(NotApprovedError, match="nobody approved"):
        call("submit_plan", context, plan_id=plan.id)
    assert (backend.submitted, context.records.jobs.list()) == ([], ())


def test_an_approval_is_of_one_exact_plan(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD})
    context = context_with(tmp_path, backend)
    approval = approved(context, plan_of("good", budget_usd=1.0))
    other = plan_of("good", budget_usd=2.0)
    context.records.plans.add(other)
    with pytest.raises(NotApprovedError, match="another plan"):
        call("submit_plan", context, plan_id=other.id, approval_id=approval)
    assert backend.submitted == []


def test_a_rejected_plan_does_not_start(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD})
    context = context_with(tmp_path, backend)
    plan = plan_of("good")
    with pytest.raises(NotApprovedError, match="rejected, not approved"):
        call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan, "rejected"))
    assert backend.submitted == []


def test_a_plan_above_its_budget_does_not_start_even_if_approved(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD}, usd_per_hour=3600.0)
    context = context_with(tmp_path, backend)
    plan = plan_of("good", budget_usd=0.5)
    found = call("estimate_plan", context, plan_id=plan.id).estimate if context.records.plans.add(plan) else None
    assert found is not None
    assert not found.within_budget
    assert any("above the budget" in warning for warning in found.warnings)
    with pytest.raises(PlanError, match="its budget is"):
        call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    assert backend.submitted == []


def test_no_model_may_approve_or_start() -> None:
    for name in ("record_approval", "submit_plan", "train"):
        assert TOOLS[name].side_effect.value == "starts_job"


def test_approval_shows_what_will_run_and_what_it_costs(tmp_path: Path) -> None:
    asked: list[Question] = []

    def ask(question: Question) -> Answer:
        asked.append(question)
        return Answer(choice="reject", by="ada", comment="too dear")

    context = context_with(tmp_path, Arms({"good": GOOD}, usd_per_hour=6.0), ask=ask)
    plan = plan_of("good", budget_usd=9.0)
    context.records.plans.add(plan)
    estimate = call("estimate_plan", context, plan_id=plan.id).estimate
    request = call("request_approval", context, plan_id=plan.id).approval
    values = {"plan_id": plan.id, "approval": request.model_dump(mode="json"), "estimate": estimate.model_dump()}
    answer = call("await_approval", context, **values)
    assert (answer.decision, answer.by, answer.comment) == ("rejected", "ada", "too dear")
    (question,) = asked
    shown = json.dumps(question.details)
    for text in ("compare them", "They differ.", "variant_aware", "minigene", "of a budget of $9.00", "a price list"):
        assert text in shown
    with pytest.raises(NoOneToAskError):
        call("await_approval", context_with(tmp_path, Arms({})), **values)


def test_the_first_decision_stands(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    plan = plan_of("good")
    approval = approved(context, plan, "rejected")
    request = context.records.plans.approval(approval)
    with pytest.raises(Exception, match=r"rejected|decided"):
        call("record_approval", context, approval=request.model_dump(mode="json"), decision="approved", by="eve")
    assert context.records.plans.approval(approval).decision == "rejected"


# --- what is started and recorded


def test_submitted_twice_in_one_run_it_is_started_once(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD, "bad": BAD})
    context = context_with(tmp_path, backend)
    plan = plan_of("good", "bad")
    values = {"plan_id": plan.id, "approval_id": approved(context, plan)}
    first, again = (call("submit_plan", context, **values) for _ in range(2))
    assert first == again
    assert len(backend.submitted) == 2
    assert len(context.records.jobs.list()) == 2
    assert len(context.records.experiments.list()) == 2


def test_a_run_records_what_it_was(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    plan = plan_of("good")
    (collected,) = carried_out(context, plan).runs
    run = context.records.experiments.get(collected.run_id)
    assert (run.status, run.experiment, run.hypothesis) == ("succeeded", "triage-minigene", "They differ.")
    assert run.plan_id is not None
    assert plan.digest.startswith(run.plan_id)
    assert run.workflow_run_id == context.run_id
    assert run.environment["packages"]
    assert (run.evaluator_digest, run.device, run.seconds) == ("e" * 64, "cpu", 60.0)
    assert {use.digest for use in run.datasets} == {"d" * 64}
    assert {artifact.kind for artifact in run.artifacts} == {"scores", "result"}
    for artifact in run.artifacts:
        assert context.artifacts.size(artifact.sha256) == artifact.bytes
    points = context.records.experiments.metrics(run.id, name="loss", split="validation")
    assert [point.value for point in points] == list(LOSSES["validation"])
    row = call("list_experiments", context).runs[0]
    assert (row.metric, row.base, row.value, row.low, row.high, row.n) == ("pr_auc", 0.5, 0.51, 0.4, 0.6, 40)


def test_a_local_job_is_told_this_machines_folders_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    backend = Arms({"good": GOOD})
    backend.name = "local"
    context = context_with(tmp_path, backend)
    context.resources.__dict__["jobs"] = JobManager(context.records.jobs, {"local": backend})
    plan = plan_of("good", backend="local", device="cpu", time_limit_hours=2.0)
    call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    (job,) = backend.submitted
    assert job.environment["AGENTIC_SPLICEAI_DATA_DIR"] == str(tmp_path / "data")
    assert job.environment["AGENTIC_SPLICEAI_DEVICE"] == "cpu"
    assert job.time_limit == 7200
    (recorded,) = context.records.jobs.list()
    assert "sk-secret" not in json.dumps(recorded.model_dump(mode="json"))


def test_an_arm_that_crashed_does_not_hide_the_others(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD, "broken": "no room on the disk"}))
    plan = plan_of("good", "broken")
    collected = carried_out(context, plan)
    assert [(run.label, run.status, run.message) for run in collected.runs] == [
        ("good", "succeeded", ""),
        ("broken", "failed", "no room on the disk"),
    ]
    decided = call("decide_experiment", context, plan_id=plan.id, runs=[run.run_id for run in collected.runs])
    assert [(item.label, item.decision) for item in decided.decisions] == [("good", "keep"), ("broken", "crash")]
    assert "broken crashed" in decided.proposal
    by_label = {run.label: run for run in context.records.experiments.list()}
    assert (by_label["good"].decision, by_label["broken"].decision) == ("keep", "crash")
    assert by_label["broken"].status == "failed"


def test_where_every_arm_crashed_each_is_recorded_and_the_reason_is_said(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"broken": "no room on the disk"}))
    with pytest.raises(JobFailedError, match="broken: no room on the disk") as failure:
        carried_out(context, plan_of("broken"))
    (job,) = context.records.jobs.list()
    assert f"jobs logs {job.id}" in failure.value.advice
    (run,) = context.records.experiments.list()
    assert (run.status, run.decision) == ("failed", "crash")


# --- what is decided


@pytest.mark.parametrize(
    ("baseline", "decisions"),
    [
        (None, {"good": "keep", "bad": "undecided", "worse": "discard"}),
        ("good", {"good": "undecided", "bad": "discard", "worse": "discard"}),
    ],
)
def test_decisions_follow_the_figures(tmp_path: Path, baseline: str | None, decisions: dict[str, str]) -> None:
    worse = hand_made_scores(right(0.0), right(0.05), right(0.0))
    context = context_with(tmp_path, Arms({"good": GOOD, "bad": BAD, "worse": worse}))
    plan = plan_of("good", "bad", "worse", baseline=baseline)
    collected = carried_out(context, plan)
    decided = call("decide_experiment", context, plan_id=plan.id, runs=[run.run_id for run in collected.runs])
    assert {item.label: item.decision.value for item in decided.decisions} == decisions
    assert all(item.reason for item in decided.decisions)
    assert decided.best == ("good" if baseline is None else None)
    assert {run.label: run.decision for run in context.records.experiments.list()} == decisions


def test_where_the_baseline_crashed_the_base_model_takes_its_place(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD, "old": "no room on the disk"}))
    plan = plan_of("good", "old", baseline="old")
    collected = carried_out(context, plan)
    decided = call("decide_experiment", context, plan_id=plan.id, runs=[run.run_id for run in collected.runs])
    assert [(item.label, item.decision) for item in decided.decisions] == [("good", "keep"), ("old", "crash")]
    assert "base model" in decided.decisions[0].reason


def test_a_decision_is_made_from_the_records_of_the_plans_own_runs(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    mine, other = plan_of("good"), plan_of("good", request="another")
    run_id = carried_out(context, mine).run_ids[0]
    context.records.plans.add(other)
    with pytest.raises(ToolArgumentError, match="is not of plan"):
        call("decide_experiment", context, plan_id=other.id, runs=[run_id])
    with pytest.raises(ToolArgumentError, match="comparison"):
        call("decide_experiment", context, plan_id=mine.id, runs=[run_id], comparison={})


def test_one_approval_starts_its_arms_once_from_wherever(tmp_path: Path) -> None:
    backend = Arms({"good": GOOD})
    context = context_with(tmp_path, backend)
    plan = plan_of("good")
    approval = approved(context, plan)
    first = call("submit_plan", context, plan_id=plan.id, approval_id=approval)
    elsewhere = ToolContext(context.resources, run_id="ba9876543210").at("another step")
    assert call("submit_plan", elsewhere, plan_id=plan.id, approval_id=approval) == first
    assert len(backend.submitted) == 1


def test_metrics_are_kept_under_the_run_whose_job_wrote_them(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD, "bad": BAD}))
    plan = plan_of("good", "bad")
    arms = call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan)).arms
    swapped = [arms[0].model_copy(update={"job_id": arms[1].job_id}).model_dump()]
    with pytest.raises(ToolArgumentError, match="is not that of run"):
        call("follow_jobs", context, arms=swapped)


# --- what is asked and answered


def test_an_answer_about_early_stopping_tells_the_best_epoch_from_the_records(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD, "bad": BAD}))
    runs = list(carried_out(context, plan_of("good", "bad")).run_ids)
    answer = call("explain_result", context, runs=runs, question="why did early stopping help")
    assert "best at epoch 2 of 3 epochs, 0.5000, beside 0.7000 after the last" in answer.text
    assert "a sign of overfitting" in answer.text
    assert answer.author == "rules"
    kept = {item.id for item in context.records.evidence.of_run(context.run_id)}
    assert set(answer.evidence_ids) == kept
    for claim in answer.claims:
        assert claim.status == "verified"
        assert set(claim.evidence_ids) <= kept
    plain = call("explain_result", context, runs=runs)
    assert "epoch 2" not in plain.text
    assert "The difference of good to bad" in plain.text


def test_runs_are_found_by_what_a_question_names(tmp_path: Path) -> None:
    arms = {"gated_cnn": GOOD, "gated_cnn-no-early-stopping": BAD, "hyenadna": BAD, "variant_aware": "no room"}
    context = context_with(tmp_path, Arms(arms))
    with pytest.raises(UnknownRecordError, match="no experiment has ended"):
        call("choose_runs", context, question="why did early stopping help")
    stopping = carried_out(context, plan_of("gated_cnn", "gated_cnn-no-early-stopping"))
    hyena = carried_out(context, plan_of("hyenadna", request="another"))
    with pytest.raises(JobFailedError):
        carried_out(context, plan_of("variant_aware", request="a third"))

    def chosen(question: str) -> set[str]:
        return set(call("choose_runs", context, question=question).run_ids)

    assert chosen("why did early stopping help?") == set(stopping.run_ids)
    assert chosen("how good is HyenaDNA") == set(hyena.run_ids)
    assert chosen("how good was the gated CNN on the simulated minigenes") == set(stopping.run_ids)
    (failed,) = context.records.experiments.list(status="failed")
    assert chosen("which experiments crashed?") == {failed.id}
    # It left no result: the answer is how it ended, not what another model reached.
    assert chosen("what was the PR-AUC of the variant-aware model") == {failed.id}
    told = call("explain_result", context, runs=[failed.id]).text
    assert "failed" in told
    with pytest.raises(UnknownRecordError, match="no run of hyenadna on mfass"):
        chosen("what was the PR-AUC of HyenaDNA on MFASS?")
    assert call("choose_runs", context, text=hyena.run_ids[0][:6]).run_ids == hyena.run_ids
    with pytest.raises(UnknownRecordError):
        call("choose_runs", context, text="ffffffffffff")


def test_two_runs_of_one_label_are_told_apart(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    first = carried_out(context, plan_of("good"))
    second = carried_out(context, plan_of("good", request="again"))
    compared = call("compare_experiments", context, runs=[*first.run_ids, *second.run_ids], metric="roc_auc")
    labels = [run.label for run in compared.runs]
    assert len(set(labels)) == 2
    assert [run.run_id for run in compared.runs] == [*first.run_ids, *second.run_ids]
    (pair,) = compared.comparison.pairs
    assert pair.contrast.difference == pytest.approx(0.0)


def test_the_arguments_of_the_tools_are_what_the_workflow_hands_on() -> None:
    assert set(FollowJobsArgs.model_fields) == {"arms"}
    assert "arms" in SubmitPlanResult.model_fields
    assert SubmitPlanArgs(plan_id="a" * 12).approval_id is None
    assert ChooseRunsArgs(question="q").text is None
