"""What an experiment found, for a terminal: a table of its arms, the decisions, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentic_spliceai.reporting.words import MINUS
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import ComparedArm, Comparison, Contrast

_STYLES = {"keep": "bold green", "discard": "red", "crash": "bold red", "undecided": "yellow"}


def terminal_experiment(outputs: Mapping[str, Any]) -> Group | None:
    """Return what to print with `rich` after a workflow of experiments; None where the outputs are of another kind.

    Parameters
    ----------
    outputs
        Of plan_experiment, train_and_evaluate, compare_experiments or explain_result. No text is read as markup.
    """
    if not outputs.get("summary") or "evidence" not in outputs:
        return None
    parts: list[RenderableType] = []
    decisions = {item["label"]: item for item in outputs.get("decisions") or ()}
    if outputs.get("comparison"):
        parts.append(comparison_table(Comparison.model_validate(outputs["comparison"]), decisions))
    parts.extend(
        Text(f"{run['label']} {run['status']}: {run['message']}", style="bold red")
        for run in outputs.get("runs") or ()
        if isinstance(run, Mapping) and run.get("status") in ("failed", "cancelled")
    )
    parts.append(Text(str(outputs["summary"])))
    if outputs.get("chosen"):
        parts.append(Text(f"about {', '.join(map(str, outputs['runs']))}: {outputs['chosen']}", style="dim"))
    if outputs.get("note"):
        parts.append(Text(str(outputs["note"]), style="yellow"))
    if outputs.get("next"):
        parts.append(Text(f"next: {outputs['next']}", style="bold"))
    evidence: Sequence[str] = outputs["evidence"]
    parts.append(
        Text(
            f"{len(evidence)} pieces of evidence; agentic-spliceai tools call lookup_result --id E-... shows one", "dim"
        )
    )
    return Group(*parts)


def comparison_table(comparison: Comparison, decisions: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one row an arm, the base model's first."""
    arrow = "higher is better" if comparison.higher_is_better else "lower is better"
    positives = "" if comparison.positives is None else f", {comparison.positives:,} altering"
    table = Table(
        title=f"{comparison.metric} ({arrow}) on {comparison.n:,} {comparison.part} variants{positives}, "
        f"{comparison.groups:,} groups",
        title_justify="left",
        title_style="bold",
    )
    # Nothing may be cut in 80 columns: intervals stand below their values, and a long label goes on in the next line.
    table.add_column("arm", overflow="fold", min_width=12)
    table.add_column("value\n(95 %)", justify="right", no_wrap=True)
    table.add_column("difference\n(95 %)", justify="right", no_wrap=True)
    table.add_column("seeds\nalone", justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    bases = {arm.against_base_model.other_value for arm in comparison.arms}
    for base in sorted(bases, key=lambda value: (value is None, value)):
        table.add_row("base model", _number(base), "", "", "")
    for arm in comparison.arms:
        table.add_row(*_row(arm, decisions.get(arm.label)))
    for pair in comparison.pairs:
        table.add_row(_named(pair.label, pair.contrast), "", *_beside(pair.contrast), "")
    return table


def _row(arm: ComparedArm, decided: Mapping[str, Any] | None) -> tuple[str | Text, ...]:
    contrast = arm.against_baseline or arm.against_base_model
    decision = str(decided["decision"]) if decided else contrast.decision.value
    return (
        _named(arm.label, contrast),
        f"{_number(arm.value)}{_interval(arm.low, arm.high)}",
        *_beside(contrast),
        Text(decision, style=_STYLES.get(decision, "")),
    )


def _named(label: str, contrast: Contrast) -> Text:
    """Return an arm's label, and below it what it is compared with."""
    return Text.assemble(label, "\n", (f"against {contrast.other}", "dim"))


def _beside(contrast: Contrast) -> tuple[str, str]:
    """Return the difference, and what seeds alone do."""
    floor = "not\nknown" if contrast.noise_floor is None else _number(contrast.noise_floor)
    return f"{_number(contrast.difference, '+')}{_interval(contrast.low, contrast.high, '+')}", floor


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f"\n{_number(low, sign)} to {_number(high, sign)}"


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}".replace("-", MINUS)
