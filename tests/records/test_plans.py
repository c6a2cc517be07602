"""Plans and approvals in the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentic_spliceai.records.errors import ConflictError, RecordError, UnknownRecordError
from agentic_spliceai.records.plan import ApprovalDecision
from agentic_spliceai.records.plans import PlanStore
from agentic_spliceai.records.store import RecordStore
from tests.records.toy import new_plan


@pytest.fixture
def plans(database_url: str) -> Iterator[PlanStore]:
    store = RecordStore(database_url, busy_timeout=20)
    yield store.plans
    store.close()


def test_a_plan_comes_back_as_it_was_written(plans: PlanStore) -> None:
    plan = new_plan()
    assert plans.add(plan) == plans.add(plan) == plan.id
    assert plans.get(plan.id) == plans.get(plan.id[:4]) == plan
    other = new_plan("another request, in Schrödinger's words 🧬")
    plans.add(other)
    assert [found.id for found in plans.list()] == [other.id, plan.id]
    assert plans.list(1)[0].request == other.request
    with pytest.raises(UnknownRecordError, match="there is no plan 'zz'"):
        plans.get("zz")


def test_within_a_run_a_plan_is_asked_about_once(plans: PlanStore) -> None:
    plan = new_plan()
    asked = plans.request_approval(plan, workflow_run_id="wf1")
    assert (asked.subject, asked.subject_sha256) == (f"plan:{plan.id}", plan.digest)
    assert (asked.decision, asked.decided_at) == (ApprovalDecision.PENDING, None)
    assert plans.get(plan.id) == plan
    assert plans.request_approval(plan, workflow_run_id="wf1") == asked
    elsewhere = plans.request_approval(plan, workflow_run_id="wf2")
    assert elsewhere.id != asked.id
    assert plans.pending() == (asked, elsewhere)
    approved = plans.decide(asked.id, ApprovalDecision.APPROVED, "ada", "cheap")
    assert (approved.decision, approved.decided_by, approved.reason) == ("approved", "ada", "cheap")
    assert plans.request_approval(plan, workflow_run_id="wf1") == approved == plans.approval(asked.id[:6])
    assert plans.pending() == (elsewhere,)


def test_outside_a_run_an_approval_is_used_once(plans: PlanStore) -> None:
    plan = new_plan()
    asked = plans.request_approval(plan)
    assert plans.request_approval(plan) == asked
    plans.decide(asked.id, ApprovalDecision.APPROVED, "ada")
    again = plans.request_approval(plan)
    assert (again.id != asked.id, again.decision) == (True, ApprovalDecision.PENDING)


def test_what_was_rejected_may_be_asked_again(plans: PlanStore) -> None:
    asked = plans.request_approval(new_plan(), workflow_run_id="wf")
    plans.decide(asked.id, ApprovalDecision.REJECTED, "ada", "too long")
    again = plans.request_approval(new_plan(), workflow_run_id="wf")
    assert (again.id != asked.id, again.decision) == (True, ApprovalDecision.PENDING)
    assert plans.approval(asked.id).decision is ApprovalDecision.REJECTED


def test_another_plan_needs_another_approval(plans: PlanStore) -> None:
    plan = new_plan()
    plans.decide(plans.request_approval(plan, workflow_run_id="wf").id, ApprovalDecision.APPROVED, "ada")
    dearer = plan.model_copy(update={"budget_usd": 500.0})
    asked = plans.request_approval(dearer, workflow_run_id="wf")
    assert (asked.decision, asked.subject_sha256) == (ApprovalDecision.PENDING, dearer.digest)


def test_a_decision_stands(plans: PlanStore) -> None:
    asked = plans.request_approval(new_plan(), workflow_run_id="wf")
    first = plans.decide(asked.id, ApprovalDecision.REJECTED, "ada", "too long")
    assert plans.decide(asked.id, ApprovalDecision.REJECTED, "bob", "again") == first
    with pytest.raises(ConflictError, match="was rejected already, by ada"):
        plans.decide(asked.id, ApprovalDecision.APPROVED, "bob")
    assert plans.approval(asked.id) == first
    for decision, by in ((ApprovalDecision.PENDING, "ada"), (ApprovalDecision.APPROVED, " ")):
        with pytest.raises(RecordError, match="by a person"):
            plans.decide(asked.id, decision, by)
    with pytest.raises(UnknownRecordError, match="there is no approval"):
        plans.decide(asked.id[:6], ApprovalDecision.APPROVED, "ada")
