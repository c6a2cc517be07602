"""The tools about jobs, on jobs of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.compute.types import JobHandle
from agentic_spliceai.records.errors import UnknownJobError
from agentic_spliceai.settings import Settings
from agentic_spliceai.tools import cancel_job, job_logs, job_status, list_jobs
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.offered import HARMLESS, description
from agentic_spliceai.tools.registry import ToolRegistry
from agentic_spliceai.tools.spec import SideEffect, ToolArgumentError
from tests.compute.jobs import eventually, python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no local backend there")

REGISTRY = ToolRegistry([job_status.TOOL, job_logs.TOOL, list_jobs.TOOL, cancel_job.TOOL])


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", allow_download=False)
    context = ToolContext(Resources(settings))
    yield context
    for record in context.records.jobs.open():
        context.jobs.cancel(record.id)
    context.records.close()


def call(name: str, context: ToolContext, **values: Any) -> dict[str, Any]:
    """Call a tool as a language model does."""
    tool = REGISTRY[name]
    return dict(tool.dump_result(tool.call(tool.parse_args(values), context)))


def metric(name: str, value: float, **more: object) -> str:
    return json.dumps({"name": name, "value": value, **more})


def test_a_running_job_says_how_far_it_is(context: ToolContext) -> None:
    lines = [
        metric("loss", 0.9, split="train", epoch=0, seed=1, step=1),
        metric("pr_auc", 0.5, split="validation", epoch=0, seed=1),
        "no metric",
        '{"name": "loss", "value": NaN}',
        metric("loss", 0.4, split="train", epoch=1, seed=1, step=2),
    ]
    text = "\n".join(lines) + "\n"
    code = f"import time; open('metrics.jsonl', 'w').write({text!r}); print('begun'); time.sleep(60)"
    job = context.jobs.submit(python(code))
    eventually(lambda: context.jobs.logs(job.id).lines)
    found = call("job_status", context, job_ids=[job.id[:8]])
    (one,) = found["jobs"]
    assert found["ended"] == 0
    assert (one["job"]["job_id"], one["job"]["state"], one["job"]["name"]) == (job.id, "running", "a test")
    assert one["job"]["seconds"] > 0
    assert [(m["name"], m["split"], m["epoch"], m["value"]) for m in one["latest"]] == [
        ("pr_auc", "validation", 0, 0.5),
        ("loss", "train", 1, 0.4),
    ]
    assert one["unreadable_metrics"] == 2
    assert context.records.jobs.get(job.id).state == "running"


def test_a_failed_job_says_why(context: ToolContext) -> None:
    job = context.jobs.submit(python("raise SystemExit('no such data set')"))
    context.jobs.wait((job.id,), poll_seconds=0.05)
    found = call("job_status", context, job_ids=[job.id])
    assert found["ended"] == 1
    assert found["jobs"][0]["job"]["message"] == "exit code 1: no such data set"
    assert found["jobs"][0]["latest"] == []


def test_output_by_last_lines_and_by_pages(context: ToolContext) -> None:
    job = context.jobs.submit(python("print(*range(100), 'x' * 1000, sep='\\n')"))
    context.jobs.wait((job.id,), poll_seconds=0.05)
    found = call("job_logs", context, job_id=job.id, lines=3)
    assert found["lines"][:2] == ["98", "99"]
    assert len(found["lines"][2]) == 500
    assert found["lines"][2].endswith("…")
    assert found["state"] == "succeeded"
    first = call("job_logs", context, job_id=job.id, lines=2, cursor="")
    assert first["lines"] == ["0", "1"]
    assert call("job_logs", context, job_id=job.id, lines=1, cursor=first["cursor"])["lines"] == ["2"]


def test_jobs_are_listed_as_they_are_now(context: ToolContext) -> None:
    done = context.jobs.submit(python("pass"))
    long = context.jobs.submit(python("import time; time.sleep(60)", key="long", name="long"))
    eventually(lambda: context.jobs.backends["local"].poll(JobHandle(backend="local", job_id=done.id)).state.terminal)
    found = call("list_jobs", context)["jobs"]
    assert [(row["job_id"], row["state"]) for row in found][1:] == [(done.id, "succeeded")]
    assert found[0]["name"] == "long"
    found = call("list_jobs", context, states=["succeeded", "failed"], limit=5)["jobs"]
    assert [row["job_id"] for row in found] == [done.id]
    assert call("list_jobs", context, workflow_run_id="nothing") == {"jobs": [], "problems": []}
    context.jobs.cancel(long.id)


def test_a_job_that_cannot_be_asked_does_not_hide_the_others(context: ToolContext) -> None:
    spec = python("pass").model_dump(mode="json")
    far = context.records.jobs.create(key="far", name="far away", backend="moon", spec=spec)
    context.records.jobs.set_handle(far.id, {"backend": "moon", "job_id": far.id})
    here = context.jobs.submit(python("pass"))
    found = call("list_jobs", context)
    assert [row["job_id"] for row in found["jobs"]] == [here.id, far.id]
    assert len(found["problems"]) == 1
    assert found["problems"][0].startswith(f"{far.id}: there is no backend 'moon'")
    context.records.jobs.set_state(far.id, "cancelled")


def test_a_job_is_ended_and_what_it_wrote_stays(context: ToolContext) -> None:
    job = context.jobs.submit(python("import time; print('begun'); time.sleep(60)"))
    eventually(lambda: context.jobs.logs(job.id).lines)
    found = call("cancel_job", context, job_id=job.id)
    assert (found["cancelled"], found["job"]["state"]) == (True, "cancelled")
    assert call("job_logs", context, job_id=job.id)["lines"] == ["begun"]
    ended = context.jobs.submit(python("pass", key="other"))
    context.jobs.wait((ended.id,), poll_seconds=0.05)
    found = call("cancel_job", context, job_id=ended.id)
    assert (found["cancelled"], found["job"]["state"]) == (False, "succeeded")


@pytest.mark.parametrize("name", ["job_logs", "cancel_job"])
def test_an_unknown_job_is_a_typed_error(name: str, context: ToolContext) -> None:
    with pytest.raises(UnknownJobError) as caught:
        call(name, context, job_id="zzzz")
    assert caught.value.code == "unknown_job"
    assert "jobs list" in caught.value.advice
    with pytest.raises(UnknownJobError):
        call("job_status", context, job_ids=["zzzz"])


def test_arguments_are_strict(context: ToolContext) -> None:
    for name, values in (
        ("job_status", {"job_ids": []}),
        ("job_logs", {"job_id": "a", "lines": "5"}),
        ("job_logs", {"job_id": "a", "tail": 5}),
        ("list_jobs", {"states": ["sleeping"]}),
        ("cancel_job", {}),
    ):
        with pytest.raises(ToolArgumentError):
            REGISTRY[name].parse_args(values)


def test_only_ending_a_job_needs_leave() -> None:
    assert cancel_job.TOOL.side_effect is SideEffect.ENDS_JOB
    assert [name for name, tool in REGISTRY.items() if tool.side_effect not in HARMLESS] == ["cancel_job"]
    assert "Ends a job." in description(cancel_job.TOOL)
