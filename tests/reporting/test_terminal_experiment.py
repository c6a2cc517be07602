"""The table of an experiment in a terminal of 80 columns: nothing is cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agentic_spliceai.reporting.terminal_experiment import comparison_table, terminal_experiment
from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import (
    ComparedArm,
    Comparison,
    Contrast,
    Decision,
    Pair,
)

LABELS = ("variant_aware_with_an_unusually_long_label", "splice_inducing_cnn")


def contrast(other: str) -> Contrast:
    return Contrast(
        other=other, other_value=0.5, difference=-0.123, low=-0.234, high=0.012, noise_floor=None,
        decision=Decision.UNDECIDED, reason="",
    )  # fmt: skip


def comparison() -> Comparison:
    arms = [
        ComparedArm(
            label=label, value=0.812, low=0.79, high=0.834, by_seed={1: 0.812}, noise=None, against_baseline=None,
            against_base_model=contrast("base model"),
        )
        for label in LABELS
    ]  # fmt: skip
    return Comparison(
        metric="pr_auc", higher_is_better=True, part="test", baseline=None, arms=tuple(arms), n=27733, positives=1234,
        pairs=(Pair(label=LABELS[0], contrast=contrast(LABELS[1])),), groups=1200, draws=1000,
        evaluator_digest="e" * 64, data_digest="d" * 64,
    )  # fmt: skip


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(comparison_table(comparison(), {LABELS[0]: {"decision": "keep"}}))
    found = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("width", [80, 120])
def test_no_label_and_no_number_is_cut(width: int) -> None:
    text = printed(width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    first = "".join(line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│"))
    for label in LABELS:
        assert label in first
    assert f"against{LABELS[1]}" in first.replace(" ", "")
    for value in ("0.812", "0.790 to 0.834", "−0.123", "−0.234 to +0.012", "keep", "undecided"):
        assert value in text


def test_a_cancelled_run_is_named_beside_the_others() -> None:
    runs = [{"label": "cnn", "status": "cancelled", "message": "cancelled by a person"}]
    group = terminal_experiment({"summary": "Nothing.", "evidence": [], "runs": runs})
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(group)
    assert "cnn cancelled: cancelled by a person" in console.file.getvalue()  # type: ignore[attr-defined]
