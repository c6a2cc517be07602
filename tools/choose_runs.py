"""Find the recorded experiment runs that a text or a question speaks of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.experiments import ExperimentRunSummary

#: Most runs that a question can be about.
LIMIT = 12

_WORD = re.compile(r"[a-z0-9]+")


class ChooseRunsArgs(ToolModel):
    """Ids, or a question."""

    text: str | None = Field(default=None, description="Ids of runs, or beginnings of them, separated by commas.")
    question: str | None = Field(
        default=None, description="A question; its words choose the runs where no id is given."
    )


class ChooseRunsResult(ToolModel):
    """The runs."""

    run_ids: tuple[str, ...] = Field(
        min_length=1, description="Experiment runs that succeeded, the latest plan's first."
    )
    why: str = Field(description="How they were chosen.")


def run(args: ChooseRunsArgs, context: ToolContext) -> ChooseRunsResult:
    """Choose the runs.

    Raises
    ------
    UnknownRecordError
        If an id is not known, or nothing fits the question.
    """
    if args.text is not None and args.text.strip():
        names = [name for name in re.split(r"[\s,]+", args.text.strip()) if name]
        found = [context.records.experiments.get(name).id for name in names]
        return ChooseRunsResult(run_ids=tuple(dict.fromkeys(found)), why="by their ids")
    if args.question is None:
        raise ToolArgumentError("choose_runs needs ids or a question.", "Give runs=ID,ID or question=...")
    runs = [run for run in context.records.experiments.list(limit=200) if run.status == "succeeded"]
    if not runs:
        raise UnknownRecordError("no experiment has left a result yet.", "Plan one: agentic-spliceai chat.")
    words = set(_WORD.findall(args.question.lower()))
    scored = [(len(words & _words(run)), run) for run in runs]
    best = max(score for score, _ in scored)
    if best == 0:
        plan = runs[0].plan_id
        same = [run for run in runs if run.plan_id == plan] if plan else runs[:1]
        return ChooseRunsResult(run_ids=tuple(run.id for run in same[:LIMIT]), why="the latest plan's runs")
    # A plan's arms are spoken of together, whichever of them the question names.
    named = [run for score, run in scored if score == best]
    plans = {run.plan_id for run in named[:1]}
    same = [run for run in runs if run.plan_id in plans] if plans != {None} else named[:1]
    return ChooseRunsResult(
        run_ids=tuple(run.id for run in same[:LIMIT]), why="the latest runs that share most words with the question"
    )


def _words(run: ExperimentRunSummary) -> set[str]:
    text = " ".join((run.experiment, run.label, run.hypothesis, run.model, run.dataset, run.task))
    return set(_WORD.findall(text.lower())) - _COMMON


#: Words that say nothing about which run is meant.
_COMMON = frozenset(
    _WORD.findall(
        "a an and are by did do does for has have help how in is it its of on or than that the to was what why with"
    )
)


TOOL = ToolSpec(
    name="choose_runs",
    purpose="Find the recorded experiment runs that ids or a question speak of.",
    args=ChooseRunsArgs,
    result=ChooseRunsResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
)
