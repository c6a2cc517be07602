"""Experiment runs come to their end, and plans that cannot run are told apart, whoever waits or does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai import cli_jobs
from agentic_spliceai.compute.errors import ComputeError, JobFailedError, NoCapacityError
from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.types import JobHandle, JobSpec, JobState, JobStatus, LogPage
from agentic_spliceai.records.environment import GitState
from agentic_spliceai.records.plan import Arm
from agentic_spliceai.tools.experiments import PlanError
from agentic_spliceai.tools.settling import settle
from tests.splice_engine.meta_layer.experiments.toys import tiny_spec
from tests.tools.test_experiment_tools import (
    BAD,
    GOOD,
    LOSSES,
    NOW,
    Arms,
    approved,
    call,
    carried_out,
    context_with,
    plan_of,
)


class Refusing(Arms):
    """Cannot start anything at first."""

    full = True

    def submit(self, job_id: str, spec: JobSpec) -> JobHandle:
        if self.full:
            raise NoCapacityError("the machine is full.", "Wait.")
        return super().submit(job_id, spec)


class Cancelled(Arms):
    """Its jobs are ended by a person, in the middle of a line of metrics."""

    def poll(self, handle: JobHandle) -> JobStatus:
        return JobStatus(state=JobState.CANCELLED, started_at=NOW, finished_at=NOW.replace(minute=1))

    def metrics(self, handle: JobHandle, cursor: str = "") -> LogPage:
        page = super().metrics(handle, cursor)
        return LogPage(lines=(*page.lines, '{"step": 9, "na'), cursor="end") if page.lines else page


class Silent(Arms):
    """Cannot be asked."""

    def poll(self, handle: JobHandle) -> JobStatus:
        raise ComputeError("the network is gone.", "Wait.")


LATER = timedelta(minutes=2)


# --- runs come to their end


@pytest.mark.parametrize("by", ["list_experiments", "job_status", "jobs reconcile"])
def test_a_run_that_nobody_waited_for_ends_when_somebody_looks(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD, "broken": "no room on the disk"}))
    plan = plan_of("good", "broken")
    submitted = call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    if by == "list_experiments":
        found = call("list_experiments", context)
        assert {run.status for run in found.runs} == {"succeeded", "failed"}
        said = [(run.label, run.status, run.message) for run in found.settled]
    elif by == "job_status":
        found = call("job_status", context, job_ids=list(submitted.job_ids))
        said = [(run.label, run.status, run.message) for run in found.settled]
    else:
        monkeypatch.setattr("agentic_spliceai.tools.context.Resources", lambda: context.resources)
        assert cli_jobs._reconcile(_arguments()) == 0
        printed = capsys.readouterr().out
        assert "failed     experiment run broken: no room on the disk" in printed
        assert "succeeded  experiment run good" in printed
        said = [("good", "succeeded", ""), ("broken", "failed", "no room on the disk")]
    assert sorted(said) == [("broken", "failed", "no room on the disk"), ("good", "succeeded", "")]
    runs = {run.label: context.records.experiments.get(run.id) for run in context.records.experiments.list()}
    assert (runs["good"].status, runs["broken"].status) == ("succeeded", "failed")
    assert (runs["good"].decision, runs["broken"].decision) == (None, "crash")
    assert runs["good"].figures
    assert {artifact.kind for artifact in runs["good"].artifacts} == {"scores", "result"}
    points = context.records.experiments.metrics(runs["good"].id, name="loss", split="validation")
    assert [point.value for point in points] == list(LOSSES["validation"])
    assert settle(context) == ()  # again there is nothing to do
    assert call("collect_results", context, jobs=_ended(context, submitted)).run_ids == (runs["good"].id,)


def _arguments() -> cli_jobs.argparse.Namespace:
    return cli_jobs.argparse.Namespace(as_json=False)


def _ended(context: object, submitted: object) -> list[dict[str, object]]:
    followed = call("follow_jobs", context, arms=[arm.model_dump() for arm in submitted.arms])  # type: ignore[arg-type, attr-defined]
    return [job.model_dump(mode="json") for job in followed.jobs]


def test_a_run_whose_job_was_refused_failed_and_may_succeed_later(tmp_path: Path) -> None:
    backend = Refusing({"good": GOOD})
    context = context_with(tmp_path, backend)
    plan = plan_of("good")
    values = {"plan_id": plan.id, "approval_id": approved(context, plan)}
    with pytest.raises(NoCapacityError):
        call("submit_plan", context, **values)
    assert settle(context) == ()  # it may still be on its way
    (told,) = settle(context, now=datetime.now(UTC) + LATER)
    assert told.status == "failed"
    assert "the machine is full" in told.message
    (run,) = context.records.experiments.list()
    assert (run.status, run.decision) == ("failed", "crash")
    assert settle(context, now=datetime.now(UTC) + LATER) == ()
    backend.full = False
    call("submit_plan", context, **values)  # the workflow goes on
    call("list_experiments", context)
    assert context.records.experiments.list()[0].status == "succeeded"


def test_a_run_without_any_job_failed(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    plan = plan_of("good")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    context.jobs.submit = die  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    assert settle(context) == ()
    (told,) = settle(context, now=datetime.now(UTC) + LATER)
    assert (told.job_id, told.status) == (None, "failed")
    assert "never written down" in told.message


def test_a_job_that_cannot_be_asked_is_told_of_and_left(tmp_path: Path) -> None:
    context = context_with(tmp_path, Silent({"good": GOOD}))
    plan = plan_of("good")
    call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    found = call("list_experiments", context)
    (told,) = found.settled
    assert (told.status, found.runs[0].status) == ("running", "running")
    assert "the network is gone" in told.message


# --- what a person ended


def test_a_cancelled_job_is_no_crash(tmp_path: Path) -> None:
    context = context_with(tmp_path, Cancelled({"good": GOOD}))
    plan = plan_of("good")
    submitted = call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    (told,) = settle(context)
    assert told.status == "cancelled"
    assert "cancelled by a person" in told.message
    assert "1 lines of its metrics cannot be read" in told.message
    (run,) = context.records.experiments.list()
    assert (run.status, run.decision, run.decision_reason) == ("cancelled", "undecided", "cancelled by a person")
    (job,) = context.records.jobs.list()
    ended = {"label": "good", "run_id": run.id, "job_id": job.id, "state": "cancelled", "message": ""}
    with pytest.raises(JobFailedError, match="good: cancelled by a person"):
        call("collect_results", context, jobs=[ended])
    assert context.records.experiments.list()[0].decision == "undecided"
    assert submitted.job_ids == (job.id,)


def test_an_arm_that_was_cancelled_does_not_hide_the_others(tmp_path: Path) -> None:
    class One(Arms):
        def poll(self, handle: JobHandle) -> JobStatus:
            status = super().poll(handle)
            ended = self._label(handle.job_id) == "bad"
            return status.model_copy(update={"state": JobState.CANCELLED}) if ended else status

    collected = carried_out(context_with(tmp_path, One({"good": GOOD, "bad": BAD})), plan_of("good", "bad"))
    assert [(run.label, run.status) for run in collected.runs] == [("good", "succeeded"), ("bad", "cancelled")]


# --- plans that cannot run


@pytest.mark.parametrize(
    ("spec", "changes", "why"),
    [
        ({"dataset": "mfass"}, {}, "the data set mfass is not on this machine"),
        ({"base_model": "openspliceai-400nt"}, {}, "downloads are off"),
        ({"base_model": "spliceia"}, {}, "No base model is called 'spliceia'"),
        ({}, {"device": "cuda"}, "no GPU"),
        ({}, {"backend": "moon"}, "no backend 'moon'"),
    ],
)
def test_a_plan_that_cannot_run_says_so_before_it_is_approved_and_does_not_start(
    spec: dict[str, Any], changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    context = context_with(tmp_path, Arms({}))
    context.settings.__dict__["allow_download"] = False
    local = LocalBackend(tmp_path / "jobs", gpu_slots=0)
    context.resources.__dict__["jobs"] = JobManager(context.records.jobs, {"local": local})
    arm = Arm(label="good", spec=tiny_spec(draws=200, **spec))
    plan = plan_of("good", **({"backend": "local", "device": "cpu", "arms": (arm,)} | changes))
    approval = approved(context, plan)
    found = call("estimate_plan", context, plan_id=plan.id)
    (blocker,) = found.blockers
    assert why in blocker
    assert found.estimate.warnings[0] == f"It cannot run: {blocker}"
    with pytest.raises(PlanError, match=r"cannot run"):
        call("submit_plan", context, plan_id=plan.id, approval_id=approval)
    assert (context.records.jobs.list(), context.records.experiments.list()) == ((), ())


def test_a_plan_that_can_run_here_has_no_blockers(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({}))
    local = LocalBackend(tmp_path / "jobs", gpu_slots=0)
    context.resources.__dict__["jobs"] = JobManager(context.records.jobs, {"local": local})
    plan = plan_of("good", backend="local", device="cpu")
    context.records.plans.add(plan)
    found = call("estimate_plan", context, plan_id=plan.id)
    assert (found.blockers, found.estimate.warnings) == ((), ())


# --- what is said of their training


def test_an_answer_about_early_stopping_begins_with_whether_it_acted(tmp_path: Path) -> None:
    context = context_with(tmp_path, Arms({"good": GOOD}))
    runs = list(carried_out(context, plan_of("good")).run_ids)
    answer = call("explain_result", context, runs=runs, question="why did early stopping help")
    assert answer.text.startswith("Early stopping acted in good, counted by seeds: for 1 of 1 seed.")


def test_a_run_that_was_cut_off_does_not_say_that_it_stopped_early(tmp_path: Path) -> None:
    context = context_with(tmp_path, Cancelled({"good": GOOD}))
    plan = plan_of("good")
    call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    (run,) = settle(context)
    answer = call("explain_result", context, runs=[run.run_id], question="why did early stopping help")
    assert "its training was cut off" in answer.text
    assert "not trained" not in answer.text


# --- what is kept of the code


@pytest.mark.parametrize(
    ("state", "kept", "has_diff"),
    [
        (GitState(commit="a" * 40, dirty_diff=None), {"dirty": False, "reason": ""}, False),
        (GitState(commit="a" * 40, dirty_diff="+gate = True"), {"dirty": True, "reason": ""}, True),
        (GitState(commit="a" * 40, dirty_diff=None, reason="too long"), {"dirty": None, "reason": "too long"}, False),
    ],
)
def test_a_difference_that_is_not_known_does_not_look_like_none(
    state: GitState, kept: dict[str, Any], has_diff: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic_spliceai.records.environment.git_state", lambda: state)
    context = context_with(tmp_path, Arms({"good": GOOD}))
    plan = plan_of("good")
    submitted = call("submit_plan", context, plan_id=plan.id, approval_id=approved(context, plan))
    run = context.records.experiments.get(submitted.run_ids[0])
    assert run.environment["git"] == {"commit": "a" * 40} | kept
    assert (run.git_dirty_sha256 is not None) == has_diff
