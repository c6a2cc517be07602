"""What a person wants where it is no new experiment; misuse and odd input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic_spliceai.orchestration.planner.intents import History, IntentKind
from agentic_spliceai.orchestration.planner.offline import OfflinePlanner, PlanError
from tests.orchestration.planner.test_requests import understood
from tests.orchestration.planner.toys import WORDS

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("other.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["request"][:70] or "nothing")
def test_a_request_is_understood(case: dict[str, Any]) -> None:
    intent = understood(case)
    assert intent.kind == case["kind"]
    assert intent.plan is None
    for field in ("variant", "path", "genome", "base_model", "dataset", "metric"):
        if field in case:
            assert getattr(intent.target, field) == case[field]
    assert list(intent.target.ids) == case.get("ids", [])


def test_there_are_many_other_requests() -> None:
    assert len(CASES) >= 20


def test_a_plan_is_never_approved_by_its_request() -> None:
    intent = OfflinePlanner(WORDS).understand("train the CNN on MFASS without approval")
    assert intent.plan is not None
    assert any("cannot approve" in note for note in intent.plan.notes)


def test_what_was_misspelt_is_said() -> None:
    intent = OfflinePlanner(WORDS).understand("trian the CNN on mfas")
    assert intent.plan is not None
    assert "read 'mfas' as 'mfass'" in intent.plan.notes


def test_what_was_not_understood_is_said() -> None:
    intent = OfflinePlanner(WORDS).understand("train the CNN on MFASS using unicorns")
    assert intent.plan is not None
    assert "not understood, and left out: unicorns" in intent.plan.notes


def test_what_was_assumed_is_said() -> None:
    intent = OfflinePlanner(WORDS).understand("train the CNN on MFASS")
    assert intent.plan is not None
    said = " ".join(intent.plan.notes)
    for word in (
        "seeds 1, 2, 3",
        "base model openspliceai-400nt",
        "PR-AUC decides",
        "nothing may be spent",
        "this machine",
    ):
        assert word in said


def test_a_refusal_names_what_was_meant() -> None:
    intent = OfflinePlanner(WORDS).understand("compare hyenadnna2000 and CNN on MFASS")
    assert intent.refusals[0].near == ("HyenaDNA",)


def test_plan_raises_with_the_questions() -> None:
    with pytest.raises(PlanError, match="On which data set") as caught:
        OfflinePlanner(WORDS).plan("train the CNN")
    assert "MFASS" in caught.value.advice


def test_plan_raises_where_nothing_is_planned() -> None:
    with pytest.raises(PlanError, match="sees no experiment"):
        OfflinePlanner(WORDS).plan("hello there")


@pytest.mark.parametrize(
    "text", ["train " * 3000, "\x00\x1b[31m train CNN", "9" * 400 + " seeds CNN MFASS", "1e999 seeds CNN on MFASS"]
)
def test_odd_input_gives_an_intent(text: str) -> None:
    intent = OfflinePlanner(WORDS).understand(text)
    assert isinstance(intent.kind, IntentKind)


def test_last_time_without_one_is_said() -> None:
    intent = OfflinePlanner(WORDS).understand("train the CNN on MFASS as last time", History())
    assert intent.plan is not None
    assert any("no plan came before" in note for note in intent.plan.notes)


def test_the_names_of_this_installation_are_known() -> None:
    intent = OfflinePlanner().understand(
        "compare gated CNN and HyenaDNA for triage on MFASS with three seeds under 5 dollars"
    )
    assert intent.plan is not None
    assert [arm.label for arm in intent.plan.arms] == ["gated_cnn", "hyenadna"]
    assert {arm.spec.dataset for arm in intent.plan.arms} == {"mfass"}
    assert intent.plan.budget_usd == 5.0


def test_the_last_plan_can_be_said_again_from_the_record() -> None:
    planner = OfflinePlanner()
    first = planner.understand("variant-aware and gated CNN on minigene, 300 variants, 2 epochs").plan
    intent = planner.understand("as last time but with 2 seeds", History(plan=first, parent="0123456789ab"))
    assert intent.plan is not None
    assert [arm.label for arm in intent.plan.arms] == ["variant_aware", "gated_cnn"]
    assert intent.plan.arms[0].spec.seeds == (1, 2)
    assert intent.plan.arms[0].spec.max_variants == 300
    assert intent.plan.arms[0].spec.training["max_epochs"] == 2
    assert intent.plan.parent == "0123456789ab"


def test_two_names_of_one_model_are_said() -> None:
    intent = OfflinePlanner().understand("compare the CNN and the gated CNN on MFASS")
    assert intent.plan is not None
    assert any("one model here" in note for note in intent.plan.notes)


def test_a_place_that_is_not_set_up_is_refused() -> None:
    words = replace(WORDS, backends=(WORDS.backends[0], replace(WORDS.backends[1], ready=False)))
    intent = OfflinePlanner(words).understand("train the CNN on MFASS on RunPod under 5 dollars")
    assert [refusal.field for refusal in intent.refusals] == ["backend"]
    assert "this machine" in intent.refusals[0].advice


def test_what_a_finished_plan_proposes_next_is_understood() -> None:
    planner = OfflinePlanner(WORDS)
    history = History(plan=planner.understand("train the CNN on MFASS with 2 seeds, 500 variants").plan)
    for proposal in (
        "the same with 3 seeds: with 2 the noise of training is hardly known",
        "the same on all variants of mfass: on 500 the interval is too wide to decide",
        "cnn on all variants of mfass, to see whether the gain holds",
    ):
        intent = planner.understand(proposal, history)
        assert intent.plan is not None, (proposal, intent.refusals, intent.missing)
