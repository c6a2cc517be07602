"""Jobs in the database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agentic_spliceai.compute.types import JobState
from agentic_spliceai.records.errors import RecordError, UnknownJobError
from agentic_spliceai.records.jobs import FINAL_STATES, OPEN_STATES, STATES, JobStore
from agentic_spliceai.records.store import RecordStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = {"command": ["true"], "cpus": 1, "budget_usd": None}


@pytest.fixture
def jobs(database_url: str) -> Iterator[JobStore]:
    store = RecordStore(database_url, busy_timeout=20)
    yield store.jobs
    store.close()


def test_a_job_comes_back_as_it_was_written(jobs: JobStore) -> None:
    created = jobs.create(key="k", name="train", backend="local", spec=SPEC, run_id="a1b2c3")
    assert (created.state, created.spec, created.handle, created.run_id) == ("created", SPEC, None, "a1b2c3")
    jobs.set_handle(created.id, {"backend": "local", "external_id": "77"})
    jobs.set_state(created.id, "queued")
    jobs.set_state(created.id, "running", started_at=NOON, cost_usd=0.5)
    jobs.set_state(created.id, "running", message="epoch 3", cost_usd=0.75)
    jobs.set_state(created.id, "failed", message="out of memory", exit_code=137, finished_at=NOON + timedelta(hours=1))
    job = jobs.get(created.id[:5])
    assert (job.state, job.message, job.exit_code, job.cost_usd) == ("failed", "out of memory", 137, 0.75)
    assert (job.started_at, job.finished_at) == (NOON, NOON + timedelta(hours=1))
    assert job.handle == {"backend": "local", "external_id": "77"}
    events = [(event.sequence, event.state, event.message) for event in jobs.events(job.id[:5])]
    assert events == [(1, "created", ""), (2, "queued", ""), (3, "running", ""), (4, "failed", "out of memory")]


def test_a_key_is_one_job_for_ever(jobs: JobStore) -> None:
    first = jobs.create(key="k", name="train", backend="local", spec=SPEC)
    jobs.set_state(first.id, "succeeded", exit_code=0)
    again = jobs.create(key="k", name="another name", backend="runpod", spec={"command": ["false"]}, run_id="x")
    assert again == jobs.by_key("k") == jobs.get(first.id)
    assert (again.id, again.name, again.backend, again.state) == (first.id, "train", "local", "succeeded")
    assert len(jobs.list()) == 1
    assert [event.state for event in jobs.events(first.id)] == ["created", "succeeded"]
    assert jobs.by_key("other") is None


@pytest.mark.parametrize("end", FINAL_STATES)
def test_what_has_ended_stays_so(jobs: JobStore, end: str) -> None:
    job = jobs.create(key="k", name="train", backend="local", spec=SPEC)
    ended = jobs.set_state(job.id, end, message="first", exit_code=3, finished_at=NOON)
    for state in STATES:
        assert jobs.set_state(job.id, state, message="later", exit_code=0, cost_usd=9) == ended
    assert len(jobs.events(job.id)) == 2


def test_a_lost_job_may_be_found(jobs: JobStore) -> None:
    job = jobs.create(key="k", name="train", backend="local", spec=SPEC)
    jobs.set_state(job.id, "running", started_at=NOON)
    assert jobs.set_state(job.id, "lost", message="no process").finished_at is not None
    assert jobs.open() == ()
    found = jobs.set_state(job.id, "running")
    assert (found.finished_at, found.message, found.started_at) == (None, "", NOON)
    assert [open_job.id for open_job in jobs.open()] == [job.id]


def test_states_are_those_of_the_compute_layer(jobs: JobStore) -> None:
    assert set(STATES) == {state.value for state in JobState}
    assert {state.value for state in JobState if not state.terminal} == set(OPEN_STATES)
    job = jobs.create(key="k", name="train", backend="local", spec=SPEC)
    assert jobs.set_state(job.id, JobState.RUNNING).state == "running"
    with pytest.raises(RecordError, match="'done' is no state of a job"):
        jobs.set_state(job.id, "done")


def test_jobs_are_listed_newest_first_and_chosen_by_state_and_run(jobs: JobStore) -> None:
    ids = [
        jobs.create(key=f"k{i}", name=f"job {i}", backend="local", spec=SPEC, run_id=f"run{i % 2}").id for i in range(4)
    ]
    jobs.set_state(ids[1], "succeeded")
    jobs.set_state(ids[2], "running")
    assert [job.id for job in jobs.list()] == ids[::-1]
    assert [job.id for job in jobs.list(2)] == ids[:1:-1]
    assert [job.id for job in jobs.list(states=("running", "succeeded"))] == [ids[2], ids[1]]
    assert [job.id for job in jobs.list(run_id="run1")] == [ids[3], ids[1]]
    assert [job.id for job in jobs.open()] == [ids[0], ids[2], ids[3]]
    assert jobs.list(states=()) == ()


def test_unknown_jobs(jobs: JobStore) -> None:
    for nobody in ("", "%", "_", "zz"):
        with pytest.raises(UnknownJobError, match="there is no job"):
            jobs.get(nobody)
    for change in (
        lambda: jobs.set_state("zz", "running"),
        lambda: jobs.set_handle("zz", {}),
        lambda: jobs.events("zz"),
    ):
        with pytest.raises(UnknownJobError, match="there is no job 'zz'"):
            change()


def test_times_of_any_zone_become_utc_and_times_without_one_are_refused(jobs: JobStore) -> None:
    job = jobs.create(key="k", name="train", backend="local", spec=SPEC)
    east = timezone(timedelta(hours=2))
    started = jobs.set_state(job.id, "running", started_at=datetime(2026, 3, 1, 14, tzinfo=east)).started_at
    assert started == NOON
    assert jobs.get(job.id).started_at == NOON
    with pytest.raises(RecordError, match="without a time zone"):
        jobs.set_state(job.id, "failed", finished_at=datetime(2026, 3, 1, 15))
    assert jobs.get(job.id).state == "running"


_CREATOR = """
import sys
from agentic_spliceai.records.store import RecordStore
store = RecordStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    job = store.jobs.create(key=f"k{number}", name=sys.argv[2], backend="local", spec={"command": [sys.argv[2]]})
    store.jobs.set_state(job.id, "queued")
    store.jobs.set_state(job.id, "succeeded", message=sys.argv[2])
    print(job.id, job.name, flush=True)
"""


def test_two_processes_with_one_key_get_one_job(database_url: str) -> None:
    url = database_url
    command = [sys.executable, "-c", _CREATOR, url]
    both = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert len(set(said[0])) == 40
    store = RecordStore(url)
    assert len(store.jobs.list(100)) == 40
    for job in store.jobs.list(100):
        events = store.jobs.events(job.id)
        assert [event.state for event in events] == ["created", "queued", "succeeded"]
        assert events[-1].message == job.message
    store.close()
