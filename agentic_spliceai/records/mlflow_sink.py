"""Copies experiments to MLflow, where people already look at runs; without MLflow nothing else is missing."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field

from agentic_spliceai.records.artifacts import ArtifactStore
from agentic_spliceai.records.base import Border
from agentic_spliceai.records.errors import ArtifactError, TrackingError, UnknownRecordError
from agentic_spliceai.records.experiments import ExperimentRunDetail, ExperimentStatus, MetricPoint
from agentic_spliceai.records.store import RecordStore

#: Tags by which a copied run is found again, and by which a copy is known to be complete.
RUN_TAG = "agentic_spliceai.run_id"
COPY_TAG = "agentic_spliceai.copied"

# MLflow's limits: https://mlflow.org/docs/latest/api_reference/rest-api.html#request-limits and its own validation.
_BATCH = 100
_METRICS = 1000
_LONGEST_PARAM = 6000
_LONGEST_TAG = 5000
_LONGEST_DIGEST = 36
_ALL = 1_000_000_000
_NOT_IN_A_NAME = re.compile(r"[^\w\-. :/]")
_ENDED = {
    ExperimentStatus.SUCCEEDED: "FINISHED",
    ExperimentStatus.FAILED: "FAILED",
    ExperimentStatus.CANCELLED: "KILLED",
    ExperimentStatus.INTERRUPTED: "KILLED",
}


class MlflowExport(Border):
    """What was copied."""

    experiment: str
    tracking_uri: str
    exported: int = Field(ge=0, description="Runs that were new or had changed.")
    kept: int = Field(ge=0, description="Runs that were there already, as they are.")
    problems: tuple[str, ...] = Field(default=(), description="What could not be copied.")


def export_experiment(
    store: RecordStore,
    experiment: str,
    *,
    artifacts: ArtifactStore | None = None,
    tracking_uri: str | None = None,
    client: Any = None,
) -> MlflowExport:
    """Copy the runs of an experiment to MLflow: parameters, metrics by step, figures, data sets, tags, files.

    Repeated, also after it was cut off, it copies what is new or has changed; a run is never there twice.

    Parameters
    ----------
    experiment
        Its name.
    artifacts
        Where the files are; None leaves them out.
    tracking_uri
        MLflow's; by default MLflow decides (MLFLOW_TRACKING_URI).
    client
        An `mlflow.MlflowClient`, instead of one for `tracking_uri`.

    Raises
    ------
    TrackingError
        If MLflow is not installed, or refuses or cannot be reached.
    UnknownRecordError
        If there is no such experiment.
    """
    if all(known.name != experiment for known in store.experiments.experiments()):
        names = ", ".join(known.name for known in store.experiments.experiments()) or "none yet"
        raise UnknownRecordError(f"there is no experiment {experiment!r}.", f"Experiments: {names}.")
    with _explained():
        mlflow = _Mlflow(client or _client(tracking_uri))
        experiment_id = mlflow.experiment(experiment)
        exported = kept = 0
        problems: list[str] = []
        ids: dict[str, str] = {}
        # Oldest first, so that a parent is there before what came of it.
        for summary in reversed(store.experiments.list(experiment, limit=_ALL)):
            run, points = store.experiments.get(summary.id), store.experiments.metrics(summary.id)
            signature = _signature(run, points, artifacts is not None)
            found = mlflow.find(experiment_id, run.id)
            if found is not None and found.data.tags.get(COPY_TAG) == signature:
                ids[run.id] = found.info.run_id
                kept += 1
                continue
            ids[run.id] = mlflow.start(experiment_id, run) if found is None else found.info.run_id
            mlflow.copy(ids[run.id], run, points, ids.get(run.parent_id or ""))
            left_out = mlflow.copy_files(ids[run.id], run, artifacts) if artifacts is not None else []
            problems += left_out
            # Said last, so that a copy that was cut off is taken up again; one that lacks files is not complete.
            if not left_out:
                mlflow.finish(ids[run.id], run, signature)
            exported += 1
    return MlflowExport(
        experiment=experiment,
        tracking_uri=str(mlflow.client.tracking_uri),
        exported=exported,
        kept=kept,
        problems=tuple(problems),
    )


class _Mlflow:
    """One MLflow client, with the words of this project."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.entities = _module("mlflow.entities")

    def experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else self.client.create_experiment(name))

    def find(self, experiment_id: str, run_id: str) -> Any:
        runs = self.client.search_runs([experiment_id], filter_string=f"tags.`{RUN_TAG}` = '{run_id}'", max_results=1)
        return next(iter(runs), None)

    def start(self, experiment_id: str, run: ExperimentRunDetail) -> str:
        made = self.client.create_run(
            experiment_id, start_time=_milliseconds(run.started_at), tags={RUN_TAG: run.id}, run_name=run.label
        )
        return str(made.info.run_id)

    def copy(self, mlflow_id: str, run: ExperimentRunDetail, points: Sequence[MetricPoint], parent: str | None) -> None:
        params = [
            self.entities.Param(_name(name), json.dumps(value)[:_LONGEST_PARAM]) for name, value in run.params.items()
        ]
        at = _milliseconds(run.finished_at or run.started_at)
        metrics = [
            self.entities.Metric(
                _metric_name(point),
                math.nan if point.value is None else point.value,
                _milliseconds(point.at) if point.at else at,
                point.step,
            )
            for point in points
        ]
        metrics += [self.entities.Metric(name, value, at, 0) for name, value in _figures(run)]
        tags = [self.entities.RunTag(name, value[:_LONGEST_TAG]) for name, value in _tags(run, parent)]
        for part in _parts(params, _BATCH):
            self.client.log_batch(mlflow_id, params=part)
        for part in _parts(metrics, _METRICS):
            self.client.log_batch(mlflow_id, metrics=part)
        for part in _parts(tags, _BATCH):
            self.client.log_batch(mlflow_id, tags=part)
        if run.datasets:
            self.client.log_inputs(mlflow_id, [self._dataset(use) for use in run.datasets])

    def _dataset(self, use: Any) -> Any:
        source = {"digest": use.digest, "source_sha256": use.source_sha256, "licence": use.licence}
        dataset = self.entities.Dataset(
            name=use.name,
            digest=use.digest[:_LONGEST_DIGEST],
            source_type="agentic-spliceai",
            source=json.dumps(source),
            profile=json.dumps({"num_rows": use.n, "positives": use.positives, "synthetic": use.synthetic}),
        )
        role = self.entities.InputTag("mlflow.data.context", use.role)
        return self.entities.DatasetInput(dataset=dataset, tags=[role])

    def copy_files(self, mlflow_id: str, run: ExperimentRunDetail, artifacts: ArtifactStore) -> list[str]:
        """Copy the run's files under the names that they had, and return which are not there."""
        named = {} if run.result is None else {file.sha256: PurePosixPath(file.path) for file in run.result.files}
        problems = []
        for artifact in run.artifacts:
            try:
                source = artifacts.path(artifact.sha256)
            except ArtifactError as error:
                problems.append(f"{run.id} {artifact.kind}: {error.message}")
                continue
            name = named.get(artifact.sha256, PurePosixPath(f"{artifact.kind}-{artifact.sha256[:12]}"))
            with tempfile.TemporaryDirectory() as folder:
                copied = Path(folder) / name.name
                shutil.copyfile(source, copied)
                under = str(name.parent) if name.parent != PurePosixPath() else None
                self.client.log_artifact(mlflow_id, str(copied), under)
        return problems

    def finish(self, mlflow_id: str, run: ExperimentRunDetail, signature: str) -> None:
        if run.status in _ENDED:
            ended = _milliseconds(run.finished_at or run.started_at)
            self.client.set_terminated(mlflow_id, _ENDED[run.status], end_time=ended)
        self.client.log_batch(mlflow_id, tags=[self.entities.RunTag(COPY_TAG, signature)])


def _client(tracking_uri: str | None) -> Any:
    return _module("mlflow.tracking").MlflowClient(tracking_uri=tracking_uri)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TrackingError(
            f"runs cannot be exported: MLflow is not installed ({error}).", "pip install 'agentic-spliceai[mlflow]'"
        ) from None


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise what MLflow refuses as `TrackingError`; its own error type is only there where it is."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "mlflow":
            raise
        lines = str(error).splitlines() or [type(error).__name__]
        raise TrackingError(f"MLflow refused: {lines[0]}", "Check --tracking-uri and MLFLOW_TRACKING_URI.") from error


def _signature(run: ExperimentRunDetail, points: Sequence[MetricPoint], with_files: bool) -> str:
    content = [run.status, run.outcome_sha256, run.decision, run.decision_reason, run.cost_usd, len(points), with_files]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _tags(run: ExperimentRunDetail, parent: str | None) -> Iterator[tuple[str, str]]:
    yield "mlflow.note.content", run.hypothesis
    yield "mlflow.source.name", "agentic-spliceai"
    if run.git_commit is not None:
        yield "mlflow.source.git.commit", run.git_commit
    if parent is not None:
        yield "mlflow.parentRunId", parent
    names = (
        "label", "task", "dataset", "base_model", "model", "status", "decision", "decision_reason", "parent_id",
        "plan_id", "approval_id", "job_id", "workflow_run_id", "spec_digest", "evaluator_digest", "code_digest",
        "git_dirty_sha256", "device", "seconds", "cost_usd",
    )  # fmt: skip
    for name in names:
        value = getattr(run, name)
        if value is not None:
            yield f"agentic_spliceai.{name}", str(value)
    if run.error is not None:
        yield "agentic_spliceai.error", f"{run.error.code}: {run.error.message}"
    yield "agentic_spliceai.environment", json.dumps(run.environment, sort_keys=True)


def _figures(run: ExperimentRunDetail) -> Iterator[tuple[str, float]]:
    for figure in run.figures:
        name = _name("/".join((figure.subject, figure.measure, figure.of, figure.subset)))
        for suffix, value in (("", figure.value), (".low", figure.low), (".high", figure.high), (".sd", figure.sd)):
            if value is not None:
                yield f"{name}{suffix}", value


def _metric_name(point: MetricPoint) -> str:
    seed = () if point.seed is None else (f"seed_{point.seed}",)
    return _name("/".join((*((point.split,) if point.split else ()), point.name, *seed)))


def _name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("_", text)[:250]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _parts(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
