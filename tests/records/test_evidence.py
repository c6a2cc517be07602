"""A fact's id is that of its content: what was made up does not become evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence

AT = datetime(2026, 1, 2, tzinfo=UTC)
FACT = make_evidence(
    EvidenceKind.SCORE,
    "MYBPC3: acceptor gain, raw score",
    1.0,
    "1.00",
    source="run:1",
    created_at=AT,
    terms=("MYBPC3",),
)


def test_a_fact_survives_its_way_through_json() -> None:
    assert Evidence.model_validate_json(FACT.model_dump_json(), strict=True) == FACT
    assert Evidence.model_validate(FACT.model_dump()) == FACT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "E-deadbeef"),
        ("kind", "code"),
        ("statement", "BRCA1: acceptor gain, raw score"),
        ("value", 0.1),
        ("display", "0.99"),
        ("source", "run:2"),
        ("source_sha256", "ab" * 32),
    ],
)
def test_a_fact_whose_content_does_not_give_its_id_is_refused(field: str, value: object) -> None:
    forged = json.loads(FACT.model_dump_json()) | {field: value}
    with pytest.raises(ValidationError, match="not the one that its content gives"):
        Evidence.model_validate_json(json.dumps(forged))


def test_when_it_was_made_and_what_it_may_name_are_not_in_its_id() -> None:
    later = json.loads(FACT.model_dump_json()) | {"created_at": "2027-01-01T00:00:00Z", "terms": []}
    assert Evidence.model_validate_json(json.dumps(later)).id == FACT.id
