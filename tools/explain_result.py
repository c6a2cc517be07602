"""Answer a question about recorded experiments from their records, every number with its evidence."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.records.evidence import Claim, Evidence
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.compare_experiments import CompareExperimentsArgs, labels_of
from agentic_spliceai.tools.compare_experiments import run as compare
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.write_summary import summarise

if TYPE_CHECKING:
    from agentic_spliceai.records.experiment_types import ExperimentRunDetail

#: Words of questions about the course of training.
_LEARNING = re.compile(r"early|stop|epoch|overfit|converg|train|loss|curve|patience", re.IGNORECASE)


class ExplainResultArgs(ToolModel):
    """What is asked, and of which runs."""

    runs: tuple[str, ...] = Field(min_length=1, description="Experiment runs; ids or beginnings.")
    question: str | None = Field(default=None, description="What is asked; null for a summary.")
    metric: str | None = Field(default=None, description="The measure of interest; null takes the task's main one.")
    baseline: str | None = Field(default=None, description="Label of the run that the others are compared with.")


class ExplainResultResult(ToolModel):
    """The answer."""

    text: str = Field(description="The answer; its numbers come from evidence.")
    claims: tuple[Claim, ...] = Field(description="Its sentences with the evidence that each rests on.")
    evidence: tuple[Evidence, ...] = Field(description="The evidence that the answer refers to.")
    evidence_ids: tuple[str, ...] = Field(description="Their ids.")
    author: str = Field(description="'rules', or the language model's name.")
    notes: tuple[str, ...] = Field(description="What could not be compared, and why rules wrote the answer.")


def run(args: ExplainResultArgs, context: ToolContext) -> ExplainResultResult:
    """Gather the evidence of the runs and of their comparison, and write the answer.

    Raises
    ------
    UnknownRecordError
        If there is no such run.
    """
    details = [context.records.experiments.get(name) for name in args.runs]
    named = labels_of(list({detail.id: detail for detail in details}.values()))
    notes: list[str] = []
    evidence = _gather(args, named, context, notes)
    written = summarise(evidence, "experiment", context)
    used = {reference for claim in written.claims for reference in claim.evidence_ids}
    kept = tuple(item for item in evidence if item.id in used)
    if context.keep_record:
        context.records.evidence.add(context.run_id, kept)
        context.records.evidence.add_claims(context.run_id, (*written.claims, *written.refused))
    return ExplainResultResult(
        text=written.text,
        claims=written.claims,
        evidence=kept,
        evidence_ids=tuple(item.id for item in kept),
        author=written.author,
        notes=(*notes, *written.notes),
    )


def _gather(
    args: ExplainResultArgs, named: dict[str, ExperimentRunDetail], context: ToolContext, notes: list[str]
) -> tuple[Evidence, ...]:
    from agentic_spliceai.tools.experiment_evidence import comparison_evidence, run_evidence

    evidence: list[Evidence] = []
    for label, detail in named.items():
        evidence += run_evidence(detail, subject=label)
    succeeded = [detail for detail in named.values() if detail.result is not None]
    if succeeded:
        try:
            found = compare(
                CompareExperimentsArgs(
                    runs=tuple(detail.id for detail in succeeded),
                    metric=args.metric,
                    baseline=args.baseline,
                    missing_baseline="base_model",
                ),
                context,
            ).comparison
        except SpliceEngineError as error:
            # Runs of other data can be told of, though not compared: the answer says so.
            notes.append(f"not compared: {error.message}")
        else:
            # The same runs give the same evidence, whoever asks.
            source = f"experiment_run:{'+'.join(sorted(detail.id for detail in succeeded))}"
            evidence += comparison_evidence(found, source=source, created_at=datetime.now(UTC))
    if args.question is not None and _LEARNING.search(args.question):
        for label, detail in named.items():
            evidence += _learning(label, detail, context, notes)
    return tuple({item.id: item for item in evidence}.values())


def _learning(label: str, detail: ExperimentRunDetail, context: ToolContext, notes: list[str]) -> tuple[Evidence, ...]:
    from agentic_spliceai.reporting.learning_evidence import learning_evidence
    from agentic_spliceai.splice_engine.meta_layer.experiments.learning import early_stopping_effect
    from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import Metric

    points = [
        Metric(point.step, point.epoch, point.seed, point.split, point.name, point.value)  # type: ignore[arg-type]
        for point in context.records.experiments.metrics(detail.id)
        if None not in (point.epoch, point.seed, point.split, point.value)
    ]
    try:
        # Of a run that goes on, nobody knows yet how its training ends.
        outcomes = None if detail.status == "running" else detail.seed_outcomes
        effect = early_stopping_effect(points, max_epochs=detail.spec.training.get("max_epochs"), outcomes=outcomes)
    except SpliceEngineError as error:
        notes.append(f"{label}: {error.message}")
        return ()
    return learning_evidence(
        label,
        effect,
        source=f"experiment_run:{detail.id}",
        created_at=detail.finished_at or detail.started_at,
    )


TOOL = ToolSpec(
    name="explain_result",
    purpose="Answer a question about recorded experiments; every number in the answer refers to evidence.",
    args=ExplainResultArgs,
    result=ExplainResultResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.SECONDS,
    function=run,
)
