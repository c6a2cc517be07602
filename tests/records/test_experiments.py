"""Experiments in the database."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from agentic_spliceai.records.errors import ConflictError, RecordError, UnknownRecordError
from agentic_spliceai.records.experiments import ExperimentStatus, MetricPoint
from agentic_spliceai.records.models import NewArtifact, RecordedError, RunStatus
from agentic_spliceai.records.plan import RunDecision
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.splice_engine.meta_layer.experiments.result import Figure, SeedOutcome
from tests.records.toy import NOON, new_experiment_run, new_plan, new_result, new_spec

FILES = (NewArtifact(sha256="a" * 64, kind="scores", bytes=5), NewArtifact(sha256="b" * 64, kind="checkpoint", bytes=7))
CRASH = RecordedError(code="timed_out", message="after 12 h")


@pytest.fixture
def store(database_url: str) -> Iterator[RecordStore]:
    opened = RecordStore(database_url, busy_timeout=20)
    opened.experiments.ensure("triage-minigene", "Is the minigene changed?")
    yield opened
    opened.close()


def test_a_run_comes_back_with_everything_about_it(store: RecordStore) -> None:
    plan = new_plan()
    approval = store.plans.request_approval(plan, workflow_run_id="wf")
    job = store.jobs.create(key="k", name="train", backend="local", spec={})
    store.experiments.add_run(new_experiment_run("parent"))
    given = new_experiment_run(parent_id="par", plan_id=plan.id, approval_id=approval.id, workflow_run_id="wf")
    started = store.experiments.add_run(given)
    assert (started.status, started.decision, started.figures, started.result) == ("running", None, (), None)
    store.experiments.set_job("abc123", job.id)
    result = new_result()
    store.experiments.finish_run(
        "abc123", RunStatus.SUCCEEDED, result=result, error=None, artifacts=FILES, seconds=7.5, cost_usd=0.25
    )
    store.experiments.decide("abc123", RunDecision.KEEP, "above the noise floor")
    run = store.experiments.get("abc")
    assert (run.experiment, run.label, run.spec, run.hypothesis) == (
        "triage-minigene",
        "gated",
        given.spec,
        "A gate helps.",
    )
    assert (run.parent_id, run.plan_id, run.approval_id, run.workflow_run_id, run.job_id) == (
        "parent", plan.id, approval.id, "wf", job.id,
    )  # fmt: skip
    assert (run.status, run.decision, run.decision_reason) == ("succeeded", RunDecision.KEEP, "above the noise floor")
    assert (run.result, run.figures, run.datasets) == (result, result.figures, result.datasets)
    assert (run.seeds, run.seed_outcomes, run.device) == ((1, 2), result.seeds, "cpu")
    assert (run.evaluator_digest, run.code_digest) == ("e" * 64, "c" * 64)
    assert set(run.artifacts) == set(FILES)
    assert (run.seconds, run.cost_usd, run.started_at) == (7.5, 0.25, NOON)
    assert (run.git_commit, run.git_dirty_sha256, run.environment) == ("0" * 40, "d" * 64, {"python": "3.11"})
    assert run.params["training.learning_rate"] == 0.001
    assert run.params["training.weights.altering"] == 2.0
    assert run.params["training.betas"] == [0.9, 0.999]
    assert (run.params["model"], run.params["max_variants"]) == ("variant_aware", None)
    assert {"name", "description"}.isdisjoint(run.params)


def test_an_experiment_is_one_by_its_name(store: RecordStore) -> None:
    again = store.experiments.ensure("triage-minigene", "another text")
    assert again.description == "Is the minigene changed?"
    store.experiments.add_run(new_experiment_run())
    store.experiments.ensure("delta-mfass")
    assert [(found.name, found.runs) for found in store.experiments.experiments()] == [
        ("delta-mfass", 0),
        ("triage-minigene", 1),
    ]
    with pytest.raises(RecordError, match="needs a name"):
        store.experiments.ensure(" ")


def test_a_run_is_added_once(store: RecordStore) -> None:
    first = store.experiments.add_run(new_experiment_run())
    store.experiments.finish_run("abc123", "failed", error=CRASH)
    again = store.experiments.add_run(new_experiment_run(started_at=NOON + timedelta(days=1), label="gated"))
    assert (again.status, again.started_at, again.params) == ("failed", first.started_at, first.params)
    assert len(store.experiments.list()) == 1
    with pytest.raises(ConflictError, match="another specification"):
        store.experiments.add_run(new_experiment_run(spec=new_spec(seeds=(3,))))


def test_a_run_belongs_to_what_is_there(store: RecordStore) -> None:
    for unknown, what in (
        ({"experiment": "nothing"}, "there is no experiment 'nothing'"),
        ({"parent_id": "zz"}, "there is no experiment run 'zz'"),
        ({"plan_id": "zz"}, "there is no plan 'zz'"),
        ({"approval_id": "zz"}, "there is no approval 'zz'"),
    ):
        with pytest.raises(UnknownRecordError, match=what):
            store.experiments.add_run(new_experiment_run(**unknown))
    assert store.experiments.list() == ()
    store.experiments.add_run(new_experiment_run())
    with pytest.raises(RecordError, match="refused a row"):
        store.experiments.set_job("abc123", "no such job")
    for change in (
        lambda: store.experiments.add_metrics("zz", ()),
        lambda: store.experiments.finish_run("zz", "failed", error=CRASH),
        lambda: store.experiments.decide("zz", RunDecision.KEEP, ""),
        lambda: store.experiments.set_job("zz", "j"),
        lambda: store.experiments.metrics("zz"),
        lambda: store.experiments.get(""),
        lambda: store.experiments.get("%"),
    ):
        with pytest.raises(UnknownRecordError, match="there is no experiment run"):
            change()
    store.experiments.add_run(new_experiment_run("abd456"))
    with pytest.raises(UnknownRecordError, match="several experiment runs begin with 'ab'"):
        store.experiments.get("ab")


def test_a_run_ends_once(store: RecordStore) -> None:
    """A process that is killed right after the end was written writes it again when it resumes."""
    store.experiments.add_run(new_experiment_run())
    ended = store.experiments.finish_run("abc123", "succeeded", result=new_result(), artifacts=FILES, cost_usd=1.0)
    again = store.experiments.finish_run(
        "abc123", "succeeded", result=new_result(), artifacts=FILES[::-1] + FILES, cost_usd=1.0
    )
    assert again == ended == store.experiments.get("abc123")
    for status, result, error in (
        ("succeeded", new_result(value=0.81), None),
        ("failed", None, CRASH),
        ("cancelled", None, CRASH),
    ):
        with pytest.raises(ConflictError, match="has succeeded with another result"):
            store.experiments.finish_run("abc123", status, result=result, error=error)
    assert store.experiments.get("abc123") == ended
    assert store.experiments.finish_run("abc123", "succeeded", result=new_result(), artifacts=FILES, cost_usd=1.5)
    assert store.experiments.get("abc123").cost_usd == 1.5  # the bill may come later than the result


def test_a_run_whose_job_was_lost_may_still_succeed(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    store.experiments.finish_run("abc123", "failed", error=CRASH, artifacts=FILES[:1], seconds=3)
    assert store.experiments.get("abc123").error == CRASH
    run = store.experiments.finish_run("abc123", "succeeded", result=new_result(), artifacts=FILES[1:])
    assert (run.status, run.error, run.artifacts, run.seconds) == ("succeeded", None, FILES[1:], 3)


@pytest.mark.parametrize(
    ("status", "result"),
    [("succeeded", None), ("failed", new_result()), ("running", None), ("running", new_result())],
)
def test_a_run_does_not_end_half(store: RecordStore, status: str, result: object) -> None:
    store.experiments.add_run(new_experiment_run())
    with pytest.raises(RecordError, match="a run does not end as"):
        store.experiments.finish_run("abc123", status, result=result)  # type: ignore[arg-type]
    assert store.experiments.get("abc123").status is ExperimentStatus.RUNNING


def test_a_result_of_another_specification_is_refused(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    with pytest.raises(ConflictError, match="its specification has digest"):
        store.experiments.finish_run("abc123", "succeeded", result=new_result(new_spec(seeds=(9,))))
    run = store.experiments.get("abc123")
    assert (run.status, run.figures, run.artifacts) == ("running", (), ())


def test_figures_that_are_no_numbers(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    result = new_result(
        figures=(Figure(measure="pearson", of="psi", subject="model", value=math.nan, high=math.inf, n=3),),
        seeds=(SeedOutcome(seed=1, epochs=1, best_epoch=0, best=math.nan, stopped_early=False, seconds=1),),
    )
    run = store.experiments.finish_run("abc123", "succeeded", result=result)
    assert (run.figures[0].value, run.figures[0].high) == (None, None)
    assert math.isnan(run.seed_outcomes[0].best)
    assert store.experiments.finish_run("abc123", "succeeded", result=result).finished_at == run.finished_at


def test_metrics_are_kept_once(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    east = timezone(timedelta(hours=-5))
    points = [
        MetricPoint(name="loss", value=1.0 / (step + 1), step=step, epoch=step, seed=seed, split=split,
                    at=datetime(2026, 3, 1, 7, tzinfo=east))
        for step in range(3) for seed in (1, 2) for split in ("train", "validation")
    ]  # fmt: skip
    assert store.experiments.add_metrics("abc123", points[:7]) == 7
    # The next page of the log begins before the last one ended, and one line came twice.
    assert store.experiments.add_metrics("abc123", [*points[5:], points[-1]]) == 5
    assert store.experiments.add_metrics("abc123", points) == 0
    assert store.experiments.add_metrics("abc123", []) == 0
    changed = points[0].model_copy(update={"value": 99.0})
    assert store.experiments.add_metrics("abc123", [changed]) == 0
    found = store.experiments.metrics("abc", "loss", "train")
    assert [(point.seed, point.step, point.value) for point in found] == [
        (seed, step, 1.0 / (step + 1)) for seed in (1, 2) for step in range(3)
    ]
    assert {point.at for point in found} == {NOON}
    assert len(store.experiments.metrics("abc123")) == 12
    assert store.experiments.metrics("abc123", "accuracy") == ()


def test_a_metric_without_seed_and_one_that_is_no_number(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    lines = ['{"name": "loss", "value": NaN, "step": 3}', '{"name": "lr", "value": 0.1, "step": 3, "seed": 0}']
    points = [MetricPoint.model_validate_json(line) for line in lines]
    assert store.experiments.add_metrics("abc123", points) == 2
    assert store.experiments.add_metrics("abc123", points) == 0
    loss, rate = store.experiments.metrics("abc123")
    assert (loss.value, loss.seed, loss.epoch, loss.split) == (None, None, None, "")
    assert (rate.value, rate.seed) == (0.1, 0)


def test_many_metrics_at_once(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    points = [MetricPoint(name="loss", value=float(step), step=step) for step in range(10_000)]
    assert store.experiments.add_metrics("abc123", points) == 10_000
    assert len(store.experiments.metrics("abc123")) == 10_000


def test_runs_are_found_by_what_they_are(store: RecordStore) -> None:
    store.experiments.ensure("delta-mfass")
    rows = (
        ("r1", {}),
        ("r2", {"label": "Hyena_100%", "spec": new_spec(model="hyena")}),
        ("r3", {"experiment": "delta-mfass", "spec": new_spec(task="delta", dataset="mfass"), "hypothesis": ""}),
    )
    for number, (run_id, changes) in enumerate(rows):
        started = NOON + timedelta(minutes=number)
        store.experiments.add_run(new_experiment_run(run_id, started_at=started, **changes))
    store.experiments.finish_run("r1", "cancelled", error=CRASH)

    def ids(**chosen: object) -> list[str]:
        return [run.id for run in store.experiments.list(**chosen)]  # type: ignore[arg-type]

    assert ids() == ["r3", "r2", "r1"]
    assert ids(limit=1) == ["r3"]
    assert ids(experiment="triage-minigene") == ["r2", "r1"]
    assert ids(task="delta") == ids(dataset="mfass") == ["r3"]
    assert ids(status="running") == ["r3", "r2"]
    assert ids(text="HYENA") == ids(text="100%") == ["r2"]
    assert ids(text="gate helps") == ["r2", "r1"]
    assert ids(text="%") == ["r2"]
    assert ids(experiment="nothing") == []


def test_a_decision_may_be_changed_and_said_again(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    store.experiments.decide("abc123", RunDecision.DISCARD, "within the noise")
    first = store.experiments.get("abc123").decided_at
    store.experiments.decide("abc123", RunDecision.DISCARD, "within the noise")
    assert store.experiments.get("abc123").decided_at == first
    store.experiments.decide("abc123", RunDecision.KEEP, "better with more seeds")
    run = store.experiments.list()[0]
    assert (run.decision, run.decision_reason) == (RunDecision.KEEP, "better with more seeds")


@pytest.mark.parametrize(
    "wrong",
    [
        {"started_at": datetime(2026, 1, 1)},
        {"git_dirty_sha256": "x"},
        {"id": ""},
        {"colour": "red"},
        {"label": ""},
    ],
)
def test_nothing_enters_unchecked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        new_experiment_run(**wrong)


def test_threads_that_write_at_once_lose_nothing(store: RecordStore) -> None:
    store.experiments.add_run(new_experiment_run())
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        try:
            for step in range(20):
                point = MetricPoint(name="loss", value=0.5, step=step, seed=seed, at=datetime.now(UTC))
                store.experiments.add_metrics("abc123", [point])
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.experiments.metrics("abc123")) == 80
