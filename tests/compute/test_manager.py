"""Jobs in the database, and a backend that fails at every point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.compute import manager as manager_module
from agentic_spliceai.compute.errors import ComputeError, UnknownBackendError, UnknownJobError
from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.registry import backends
from agentic_spliceai.compute.types import Finding, JobState, JobStatus
from agentic_spliceai.records.jobs import JobRecord
from agentic_spliceai.records.store import RecordStore
from tests.compute.fakes import CrashError, FakeBackend, unreachable
from tests.compute.jobs import python

SPEC = python("print('ran')")
RUNNING = JobStatus(state=JobState.RUNNING)
DONE = JobStatus(state=JobState.SUCCEEDED, exit_code=0, cost_usd=0.5)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RecordStore]:
    store = RecordStore(f"sqlite:///{tmp_path / 'records.sqlite'}")
    yield store
    store.close()


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def manager(records: RecordStore, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> JobManager:
    monkeypatch.setattr(manager_module, "_FIRST_PAUSE", 0.001)
    return JobManager(records.jobs, {"fake": fake})


def states(manager: JobManager, job: JobRecord) -> list[str]:
    return [event.state for event in manager.store.events(job.id)]


def test_a_job_is_written_down_and_started_once(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    assert job.state == "queued"
    assert job.handle is not None
    assert job.handle["external_id"] == f"x-{job.id}"
    assert manager.submit(SPEC, "fake") == job
    assert fake.started == [job.id]
    assert states(manager, job) == ["created", "queued"]


def test_an_unknown_backend_leaves_nothing_behind(manager: JobManager) -> None:
    with pytest.raises(UnknownBackendError, match="no backend 'moon'") as caught:
        manager.submit(SPEC, "moon")
    assert caught.value.advice == "Backends: fake."
    assert manager.store.list() == ()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [unreachable(), CrashError()])
def test_a_submission_that_failed_is_made_up_for_by_the_same_key(
    manager: JobManager, fake: FakeBackend, when: str, error: BaseException
) -> None:
    fake.fail = {("submit", when): error}
    with pytest.raises(type(error)):
        manager.submit(SPEC, "fake")
    (job,) = manager.store.list()
    assert (job.state, job.handle) == ("created", None)
    again = manager.submit(SPEC, "fake")
    assert (again.id, again.state) == (job.id, "queued")
    assert fake.started == [job.id]


@pytest.mark.parametrize("point", ["create", "set_handle", "set_state"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_any_write_starts_the_job_once(
    manager: JobManager, fake: FakeBackend, point: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(manager.store, point)

    def crash(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            real(*args, **kwargs)
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(manager.store, point, crash)
        with pytest.raises(CrashError):
            manager.submit(SPEC, "fake")
    job = manager.submit(SPEC, "fake")
    fake.jobs[job.id] = DONE
    (ended,) = manager.wait((job.id,), poll_seconds=0.001)
    assert ended.state == "succeeded"
    assert fake.started == [job.id]
    assert len(manager.store.list()) == 1


def test_a_failed_submission_says_why(manager: JobManager, fake: FakeBackend) -> None:
    fake.fail = {("submit", "before"): unreachable()}
    with pytest.raises(ComputeError):
        manager.submit(SPEC, "fake")
    assert "cannot be reached" in manager.store.list()[0].message


def test_what_the_backend_says_is_written_down(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    fake.jobs[job.id] = RUNNING
    assert manager.refresh(job.id[:6]).state == "running"
    fake.jobs[job.id] = DONE
    job = manager.refresh(job.id)
    assert (job.state, job.exit_code, job.cost_usd) == ("succeeded", 0, 0.5)
    fake.jobs[job.id] = JobStatus(state=JobState.LOST)
    assert manager.refresh(job.id) == job
    assert states(manager, job) == ["created", "queued", "running", "succeeded"]


def test_a_lost_job_may_be_found_again(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    fake.jobs[job.id] = JobStatus(state=JobState.LOST, message="gone")
    assert manager.refresh(job.id).state == "lost"
    fake.jobs[job.id] = DONE
    assert manager.refresh(job.id).state == "succeeded"


def test_waiting_hears_of_every_look_and_keeps_the_order(manager: JobManager, fake: FakeBackend) -> None:
    jobs = [manager.submit(SPEC.model_copy(update={"key": f"key {n}"}), "fake") for n in range(2)]
    heard: list[tuple[str, str]] = []

    def listen(record: JobRecord, status: JobStatus) -> None:
        heard.append((record.id, status.state.value))
        if len(heard) == 2:
            fake.jobs[jobs[1].id] = DONE
        if len(heard) == 5:
            fake.jobs[jobs[0].id] = JobStatus(state=JobState.FAILED, message="exit code 1")

    found = manager.wait((jobs[0].id, jobs[1].id[:8], jobs[0].id), poll_seconds=0.001, listen=listen)
    assert [job.id for job in found] == [jobs[0].id, jobs[1].id, jobs[0].id]
    assert [job.state for job in found] == ["failed", "succeeded", "failed"]
    assert heard.count((jobs[1].id, "succeeded")) == 1


def test_waiting_starts_what_was_only_written_down(manager: JobManager, fake: FakeBackend) -> None:
    fake.fail = {("submit", "before"): CrashError()}
    with pytest.raises(CrashError):
        manager.submit(SPEC, "fake")
    (job,) = manager.store.list()

    def listen(record: JobRecord, status: JobStatus) -> None:
        fake.jobs[record.id] = DONE

    assert manager.wait((job.id,), poll_seconds=0.001, listen=listen)[0].state == "succeeded"
    assert fake.started == [job.id]


def test_waiting_for_what_has_ended_asks_nobody(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    fake.jobs[job.id] = DONE
    manager.refresh(job.id)
    fake.fail = {("poll", "before"): unreachable()}
    assert manager.wait((job.id,))[0].state == "succeeded"
    assert manager.wait(()) == ()


def test_a_backend_that_cannot_be_asked_is_no_end_of_the_job(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    fake.fail = {("poll", "before"): unreachable()}
    with pytest.raises(ComputeError, match="cannot be reached"):
        manager.wait((job.id,))
    assert manager.store.get(job.id).state == "queued"


def test_cancelling(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    assert manager.cancel(job.id[:8]).state == "cancelled"
    assert fake.jobs[job.id].state is JobState.CANCELLED
    assert manager.cancel(job.id).state == "cancelled"
    with pytest.raises(UnknownJobError):
        manager.cancel("zz")


def test_cancelling_what_was_never_started_keeps_it_from_starting(manager: JobManager, fake: FakeBackend) -> None:
    fake.fail = {("submit", "before"): unreachable()}
    with pytest.raises(ComputeError):
        manager.submit(SPEC, "fake")
    job = manager.cancel(manager.store.list()[0].id)
    assert (job.state, job.message) == ("cancelled", "cancelled before it started")
    assert manager.submit(SPEC, "fake") == job
    assert manager.reconcile() == ()
    assert fake.started == []


def test_cancelling_reaches_a_job_whose_submission_was_not_written_down(manager: JobManager, fake: FakeBackend) -> None:
    fake.fail = {("submit", "after"): CrashError()}
    with pytest.raises(CrashError):
        manager.submit(SPEC, "fake")
    job = manager.cancel(manager.store.list()[0].id)
    assert job.state == "cancelled"
    assert fake.jobs[job.id].state is JobState.CANCELLED


def test_a_job_that_was_cancelled_while_it_was_being_started_is_ended(
    manager: JobManager, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fake.submit

    def submit(job_id: str, spec: Any) -> Any:
        manager.store.set_state(job_id, "cancelled")
        return real(job_id, spec)

    monkeypatch.setattr(fake, "submit", submit)
    job = manager.submit(SPEC, "fake")
    assert job.state == "cancelled"
    assert fake.jobs[job.id].state is JobState.CANCELLED


def test_cancelling_does_not_wait_forever(
    manager: JobManager, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = manager.submit(SPEC, "fake")
    monkeypatch.setattr(fake, "cancel", lambda handle: None)
    assert manager.cancel(job.id, patience=0.01).state == "queued"


def test_the_last_lines_come_from_the_last_page(manager: JobManager, fake: FakeBackend) -> None:
    job = manager.submit(SPEC, "fake")
    fake.printed = [f"line {n}" for n in range(10)]
    page = manager.tail(job.id, 4)
    assert page.lines == ("line 6", "line 7", "line 8", "line 9")
    fake.printed.append("more")
    assert manager.logs(job.id, page.cursor).lines == ("more",)
    assert manager.metrics(job.id).lines == ("line 0", "line 1", "line 2")


def test_reconciling_starts_notes_and_passes_on(manager: JobManager, fake: FakeBackend) -> None:
    known = manager.submit(SPEC, "fake")
    fake.jobs[known.id] = DONE
    for key, when in (("never", "before"), ("unwritten", "after")):
        fake.fail = {("submit", when): CrashError()}
        with pytest.raises(CrashError):
            manager.submit(SPEC.model_copy(update={"key": key}), "fake")
    never, unwritten = manager.store.by_key("never"), manager.store.by_key("unwritten")
    assert never is not None
    assert unwritten is not None
    fake.findings = [Finding(job_id="stranger", state=JobState.CANCELLED, action="stopped an orphan")]
    found = {finding.job_id: finding for finding in manager.reconcile()}
    assert found[never.id].action == "submitted"
    assert found["stranger"].action == "stopped an orphan"
    assert manager.store.get(known.id).state == "succeeded"
    assert manager.store.get(never.id).state == "queued"
    assert manager.store.get(unwritten.id).handle is not None
    assert sorted(fake.started) == sorted([known.id, never.id, unwritten.id])


def test_reconciling_asks_the_others_when_one_backend_fails(records: RecordStore, fake: FakeBackend) -> None:
    other = FakeBackend(name="other")
    manager = JobManager(records.jobs, {"fake": fake, "other": other})
    first = manager.submit(SPEC, "fake")
    second = manager.submit(SPEC.model_copy(update={"key": "other"}), "other")
    other.jobs[second.id] = DONE
    fake.fail = {("reconcile", "before"): unreachable()}
    with pytest.raises(ComputeError, match="cannot be reached"):
        manager.reconcile()
    assert manager.store.get(first.id).state == "queued"
    assert manager.store.get(second.id).state == "succeeded"


def test_jobs_of_a_backend_that_is_not_here_are_left_alone(records: RecordStore, fake: FakeBackend) -> None:
    job = JobManager(records.jobs, {"fake": fake}).submit(SPEC, "fake")
    (finding,) = JobManager(records.jobs, {}).reconcile()
    assert (finding.job_id, finding.action) == (job.id, "left alone: there is no backend 'fake' here")


def test_a_price_comes_from_the_backend(manager: JobManager) -> None:
    assert manager.estimate(SPEC, 1800, "fake").usd == 0.5


def test_the_whole_on_this_machine(records: RecordStore, tmp_path: Path) -> None:
    found = backends(tmp_path / "jobs")
    assert isinstance(found["local"], LocalBackend)
    manager = JobManager(records.jobs, found)
    spec = python("print('ran'); open('result.json', 'w').write('{}')")
    job = manager.submit(spec, run_id=None)
    (job,) = manager.wait((job.id,), poll_seconds=0.05)
    assert (job.state, job.exit_code) == ("succeeded", 0)
    assert job.started_at is not None
    assert manager.tail(job.id, 5).lines == ("ran",)
    assert [file.path for file in manager.fetch(job.id, tmp_path / "here")] == ["result.json"]
    failed = manager.submit(python("raise SystemExit('so bad')", key="bad"))
    (failed,) = manager.wait((failed.id,), poll_seconds=0.05)
    assert (failed.state, failed.message) == ("failed", "exit code 1: so bad")
