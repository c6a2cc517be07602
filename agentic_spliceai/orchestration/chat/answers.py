"""What the rules say: texts of answers, made of typed results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentic_spliceai.orchestration.planner.intents import Intent
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.vocabulary import Vocabulary

_SHOWN = 20


def plan_text(plan: ExperimentPlan, plan_id: str) -> str:
    """Return a plan as a person reads it."""
    spec = plan.arms[0].spec
    size = "all variants" if spec.max_variants is None else f"at most {spec.max_variants:,} variants"
    lines = [
        f"Plan {plan_id}: {plan.hypothesis}",
        f"- {spec.task} on {spec.dataset}, {size}, seeds {', '.join(map(str, spec.seeds))}; {plan.metric} decides",
    ]
    for arm in plan.arms:
        training = ", ".join(f"{name} {value}" for name, value in sorted(arm.spec.training.items()))
        lines.append(f"- {arm.label}: base model {arm.spec.base_model}{f'; {training}' if training else ''}")
    against = plan.baseline or "the base model"
    lines.append(
        f"- compared with {against}; runs on {plan.backend} ({plan.device}), at most {plan.time_limit_hours:g} h each "
        f"and ${plan.budget_usd:.2f}"
    )
    lines += [f"- note: {note}" for note in plan.notes]
    return printable("\n".join(lines), keep="\n")


def open_text(intent: Intent) -> str:
    """Return the questions and refusals of a request that is no plan yet."""
    lines = [f"{_sentence(refusal.message)} {_sentence(refusal.advice)}" for refusal in intent.refusals]
    for question in intent.missing:
        lines.append(question.why)
        lines += [f"  {number}. {choice}" for number, choice in enumerate(question.choices, 1)]
        if question.default is not None:
            lines.append(f"  ('default' takes {question.default})")
    lines += [f"note: {note}" for note in intent.notes]
    return printable("\n".join(lines), keep="\n")


def help_text(words: Vocabulary, *, planner: str) -> str:
    """Return what can be asked for."""
    models = ", ".join(model.title for model in words.models)
    datasets = ", ".join(dataset.title for dataset in words.datasets)
    return "\n".join(
        (
            f"{planner} You can ask for:",
            "- an experiment: 'compare gated CNN and HyenaDNA for triage on MFASS with three seeds under 5 dollars';",
            "  I show the plan with its time and cost, and nothing runs before you approve it",
            "- a change of it: 'make it five seeds', 'drop HyenaDNA', 'as last time but on Vex-seq'",
            "- a variant: 'is chr7-117639961-C-T splice-altering', 'look up chr3-37012011-A-G'",
            "- a VCF: 'triage cohort.vcf.gz'",
            "- what was found: 'why did early stopping help', 'which model was better', 'list my experiments'",
            "- jobs: 'is the job still running'",
            f"Models: {models}.",
            f"Data sets: {datasets}.",
            f"Base models: {', '.join(base.title for base in words.base_models)}.",
        )
    )


def experiments_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return recorded runs, one a line."""
    lines = []
    for row in list(rows)[:_SHOWN]:
        value = "" if row["value"] is None else f"; {row['metric']} {row['value']:.3f}"
        if value and row["low"] is not None and row["high"] is not None:
            value += (
                f" ({row['low']:.3f} to {row['high']:.3f}, {row['n']:,} variants; base model {_number(row['base'])})"
            )
        decision = f"; {row['decision']}" if row["decision"] else ""
        lines.append(f"- run {row['run_id']}: {row['label']} on {row['dataset']}, {row['status']}{value}{decision}")
    text = (
        "\n".join(lines) or "No experiment is recorded yet. Ask for one: 'train the variant-aware model on minigene'."
    )
    return printable(text, keep="\n")


def jobs_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return jobs, one a line."""
    lines = []
    for row in list(rows)[:_SHOWN]:
        seconds = "" if row["seconds"] is None else f", {row['seconds']:.0f} s"
        message = f": {row['message']}" if row["message"] else ""
        lines.append(
            f"- job {row['job_id']}: {row['name']}, {row['state']} on {row['backend']}{seconds}, "
            f"${row['cost_usd']:.2f}{message}"
        )
    if lines:
        lines.append(
            "Follow one with `agentic-spliceai jobs logs -f ID`; end one with `agentic-spliceai jobs cancel ID`."
        )
    return printable("\n".join(lines) or "There are no jobs.", keep="\n")


def metrics_text(jobs: Iterable[Mapping[str, Any]]) -> str:
    """Return the newest metrics of jobs."""
    lines = []
    for job in jobs:
        for metric in job["latest"]:
            where = ", ".join(
                f"{name} {metric[name]}" for name in ("split", "seed", "epoch") if metric[name] is not None
            )
            lines.append(f"  {metric['name']} {metric['value']:.4g}{f' ({where})' if where else ''}")
    return printable("\n".join(lines), keep="\n")


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
