"""Experiments as MLflow sees them."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentic_spliceai.records.artifacts import ArtifactStore
from agentic_spliceai.records.errors import TrackingError, UnknownRecordError
from agentic_spliceai.records.experiments import MetricPoint
from agentic_spliceai.records.mlflow_sink import RUN_TAG, export_experiment
from agentic_spliceai.records.models import NewArtifact, RecordedError
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.splice_engine.meta_layer.experiments.result import LeftFile
from tests.records.toy import NOON, new_experiment_run, new_result


class FakeClient:
    """Keeps what it is told, as a tracking server does: one value a parameter, no repeated metric."""

    tracking_uri = "fake://"

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, SimpleNamespace] = {}
        self.calls = 0
        self.fails_after: int | None = None

    def _count(self) -> None:
        self.calls += 1
        if self.fails_after is not None and self.calls > self.fails_after:
            raise KeyboardInterrupt

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def search_runs(self, ids: list[str], filter_string: str, max_results: int) -> list[SimpleNamespace]:
        wanted = filter_string.split("'")[1]
        return [run for run in self.runs.values() if run.data.tags[RUN_TAG] == wanted][:max_results]

    def create_run(self, experiment: str, start_time: int, tags: dict[str, str], run_name: str) -> SimpleNamespace:
        self._count()
        run = SimpleNamespace(
            info=SimpleNamespace(run_id=f"m{len(self.runs)}", status="RUNNING", start_time=start_time, name=run_name),
            data=SimpleNamespace(tags=dict(tags), params={}, metrics=set()),
            inputs=[],
            files={},
        )
        self.runs[run.info.run_id] = run
        return run

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        self._count()
        assert max(len(metrics), 1) <= 1000
        assert max(len(params), len(tags), 1) <= 100
        data = self.runs[run_id].data
        for param in params:
            assert data.params.setdefault(param.key, param.value) == param.value
        data.metrics |= {(one.key, None if math.isnan(one.value) else one.value, one.step) for one in metrics}
        data.tags |= {tag.key: tag.value for tag in tags}

    def log_inputs(self, run_id: str, datasets: list[Any]) -> None:
        self.runs[run_id].inputs = [(one.dataset.name, one.dataset.digest, one.tags[0].value) for one in datasets]

    def log_artifact(self, run_id: str, path: str, under: str | None) -> None:
        self._count()
        self.runs[run_id].files[f"{under}/{Path(path).name}" if under else Path(path).name] = Path(path).read_bytes()

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        self._count()
        self.runs[run_id].info.status = status


def _entity(*names: str) -> Any:
    def make(*values: Any, **named: Any) -> SimpleNamespace:
        return SimpleNamespace(**dict(zip(names, values, strict=False)), **named)

    return make


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """A client of MLflow, and as much of MLflow as the export uses; the real one need not be there."""
    made = FakeClient()
    entities = types.ModuleType("mlflow.entities")
    for name, fields in (
        ("Param", ("key", "value")),
        ("Metric", ("key", "value", "timestamp", "step")),
        ("RunTag", ("key", "value")),
        ("InputTag", ("key", "value")),
        ("Dataset", ()),
        ("DatasetInput", ()),
    ):
        setattr(entities, name, _entity(*fields))
    tracking = types.ModuleType("mlflow.tracking")
    tracking.MlflowClient = lambda tracking_uri: made  # type: ignore[attr-defined]
    for name, module in (("mlflow", types.ModuleType("mlflow")), ("entities", entities), ("tracking", tracking)):
        monkeypatch.setitem(sys.modules, name if name == "mlflow" else f"mlflow.{name}", module)
    return made


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def store(tmp_path: Path, artifacts: ArtifactStore) -> Iterator[RecordStore]:
    """Three runs: one that succeeded, its child that failed, one that is under way."""
    opened = RecordStore(f"sqlite:///{tmp_path / 'records.sqlite'}")
    runs = opened.experiments
    runs.ensure("triage-minigene")
    for number, (run_id, parent) in enumerate((("aa", None), ("bb", "aa"), ("cc", None))):
        started = NOON + timedelta(minutes=number)
        runs.add_run(new_experiment_run(run_id, parent_id=parent, started_at=started, label=f"arm-{run_id}"))
    points = [MetricPoint(name="loss", value=1 / (step + 1), step=step, seed=1, split="train") for step in range(1200)]
    runs.add_metrics("aa", [*points, MetricPoint(name="auc (val)", value=None, step=3)])
    scores, extra = artifacts.put_bytes(b"scores"), artifacts.put_bytes(b"more")
    left = (LeftFile(path="ensemble/scores.npz", kind="scores", sha256=scores, bytes=6),)
    files = (NewArtifact(sha256=scores, kind="scores", bytes=6), NewArtifact(sha256=extra, kind="page", bytes=4))
    runs.finish_run("aa", "succeeded", result=new_result(files=left), artifacts=files)
    runs.finish_run("bb", "failed", error=RecordedError(code="timed_out", message="after 12 h"))
    yield opened
    opened.close()


def test_runs_are_there_with_all_that_people_look_for(
    store: RecordStore, artifacts: ArtifactStore, client: FakeClient
) -> None:
    done = export_experiment(store, "triage-minigene", artifacts=artifacts, tracking_uri="fake://")
    assert (done.exported, done.kept, done.problems, done.tracking_uri) == (3, 0, (), "fake://")
    succeeded, failed, running = client.runs.values()
    assert [run.info.status for run in client.runs.values()] == ["FINISHED", "FAILED", "RUNNING"]
    assert (succeeded.info.name, succeeded.info.start_time) == ("arm-aa", int(NOON.timestamp() * 1000))
    assert succeeded.data.params["training.weights.altering"] == "2.0"
    assert succeeded.data.params["seeds"] == "[1, 2]"
    assert {("train/loss/seed_1", 0.5, 1), ("auc _val_", None, 3)} <= succeeded.data.metrics
    assert {("model/pr_auc/altering/all", 0.8, 0), ("model/pr_auc/altering/all.low", 0.7, 0)} <= succeeded.data.metrics
    assert len(succeeded.data.metrics) == 1201 + 7
    assert succeeded.inputs == [("minigene", "1" * 36, "train"), ("minigene", "2" * 36, "test")]
    assert succeeded.files["ensemble/scores.npz"] == b"scores"
    assert b"more" in succeeded.files.values()
    tags = succeeded.data.tags
    assert (tags["mlflow.source.git.commit"], tags["mlflow.note.content"]) == ("0" * 40, "A gate helps.")
    assert tags["agentic_spliceai.evaluator_digest"] == "e" * 64
    assert failed.data.tags["agentic_spliceai.error"] == "timed_out: after 12 h"
    assert failed.data.tags["mlflow.parentRunId"] == succeeded.info.run_id
    assert "mlflow.parentRunId" not in running.data.tags


def test_a_second_export_copies_what_is_new(store: RecordStore, artifacts: ArtifactStore, client: FakeClient) -> None:
    export_experiment(store, "triage-minigene", artifacts=artifacts)
    calls = client.calls
    done = export_experiment(store, "triage-minigene", artifacts=artifacts)
    assert (done.exported, done.kept, client.calls) == (0, 3, calls)
    store.experiments.decide("aa", RunDecision.KEEP, "above the noise floor")
    store.experiments.finish_run("cc", "cancelled", error=RecordedError(code="cancelled", message="by ada"))
    done = export_experiment(store, "triage-minigene", artifacts=artifacts)
    assert (done.exported, done.kept, len(client.runs)) == (2, 1, 3)
    first, _, last = client.runs.values()
    assert (first.data.tags["agentic_spliceai.decision"], last.info.status) == ("keep", "KILLED")


@pytest.mark.parametrize("calls", range(1, 12))
def test_an_export_that_was_cut_off_goes_on(
    store: RecordStore, artifacts: ArtifactStore, client: FakeClient, calls: int
) -> None:
    client.fails_after = calls
    with pytest.raises(KeyboardInterrupt):
        export_experiment(store, "triage-minigene", artifacts=artifacts)
    client.fails_after = None
    export_experiment(store, "triage-minigene", artifacts=artifacts)
    assert [run.info.status for run in client.runs.values()] == ["FINISHED", "FAILED", "RUNNING"]
    first = next(iter(client.runs.values()))
    assert (len(first.data.metrics), len(first.files)) == (1208, 2)


def test_files_that_are_gone_are_named(store: RecordStore, artifacts: ArtifactStore, client: FakeClient) -> None:
    digest = store.experiments.get("aa").artifacts[0].sha256
    artifacts.path(digest).unlink()
    done = export_experiment(store, "triage-minigene", artifacts=artifacts)
    assert (done.exported, len(done.problems)) == (3, 1)
    assert digest in done.problems[0]
    assert export_experiment(store, "triage-minigene", artifacts=artifacts).problems  # said again until it is complete
    assert export_experiment(store, "triage-minigene").problems == ()  # without files nothing is missing


def test_without_mlflow_it_says_what_to_install(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mlflow", "mlflow.tracking", "mlflow.entities"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TrackingError, match="MLflow is not installed") as caught:
        export_experiment(store, "triage-minigene")
    assert "agentic-spliceai[mlflow]" in caught.value.advice
    with pytest.raises(UnknownRecordError, match="there is no experiment 'other'") as unknown:
        export_experiment(store, "other")
    assert "triage-minigene" in unknown.value.advice


@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_takes_them(
    store: RecordStore, artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="the extra mlflow is not installed")
    monkeypatch.chdir(tmp_path)  # MLflow puts files beside the process where a store is a database
    uri = f"sqlite:///{tmp_path / 'mlflow.sqlite'}"
    assert export_experiment(store, "triage-minigene", artifacts=artifacts, tracking_uri=uri).exported == 3
    assert export_experiment(store, "triage-minigene", artifacts=artifacts, tracking_uri=uri).kept == 3
    client = tracking.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name("triage-minigene")
    assert found is not None
    runs = {run.data.tags[RUN_TAG]: run for run in client.search_runs([found.experiment_id])}
    assert len(runs) == 3
    assert runs["aa"].data.metrics["model/pr_auc/altering/all"] == 0.8
    history = client.get_metric_history(runs["aa"].info.run_id, "train/loss/seed_1")
    assert [(one.step, one.value) for one in sorted(history, key=lambda one: one.step)[:2]] == [(0, 1.0), (1, 0.5)]
    assert "ensemble" in {file.path for file in client.list_artifacts(runs["aa"].info.run_id)}
    with pytest.raises(TrackingError, match="MLflow refused"):
        export_experiment(store, "triage-minigene", tracking_uri="nonsense://x")
