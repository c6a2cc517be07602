"""Find the recorded experiment runs that a text or a question speaks of."""

from __future__ import annotations

import re

from pydantic import Field

from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.experiment_types import ExperimentRunSummary, ExperimentStatus
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.vocabulary import Named, vocabulary

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

    run_ids: tuple[str, ...] = Field(min_length=1, description="Experiment runs, the latest first.")
    why: str = Field(description="How they were chosen.")


def run(args: ChooseRunsArgs, context: ToolContext) -> ChooseRunsResult:
    """Choose the runs. A model, a data set or a failure that the question names must be the run's own.

    Raises
    ------
    UnknownRecordError
        If an id is not known, or there is no run of what the question names: another's is never taken instead.
    """
    if args.text is not None and args.text.strip():
        names = [name for name in re.split(r"[\s,]+", args.text.strip()) if name]
        found = [context.records.experiments.get(name).id for name in names]
        return ChooseRunsResult(run_ids=tuple(dict.fromkeys(found)), why="by their ids")
    if args.question is None:
        raise ToolArgumentError("choose_runs needs ids or a question.", "Give runs=ID,ID or question=...")
    runs = [run for run in context.records.experiments.list(limit=500) if run.status is not ExperimentStatus.RUNNING]
    if not runs:
        raise UnknownRecordError("no experiment has ended yet.", "Plan one: agentic-spliceai chat.")
    named = _Named.of(args.question)
    fitting = [run for run in runs if named.fits(run)]
    if not fitting:
        raise UnknownRecordError(
            f"there is no run of {named}.", "`list_experiments` shows what was run; the chat plans what was not."
        )
    if not named.failed:
        # What left a result is asked about first; where nothing did, the answer says how those runs ended.
        fitting = [run for run in fitting if run.status is ExperimentStatus.SUCCEEDED] or fitting
    chosen = _closest(fitting, args.question)
    return ChooseRunsResult(run_ids=tuple(run.id for run in chosen[:LIMIT]), why=f"the latest of {named}")


class _Named:
    """What a question names: models, data sets, and whether it asks for what failed."""

    def __init__(self, models: tuple[str, ...], datasets: tuple[str, ...], failed: bool) -> None:
        self.models, self.datasets, self.failed = models, datasets, failed

    @classmethod
    def of(cls, question: str) -> _Named:
        words = vocabulary()
        text = f" {' '.join(_WORD.findall(question.lower()))} "
        models = tuple(model.name for model in words.models if _says(text, model))
        datasets = tuple(dataset.name for dataset in words.datasets if _says(text, dataset))
        return cls(models, datasets, bool(_FAILED & set(text.split())))

    def fits(self, run: ExperimentRunSummary) -> bool:
        """Whether a run is of what the question names."""
        if self.failed and run.status is ExperimentStatus.SUCCEEDED:
            return False
        if self.datasets and run.dataset not in self.datasets:
            return False
        return not self.models or any(_is_of(run.label, name) for name in self.models)

    def __str__(self) -> str:
        what = " or ".join(self.models) or "any model"
        where = f" on {' or '.join(self.datasets)}" if self.datasets else ""
        return f"{what}{where}{' that failed' if self.failed else ''}"


def _says(text: str, named: Named) -> bool:
    phrases = (named.name, named.title, *named.phrases)
    return any(f" {' '.join(_WORD.findall(phrase.lower()))} " in text for phrase in phrases)


def _is_of(label: str, name: str) -> bool:
    """Whether an arm's label is a model's name, or begins with it and says what differs."""
    return label == name or label.startswith(f"{name}-")


def _closest(runs: list[ExperimentRunSummary], question: str) -> list[ExperimentRunSummary]:
    """Return the runs of the plan that shares most words with the question, the latest of equals."""
    words = set(_WORD.findall(question.lower()))
    best = max(runs, key=lambda run: len(words & _words(run)))  # the first of equals, and the latest come first
    if best.plan_id is None:
        return [best]
    return [run for run in runs if run.plan_id == best.plan_id]


def _words(run: ExperimentRunSummary) -> set[str]:
    text = " ".join((run.label, run.hypothesis, run.task))
    return set(_WORD.findall(text.lower())) - _COMMON


#: Words that ask for what did not succeed.
_FAILED = frozenset(("fail", "failed", "fails", "failure", "crash", "crashed", "crashes", "error", "cancelled"))

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
