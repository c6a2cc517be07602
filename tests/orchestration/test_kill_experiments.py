"""Experiments whose controller is killed at any step: one job an arm, one recorded run, the same figures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.orchestration.validator import load_graph
from agentic_spliceai.records.store import RecordStore
from tests.orchestration.killing import (
    AFTER,
    PAUSED,
    Case,
    Outcome,
    every_step,
    killed_at,
    preload,
    resumed,
    undisturbed,
)

preload("torch")

REQUEST = "train the variant-aware model on minigene, 200 variants, 1 epoch, seed 1, on this machine for free"
#: What differs between two runs that found the same: times, ids, and whatever is named by a digest that holds one.
TIMED = frozenset({"seconds", "result_sha256", "evidence", "summary", "run_id"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Outcome]:
    """A plan carried out undisturbed; its base scores are what the other cases begin with."""
    case = Case("plan_experiment", {"request": REQUEST}, tmp_path_factory.mktemp("whole"))
    return case, undisturbed(case)


def warm(case: Case, whole: Case) -> Case:
    """Give a case the base scores that another has, which spares it most of its time."""
    scores = Path("experiments", "base_scores")
    shutil.copytree(whole.data_dir / scores, case.data_dir / scores)
    return case


def found(outcome: Outcome) -> Any:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in TIMED}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(dict(outcome.outputs or {}))


def store_of(case: Case) -> RecordStore:
    return RecordStore(f"sqlite:///{case.data_dir / 'records.sqlite'}")


def check(case: Case, outcome: Outcome, whole: Outcome) -> None:
    assert found(outcome) == found(whole)
    assert outcome.outputs is not None
    assert outcome.outputs["summary"]
    store = store_of(case)
    (job,) = store.jobs.list()
    (run,) = store.experiments.list()
    assert (job.state, run.status, run.job_id) == ("succeeded", "succeeded", job.id)
    detail = store.experiments.get(run.id)
    assert detail.decision is not None
    assert {artifact.kind for artifact in detail.artifacts} >= {"scores", "result"}
    losses = store.experiments.metrics(run.id, name="loss", split="validation")
    assert [(point.seed, point.epoch) for point in losses] == [(1, 0)]
    assert {item.id for item in store.evidence.of_run(case.run_id)} >= set(outcome.outputs["evidence"])
    store.close()
    folders = [path for path in (case.data_dir / "jobs").iterdir() if path.name == job.id]
    assert len(folders) == 1


PLACES = every_step(load_graph("plan_experiment"))
#: Where a mistake would cost most: a job that is started and not known.
DEAREST = [("submit", AFTER)]


@pytest.mark.parametrize(("step", "phase"), DEAREST)
def test_a_killed_controller_starts_no_second_job(
    tmp_path: Path, whole: tuple[Case, Outcome], step: str, phase: str
) -> None:
    case = warm(Case("plan_experiment", {"request": REQUEST}, tmp_path), whole[0])
    run_id = killed_at(case, step, phase)
    check(case, resumed(case, run_id), whole[1])


@pytest.mark.slow
@pytest.mark.parametrize(("step", "phase"), [place for place in PLACES if place not in DEAREST])
def test_killed_at_any_step(tmp_path: Path, whole: tuple[Case, Outcome], step: str, phase: str) -> None:
    case = warm(Case("plan_experiment", {"request": REQUEST}, tmp_path), whole[0])
    run_id = killed_at(case, step, phase)
    check(case, resumed(case, run_id), whole[1])


@pytest.mark.slow
@pytest.mark.parametrize("step", ["plan", "estimate", "submit", "follow", "collect", "explain"])
def test_a_named_experiment_killed_after_any_step(tmp_path: Path, whole: tuple[Case, Outcome], step: str) -> None:
    """Short work that costs nothing, which starts without a question."""
    experiment = tmp_path / "tiny.yaml"
    experiment.write_text(
        "{name: tiny, task: triage, dataset: minigene, model: variant_aware, options: {width: 8, blocks: 1}, "
        "training: {max_epochs: 1}, seeds: [1], max_variants: 200, draws: 100}"
    )
    case = warm(Case("train_and_evaluate", {"experiment": str(experiment)}, tmp_path, approve=False), whole[0])
    outcome = resumed(case, killed_at(case, step, AFTER))
    assert outcome.outputs is not None
    assert "reached a PR-AUC" in outcome.outputs["summary"]
    store = store_of(case)
    (job,), (run,) = store.jobs.list(), store.experiments.list()
    assert (job.state, run.status, store.experiments.get(run.id).approval_id) == ("succeeded", "succeeded", None)
    store.close()


@pytest.mark.slow
def test_killed_while_it_waits_for_approval(tmp_path: Path, whole: tuple[Case, Outcome]) -> None:
    case = warm(Case("plan_experiment", {"request": REQUEST}, tmp_path, approve=False), whole[0])
    run_id = killed_at(case, "approve", PAUSED)
    assert store_of(case).jobs.list() == ()
    waiting = resumed(case, run_id)
    assert waiting.question is not None
    assert store_of(case).jobs.list() == ()
    (pending,) = store_of(case).plans.pending()
    assert pending.decision == "pending"
    approved = Case(case.graph, case.inputs, case.folder, approve=True)
    check(approved, resumed(approved, run_id), whole[1])


@pytest.mark.slow
def test_killed_while_the_job_runs(tmp_path: Path, whole: tuple[Case, Outcome]) -> None:
    """The job does not notice that its controller is gone; whoever takes the run up finds it, and its result once."""
    case = warm(Case("plan_experiment", {"request": REQUEST}, tmp_path), whole[0])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_SPLICEAI_")} | {
        "AGENTIC_SPLICEAI_DATA_DIR": str(case.data_dir),
        "AGENTIC_SPLICEAI_CACHE_DIR": str(case.folder / "cache"),
        "AGENTIC_SPLICEAI_ALLOW_DOWNLOAD": "false",
        "OMP_NUM_THREADS": "1",
    }
    run = [sys.executable, "-m", "agentic_spliceai.run", "--json"]
    controller = subprocess.Popen(
        [*run, "plan_experiment", "--set", f"request={REQUEST}", "--approve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = store_of(case)
    deadline = time.monotonic() + 120
    while not (running := [job for job in store.jobs.list() if job.state == "running"]):
        assert time.monotonic() < deadline, "no job started"
        assert controller.poll() is None, "the controller ended before its job began"
        time.sleep(0.1)
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    (interrupted,) = store.list_runs()
    done = subprocess.run(
        [*run, "--resume", interrupted.id], env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["run_id"], result["status"]) == (interrupted.id, "succeeded")
    (job,) = store.jobs.list()
    assert job.id == running[0].id
    assert sum(event.state == "running" for event in store.jobs.events(job.id)) == 1
    outcome = Outcome({key: value for key, value in result.items() if key in (whole[1].outputs or {})})
    # Another run has other ids; what was measured is the same.
    assert found(outcome)["comparison"] == found(whole[1])["comparison"]
    store.close()
