"""Experiments in the database: what was trained, on what, for which reason, what came out and what was decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, delete, func, or_, select

from agentic_spliceai.records.base import find, finite, new_id, now, plain_json
from agentic_spliceai.records.database import Database, insert_new
from agentic_spliceai.records.errors import ConflictError, RecordError, UnknownRecordError
from agentic_spliceai.records.experiment_types import (
    ExperimentRunDetail,
    ExperimentRunSummary,
    ExperimentStatus,
    ExperimentSummary,
    MetricPoint,
    NewExperimentRun,
)
from agentic_spliceai.records.models import NewArtifact, RecordedError
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.records.tables import (
    ApprovalRow,
    DatasetRow,
    DatasetUseRow,
    ExperimentArtifactRow,
    ExperimentRow,
    ExperimentRunRow,
    FigureRow,
    MetricRow,
    ParamRow,
    PlanRow,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult, Figure

__all__ = [
    "ExperimentRunDetail",
    "ExperimentRunSummary",
    "ExperimentStatus",
    "ExperimentStore",
    "ExperimentSummary",
    "MetricPoint",
    "NewExperimentRun",
]

_ADVICE = "The tool list_experiments shows the runs."
_NO_SEED = -1


class ExperimentStore:
    """The experiments of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, name: str, description: str = "") -> ExperimentSummary:
        """Return the experiment of this name, made if there is none; its first description stays."""
        if not name.strip():
            raise RecordError("an experiment needs a name.", "Give one, such as triage-mfass.")
        values = {"id": new_id(), "name": name, "description": description, "created_at": now()}
        with self._database.writing() as session:
            insert_new(session, ExperimentRow, [values], "name")
            row = session.exec(select(ExperimentRow).where(ExperimentRow.name == name)).one()
            return next(_experiments(session, row.id))

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return every experiment, by name."""
        with self._database.session() as session:
            return tuple(_experiments(session))

    def add_run(self, run: NewExperimentRun) -> ExperimentRunDetail:
        """Write down that a run starts; with an id that is there already, return that run as it is.

        `parent_id` may be the beginning of an id.

        Raises
        ------
        ConflictError
            If a run of another specification has the id.
        UnknownRecordError
            If its experiment, parent, plan or approval is unknown.
        """
        spec = run.spec
        with self._database.writing() as session:
            experiment = session.exec(select(ExperimentRow).where(ExperimentRow.name == run.experiment)).first()
            if experiment is None:
                raise UnknownRecordError(f"there is no experiment {run.experiment!r}.", "Make it first.")
            parent = None if run.parent_id is None else _get(session, run.parent_id, prefix=True).id
            for table, given, what in ((PlanRow, run.plan_id, "plan"), (ApprovalRow, run.approval_id, "approval")):
                if given is not None:
                    find(session, table, given, what=what, advice="Record it before the run.", prefix=False)
            row = ExperimentRunRow(
                **run.model_dump(exclude={"experiment", "parent_id", "spec"}),
                experiment_id=experiment.id,
                parent_id=parent,
                status=ExperimentStatus.RUNNING.value,
                task=spec.task.value,
                dataset=spec.dataset,
                base_model=spec.base_model,
                model=spec.model,
                spec=spec.model_dump(mode="json"),
                spec_digest=spec.digest,
            )
            if insert_new(session, ExperimentRunRow, [row.model_dump()], "id"):
                params = [
                    {"run_id": run.id, "name": name, "value": plain_json(value)} for name, value in _flat(row.spec)
                ]
                insert_new(session, ParamRow, params, "run_id", "name")
            kept = _get(session, run.id)
            if kept.spec_digest != spec.digest:
                raise ConflictError(
                    f"the run {run.id} is there already, with another specification.", "Give the run an id of its own."
                )
            return _detail(session, kept)

    def set_job(self, run_id: str, job_id: str) -> None:
        """Write down which job runs the run."""
        with self._database.writing() as session:
            row = _get(session, run_id, lock=True)
            row.job_id = job_id
            session.add(row)

    def add_metrics(self, run_id: str, points: Iterable[MetricPoint]) -> int:
        """Write measured values down and return how many were new: the first value of a point stays."""
        rows: dict[tuple[object, ...], dict[str, Any]] = {}
        for point in points:
            values = point.model_dump() | {
                "run_id": run_id,
                "seed": _NO_SEED if point.seed is None else point.seed,
            }
            rows.setdefault(tuple(values[name] for name in ("name", "split", "seed", "step")), values)
        with self._database.writing() as session:
            _get(session, run_id)
            return insert_new(session, MetricRow, list(rows.values()), "run_id", "name", "split", "seed", "step")

    def metrics(self, run_id: str, name: str | None = None, split: str | None = None) -> tuple[MetricPoint, ...]:
        """Return what was measured while a run trained, by name, split, seed and step."""
        with self._database.session() as session:
            run = _get(session, run_id, prefix=True)
            query = select(MetricRow).where(MetricRow.run_id == run.id)
            if name is not None:
                query = query.where(MetricRow.name == name)
            if split is not None:
                query = query.where(MetricRow.split == split)
            order = (col(MetricRow.name), col(MetricRow.split), col(MetricRow.seed), col(MetricRow.step))
            return tuple(
                MetricPoint.model_validate(
                    row.model_dump(exclude={"run_id"}) | {"seed": None if row.seed == _NO_SEED else row.seed}
                )
                for row in session.exec(query.order_by(*order)).all()
            )

    def finish_run(
        self,
        run_id: str,
        status: ExperimentStatus | str,
        *,
        result: ExperimentResult | None = None,
        error: RecordedError | None = None,
        artifacts: tuple[NewArtifact, ...] = (),
        seconds: float | None = None,
        cost_usd: float | None = None,
    ) -> ExperimentRunDetail:
        """Write down how a run ended, all or nothing; the same end again changes nothing.

        A run that succeeded never changes again. One that did not may still succeed: a job that was lost may be found.

        Raises
        ------
        ConflictError
            If the run has succeeded with another result, or the result is of another specification.
        """
        ended = ExperimentStatus(str(status))
        if ended is ExperimentStatus.RUNNING or (ended is ExperimentStatus.SUCCEEDED) != (result is not None):
            raise RecordError(
                f"a run does not end as {ended}{' without' if result is None else ' with'} a result.",
                "A run that succeeded has a result, and no other has one.",
            )
        document = None if result is None else json.dumps(result.model_dump(mode="json"), sort_keys=True)
        outcome = _outcome(ended, document, error, artifacts)
        with self._database.writing() as session:
            row = _get(session, run_id, lock=True)
            if row.outcome_sha256 != outcome:
                if row.status == ExperimentStatus.SUCCEEDED:
                    raise ConflictError(
                        f"the run {run_id} has succeeded with another result.", "Train again as a new run."
                    )
                if result is not None and result.spec_digest != row.spec_digest:
                    raise ConflictError(
                        f"the result is not of the run {run_id}: its specification has digest "
                        f"{result.spec_digest[:12]}, the run's has {row.spec_digest[:12]}.",
                        "Train again.",
                    )
                row.status, row.outcome_sha256, row.result = ended.value, outcome, document
                row.finished_at = now()
                row.error = error.model_dump() if error else None
                if result is not None:
                    row.device = result.device
                    row.evaluator_digest, row.code_digest = result.evaluator_digest, result.code_digest
                _replace_result(session, run_id, result, artifacts)
            row.seconds = row.seconds if seconds is None else seconds
            row.cost_usd = row.cost_usd if cost_usd is None else cost_usd
            session.add(row)
            session.flush()
            return _detail(session, row)

    def decide(self, run_id: str, decision: RunDecision, reason: str) -> None:
        """Write down what is done with a run; a later decision replaces an earlier one."""
        with self._database.writing() as session:
            row = _get(session, run_id, lock=True)
            if (row.decision, row.decision_reason) != (decision.value, reason):
                row.decision, row.decision_reason, row.decided_at = decision.value, reason, now()
                session.add(row)

    def get(self, run_id: str) -> ExperimentRunDetail:
        """Return everything about a run, by its id or an unambiguous beginning of it.

        Raises
        ------
        UnknownRecordError
            If there is none, or more than one.
        """
        with self._database.session() as session:
            return _detail(session, _get(session, run_id, prefix=True))

    def list(
        self,
        experiment: str | None = None,
        limit: int = 50,
        *,
        task: str | None = None,
        dataset: str | None = None,
        status: str | None = None,
        text: str | None = None,
        plan: str | None = None,
    ) -> tuple[ExperimentRunSummary, ...]:
        """Return the latest runs, newest first.

        Parameters
        ----------
        experiment, task, dataset, status, plan
            Only these; experiment by name, plan by id.
        text
            Only runs with it in label, model, base model or hypothesis; upper and lower case are the same.
        """
        query = (
            select(ExperimentRunRow, ExperimentRow)
            .join(ExperimentRow, col(ExperimentRow.id) == col(ExperimentRunRow.experiment_id))
            .order_by(col(ExperimentRunRow.started_at).desc(), col(ExperimentRunRow.id).desc())
            .limit(limit)
        )
        for column, wanted in (
            (ExperimentRow.name, experiment),
            (ExperimentRunRow.task, task),
            (ExperimentRunRow.dataset, dataset),
            (ExperimentRunRow.status, status),
            (ExperimentRunRow.plan_id, plan),
        ):
            if wanted is not None:
                query = query.where(col(column) == wanted)
        if text is not None:
            fields = ("label", "model", "base_model", "hypothesis")
            columns = [col(getattr(ExperimentRunRow, field)) for field in fields]
            query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
        with self._database.session() as session:
            return tuple(
                ExperimentRunSummary.model_validate(_summary(run, found)) for run, found in session.exec(query).all()
            )


def _get(session: Session, run_id: str, *, prefix: bool = False, lock: bool = False) -> ExperimentRunRow:
    return find(session, ExperimentRunRow, run_id, what="experiment run", advice=_ADVICE, prefix=prefix, lock=lock)


def _experiments(session: Session, only: str | None = None) -> Iterator[ExperimentSummary]:
    query = (
        select(ExperimentRow, func.count(col(ExperimentRunRow.id)))
        .join(ExperimentRunRow, col(ExperimentRunRow.experiment_id) == col(ExperimentRow.id), isouter=True)
        .group_by(col(ExperimentRow.id))
        .order_by(col(ExperimentRow.name))
    )
    if only is not None:
        query = query.where(ExperimentRow.id == only)
    for row, runs in session.exec(query).all():
        yield ExperimentSummary(**row.model_dump(), runs=runs)


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield the values of a specification with dotted names; name and description are no parameters."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        elif before or name not in ("name", "description"):
            yield f"{before}{name}", value


def _outcome(
    status: ExperimentStatus, document: str | None, error: RecordedError | None, artifacts: tuple[NewArtifact, ...]
) -> str:
    files = sorted((file.kind, file.sha256) for file in set(artifacts))
    content = [status.value, document, error.model_dump() if error else None, files]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _replace_result(
    session: Session, run_id: str, result: ExperimentResult | None, artifacts: tuple[NewArtifact, ...]
) -> None:
    for table in (FigureRow, DatasetUseRow, ExperimentArtifactRow):
        session.exec(delete(table).where(col(table.run_id) == run_id))
    for artifact in dict.fromkeys(artifacts):
        session.add(ExperimentArtifactRow(run_id=run_id, **artifact.model_dump()))
    if result is None:
        return
    for position, figure in enumerate(result.figures):
        numbers = {name: finite(getattr(figure, name)) for name in ("value", "low", "high", "sd")}
        session.add(FigureRow(run_id=run_id, position=position, **(figure.model_dump() | numbers)))
    for position, use in enumerate(result.datasets):
        about = use.model_dump(include={"name", "digest", "source_sha256", "licence", "synthetic"})
        insert_new(session, DatasetRow, [about], "name", "digest")
        same = select(col(DatasetRow.id)).where(DatasetRow.name == use.name, DatasetRow.digest == use.digest)
        dataset_id = session.exec(same).one()
        assert dataset_id is not None
        used = use.model_dump(include={"role", "n", "positives"})
        session.add(DatasetUseRow(run_id=run_id, position=position, dataset_id=dataset_id, **used))


def _summary(run: ExperimentRunRow, experiment: ExperimentRow) -> dict[str, Any]:
    names = set(ExperimentRunSummary.model_fields) - {"experiment", "seeds"}
    return run.model_dump(include=names) | {"experiment": experiment.name, "seeds": run.spec["seeds"]}


def _detail(session: Session, run: ExperimentRunRow) -> ExperimentRunDetail:
    experiment = session.get_one(ExperimentRow, run.experiment_id)
    of_run: list[Any] = [
        session.exec(select(table).where(table.run_id == run.id).order_by(*order)).all()
        for table, order in (
            (ParamRow, (col(ParamRow.name),)),
            (FigureRow, (col(FigureRow.position),)),
            (ExperimentArtifactRow, (col(ExperimentArtifactRow.kind), col(ExperimentArtifactRow.sha256))),
        )
    ]
    params, figures, artifacts = of_run
    result = None if run.result is None else ExperimentResult.model_validate_json(run.result)
    values = run.model_dump(exclude={"experiment_id", "task", "dataset", "base_model", "model", "result"})
    return ExperimentRunDetail.model_validate(
        values
        | _summary(run, experiment)
        | {
            "params": {row.name: row.value for row in params},
            "figures": [Figure.model_validate(row.model_dump(exclude={"run_id", "position"})) for row in figures],
            "artifacts": [NewArtifact.model_validate(row.model_dump(exclude={"run_id"})) for row in artifacts],
            # Of the result, not of the table: the same examples may have been read from another file.
            "datasets": () if result is None else result.datasets,
            "result": result,
        }
    )
