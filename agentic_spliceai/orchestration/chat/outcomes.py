"""What a conversation says when a workflow has come to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentic_spliceai.orchestration.chat.citing import summary_of_run
from agentic_spliceai.orchestration.chat.events import AnswerEvent
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.tools.plain_text import json_text, printable

RULES = "rules"
_SHOWN = 600


@dataclass(frozen=True)
class Outcome:
    """An answer, and the experiment runs that it speaks of."""

    event: AnswerEvent
    runs: tuple[str, ...] = ()


def answer_of(run_id: str, graph: str, outputs: Mapping[str, Any], store: RecordStore) -> Outcome:
    """Return the answer that a run's outputs and recorded claims make.

    Parameters
    ----------
    run_id
        The workflow run.
    graph
        Its workflow.
    outputs
        Its outputs; empty where the run had ended before and only its record is left.
    store
        Holds its claims and evidence.
    """
    summary, author, evidence = summary_of_run(run_id, store)
    lines = [summary] if summary else []
    tell = {"plan_experiment": _experiment, "triage_vcf": _triage, "interpret_variant": _interpretation}.get(graph)
    if tell is not None:
        lines += tell(outputs)
    elif not summary and isinstance(outputs.get("summary"), str):
        lines.append(str(outputs["summary"]))
    lines.append(f"(workflow run {run_id}: `agentic-spliceai runs show {run_id}`)")
    text = printable("\n".join(line for line in lines if line), keep="\n")
    return Outcome(AnswerEvent(text=text, author=author or RULES, evidence=evidence), _runs(outputs))


def _experiment(outputs: Mapping[str, Any]) -> list[str]:
    if outputs.get("decision") == "rejected":
        return [f"Plan {outputs.get('plan')} was not approved: nothing was started."]
    lines = []
    for run in outputs.get("runs") or ():
        if isinstance(run, Mapping):
            why = f" ({run['message']})" if run.get("message") else ""
            lines.append(f"- run {run.get('run_id')}: {run.get('label')}, {run.get('status')}{why}")
    lines += [
        f"- {decided.get('label')}: {decided.get('decision')}, {decided.get('reason')}"
        for decided in outputs.get("decisions") or ()
        if isinstance(decided, Mapping)
    ]
    following = outputs.get("next")
    if following:
        lines.append(f"Next: {_proposal(following)}")
    return lines


def _proposal(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        told = [str(value[name]) for name in ("request", "why", "reason") if value.get(name)]
        if told:
            return "; ".join(told)
    return json_text(value)[:_SHOWN]


def _triage(outputs: Mapping[str, Any]) -> list[str]:
    verdicts = outputs.get("verdicts")
    lines = []
    if isinstance(verdicts, Mapping):
        lines.append("; ".join(f"{name}: {count}" for name, count in verdicts.items()))
    if outputs.get("made_by"):
        lines.append(f"Judged by: {outputs['made_by']}")
    if outputs.get("warning"):
        lines.append(f"Warning: {outputs['warning']}")
    if outputs.get("table"):
        lines.append(f"Table: {outputs['table']}")
    return lines


def _interpretation(outputs: Mapping[str, Any]) -> list[str]:
    report, found = outputs.get("report"), outputs.get("interpretation")
    if isinstance(found, Mapping):
        found = Interpretation.model_validate_json(json.dumps(found))
    lines = [_made_by(found)] if isinstance(found, Interpretation) else []
    if isinstance(report, Mapping) and report.get("html"):
        lines.append(f"Report: {report['html']}")
    return lines


def _made_by(interpretation: Interpretation) -> str:
    """Say which base model the answer rests on, what it sees, and whether its thresholds are its own."""
    made = {gene.delta.provenance.model_dump_json(): gene.delta.provenance for gene in interpretation.genes}
    lines = []
    for one in {f"{p.predictor} {p.version}": p for p in made.values()}.values():
        limits = one.thresholds
        calibrated = "calibrated for it" if limits.calibrated else f"not calibrated for it ({limits.source})"
        lines.append(
            f"Base model: {one.predictor} {one.version}, which sees {one.context:,} nt; its thresholds, "
            f"{limits.weak:g}, {limits.moderate:g} and {limits.strong:g}, are {calibrated}."
        )
    return "\n".join(lines)


def _runs(outputs: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for run in outputs.get("runs") or ():
        name = run.get("run_id") if isinstance(run, Mapping) else run
        if isinstance(name, str):
            found.append(name)
    return tuple(found)
