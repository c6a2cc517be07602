"""Requests in the field's words, and the plan, question or refusal that each must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic_spliceai.orchestration.planner.intents import History, Intent, IntentKind
from agentic_spliceai.orchestration.planner.offline import OfflinePlanner
from agentic_spliceai.records.plan import ExperimentPlan
from tests.orchestration.planner.toys import WORDS

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("requests.yaml").read_text(encoding="utf-8"))
OF_THE_SPECIFICATION = ("task", "dataset", "base_model", "max_variants")


def understood(case: dict[str, Any]) -> Intent:
    planner, history = OfflinePlanner(WORDS), History()
    for text in case.get("before", []):
        history = history.after(planner.understand(text, history))
    return planner.understand(case["request"], history)


def facts(plan: ExperimentPlan, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what the plan says about each wanted field, in the same form."""
    found: dict[str, Any] = {}
    for field, value in wanted.items():
        if field == "arms":
            found[field] = [arm.label for arm in plan.arms]
        elif field in OF_THE_SPECIFICATION:
            (found[field],) = {getattr(arm.spec, field) for arm in plan.arms}
        elif field == "seeds":
            (seeds,) = {arm.spec.seeds for arm in plan.arms}
            found[field] = list(seeds)
        elif field in ("training", "options"):
            by_label = {arm.label: getattr(arm.spec, field) for arm in plan.arms}
            same = next(iter(by_label.values()))
            found[field] = by_label if set(by_label) & set(value) else same
        elif field == "notes":
            found[field] = [note for note in plan.notes if note in value]
        else:
            found[field] = getattr(plan, field)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: " / ".join([*case.get("before", []), case["request"]])[:80])
def test_a_request_gives_its_plan(case: dict[str, Any]) -> None:
    intent = understood(case)
    assert intent.kind is IntentKind.PLAN_EXPERIMENT
    if "plan" in case:
        assert intent.plan is not None, (intent.missing, intent.refusals)
        assert facts(intent.plan, case["plan"]) == case["plan"]
        assert intent.plan.planner == "offline"
        return
    assert intent.plan is None
    assert [question.field for question in intent.missing] == case.get("asks", [])
    assert [refusal.field for refusal in intent.refusals] == case.get("refuses", [])
    assert all(question.why for question in intent.missing)
    assert all(refusal.message and refusal.advice for refusal in intent.refusals)
    for name in case.get("near", []):
        assert name in intent.refusals[0].near


def test_there_are_many_requests() -> None:
    assert sum("plan" in case for case in CASES) >= 40


def test_the_same_words_give_the_same_plan() -> None:
    one, other = (understood(CASES[0]).plan for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.id == other.id
