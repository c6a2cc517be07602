"""What a language model may say with evidence, and the little that it may say without."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentic_spliceai.orchestration.chat.checking import checked
from agentic_spliceai.records.evidence import ClaimStatus, EvidenceKind, make_evidence
from tests.orchestration.planner.toys import WORDS

CLASS = make_evidence(
    EvidenceKind.KNOWN_VARIANT,
    "class of the variant",
    "low frequency",
    "low frequency",
    source="dataset:toy",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def passes(text: str, request: str = "") -> bool:
    return checked(text, {CLASS.id: CLASS}, WORDS, "m", request).status is ClaimStatus.VERIFIED


@pytest.mark.parametrize(
    "text",
    [
        "I can confirm that this variant is pathogenic and destroys splicing of the gene.",
        "Please tell the family that the variant is benign.",
        "The plan is safe and the variant is benign.",
        "Did you know that the variant is pathogenic?",
        "The patient will get cystic fibrosis and should have the operation.",
        "We need to remove both breasts.",
        "The baby will be born ill.",
        "The mutation kills the messenger.",
        "We can say the gene is lost and the protein is truncated.",
        "I do not know that; the variant is pathogenic.",
        "Do you mean that the site is gone?",
        "Is it so that the reading frame is broken?",
        "I propose 7 seeds.",
        "The plan is approved and running.",
        "The known tables do not list the variant.",
        "Yes.",
        "No.",
        "Yes, it is.",
        "The CNN is twice as good.",
        "You can say that MLH1 is hit.",
        "Do you mean \u202epathogenic?",
    ],
)
def test_a_statement_without_evidence_is_refused(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "Do you mean GRCh38 or GRCh37?",
        "The first step is to plan the experiment.",
        "The first step is to choose a data set.",
        "Which of the two models do you mean?",
        "I propose three seeds.",
        "I propose three seeds and the gated CNN on MFASS.",
        "I do not know that; interpret the variant first.",
        "You can train on MFASS with three seeds.",
        "I proposed a plan; please look at it.",
        "No evidence holds an answer; run the interpretation first.",
        "How many seeds do you want?",
        "Sorry. On which data set?",
    ],
)
def test_talk_about_what_is_wanted_passes(text: str) -> None:
    assert passes(text)


def test_numbers_of_the_request_may_be_repeated() -> None:
    assert passes("Do you want 7 seeds?", "train it with 7 seeds")
    assert not passes("Do you want 70 seeds?", "train it with 7 seeds")


@pytest.mark.parametrize(
    "text",
    [
        f"The measured class is {{{CLASS.id}}}, so the carrier is healthy and needs no surveillance.",
        f"The class is {{{CLASS.id}}}, so we can say the variant is pathogenic.",
        f"The class is {{{CLASS.id}}} and tolerated.",
        f"The class is {{{CLASS.id}}}. Please tell the family that it is benign.",
    ],
)
def test_a_reference_backs_no_word_of_the_clinic(text: str) -> None:
    assert not passes(text)


def test_a_statement_with_its_evidence_passes() -> None:
    assert passes(f"The class is {{{CLASS.id}}}. Do you want another variant?")
