"""Failures as results, and values as text that cannot act."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import ReferenceMismatchError
from agentic_spliceai.tools.failure import ToolFailure, attempt, failure_of
from agentic_spliceai.tools.offered import EFFECTS, HARMLESS, content_of, ids_in
from agentic_spliceai.tools.plain_text import json_text, printable
from agentic_spliceai.tools.spec import SideEffect
from tests.tools.toolbox import HOSTILE, REGISTRY, small_context

ACTING = ("\x1b", "\x9b", "\u202e", "\x07")


def test_a_typed_error_keeps_its_code_and_advice() -> None:
    failure = failure_of(ReferenceMismatchError("REF is A", "Give G."))
    assert failure == ToolFailure(code="reference_mismatch", message="REF is A", advice="Give G.", retryable=False)


def test_what_may_pass_is_told_from_what_stays(tmp_path: Path) -> None:
    context = small_context(tmp_path)
    outcomes = {how: attempt(REGISTRY["fail"], {"how": how}, context) for how in ("typed", "passing")}
    assert [outcome.retryable for outcome in outcomes.values() if isinstance(outcome, ToolFailure)] == [False, True]


def test_a_defect_is_named_and_logged_with_its_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        outcome = attempt(REGISTRY["fail"], {"how": "defect"}, small_context(tmp_path))
    assert isinstance(outcome, ToolFailure)
    assert (outcome.code, outcome.message) == ("unexpected", "ZeroDivisionError: division by zero")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_a_result_of_another_type_is_a_defect(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcome = attempt(REGISTRY["fail"], {"how": "wrong result"}, small_context(tmp_path))
    assert isinstance(outcome, ToolFailure)
    assert outcome.code == "unexpected"
    assert "returned NoneType" in outcome.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "text: field required"),
        ({"text": 5}, "text: input should be a valid string"),
        ({"text": "a", "times": "2"}, "times: input should be a valid integer"),
        ({"text": "a", "colour": 1}, "colour: extra inputs are not permitted"),
        ({"text": "a", HOSTILE: 1}, "extra inputs are not permitted"),
        ({"text": "a", "inner": {"depth": 1, "x": 2}}, "inner.x: extra inputs"),
        ({"text": "\udc80"}, "the arguments are no JSON"),
        ({"text": object()}, "the arguments are no JSON"),
        ({"text": {1: 2}}, "text: input should be a valid string"),
        ("nonsense", "are no JSON object"),
        ("[" * 100_000, "are no JSON object"),
        ('["text"]', "are no JSON object"),
        (None, "are no JSON object"),
        ([("text", "a")], "are no JSON object"),
        ({5: "a"}, "are no JSON object"),
    ],
)
def test_malformed_arguments_are_a_typed_failure(tmp_path: Path, values: object, words: str) -> None:
    outcome = attempt(REGISTRY["echo"], values, small_context(tmp_path))
    assert isinstance(outcome, ToolFailure)
    assert outcome.code == "tool_argument"
    assert words in outcome.message
    assert not any(character in outcome.message for character in ACTING)
    assert "text" in outcome.advice


def test_arguments_may_come_as_the_text_of_an_object(tmp_path: Path) -> None:
    outcome = attempt(REGISTRY["echo"], '{"text": "a", "times": 2}', small_context(tmp_path))
    assert isinstance(outcome, dict)
    assert outcome["text"] == "aa"


def test_what_a_file_says_stays_inside_a_json_string() -> None:
    text = json_text({"id": HOSTILE})
    assert json.loads(text) == {"id": HOSTILE}
    assert text.isprintable()
    assert json.loads(json_text([HOSTILE], indent=2)) == [HOSTILE]
    assert json_text({"a": "ä ≥ 中"}) == '{"a":"ä ≥ 中"}'
    assert json.loads(json_text("\U000e0041\ud800")) == "\U000e0041\ud800"
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_a_message_is_one_printable_line_of_bounded_length() -> None:
    assert printable("a\x1b[31mb\n") == "a\\u001b[31mb\\u000a"
    failure = failure_of(ValueError(HOSTILE * 1000))
    assert failure.message.isprintable()
    assert len(failure.message) <= 1000


def test_a_large_result_is_kept_and_referred_to(tmp_path: Path) -> None:
    context = small_context(tmp_path)
    values = {"rows": [{"id": HOSTILE, "n": n} for n in range(500)], "count": 500}
    reference = json.loads(content_of(values, context, largest=2_000))
    assert reference["too_large"] is True
    assert reference["fields"] == {"rows": "list of 500", "count": "int"}
    assert len(json.dumps(reference)) < 4_000
    assert json.loads(context.artifacts.read(reference["artifact_sha256"])) == values
    assert json.loads(content_of({"count": 500}, context, largest=2_000)) == {"count": 500}


def test_ids_are_those_of_things_that_are_kept() -> None:
    found = ids_in(
        {"runs": [{"run_id": "r1", "gene_id": "G1"}, {"run_id": "r2"}], "evidence": [{"id": "E-1"}],
         "table_sha256": "ab", "evidence_ids": ["E-1", "E-2"], "text": "x", "job_id": None}
    )  # fmt: skip
    assert found == {
        "evidence_ids": ["E-1", "E-2"], "id": ["E-1"], "run_id": ["r1", "r2"], "table_sha256": ["ab"],
    }  # fmt: skip


def test_every_side_effect_has_words() -> None:
    assert set(EFFECTS) == set(SideEffect)
    assert {effect for effect in SideEffect if "job" in EFFECTS[effect] or "money" in EFFECTS[effect]} == (
        set(SideEffect) - HARMLESS
    )
