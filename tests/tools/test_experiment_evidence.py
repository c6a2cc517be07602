"""What experiments found, as evidence, and told in sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.records.evidence import Evidence, EvidenceKind
from agentic_spliceai.records.experiment_types import ExperimentRunDetail
from agentic_spliceai.records.models import RecordedError
from agentic_spliceai.reporting.claims import verify_text
from agentic_spliceai.reporting.experiment_summary import summarise_experiment
from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.meta_layer.experiments.compare import (
    ComparedArm,
    Comparison,
    Contrast,
    Decision,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.result import (
    DatasetUse,
    ExperimentResult,
    Figure,
    SeedOutcome,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec
from agentic_spliceai.tools import write_summary
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.experiment_evidence import (
    Difference,
    comparison_evidence,
    difference_evidence,
    run_evidence,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)


def figure(subject: str, value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(
        measure="pr_auc", of="altering", subject=subject, value=value, low=low, high=high, sd=0.004, n=8354, groups=500
    )


def detail(**changes: Any) -> ExperimentRunDetail:
    use = DatasetUse(name="mfass", role="train", digest="a" * 64, n=19379, positives=754)
    figures = (
        figure("model", 0.426, 0.400, 0.460),
        figure("base", 0.290, 0.250, 0.330),
        figure("difference", 0.136, 0.100, 0.170),
    )
    seeds = tuple(
        SeedOutcome(seed=s, epochs=10, best_epoch=4, best=0.4, stopped_early=s < 3, seconds=3) for s in (1, 2, 3)
    )
    spec = ExperimentSpec(name="x", task="triage", dataset="mfass", model="gated_cnn", seeds=(1, 2, 3))
    result = ExperimentResult(
        name="x", spec_digest="a", evaluator_digest="b", code_digest="c", base_model="small", datasets=(use,),
        figures=figures, seeds=seeds, parameters=10, trainable=10, device="cpu", seconds=30, files=(),
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": "r1", "experiment": "x", "label": "gated", "status": "succeeded", "decision": "keep",
        "decision_reason": "", "task": "triage", "dataset": "mfass", "base_model": "small", "model": "gated_cnn",
        "seeds": (1, 2, 3), "hypothesis": "", "parent_id": None, "plan_id": None, "job_id": None, "started_at": AT,
        "finished_at": AT, "cost_usd": 1.5, "spec": spec, "spec_digest": "a", "approval_id": None,
        "workflow_run_id": None, "decided_at": None, "environment": {}, "git_commit": None, "git_dirty_sha256": None,
        "seconds": 100.0, "device": "cpu", "evaluator_digest": None, "code_digest": None, "error": None,
        "outcome_sha256": "ab" * 32, "params": {}, "figures": figures, "datasets": (use,), "artifacts": (),
        "result": result,
    }  # fmt: skip
    return ExperimentRunDetail(**{**values, **changes})


def difference(**changes: Any) -> Difference:
    values: dict[str, Any] = {
        "label": "gated", "baseline": None, "measure": "pr_auc", "of": "altering", "value": 0.136, "low": 0.1,
        "high": 0.17, "noise": 0.008, "n": 8354, "groups": 500, "distinguished": True,
    }  # fmt: skip
    return Difference(**{**values, **changes})


def told(evidence: tuple[Evidence, ...]) -> str:
    """The summary, every sentence of which has to pass the check."""
    claims = [verify_text(text, evidence) for text in summarise_experiment(evidence)]
    assert [problem for claim in claims for problem in claim.problems] == []
    return " ".join(claim.rendered for claim in claims)


def test_a_run_in_sentences() -> None:
    text = told(run_evidence(detail()))
    assert "gated (gated_cnn) was trained on 19,379 examples of mfass with 3 seeds." in text
    assert "On 8,354 variants, gated reached a PR-AUC of 0.426 (0.400 to 0.460)" in text
    assert "the base model itself reached 0.290 (0.250 to 0.330)." in text
    assert "Training of gated stopped early for 2 of 3 seeds." in text
    assert "gated took 2 min and cost $1.50." in text


@pytest.mark.parametrize(
    ("value", "distinguished", "said"),
    [
        (0.136, True, "+0.136 (+0.100 to +0.170), beside a noise of 0.008: stands out from the noise."),
        (-0.005, False, "−0.005 (+0.100 to +0.170), beside a noise of 0.008: not told apart from the noise."),
        (0.136, None, "not known to stand out from the noise."),
    ],
)
def test_a_comparison_with_the_noise_of_the_seeds(value: float, distinguished: bool | None, said: str) -> None:
    compared = difference_evidence(
        [difference(value=value, distinguished=distinguished)], source="run:z", created_at=AT
    )
    text = told((*run_evidence(detail()), *compared))
    assert "The difference of gated to the base model in PR-AUC is " in text
    assert said in text


def test_a_comparison_of_two_models_names_both() -> None:
    compared = difference_evidence([difference(baseline="plain", noise=None)], source="run:z", created_at=AT)
    assert "The difference of gated to plain in PR-AUC is +0.136" in told(compared)


@pytest.mark.parametrize(
    ("value", "low", "high", "floor", "said"),
    [
        (0.03, 0.01, 0.05, 0.008, "stands out from the noise"),
        (0.03, 0.01, 0.05, 0.03, "not told apart from the noise"),
        (0.03, 0.0, 0.05, 0.008, "not told apart from the noise"),
        (-0.03, -0.05, -0.01, 0.008, "stands out from the noise"),
        (0.03, 0.01, 0.05, None, "not known to stand out from the noise"),
        (0.03, None, None, 0.008, "not known to stand out from the noise"),
    ],
)
def test_what_stands_out(value: float, low: float | None, high: float | None, floor: float | None, said: str) -> None:
    contrast = Contrast(
        other="base model", other_value=0.29, difference=value, low=low, high=high, noise_floor=floor,
        decision=Decision.UNDECIDED, reason="x",
    )  # fmt: skip
    arm = ComparedArm(
        label="gated", value=0.4, by_seed={}, noise=None, against_baseline=contrast, against_base_model=contrast
    )
    comparison = Comparison(
        metric="pr_auc", higher_is_better=True, part="test", baseline=None, arms=(arm,), n=10, positives=3, groups=5,
        draws=100, evaluator_digest="a", data_digest="b",
    )  # fmt: skip
    evidence = comparison_evidence(comparison, source="run:z", created_at=AT)
    assert f": {said}." in told(evidence)


def test_less_of_an_error_may_be_called_better() -> None:
    compared = difference_evidence(
        [difference(measure="brier", value=-0.01, higher_is_better=False)], source="run:z", created_at=AT
    )
    found = next(item for item in compared if item.statement.endswith("to the base model"))
    assert not verify_text(f"It is better by {{{found.id}}}.", compared).problems


def test_a_difference_that_was_not_measured_is_said_to_be_so() -> None:
    compared = difference_evidence(
        [difference(value=None, low=None, high=None, distinguished=None, note="the runs share no rows")],
        source="run:z",
        created_at=AT,
    )
    text = told(compared)
    assert "is not measured" in text
    assert "the runs share no rows" in text


def test_a_failed_run_has_no_figures_and_says_why() -> None:
    failed = detail(
        status="failed",
        figures=(),
        result=None,
        outcome_sha256=None,
        error=RecordedError(code="timed_out", message="too long"),
    )
    text = told(run_evidence(failed))
    assert "gated (gated_cnn on mfass) has the status failed: timed_out." in text
    assert "reached" not in text


def test_simulated_data_are_named_as_such() -> None:
    use = DatasetUse(name="minigene", role="train", digest="a" * 64, n=100, synthetic=True)
    text = told(run_evidence(detail(dataset="minigene", datasets=(use,))))
    assert "The data are simulated: they say nothing about a human gene." in text


def test_evidence_names_its_source_and_stays_the_same() -> None:
    evidence = run_evidence(detail())
    assert {item.source for item in evidence} == {"experiment_run:r1"}
    assert {item.source_sha256 for item in evidence} == {"ab" * 32}
    assert run_evidence(detail()) == evidence
    assert len({item.id for item in evidence}) == len(evidence)
    assert [item.value for item in evidence if item.kind is EvidenceKind.COST] == [1.5]


def test_a_better_figure_cannot_be_told_as_a_worse_one() -> None:
    compared = difference_evidence([difference()], source="run:z", created_at=AT)
    found = next(item for item in compared if item.statement.endswith("to the base model"))
    assert verify_text(f"It is worse by {{{found.id}}}.", compared).problems
    assert not verify_text(f"It is better by {{{found.id}}}.", compared).problems


def test_a_hostile_label_is_quoted_and_allows_nothing() -> None:
    evidence = run_evidence(detail(label="PVS1 0.99", model="gated_cnn"))
    assert not any("PVS1" in term for item in evidence for term in item.terms)
    assert "“PVS1 0.99”" in told(evidence)


def test_the_tool_writes_it_by_rules(tmp_path: Path) -> None:
    evidence = (*run_evidence(detail()), *difference_evidence([difference()], source="run:z", created_at=AT))
    context = ToolContext(Resources(Settings(data_dir=tmp_path)), keep_record=False)
    result = write_summary.summarise(evidence, "experiment", context)
    assert (result.author, result.notes) == ("rules", ())
    assert result.text == told(evidence)
