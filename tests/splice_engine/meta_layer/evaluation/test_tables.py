"""The table shows what the result holds."""

from __future__ import annotations

import re

import numpy as np
import pytest

from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import evaluate_classification, evaluate_triage
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import measure_words, to_markdown
from tests.splice_engine.meta_layer.evaluation.test_evaluator import positions, variants


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_base_model_and_difference_are_lines_of_the_table() -> None:
    result = evaluate_triage(**variants())
    header, rule, *body = cells(to_markdown(result, measures=["pr_auc"], subsets=["all"]))
    assert len({len(row) for row in (header, rule, *body)}) == 1
    assert [row[3] for row in body] == ["openspliceai", "meta", "difference"]
    row = result.report.row("pr_auc", "altering")
    for line, estimate in zip(body, (row.base, row.model), strict=False):
        shown = dict(zip(header, line, strict=True))
        assert float(shown["Value"]) == pytest.approx(estimate.value, abs=5e-4)
        low, high = (float(end) for end in shown["95 % interval"].split(" to "))
        assert (low, high) == (pytest.approx(estimate.low, abs=5e-4), pytest.approx(estimate.high, abs=5e-4))
        assert shown["n"] == "500"
        assert int(shown["Positives"]) == estimate.positives
        assert float(shown["Prevalence"].removesuffix(" %")) == pytest.approx(100 * (row.prevalence or 0), abs=0.05)
    assert body[2][4].startswith("+")
    assert "p = 0.033, better in 100 % of draws" in body[2][5]


def test_what_was_evaluated_stands_above_and_digests_below() -> None:
    case = variants()
    result = evaluate_triage(**case | {"scores": {0: case["scores"], 4: case["scores"] * 0.9}})
    text = to_markdown(result)
    assert text.startswith("**meta** beside its base model **openspliceai** on test")
    assert "Training seeds: 0, 4; value: mean over seeds, sd in brackets." in text
    assert "Base model's threshold: 0.4, chosen on validation." in text
    assert f"evaluator `{result.evaluator_digest[:16]}`" in text
    assert "With k above the number of true rows, top-k accuracy cannot reach 1." in text


def test_a_missing_figure_shows_its_reason() -> None:
    case = variants()
    text = to_markdown(evaluate_triage(**case | {"base_scores": case["base_scores"] * 9}), measures=["ece"])
    assert cells(text)[2][4:6] == ["–", "– (scores are no probabilities)"]


def test_names_of_subsets_stay_in_their_cell() -> None:
    case = variants() | {"subgroups": {"kind": np.full(500, "a|b *c* `d`")}}
    found = cells(to_markdown(evaluate_triage(**case), measures=["roc_auc"]))
    assert {len(row) for row in found} == {10}
    assert found[-1][2] == r"kind = a\|b \*c\* \`d\`"


def test_a_figure_just_below_one_is_not_shown_as_one() -> None:
    case = positions()
    labels = case["labels"]
    nearly = np.full((600, 3), 0.0)
    nearly[np.arange(600), labels] = 1
    case["probabilities"] = nearly
    text = to_markdown(evaluate_classification(**case), measures=["accuracy", "roc_auc"], digits=1)
    shown = {tuple(row[:2]): row[4] for row in cells(text)[2:] if row[3] == "meta"}
    assert shown["accuracy ↑", "all classes"] == "1.0"
    base = [row[4] for row in cells(text)[2:] if row[3] == "openspliceai"]
    assert "1.0" not in base


def test_measures_are_named_as_the_field_names_them() -> None:
    assert measure_words("top_100") == "top-k accuracy, k = 100"
    assert measure_words("hit_within_5") == "hit rate within 5 nt"
    assert measure_words("false_positive_rate_at_0.1") == "false positive rate at 0.1"
    assert measure_words("f1_at_0.1") == "F1 at 0.1"
