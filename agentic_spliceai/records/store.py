"""Everything that is remembered, in one SQLite or PostgreSQL database."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update
from sqlmodel import Session, col, select

from agentic_spliceai.records.base import find
from agentic_spliceai.records.database import Database
from agentic_spliceai.records.errors import ConflictError, UnknownRunError
from agentic_spliceai.records.evidence_store import EvidenceStore
from agentic_spliceai.records.experiments import ExperimentStore
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.records.jobs import JobStore
from agentic_spliceai.records.models import (
    ArtifactRecord,
    InterpretationRecord,
    NewArtifact,
    NewRun,
    NewStep,
    RecordedError,
    Run,
    RunDetail,
    RunStatus,
    RunSummary,
    StepRecord,
)
from agentic_spliceai.records.plans import PlanStore
from agentic_spliceai.records.predictions import PredictionStore
from agentic_spliceai.records.process import has_ended
from agentic_spliceai.records.sessions import SessionStore


class RecordStore:
    """Everything that is remembered: runs with their steps, interpretations and artifacts, and the stores below.

    Parameters
    ----------
    url
        SQLAlchemy URL. A SQLite file gets WAL, foreign keys and a busy timeout; its folder and tables are made on first
        use.
    busy_timeout
        Seconds to wait for another process's lock (SQLite).

    Attributes
    ----------
    jobs, experiments, plans, evidence, predictions, sessions
        The other things that are remembered, in the same database.

    Raises
    ------
    RecordError
        From every method, if the database is locked, read-only, damaged or cannot be reached.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0) -> None:
        self.database = Database(url, busy_timeout=busy_timeout)
        self.jobs = JobStore(self.database)
        self.experiments = ExperimentStore(self.database)
        self.plans = PlanStore(self.database)
        self.evidence = EvidenceStore(self.database)
        self.predictions = PredictionStore(self.database)
        self.sessions = SessionStore(self.database)

    @property
    def location(self) -> str:
        """The URL without a password."""
        return self.database.location

    def close(self) -> None:
        """Close every connection; the store opens again when it is used."""
        self.database.close()

    def start_run(self, run: NewRun) -> None:
        """Record that a run has started."""
        with self.database.session() as session:
            session.add(Run.model_validate({**run.model_dump(), "status": RunStatus.RUNNING.value}))
            session.commit()

    def finish_run(
        self, run_id: str, status: RunStatus, *, finished_at: datetime | None = None, error: RecordedError | None = None
    ) -> None:
        """Record how a run ended."""
        with self.database.session() as session:
            run = _get(session, run_id)
            run.status = status.value
            run.finished_at = finished_at or datetime.now(UTC)
            run.error = error.model_dump() if error else None
            session.add(run)
            session.commit()

    def pause_run(self, run_id: str) -> None:
        """Record that a run waits for a person's answer."""
        with self.database.session() as session:
            run = _get(session, run_id)
            run.status = RunStatus.WAITING.value
            session.add(run)
            session.commit()

    def continue_run(self, run_id: str, seen: RunStatus, *, host: str, pid: int, process_token: str) -> bool:
        """Record that a process takes up a run that stands at `seen`; False if another process came before."""
        with self.database.session() as session:
            taken = session.exec(
                update(Run)
                .where(col(Run.id) == run_id, col(Run.status) == seen.value)
                .values(
                    status=RunStatus.RUNNING.value,
                    finished_at=None,
                    error=None,
                    host=host,
                    pid=pid,
                    process_token=process_token,
                    attempts=col(Run.attempts) + 1,
                )
            )
            session.commit()
            return taken.rowcount == 1

    def add_step(self, run_id: str, step: NewStep) -> None:
        """Record one attempt at one node."""
        with self.database.session() as session:
            values = step.model_dump() | {"run_id": run_id, "status": step.status.value}
            session.add(StepRecord.model_validate(values))
            session.commit()

    def add_interpretation(
        self, run_id: str, interpretation: Interpretation, artifacts: tuple[NewArtifact, ...] = ()
    ) -> None:
        """Record what a run found and the files it made, all or nothing; again for the same run it changes nothing.

        Raises
        ------
        ConflictError
            If the run has interpreted another variant.
        """
        deltas = [gene.delta for gene in interpretation.genes]
        build = interpretation.variant.build
        with self.database.writing() as session:
            same = select(InterpretationRecord).where(InterpretationRecord.run_id == run_id)
            kept = session.exec(same).first()
            if kept is not None:
                if kept.variant != str(interpretation.variant):
                    raise ConflictError(
                        f"the run {run_id} has interpreted {kept.variant}, not {interpretation.variant}.",
                        "Start a run of its own.",
                    )
                return
            session.add(
                InterpretationRecord.model_validate(
                    {
                        "run_id": run_id,
                        "variant": str(interpretation.variant),
                        "build": build.value if build else None,
                        "genes": [gene.gene_name for gene in interpretation.genes],
                        "verdict": interpretation.verdict,
                        "max_score": max(delta.raw.max_score for delta in deltas),
                        "schema_version": interpretation.schema_version,
                        "provenance": [delta.provenance.model_dump(mode="json") for delta in deltas],
                        "document": interpretation.model_dump(mode="json"),
                    }
                )
            )
            for artifact in artifacts:
                session.add(ArtifactRecord.model_validate(artifact.model_dump() | {"run_id": run_id}))

    def add_artifacts(self, run_id: str, artifacts: tuple[NewArtifact, ...]) -> None:
        """Record files that a run made; what is recorded for it already is not recorded again."""
        with self.database.session() as session:
            run = _get(session, run_id)
            rows = session.exec(select(ArtifactRecord).where(ArtifactRecord.run_id == run.id)).all()
            known = {(row.sha256, row.kind) for row in rows}
            for artifact in artifacts:
                if (artifact.sha256, artifact.kind) not in known:
                    session.add(ArtifactRecord.model_validate(artifact.model_dump() | {"run_id": run.id}))
            session.commit()

    def mark_interrupted(self) -> tuple[RunSummary, ...]:
        """Mark runs whose process has ended without a word as interrupted, and return them."""
        with self.database.session() as session:
            running = session.exec(select(Run).where(Run.status == RunStatus.RUNNING.value)).all()
            ended = [run for run in running if has_ended(run.host, run.pid, run.process_token)]
            error = RecordedError(code="interrupted", message="the process ended before the run did")
            marked = []
            for run in ended:
                # Only where it still is that process's: another one may have taken the run up meanwhile.
                change = update(Run).where(
                    col(Run.id) == run.id,
                    col(Run.status) == RunStatus.RUNNING.value,
                    col(Run.pid) == run.pid,
                    col(Run.attempts) == run.attempts,
                )
                values = {"status": RunStatus.INTERRUPTED.value, "error": error.model_dump()}
                if session.exec(change.values(values)).rowcount:
                    marked.append(run)
            session.commit()
            return tuple(_summary(run, None) for run in marked)

    def list_runs(
        self, limit: int = 20, *, graph: str | None = None, variant: str | None = None
    ) -> tuple[RunSummary, ...]:
        """Return the latest runs, newest first: all, of one workflow, or those that interpreted one variant."""
        query = (
            select(Run, InterpretationRecord)
            .join(InterpretationRecord, col(InterpretationRecord.run_id) == col(Run.id), isouter=True)
            .order_by(col(Run.started_at).desc(), col(Run.id).desc())
            .limit(limit)
        )
        if graph is not None:
            query = query.where(Run.graph_name == graph)
        if variant is not None:
            query = query.where(InterpretationRecord.variant == variant)
        with self.database.session() as session:
            return tuple(_summary(run, found) for run, found in session.exec(query).all())

    def get_run(self, run_id: str) -> RunDetail:
        """Return everything about a run, by its id or an unambiguous beginning of it.

        Raises
        ------
        UnknownRunError
            If there is none, or more than one.
        """
        with self.database.session() as session:
            run = _get(session, run_id, prefix=True)
            steps = session.exec(
                select(StepRecord).where(StepRecord.run_id == run.id).order_by(col(StepRecord.id))
            ).all()
            artifacts = session.exec(select(ArtifactRecord).where(ArtifactRecord.run_id == run.id)).all()
            found = session.exec(select(InterpretationRecord).where(InterpretationRecord.run_id == run.id)).first()
            return RunDetail.model_validate(
                {
                    **_summary(run, found).model_dump(),
                    "graph_sha256": run.graph_sha256,
                    "software_version": run.software_version,
                    "environment": run.environment,
                    "attempts": run.attempts,
                    "steps": [step.model_dump(exclude={"id", "run_id"}) for step in steps],
                    "artifacts": [artifact.model_dump(exclude={"id", "run_id"}) for artifact in artifacts],
                    "interpretation": found.document if found else None,
                }
            )


def _get(session: Session, run_id: str, *, prefix: bool = False) -> Run:
    advice = "`agentic-spliceai runs list` shows the runs."
    return find(session, Run, run_id, what="run", advice=advice, error=UnknownRunError, prefix=prefix)


def _summary(run: Run, found: InterpretationRecord | None) -> RunSummary:
    return RunSummary(
        id=run.id,
        graph_name=run.graph_name,
        status=RunStatus(run.status),
        started_at=run.started_at,
        finished_at=run.finished_at,
        inputs=run.inputs,
        variant=found.variant if found else None,
        verdict=found.verdict if found else None,
        error=RecordedError.model_validate(run.error) if run.error else None,
    )
