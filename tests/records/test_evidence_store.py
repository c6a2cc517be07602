"""Evidence and claims in the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from agentic_spliceai.records.errors import ConflictError, UnknownRecordError
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence, EvidenceKind, make_evidence
from agentic_spliceai.records.evidence_store import EvidenceStore
from agentic_spliceai.records.store import RecordStore
from tests.records.toy import NOON


@pytest.fixture
def evidence(database_url: str) -> Iterator[EvidenceStore]:
    store = RecordStore(database_url, busy_timeout=20)
    yield store.evidence
    store.close()


def fact(value: object = 0.97, *, terms: tuple[str, ...] = ("MLH1", "chr3-37012011-A-G"), hours: int = 0) -> Evidence:
    return make_evidence(
        EvidenceKind.SCORE, "donor loss", value, str(value), source="run:a1", terms=terms, unit="",
        created_at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def claim(*facts: Evidence, status: ClaimStatus = ClaimStatus.VERIFIED) -> Claim:
    text = " ".join(f"{{{one.id}}}" for one in facts) or "Nothing."
    return Claim(
        text=text, rendered=text, evidence_ids=tuple(one.id for one in facts), author="rules", status=status,
        problems=() if status is ClaimStatus.VERIFIED else ("no evidence",),
    )  # fmt: skip


def test_facts_come_back_in_their_order(evidence: EvidenceStore) -> None:
    facts = (fact(0.97), fact("PP3"), fact(True), fact({"gain": [1, 2]}), fact(None))
    assert evidence.add("a1", facts) == tuple(one.id for one in facts)
    assert evidence.of_run("a1") == facts
    assert evidence.get(facts[0].id) == evidence.get(facts[0].id[2:6]) == facts[0]
    assert evidence.get_many([facts[3].id, facts[1].id]) == (facts[3], facts[1])
    assert evidence.of_source("run:a1") == tuple(sorted(facts, key=lambda one: one.id))
    assert evidence.of_run("other") == ()
    for nobody in ("", "E-", "E-zz", "%"):
        with pytest.raises(UnknownRecordError, match="there is no evidence"):
            evidence.get(nobody)
    with pytest.raises(UnknownRecordError, match="there is no evidence 'E-00000000'"):
        evidence.get_many([facts[0].id, "E-00000000"])


def test_a_fact_is_kept_once_and_used_by_many_runs(evidence: EvidenceStore) -> None:
    first = fact()
    evidence.add("a1", [first, first])
    evidence.add("a1", [first])
    evidence.add("b2", [fact(hours=3, terms=("MLH1", "ENST01"))])
    assert evidence.runs_of(first.id) == ("a1", "b2")
    (kept,) = evidence.of_run("b2")
    assert (kept.created_at, kept.terms) == (NOON, ("MLH1", "chr3-37012011-A-G", "ENST01"))
    assert evidence.of_run("a1") == (kept,)


def test_one_id_is_one_fact(evidence: EvidenceStore) -> None:
    evidence.add("a1", [fact()])
    forged = fact().model_copy(update={"value": 0.01, "display": "0.01"})
    with pytest.raises(ConflictError, match="is another fact's"):
        evidence.add("a1", [fact(0.5), forged])
    with pytest.raises(ConflictError, match="is another fact's"):
        evidence.add("b2", [fact(0.6), fact(0.6).model_copy(update={"display": "1"})])
    assert evidence.of_run("a1") == (fact(),)  # all or nothing
    assert evidence.of_run("b2") == ()


def test_facts_are_found_by_what_they_are_about(evidence: EvidenceStore) -> None:
    old, new = fact(0.1), fact(0.2, hours=1)
    evidence.add("a1", [old, new, fact(0.3, terms=("BRCA1",))])
    assert evidence.find("mlh1") == (new, old)
    assert evidence.find("MLH1", limit=1) == (new,)
    assert evidence.find("MLH") == evidence.find("%") == ()


def test_claims_rest_on_recorded_evidence(evidence: EvidenceStore) -> None:
    one, two = fact(1), fact(2)
    evidence.add("a1", [one, two])
    claims = (claim(two, one, one), claim(one), claim(fact(3), status=ClaimStatus.REFUSED))
    assert evidence.add_claims("a1", claims) == 3
    assert evidence.add_claims("a1", claims) == 0
    assert evidence.claims_of("a1") == claims
    assert evidence.claims_on(one.id) == claims[:2]
    assert evidence.claims_on(fact(3).id) == ()
    with pytest.raises(UnknownRecordError, match=f"there is no evidence '{fact(3).id}'"):
        evidence.add_claims("b2", [claim(one), claim(fact(3))])
    assert evidence.claims_of("b2") == ()


def test_many_facts(evidence: EvidenceStore) -> None:
    facts = [fact(number, terms=("MLH1", f"T{number}")) for number in range(1500)]
    evidence.add("a1", facts)
    assert evidence.of_run("a1") == tuple(facts)
