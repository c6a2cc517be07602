"""What every backend does. A backend passes these with its own entry in `conftest.BACKENDS`."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from agentic_spliceai.compute.errors import ComputeError
from agentic_spliceai.compute.types import PYTHON, ComputeBackend, JobHandle, JobSpec, JobState
from tests.compute.jobs import eventually, lives, output, python, until

CHILDREN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import os,signal,sys,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid()); time.sleep(60)"
for own_session in (False, True):
    subprocess.Popen([sys.executable, "-I", "-S", "-u", "-c", code], start_new_session=own_session)
print(os.getpid())
time.sleep(60)
"""


def test_a_job_runs_and_says_so(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("print('hello'); import sys; print('and this', file=sys.stderr)"))
    assert (handle.backend, handle.job_id) == (backend.name, "one")
    status = until(backend, handle)
    assert (status.state, status.exit_code, status.message) == (JobState.SUCCEEDED, 0, "")
    assert status.started_at is not None
    assert status.finished_at is not None
    assert status.started_at <= status.finished_at
    assert output(backend, handle) == ("hello", "and this")


def test_a_handle_survives_the_database(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("pass"))
    again = JobHandle.model_validate_json(handle.model_dump_json())
    assert until(backend, again).state is JobState.SUCCEEDED


def test_submitting_twice_is_one_run(backend: ComputeBackend) -> None:
    spec = python("import time; print('ran'); time.sleep(0.2)")
    first = backend.submit("one", spec)
    assert backend.submit("one", spec) == first
    until(backend, first, JobState.RUNNING)
    assert backend.submit("one", spec) == first
    assert until(backend, first).state is JobState.SUCCEEDED
    assert backend.submit("one", spec) == first
    assert backend.poll(first).state is JobState.SUCCEEDED
    assert output(backend, first) == ("ran",)


def test_submitting_at_the_same_moment_is_one_run(backend: ComputeBackend) -> None:
    handles: list[JobHandle] = []
    threads = [
        threading.Thread(target=lambda: handles.append(backend.submit("one", python("print('ran')")))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handles) == 6
    until(backend, handles[0])
    assert output(backend, handles[0]) == ("ran",)


def test_a_job_gets_its_files_its_variables_and_its_id(backend: ComputeBackend) -> None:
    code = (
        "import json, os, pathlib;"
        "print(pathlib.Path('spec.json').read_text(), pathlib.Path('deep/er.txt').read_text());"
        "print(os.environ['COLOUR'], os.environ['AGENTIC_SPLICEAI_JOB_ID'])"
    )
    spec = python(code, files={"spec.json": "ä{}", "deep/er.txt": "x"}, environment={"COLOUR": "blue"})
    handle = backend.submit("one", spec)
    assert until(backend, handle).state is JobState.SUCCEEDED
    assert output(backend, handle) == ("ä{} x", "blue one")


def test_a_failure_says_why_in_one_line(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("print('step 1'); raise SystemExit('no such data set\\n')"))
    status = until(backend, handle)
    assert (status.state, status.exit_code, status.message) == (JobState.FAILED, 1, "exit code 1: no such data set")


def test_a_death_by_signal_is_a_failure_that_names_it(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    status = until(backend, handle)
    assert (status.state, status.exit_code) == (JobState.FAILED, -11)
    assert "SIGSEGV" in status.message


def test_a_command_that_is_not_there_fails(backend: ComputeBackend) -> None:
    spec = JobSpec(key="key", name="nothing", command=("no-such-program", "x"), time_limit=5)
    status = until(backend, backend.submit("one", spec))
    assert status.state is JobState.FAILED
    assert "no-such-program" in status.message


def test_the_time_limit_ends_a_job(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("import time; print('begun'); time.sleep(60)", time_limit=0.4))
    status = until(backend, handle)
    assert (status.state, status.message) == (JobState.TIMED_OUT, "ended after its time limit of 0.4 s")
    assert output(backend, handle) == ("begun",)


def test_a_job_that_is_told_to_end_can_tidy_up(backend: ComputeBackend) -> None:
    code = (
        "import signal, sys, time;"
        "signal.signal(signal.SIGTERM, lambda *_: (print('tidied up'), sys.exit(0)));"
        "print('begun'); time.sleep(60)"
    )
    handle = backend.submit("one", python(code))
    eventually(lambda: output(backend, handle))
    backend.cancel(handle)
    assert until(backend, handle).state is JobState.CANCELLED
    assert output(backend, handle) == ("begun", "tidied up")


@pytest.mark.parametrize("how", ["cancel", "time limit"])
def test_an_end_reaches_children_that_do_not_want_to(backend: ComputeBackend, how: str) -> None:
    handle = backend.submit("one", python(CHILDREN, time_limit=1.0 if how == "time limit" else 30))
    pids = eventually(lambda: [int(line) for line in p] if len(p := output(backend, handle)) == 3 else None)
    if how == "cancel":
        backend.cancel(handle)
    status = until(backend, handle)
    assert status.state is (JobState.CANCELLED if how == "cancel" else JobState.TIMED_OUT)
    assert not [pid for pid in pids if lives(pid)]


def test_children_do_not_outlive_a_job_that_ended_by_itself(backend: ComputeBackend) -> None:
    code = (
        "import subprocess, sys;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True);"
        "print(p.pid)"
    )
    handle = backend.submit("one", python(code))
    assert until(backend, handle).state is JobState.SUCCEEDED
    assert not lives(int(output(backend, handle)[0]))


def test_threads_are_waited_for_too(backend: ComputeBackend) -> None:
    code = (
        "import ctypes, signal, sys, threading, time;"
        "signal.signal(signal.SIGTERM, lambda *_: None);"
        "threading.Thread(target=lambda: (time.sleep(0.4), print('thread'), sys.stdout.flush())).start();"
        "print('begun'); ctypes.CDLL(None).pthread_exit(None)"
    )
    handle = backend.submit("one", python(code, time_limit=0.2))
    status = until(backend, handle)
    assert status.state is JobState.TIMED_OUT
    assert status.exit_code is not None
    assert output(backend, handle) == ("begun", "thread")


def test_cancelling_what_has_ended_changes_nothing(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("print('done')"))
    before = until(backend, handle)
    backend.cancel(handle)
    backend.cancel(handle)
    assert backend.poll(handle) == before
    backend.cancel(JobHandle(backend=backend.name, job_id="never"))


def test_cancelling_twice_ends_once(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("import time; time.sleep(60)"))
    until(backend, handle, JobState.RUNNING)
    backend.cancel(handle)
    backend.cancel(handle)
    status = until(backend, handle)
    assert (status.state, status.message) == (JobState.CANCELLED, "cancelled while it ran")
    assert backend.submit("one", python("print('again')")) == handle
    assert backend.poll(handle) == status


def test_output_is_read_while_it_is_written(backend: ComputeBackend) -> None:
    code = (
        "import pathlib, time\n"
        "def wait(name):\n    while not pathlib.Path(name).exists(): time.sleep(0.01)\n"
        "print('one'); print('two'); print('hal', end='', flush=True)\n"
        "time.sleep(0.5); print('f'); print('end', end='')\n"
    )
    handle = backend.submit("one", python(code))
    page = eventually(lambda: p if len((p := backend.logs(handle)).lines) >= 2 else None)
    assert page.lines == ("one", "two")  # the third is not complete
    first = backend.logs(handle, "", 1)
    assert first.lines == ("one",)
    assert backend.logs(handle, first.cursor, 1).lines == ("two",)
    assert backend.logs(handle, page.cursor).cursor == page.cursor
    until(backend, handle)
    rest = backend.logs(handle, page.cursor)
    assert rest.lines == ("half", "end")
    assert backend.logs(handle, rest.cursor).lines == ()


def test_output_that_is_no_text_is_shown_all_the_same(backend: ComputeBackend) -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe ok\\r\\n\\n' + 'µ'.encode() + b'\\n')"
    handle = backend.submit("one", python(code))
    until(backend, handle)
    assert output(backend, handle) == ("\ufffd\ufffd ok", "", "µ")


def test_a_cursor_that_no_page_gave_is_refused(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("pass"))
    until(backend, handle)
    with pytest.raises(ComputeError, match="no cursor"):
        backend.logs(handle, "abc")


def test_metrics_are_read_while_they_are_written(backend: ComputeBackend) -> None:
    code = (
        "import json, time\n"
        "with open('metrics.jsonl', 'a', buffering=1) as f:\n"
        "    for step in range(3):\n"
        "        f.write(json.dumps({'step': step}) + '\\n'); time.sleep(0.2)\n"
    )
    handle = backend.submit("one", python(code))
    page = eventually(lambda: p if (p := backend.metrics(handle)).lines else None)
    assert json.loads(page.lines[0]) == {"step": 0}
    assert len(page.lines) < 3
    until(backend, handle)
    rest = backend.metrics(handle, page.cursor)
    assert [json.loads(line)["step"] for line in (*page.lines, *rest.lines)] == [0, 1, 2]


def test_there_are_no_metrics_before_there_are(backend: ComputeBackend) -> None:
    handle = backend.submit("one", python("pass"))
    until(backend, handle)
    page = backend.metrics(handle)
    assert page.lines == ()
    assert backend.metrics(handle, page.cursor).lines == ()


def test_what_a_job_left_is_fetched_and_verified(backend: ComputeBackend, tmp_path: Path) -> None:
    code = (
        "import os; os.makedirs('models/deep');"
        "open('result.json', 'w').write('{}');"
        "open('models/deep/a.bin', 'wb').write(bytes(3_000_000)); open('models/b.bin', 'wb').write(b'b');"
        "open('other.txt', 'w').write('not asked for')"
    )
    handle = backend.submit("one", python(code, outputs=("result.json", "metrics.jsonl", "models")))
    until(backend, handle)
    for _ in range(2):
        found = {file.path: file for file in backend.fetch(handle, str(tmp_path / "here"))}
        assert sorted(found) == ["models/b.bin", "models/deep/a.bin", "result.json"]
        for path, file in found.items():
            data = (tmp_path / "here" / path).read_bytes()
            assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    names = {p.relative_to(tmp_path / "here").as_posix() for p in (tmp_path / "here").rglob("*") if p.is_file()}
    assert names == set(found)
    assert found["models/deep/a.bin"].bytes == 3_000_000


def test_an_output_outside_of_the_folder_is_refused(backend: ComputeBackend) -> None:
    for pattern in ("../*", "/etc/passwd", "a/../../b"):
        with pytest.raises(ComputeError, match="out of the job's folder"):
            backend.submit("one", python("pass", outputs=(pattern,)))
    assert backend.poll(JobHandle(backend=backend.name, job_id="one")).state is JobState.LOST


@pytest.mark.parametrize("job_id", ["", "../up", "a/b", ".hidden", "a b", "-x"])
def test_an_id_that_is_no_name_is_refused(backend: ComputeBackend, job_id: str) -> None:
    with pytest.raises(ComputeError, match="no id of a job"):
        backend.submit(job_id, python("pass"))


def test_a_job_that_nothing_is_left_of_is_lost(backend: ComputeBackend) -> None:
    handle = JobHandle(backend=backend.name, job_id="gone")
    status = backend.poll(handle)
    assert status.state is JobState.LOST
    assert status.message


def test_reconciling_adopts_notes_and_leaves_alone(backend: ComputeBackend) -> None:
    long = python("import time; time.sleep(60)")
    known = backend.submit("known", long)
    unwritten = backend.submit("unwritten", long)
    done = backend.submit("done", python("pass"))
    until(backend, done)
    until(backend, known, JobState.RUNNING)
    until(backend, unwritten, JobState.RUNNING)
    given = {
        "known": known,
        "unwritten": None,
        "done": done,
        "gone": JobHandle(backend=backend.name, job_id="gone"),
        "created": None,
    }
    for _ in range(2):
        found = {finding.job_id: finding for finding in backend.reconcile(given)}
        assert {job_id: finding.state for job_id, finding in found.items()} == {
            "known": JobState.RUNNING,
            "unwritten": JobState.RUNNING,
            "done": JobState.SUCCEEDED,
            "gone": JobState.LOST,
            "created": JobState.CREATED,
        }
        assert found["known"].action == "left alone"
        assert found["unwritten"].action.startswith("adopted")
        assert found["gone"].action.startswith("marked lost")
    for handle in (known, unwritten):
        backend.cancel(handle)
        until(backend, handle)


def test_reconciling_stops_what_nobody_knows(backend: ComputeBackend) -> None:
    orphan = backend.submit("orphan", python("import time; time.sleep(60)"))
    until(backend, orphan, JobState.RUNNING)
    (finding,) = backend.reconcile({})
    assert (finding.job_id, finding.state) == ("orphan", JobState.CANCELLED)
    assert "orphan" in finding.action
    assert backend.reconcile({}) == ()


def test_a_price_is_named(backend: ComputeBackend) -> None:
    estimate = backend.estimate(JobSpec(key="k", name="n", command=(PYTHON,), time_limit=1), 3600)
    assert estimate.usd >= 0
    assert estimate.basis
