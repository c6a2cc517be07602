"""What is particular to jobs on this machine: crashes at every point, the queue, the folder."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic_spliceai.compute import folder as folder_module
from agentic_spliceai.compute import local as local_module
from agentic_spliceai.compute.errors import FetchError, JobFolderError, JobSpecError, NoCapacityError
from agentic_spliceai.compute.folder import ENDED, JOB, PROCESS, STARTED, JobFolder
from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.slots import visible_devices
from agentic_spliceai.compute.types import JobHandle, JobSpec, JobState
from agentic_spliceai.records.store import RecordStore
from tests.compute.jobs import eventually, lives, output, processes_in, python, until

ONE = JobHandle(backend="local", job_id="one")

SUBMIT = """
import os, signal, subprocess, sys
from pathlib import Path
from agentic_spliceai.compute import local, folder
from agentic_spliceai.compute.types import JobSpec
from agentic_spliceai.compute.local import LocalBackend

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(holder, name):
    real = getattr(holder, name)
    def wrapped(*args, **kwargs):
        real(*args, **kwargs)
        die()
    setattr(holder, name, wrapped)

exec(sys.argv[3])
backend = LocalBackend(Path(sys.argv[1]), cpu_slots=4, gpu_slots=0, grace=0.5)
backend.submit("one", JobSpec.model_validate_json(sys.argv[2]))
print("submitted", flush=True)
import time; time.sleep(60)
"""

SUPERVISE = """
import os, signal, subprocess, sys
from agentic_spliceai.compute import supervisor, folder, slots

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(holder, name, when=lambda *args: True):
    real = getattr(holder, name)
    def wrapped(*args, **kwargs):
        result = real(*args, **kwargs)
        if when(*args):
            die()
        return result
    setattr(holder, name, wrapped)

exec(sys.argv[2])
sys.exit(supervisor.main([sys.argv[1]]))
"""


def submitter(jobs: Path, spec: JobSpec, crash: str = "") -> subprocess.Popen[str]:
    """A process that submits the job 'one', or dies at some point of it."""
    return subprocess.Popen(
        [sys.executable, "-c", SUBMIT, str(jobs), spec.model_dump_json(), crash],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip


def supervise(path: Path, crash: str = "") -> int:
    """Supervise a job by hand; returns the code of the process in the foreground."""
    return subprocess.run([sys.executable, "-c", SUPERVISE, str(path), crash], timeout=30, check=False).returncode


def without_a_supervisor(local: LocalBackend, spec: JobSpec, monkeypatch: pytest.MonkeyPatch) -> JobFolder:
    """Submit 'one' with nobody to run it."""
    with monkeypatch.context() as patch:
        patch.setattr(local_module, "_spawn", lambda folder, lock: None)
        local.submit("one", spec)
    return JobFolder(local.path("one"))


def supervisor_of(local: LocalBackend, job_id: str = "one") -> int:
    words = {str(local.path(job_id)).encode(), b"agentic_spliceai.compute.supervisor"}

    def found() -> int | None:
        pids = [pid for pid in processes_in(local.folder) if words <= command_of(pid)]
        # Two for a moment: the second is about to become the command.
        return pids[0] if len(pids) == 1 else None

    return int(eventually(found))


def command_of(pid: int) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    except OSError:
        return set()


# Whoever submits a job may die at any moment.


def test_a_job_outlives_the_process_group_and_the_terminal_of_its_submitter(local: LocalBackend) -> None:
    code = "import time; print('begun'); time.sleep(0.6); print('done')"
    process = submitter(local.folder, python(code))
    assert process.stdout is not None
    assert process.stdout.readline() == "submitted\n"
    os.killpg(process.pid, signal.SIGHUP)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    os.kill(supervisor_of(local), signal.SIGHUP)
    assert until(local, ONE).state is JobState.SUCCEEDED
    assert output(local, ONE) == ("begun", "done")


@pytest.mark.parametrize(
    "crash",
    [
        "local.JobFolder.gate = die",
        "local.JobFolder.take_lock = die",
        "die_after(local.JobFolder, 'take_lock')",
        "local.write_atomically = die",
        "die_after(local, 'write_atomically')",
        "die_after(local.JobFolder, 'reserve')",
        "folder.Path.replace = die",
        "die_after(local.JobFolder, 'write')",
        "local._spawn = die",
        "subprocess.Popen.communicate = die",
        "die_after(local, '_spawn')",
        "local.os.close = die",
    ],
)
def test_a_submitter_that_dies_in_between_leaves_one_run_to_the_next(local: LocalBackend, crash: str) -> None:
    spec = python("import time; print('ran'); time.sleep(0.2)", files={"a.txt": "a"})
    process = submitter(local.folder, spec, crash)
    assert process.wait(timeout=20) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    handle = local.submit("one", spec)
    assert until(local, handle).state is JobState.SUCCEEDED
    assert output(local, handle) == ("ran",)


MANAGE = """
import os, signal, sys
from pathlib import Path
from agentic_spliceai.compute.local import LocalBackend
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.types import JobSpec
from agentic_spliceai.records.store import RecordStore

folder, point, when = Path(sys.argv[1]), sys.argv[3], sys.argv[4]
manager = JobManager(RecordStore(f"sqlite:///{folder / 'r.sqlite'}").jobs, {"local": LocalBackend(folder / "jobs")})
holder = manager.backends["local"] if point == "submit" else manager.store
real = getattr(holder, point)
def crash(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(holder, point, crash)
manager.submit(JobSpec.model_validate_json(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("point", "when"),
    [("create", "after"), ("submit", "before"), ("submit", "after"), ("set_handle", "after"), ("set_state", "after")],
)
def test_a_process_that_dies_between_record_and_job_leaves_one_run(
    local: LocalBackend, tmp_path: Path, point: str, when: str
) -> None:
    spec = python("print('ran')")
    command = [sys.executable, "-c", MANAGE, str(tmp_path), spec.model_dump_json(), point, when]
    assert subprocess.run(command, timeout=30, check=False).returncode == -signal.SIGKILL
    records = RecordStore(f"sqlite:///{tmp_path / 'r.sqlite'}")
    manager = JobManager(records.jobs, {"local": local})
    job = manager.submit(spec)
    (job,) = manager.wait((job.id,), poll_seconds=0.05)
    assert job.state == "succeeded"
    assert manager.tail(job.id, 9).lines == ("ran",)
    assert [found.id for found in records.jobs.list()] == [job.id]
    assert [path.name for path in local.folder.iterdir() if path.name != ".queue"] == [job.id]
    records.close()


# And so may its supervisor.


@pytest.mark.parametrize(
    "crash",
    [
        "die_after(supervisor.SlotQueue, 'join')",
        "supervisor.os.setsid = die",
        "supervisor.SlotQueue.turn = die",
        "die_after(supervisor.SlotQueue, 'turn')",
    ],
)
def test_a_supervisor_that_dies_before_it_starts_the_command_is_replaced(
    local: LocalBackend, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = python("print('ran')")
    folder = without_a_supervisor(local, spec, monkeypatch)
    assert supervise(folder.path, crash) in (0, -signal.SIGKILL)
    eventually(lambda: not processes_in(local.folder))
    status = local.poll(ONE)
    assert status.state is JobState.QUEUED
    assert status.message.startswith("queued again")
    assert until(local, ONE).state is JobState.SUCCEEDED
    assert output(local, ONE) == ("ran",)


@pytest.mark.parametrize(
    ("crash", "runs"),
    [
        ("die_after(folder.JobFolder, 'write', lambda _, name, *__: name == 'started.json')", 0),
        # In the child that is about to become the command: only it dies, and the supervisor notices.
        ("die_after(folder.JobFolder, 'write', lambda _, name, *__: name == 'process.json')", None),
        ("die_after(supervisor.Supervisor, '_start')", 1),
        ("supervisor.Supervisor._wait_for_end = die", 1),
        ("supervisor.Supervisor._finish = die", 1),
        ("folder.JobFolder.end = die", 1),
    ],
)
def test_a_supervisor_that_dies_later_leaves_a_lost_job_and_no_process(
    local: LocalBackend, crash: str, runs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import time; print('ran'); time.sleep(0.5 if 'QUICK' in __import__('os').environ else 30)"
    environment = {"QUICK": "1"} if "_finish" in crash or "end" in crash.split(".")[-1] else {}
    spec = python(code, environment=environment)
    folder = without_a_supervisor(local, spec, monkeypatch)
    assert supervise(folder.path, crash) == 0
    status = until(local, ONE)
    if runs is None:
        assert status.state is JobState.FAILED
    else:
        assert status.state is JobState.LOST
        assert status.started_at is not None
    eventually(lambda: not processes_in(local.folder))
    assert local.submit("one", spec).job_id == "one"
    assert not processes_in(local.folder), "a lost job was started again"
    assert len(output(local, ONE)) <= 1


@pytest.mark.parametrize(
    ("crash", "why"),
    [
        ("supervisor.Supervisor._wait_for_end = lambda self: 1 / 0", "the supervisor failed: ZeroDivisionError"),
        ("supervisor.process_token = lambda pid: 1 / 0", "its process could not write into the job's folder"),
    ],
)
def test_a_supervisor_that_fails_says_so_and_leaves_no_process(
    local: LocalBackend, crash: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = without_a_supervisor(local, python("import time; time.sleep(60)"), monkeypatch)
    assert supervise(folder.path, crash) == 0
    status = until(local, ONE)
    assert status.state is JobState.FAILED
    assert why in status.message
    eventually(lambda: not processes_in(local.folder))


def test_what_a_dead_supervisor_left_running_is_ended_before_the_job_is_lost(local: LocalBackend) -> None:
    code = (
        "import os, signal, subprocess, sys, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], process_group=0);"
        "print(os.getpid(), p.pid); time.sleep(60)"
    )
    handle = local.submit("one", python(code))
    pids = [int(pid) for pid in eventually(lambda: output(local, handle))[0].split()]
    os.kill(supervisor_of(local), signal.SIGKILL)
    status = until(local, handle)
    assert status.state is JobState.LOST
    assert status.message.endswith("what it left running was ended")
    assert not [pid for pid in pids if lives(pid)]
    assert local.reconcile({"one": handle})[0].action.startswith("marked lost")


def test_a_process_that_has_the_number_of_an_old_one_is_left_alone(local: LocalBackend) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        handle = local.submit("one", python("import time; time.sleep(60)"))
        folder = JobFolder(local.path("one"))
        process = eventually(lambda: folder.read(PROCESS))
        os.kill(supervisor_of(local), signal.SIGKILL)
        os.killpg(int(process["group"]), signal.SIGKILL)
        folder.write(PROCESS, {"group": stranger.pid, "token": process["token"]})
        assert until(local, handle).state is JobState.LOST
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_supervisor_leaves_at_once(local: LocalBackend) -> None:
    handle = local.submit("one", python("import time; print('ran'); time.sleep(0.5)"))
    until(local, handle, JobState.RUNNING)
    start = time.monotonic()
    assert supervise(local.path("one")) == 0
    assert time.monotonic() - start < 3
    assert until(local, handle).state is JobState.SUCCEEDED
    assert supervise(local.path("one")) == 0
    assert output(local, handle) == ("ran",)


def test_a_supervisor_that_is_asked_to_end_ends_its_job(local: LocalBackend) -> None:
    handle = local.submit("one", python("import time; time.sleep(60)"))
    until(local, handle, JobState.RUNNING)
    os.kill(supervisor_of(local), signal.SIGTERM)
    assert until(local, handle).state is JobState.CANCELLED


def test_a_supervisor_loads_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import agentic_spliceai.compute.supervisor;"
        "print(*sorted({'torch', 'numpy', 'pydantic.main', 'sqlmodel', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_job_can_submit_another_that_outlives_it(local: LocalBackend) -> None:
    inner = python("import os, time; time.sleep(0.5); print(os.environ['AGENTIC_SPLICEAI_JOB_ID'])")
    code = (
        "import sys; from pathlib import Path;"
        "from agentic_spliceai.compute.local import LocalBackend; from agentic_spliceai.compute.types import JobSpec;"
        f"LocalBackend(Path({str(local.folder)!r})).submit('inner', JobSpec.model_validate_json(sys.argv[1]))"
    )
    spec = JobSpec(
        key="outer", name="outer", command=("{python}", "-c", code, inner.model_dump_json()), cpus=1, time_limit=20
    )
    assert until(local, local.submit("outer", spec)).state is JobState.SUCCEEDED
    handle = JobHandle(backend="local", job_id="inner")
    assert until(local, handle).state is JobState.SUCCEEDED
    assert output(local, handle) == ("inner",)


# The queue.

RECORD = (
    "import sys, time; f = open(sys.argv[1], 'a');"
    "f.write(f'+{sys.argv[2]} '); f.flush(); time.sleep(float(sys.argv[3])); f.write(f'-{sys.argv[2]} ')"
)


def recorder(trace: Path, name: str, seconds: float, **changes: object) -> JobSpec:
    command = ("{python}", "-I", "-S", "-c", RECORD, str(trace), name, str(seconds))
    return JobSpec.model_validate({"key": name, "name": name, "command": command, "time_limit": 30, **changes})


def test_who_came_first_is_served_first(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=1, gpu_slots=0)
    names = ["c", "a", "d", "b"]
    handles = [backend.submit(name, recorder(tmp_path / "trace", name, 0.1)) for name in names]
    states = [backend.poll(handle).state for handle in handles]
    assert states[-1] is JobState.QUEUED
    for handle in handles:
        assert until(backend, handle).state is JobState.SUCCEEDED
    assert (tmp_path / "trace").read_text().split() == [f"{sign}{name}" for name in names for sign in "+-"]


def test_a_large_job_is_not_overtaken_forever(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=2, gpu_slots=0)
    needs = {"first": 1, "large": 2, "small": 1}
    handles = [backend.submit(n, recorder(tmp_path / "trace", n, 0.4, cpus=c)) for n, c in needs.items()]
    for handle in handles:
        assert until(backend, handle).state is JobState.SUCCEEDED
    assert (tmp_path / "trace").read_text().split() == ["+first", "-first", "+large", "-large", "+small", "-small"]


def test_a_job_that_waits_for_a_gpu_holds_nobody_else_up(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=4, gpu_slots=1)
    first = backend.submit("first", recorder(tmp_path / "trace", "first", 60, gpus=1))
    until(backend, first, JobState.RUNNING)
    second = backend.submit("second", recorder(tmp_path / "trace", "second", 0, gpus=1))
    third = backend.submit("third", recorder(tmp_path / "trace", "third", 0))
    assert until(backend, third).state is JobState.SUCCEEDED
    assert backend.poll(second).state is JobState.QUEUED
    backend.cancel(first)
    assert until(backend, second).state is JobState.SUCCEEDED
    assert until(backend, first).state is JobState.CANCELLED


def test_each_job_gets_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5ad,7")
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=4)
    assert backend.devices == ("3", "GPU-5ad", "7")
    code = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(0.6)"
    handles = [backend.submit(f"job{gpus}", python(code, gpus=gpus)) for gpus in (2, 1, 0)]
    for handle in handles:
        assert until(backend, handle).state is JobState.SUCCEEDED
    assert [output(backend, handle) for handle in handles] == [("3,GPU-5ad",), ("7",), ("",)]


@pytest.mark.parametrize(("value", "devices"), [("", ()), ("-1", ()), ("0,-1,1", ("0",)), (" 1 , 0", ("1", "0"))])
def test_devices_are_those_that_cuda_would_see(
    value: str, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_devices() == devices


def test_cancelling_a_job_that_waits_lets_the_next_go_on(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=1, gpu_slots=0, grace=0.5)
    first = backend.submit("first", python("import time; time.sleep(60)"))
    second = backend.submit("second", python("print('ran')"))
    third = backend.submit("third", python("print('ran')"))
    until(backend, first, JobState.RUNNING)
    backend.cancel(second)
    status = until(backend, second)
    assert (status.state, status.message, status.started_at) == (
        JobState.CANCELLED,
        "cancelled before it started",
        None,
    )
    assert backend.poll(third).state is JobState.QUEUED
    backend.cancel(first)
    assert until(backend, third).state is JobState.SUCCEEDED
    assert output(backend, second) == ()


def test_a_dead_supervisor_gives_its_slots_back_and_its_processes_up(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", cpu_slots=1, gpu_slots=0)
    first = backend.submit("first", python("import os, time; print(os.getpid()); time.sleep(60)"))
    pid = int(eventually(lambda: output(backend, first))[0])
    second = backend.submit("second", python("print('ran')"))
    os.kill(supervisor_of(backend, "first"), signal.SIGKILL)
    assert until(backend, second).state is JobState.SUCCEEDED
    assert not lives(pid)
    assert backend.poll(first).state is JobState.LOST
    assert [path.name for path in (tmp_path / "jobs" / ".queue").iterdir()] == ["lock"]


def test_more_slots_than_there_are_is_refused_at_once(local: LocalBackend) -> None:
    with pytest.raises(NoCapacityError, match="needs 5 CPU slots; this machine has 4"):
        local.submit("one", python("pass", cpus=5))
    with pytest.raises(NoCapacityError, match="needs 1 GPU slots; this machine has 0"):
        local.submit("one", python("pass", gpus=1))
    assert not local.folder.exists()


# The folder.


@pytest.mark.parametrize("name", [".job/ended.json", "output.log", "./.job/x"])
def test_the_files_of_the_backend_are_its_own(local: LocalBackend, name: str) -> None:
    with pytest.raises(JobSpecError, match="belongs to the backend"):
        local.submit("one", python("pass", files={name: "{}"}))


def test_a_link_out_of_the_folder_is_not_followed(local: LocalBackend, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    code = f"import os; os.symlink({str(tmp_path / 'secret')!r}, 'result.json')"
    handle = local.submit("one", python(code))
    until(local, handle)
    with pytest.raises(FetchError, match=r"result\.json leads out of the job's folder"):
        local.fetch(handle, str(tmp_path / "here"))
    assert list((tmp_path / "here").iterdir()) == []


def test_a_link_inside_the_folder_is_followed(local: LocalBackend, tmp_path: Path) -> None:
    code = "import os; open('real.json', 'w').write('{}'); os.symlink('real.json', 'result.json')"
    handle = local.submit("one", python(code))
    until(local, handle)
    (file,) = local.fetch(handle, str(tmp_path / "here"))
    assert file.path == "result.json"
    assert not (tmp_path / "here" / "result.json").is_symlink()


def test_nothing_is_written_through_a_link_at_the_destination(local: LocalBackend, tmp_path: Path) -> None:
    handle = local.submit("one", python("import os; os.mkdir('d'); open('d/x', 'w').write('x')", outputs=("d/*",)))
    until(local, handle)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "d").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FetchError, match="outside of"):
        local.fetch(handle, str(tmp_path / "here"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_pipe_among_the_outputs_is_refused(local: LocalBackend, tmp_path: Path) -> None:
    handle = local.submit("one", python("import os; os.mkfifo('result.json')"))
    until(local, handle)
    with pytest.raises(FetchError, match="no ordinary file"):
        local.fetch(handle, str(tmp_path / "here"))


def test_the_state_files_are_not_among_the_outputs(local: LocalBackend, tmp_path: Path) -> None:
    handle = local.submit("one", python("open('a', 'w').write('a')", outputs=("**/*",)))
    until(local, handle)
    assert [file.path for file in local.fetch(handle, str(tmp_path / "here"))] == ["a", "output.log"]


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    backend = LocalBackend(tmp_path / "file" / "jobs")
    with pytest.raises(JobFolderError, match="cannot submit the job to") as caught:
        backend.submit("one", python("pass"))
    assert "AGENTIC_SPLICEAI_DATA_DIR" in caught.value.advice


def test_a_full_disk_is_a_typed_error_and_the_job_can_be_submitted_later(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_atomically", full)
        with pytest.raises(JobFolderError, match="No space left on device") as caught:
            local.submit("one", python("print('ran')"))
        assert caught.value.advice.startswith("Free some space")
    handle = local.submit("one", python("print('ran')"))
    assert until(local, handle).state is JobState.SUCCEEDED
    assert output(local, handle) == ("ran",)


def test_the_end_of_a_job_is_written_even_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = JobFolder(tmp_path)
    folder.state("").mkdir()
    folder.reserve()
    monkeypatch.setattr(folder_module, "write_atomically", lambda path, data: pytest.fail("needs new room"))
    folder.end({"state": "succeeded"})
    assert folder.read(ENDED) == {"state": "succeeded"}


def test_a_damaged_state_file_is_a_typed_error(local: LocalBackend) -> None:
    handle = local.submit("one", python("pass"))
    until(local, handle)
    folder = JobFolder(local.path("one"))
    for content in ("{", '{"state": "asleep"}', "[]"):
        folder.state(ENDED).write_text(content)
        with pytest.raises(JobFolderError, match="damaged"):
            local.poll(handle)
    folder.state(JOB).write_text("{}")
    with pytest.raises(JobFolderError, match="damaged"):
        local.fetch(handle, "nowhere")


def test_somebody_who_holds_the_gate_is_not_waited_for_forever(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = without_a_supervisor(local, python("pass"), monkeypatch)
    with folder.gate():
        monkeypatch.setattr(folder_module, "PATIENCE", 0.1)
        with pytest.raises(JobFolderError, match="another process holds"):
            local.poll(ONE)


def test_a_young_job_is_no_orphan(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "jobs", grace=0.5)
    handle = backend.submit("one", python("import time; time.sleep(60)"))
    assert backend.reconcile({}) == ()
    backend.cancel(handle)
    until(backend, handle)


def test_a_stopped_job_is_cancelled_all_the_same(local: LocalBackend) -> None:
    handle = local.submit("one", python("import os; print(os.getpid()); __import__('time').sleep(60)"))
    os.kill(int(eventually(lambda: output(local, handle))[0]), signal.SIGSTOP)
    local.cancel(handle)
    assert until(local, handle).state is JobState.CANCELLED


def test_a_job_that_ran_is_not_started_again_by_hand(local: LocalBackend) -> None:
    handle = local.submit("one", python("import time; time.sleep(60)"))
    until(local, handle, JobState.RUNNING)
    supervisor = supervisor_of(local)
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not lives(supervisor))
    assert supervise(local.path("one")) == 0
    assert until(local, handle).state is JobState.LOST
    state = JobFolder(local.path("one"))
    assert state.has(STARTED)
    assert json.loads(state.state(STARTED).read_text())["at"]
