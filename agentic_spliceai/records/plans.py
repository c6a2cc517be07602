"""Plans and approvals in the database."""

from __future__ import annotations

from pydantic import AwareDatetime
from sqlmodel import Session, col, select

from agentic_spliceai.records.base import Border, find, new_id, now
from agentic_spliceai.records.database import Database, insert_new
from agentic_spliceai.records.errors import ConflictError, RecordError
from agentic_spliceai.records.plan import Approval, ApprovalDecision, ExperimentPlan
from agentic_spliceai.records.tables import ApprovalRow, PlanRow


class PlanSummary(Border):
    """A plan as a list shows it."""

    id: str
    request: str
    planner: str
    hypothesis: str
    created_at: AwareDatetime


class PlanStore:
    """The plans of a database, and what people decided about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, plan: ExperimentPlan) -> str:
        """Write a plan down and return its id; a plan that is there already stays as it is."""
        values = {
            "id": plan.id,
            "digest": plan.digest,
            "request": plan.request,
            "planner": plan.planner,
            "hypothesis": plan.hypothesis,
            "document": plan.model_dump(mode="json"),
            "created_at": now(),
        }
        with self._database.writing() as session:
            insert_new(session, PlanRow, [values], "id")
            kept = session.get_one(PlanRow, plan.id)
            if kept.digest != plan.digest:
                raise ConflictError(f"another plan has the id {plan.id}.", "Word the request in another way.")
        return plan.id

    def get(self, plan_id: str) -> ExperimentPlan:
        """Return a plan by its id or an unambiguous beginning of it.

        Raises
        ------
        UnknownRecordError
            If there is none, or more than one.
        """
        with self._database.session() as session:
            row = find(session, PlanRow, plan_id, what="plan", advice="Make the plan first.")
            return ExperimentPlan.model_validate(row.document)

    def list(self, limit: int = 50) -> tuple[PlanSummary, ...]:
        """Return the latest plans, newest first."""
        query = select(PlanRow).order_by(col(PlanRow.created_at).desc(), col(PlanRow.id).desc()).limit(limit)
        with self._database.session() as session:
            rows = session.exec(query).all()
            return tuple(PlanSummary.model_validate(row.model_dump(exclude={"digest", "document"})) for row in rows)

    def request_approval(self, plan: ExperimentPlan, *, workflow_run_id: str = "") -> Approval:
        """Write down that a plan waits for a decision, the plan too if it is not there, and return the request.

        Within one run of a workflow the same plan has one request until it is rejected. Outside a workflow a request is
        the same only as long as it waits: what was approved once is not approved for ever.
        """
        self.add(plan)
        with self._database.writing() as session:
            latest = _latest(session, plan.digest, workflow_run_id, lock=True)
            same = (
                latest is not None
                and latest.decision != ApprovalDecision.REJECTED
                and (latest.decision == ApprovalDecision.PENDING or workflow_run_id != "")
            )
            if not same:
                row = ApprovalRow(
                    id=new_id(),
                    subject=f"plan:{plan.id}",
                    subject_sha256=plan.digest,
                    workflow_run_id=workflow_run_id,
                    attempt=1 if latest is None else latest.attempt + 1,
                    decision=ApprovalDecision.PENDING.value,
                    requested_at=now(),
                )
                values = row.model_dump()
                insert_new(session, ApprovalRow, [values], "subject_sha256", "workflow_run_id", "attempt")
                latest = _latest(session, plan.digest, workflow_run_id)
            assert latest is not None
            return _approval(latest)

    def decide(self, approval_id: str, decision: ApprovalDecision, by: str, reason: str = "") -> Approval:
        """Write a person's decision down and return it; the same decision again changes nothing.

        Raises
        ------
        ConflictError
            If it is decided already, the other way.
        """
        if decision is ApprovalDecision.PENDING or not by.strip():
            raise RecordError("a decision is 'approved' or 'rejected', by a person.", "Say which, and who decided.")
        with self._database.writing() as session:
            row = _get(session, approval_id, lock=True)
            if row.decision == ApprovalDecision.PENDING:
                row.decision, row.decided_by, row.reason = decision.value, by, reason
                row.decided_at = now()
                session.add(row)
            elif row.decision != decision:
                raise ConflictError(
                    f"the request {row.id} was {row.decision} already, by {row.decided_by}.", "Ask for a new approval."
                )
            return _approval(row)

    def approval(self, approval_id: str) -> Approval:
        """Return an approval by its id or an unambiguous beginning of it; raises as `get`."""
        with self._database.session() as session:
            return _approval(_get(session, approval_id, prefix=True))

    def pending(self) -> tuple[Approval, ...]:
        """Return what waits for a decision, oldest first."""
        query = (
            select(ApprovalRow)
            .where(ApprovalRow.decision == ApprovalDecision.PENDING.value)
            .order_by(col(ApprovalRow.requested_at), col(ApprovalRow.id))
        )
        with self._database.session() as session:
            return tuple(_approval(row) for row in session.exec(query).all())


def _get(session: Session, approval_id: str, *, prefix: bool = False, lock: bool = False) -> ApprovalRow:
    advice = "Ask for approval of the plan first."
    return find(session, ApprovalRow, approval_id, what="approval", advice=advice, prefix=prefix, lock=lock)


def _latest(session: Session, digest: str, workflow_run_id: str, *, lock: bool = False) -> ApprovalRow | None:
    query = (
        select(ApprovalRow)
        .where(ApprovalRow.subject_sha256 == digest, ApprovalRow.workflow_run_id == workflow_run_id)
        .order_by(col(ApprovalRow.attempt).desc())
        .limit(1)
    )
    return session.exec(query.with_for_update() if lock else query).first()


def _approval(row: ApprovalRow) -> Approval:
    return Approval.model_validate(row.model_dump(exclude={"workflow_run_id", "attempt"}))
