"""The `jobs` commands."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.cli_jobs import add_jobs
from agentic_spliceai.compute.manager import JobManager
from agentic_spliceai.compute.registry import backends
from agentic_spliceai.compute.types import JobHandle
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.run import guarded
from agentic_spliceai.settings import get_settings, reset_settings
from tests.compute.jobs import eventually, python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no local backend there")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobManager]:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    reset_settings()
    records = RecordStore(get_settings().database_url)
    manager = JobManager(records.jobs, backends(get_settings().jobs_dir))
    yield manager
    for record in records.jobs.open():
        manager.cancel(record.id)
    records.close()
    reset_settings()


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_jobs(parser.add_subparsers())
    arguments = parser.parse_args(["jobs", *words])
    return guarded(lambda: arguments.handler(arguments))


def test_nothing_to_list(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out == "no jobs\n"
    assert run("reconcile") == 0
    assert capsys.readouterr().out == "nothing to do: no job is open\n"


def test_list_and_show(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    job = manager.submit(python("raise SystemExit('so bad')", name="training", files={"spec.json": "{}"}))
    eventually(lambda: manager.refresh(job.id).state == "failed")
    assert run("list") == 0
    line = capsys.readouterr().out
    assert line.startswith(job.id)
    assert "failed" in line
    assert line.endswith("local  training  exit code 1: so bad\n")
    assert run("list", "--state", "running", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run("show", job.id[:8]) == 0
    shown = capsys.readouterr().out
    assert "state        failed: exit code 1: so bad" in shown
    assert "needs        1 CPU, 0 GPU, at most 30.0 s" in shown
    assert "file         spec.json" in shown
    assert f"folder       {get_settings().jobs_dir / job.id}" in shown
    assert "created" in shown
    assert "exit code    1" in shown
    assert run("show", job.id, "--json") == 0
    assert json.loads(capsys.readouterr().out)["events"][0]["state"] == "created"


def test_unknown_and_unusable(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "zz") == 2
    assert capsys.readouterr().err.startswith("error: ")
    for words in (("logs", "zz"), ("cancel", "zz"), ("list", "--limit", "0"), ("logs", "zz", "-n", "0")):
        assert run(*words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_output_is_followed_to_the_end(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import time\nfor n in range(4): print(n); time.sleep(0.2)\nprint('end', end='')"
    job = manager.submit(python(code))
    assert run("logs", job.id, "--follow") == 0
    assert capsys.readouterr().out == "0\n1\n2\n3\nend\n"
    assert run("logs", job.id) == 0
    assert capsys.readouterr().out == "0\n1\n2\n3\nend\n"
    assert run("logs", job.id, "-n", "2") == 0
    assert capsys.readouterr().out == "3\nend\n"


def test_what_a_job_prints_cannot_act_on_the_terminal(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    job = manager.submit(python("print('\\x1b[2Jcleared\\tx'); raise SystemExit('\\x1b]0;title')"))
    assert run("logs", "-f", job.id) == 0
    assert run("logs", job.id, "-n", "5") == 0
    assert run("list") == 0
    assert run("show", job.id) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\u001b[2Jcleared\tx" in shown
    assert "exit code 1: \\u001b]0;title" in shown


def test_a_job_that_cannot_be_asked_does_not_hide_the_others(
    manager: JobManager, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = python("import time; time.sleep(60)").model_dump(mode="json")
    job = manager.store.create(key="far", name="far away", backend="moon", spec=spec)
    manager.store.set_handle(job.id, {"backend": "moon", "job_id": job.id})
    other = manager.submit(python("pass"))
    eventually(lambda: manager.refresh(other.id).state == "succeeded")
    assert run("list") == 0
    captured = capsys.readouterr()
    assert [line.split()[3] for line in captured.out.splitlines()] == ["succeeded", "created"]
    assert f"note: {job.id}: there is no backend 'moon'" in captured.err
    assert run("show", job.id) == 0
    assert "no backend 'moon'" in capsys.readouterr().err
    manager.store.set_state(job.id, "cancelled")


def test_following_ends_when_somebody_else_cancels(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    job = manager.submit(python("import time; print('begun'); time.sleep(60)"))
    timer = threading.Timer(0.7, lambda: manager.cancel(job.id))
    timer.start()
    assert run("logs", "-f", job.id) == 0
    timer.join()
    assert capsys.readouterr().out == "begun\n"


def test_cancel(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    job = manager.submit(python("import time; time.sleep(60)"))
    for _ in range(2):
        assert run("cancel", job.id[:8]) == 0
        assert capsys.readouterr().out == f"{job.id}: cancelled\n"


def test_reconcile_says_what_it_found(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    spec = python("pass")
    job = manager.store.create(key="k", name="n", backend="local", spec=spec.model_dump(mode="json"))
    assert run("reconcile") == 0
    assert capsys.readouterr().out == f"{job.id}  queued     submitted\n"
    eventually(lambda: manager.backends["local"].poll(_handle(job.id)).state.terminal)
    assert run("reconcile", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["job_id"], found["state"], found["action"]) == (job.id, "succeeded", "noted its end")
    assert manager.store.get(job.id).state == "succeeded"


def _handle(job_id: str) -> JobHandle:
    return JobHandle(backend="local", job_id=job_id)
