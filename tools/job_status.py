"""Ask where jobs stand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from pydantic import Field

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.jobs import JOB, JobRow, row_of
from agentic_spliceai.tools.settling import SettledRun, settle
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

_MOST_METRICS = 20


class JobStatusArgs(ToolModel):
    """Which jobs."""

    job_ids: tuple[str, ...] = Field(min_length=1, max_length=50, description=f"Jobs. {JOB}")


class LatestMetric(ToolModel):
    """The newest value of one metric."""

    name: str = Field(description="The metric.")
    split: str | None = Field(description="train, validation or test; null where the job did not say.")
    seed: int | None = Field(description="Seed that is trained; null where the job did not say.")
    epoch: int | None = Field(description="Epoch; null where the job did not say.")
    value: float = Field(description="Its newest value.")


class JobNow(ToolModel):
    """A job and how far it is."""

    job: JobRow = Field(description="Where it stands.")
    latest: tuple[LatestMetric, ...] = Field(
        description=f"Newest value of each metric that it wrote, at most {_MOST_METRICS}, the newest last."
    )
    unreadable_metrics: int = Field(ge=0, description="Lines of its metrics that are no metric.")


class JobStatusResult(ToolModel):
    """The jobs now."""

    jobs: tuple[JobNow, ...] = Field(description="In the order in which they were named.")
    ended: int = Field(ge=0, description="How many have ended.")
    settled: tuple[SettledRun, ...] = Field(
        default=(),
        description="Experiment runs whose job has ended since the last look, or cannot be asked; now recorded.",
    )


def run(args: JobStatusArgs, context: ToolContext) -> JobStatusResult:
    """Ask the backends and write down what they say, and the end of experiment runs; raises `UnknownJobError`."""
    found = []
    for job_id in args.job_ids:
        record = context.jobs.refresh(job_id)
        latest, unreadable = newest(_lines(record.id, context))
        found.append(JobNow(job=row_of(record), latest=latest, unreadable_metrics=unreadable))
    ended = sum(one.job.state.terminal for one in found)
    return JobStatusResult(jobs=tuple(found), ended=ended, settled=settle(context))


def newest(lines: Iterable[str]) -> tuple[tuple[LatestMetric, ...], int]:
    """Return the newest value of each metric in `metrics.jsonl`, and how many lines are none.

    A metric that is not a number, as a diverged loss, is among the latter.
    """
    found: dict[tuple[str, object], LatestMetric] = {}
    unreadable = 0
    for line in lines:
        try:
            point = json.loads(line)
            metric = LatestMetric(
                name=point["name"],
                split=point.get("split"),
                seed=point.get("seed"),
                epoch=point.get("epoch"),
                value=point["value"],
            )
            if not math.isfinite(metric.value):
                raise ValueError(f"{metric.value} is no number")
        except (ValueError, KeyError, TypeError, AttributeError):
            unreadable += bool(line.strip())
            continue
        key = (metric.name, metric.split)
        found.pop(key, None)
        found[key] = metric
    return tuple(found.values())[-_MOST_METRICS:], unreadable


def _lines(job_id: str, context: ToolContext) -> Iterable[str]:
    cursor = ""
    while True:
        page = context.jobs.metrics(job_id, cursor)
        yield from page.lines
        if not page.lines:
            return
        cursor = page.cursor


TOOL = ToolSpec(
    name="job_status",
    purpose="Say where jobs stand, with the newest value of each metric that they have written.",
    args=JobStatusArgs,
    result=JobStatusResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
