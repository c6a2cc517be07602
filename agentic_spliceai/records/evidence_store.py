"""Evidence and claims in the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, func, select

from agentic_spliceai.records.base import find, now
from agentic_spliceai.records.database import Database, insert_new
from agentic_spliceai.records.errors import ConflictError, UnknownRecordError
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.records.tables import (
    ClaimEvidenceRow,
    ClaimRow,
    EvidenceRow,
    EvidenceTermRow,
    EvidenceUseRow,
)

_MANY = 500  # values that one query names


class EvidenceStore:
    """The evidence of a database, and the claims that rest on it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run_id: str, evidence: Iterable[Evidence]) -> tuple[str, ...]:
        """Write down what a run gathered, all or nothing, and return the ids; again it changes nothing.

        A fact that is there already keeps its time and gets the terms that it does not have.

        Raises
        ------
        ConflictError
            If another fact has the id.
        """
        given: dict[str, Evidence] = {}
        for fact in evidence:
            _must_be_same(given.setdefault(fact.id, fact), fact)
        with self._database.writing() as session:
            rows = [{**fact.model_dump(exclude={"terms"}), "kind": fact.kind.value} for fact in given.values()]
            insert_new(session, EvidenceRow, rows, "id")
            present = {fact.id: fact for fact in _read(session, list(given))}
            terms = []
            for fact in given.values():
                _must_be_same(present[fact.id], fact)
                known = present[fact.id].terms
                new = [term for term in dict.fromkeys(fact.terms) if term not in known]
                terms += [
                    {"evidence_id": fact.id, "term": term, "position": len(known) + position}
                    for position, term in enumerate(new)
                ]
            insert_new(session, EvidenceTermRow, terms, "evidence_id", "term")
            uses = [{"run_id": run_id, "evidence_id": fact_id} for fact_id in given]
            insert_new(session, EvidenceUseRow, uses, "run_id", "evidence_id")
        return tuple(given)

    def get(self, evidence_id: str) -> Evidence:
        """Return a fact by its id or an unambiguous beginning of it, with or without 'E-'.

        Raises
        ------
        UnknownRecordError
            If there is none, or more than one.
        """
        wanted = evidence_id if not evidence_id or evidence_id.startswith("E-") else f"E-{evidence_id}"
        with self._database.session() as session:
            row = find(
                session, EvidenceRow, "" if wanted == "E-" else wanted, what="evidence", advice="Gather it first."
            )
            return _read(session, [row.id])[0]

    def get_many(self, evidence_ids: Sequence[str]) -> tuple[Evidence, ...]:
        """Return facts by their whole ids, in that order; raises as `get`."""
        with self._database.session() as session:
            return _read(session, evidence_ids)

    def of_run(self, run_id: str) -> tuple[Evidence, ...]:
        """Return what a run gathered, in that order."""
        query = select(EvidenceUseRow.evidence_id).where(EvidenceUseRow.run_id == run_id)
        with self._database.session() as session:
            return _read(session, session.exec(query.order_by(col(EvidenceUseRow.id))).all())

    def runs_of(self, evidence_id: str) -> tuple[str, ...]:
        """Return the runs that gathered a fact, the first one first."""
        query = select(EvidenceUseRow.run_id).where(EvidenceUseRow.evidence_id == evidence_id)
        with self._database.session() as session:
            return tuple(session.exec(query.order_by(col(EvidenceUseRow.id))).all())

    def find(self, term: str, limit: int = 100) -> tuple[Evidence, ...]:
        """Return the latest facts about a gene, transcript, variant or code; upper and lower case are the same."""
        query = (
            select(EvidenceRow.id)
            .join(EvidenceTermRow, col(EvidenceTermRow.evidence_id) == col(EvidenceRow.id))
            .where(func.lower(EvidenceTermRow.term) == term.lower())
            .order_by(func.max(EvidenceRow.created_at).desc(), col(EvidenceRow.id))
            .group_by(col(EvidenceRow.id))
            .limit(limit)
        )
        with self._database.session() as session:
            return _read(session, session.exec(query).all())

    def of_source(self, source: str) -> tuple[Evidence, ...]:
        """Return the facts that one source gave, such as 'experiment_run:ID', oldest first."""
        query = select(EvidenceRow.id).where(EvidenceRow.source == source)
        with self._database.session() as session:
            return _read(session, session.exec(query.order_by(col(EvidenceRow.created_at), EvidenceRow.id)).all())

    def add_claims(self, run_id: str, claims: Iterable[Claim]) -> int:
        """Write the sentences of a run's summary down, all or nothing, and return how many were new.

        Raises
        ------
        UnknownRecordError
            If a verified claim rests on evidence that is not recorded.
        """
        added = 0
        with self._database.writing() as session:
            for claim in claims:
                document = json.dumps(claim.model_dump(mode="json"), sort_keys=True)
                row = {
                    **claim.model_dump(),
                    "run_id": run_id,
                    "sha256": hashlib.sha256(document.encode()).hexdigest(),
                    "status": claim.status.value,
                    "problems": list(claim.problems),
                    "evidence_ids": list(claim.evidence_ids),
                    "created_at": now(),
                }
                if not insert_new(session, ClaimRow, [row], "run_id", "sha256"):
                    continue
                added += 1
                if claim.status is ClaimStatus.VERIFIED:
                    found = _read(session, tuple(dict.fromkeys(claim.evidence_ids)))
                    same = select(ClaimRow.id).where(ClaimRow.run_id == run_id, ClaimRow.sha256 == row["sha256"])
                    claim_id = session.exec(same).one()
                    links = [{"claim_id": claim_id, "evidence_id": fact.id} for fact in found]
                    insert_new(session, ClaimEvidenceRow, links, "claim_id", "evidence_id")
        return added

    def claims_of(self, run_id: str) -> tuple[Claim, ...]:
        """Return the sentences of a run's summary, in their order."""
        query = select(ClaimRow).where(ClaimRow.run_id == run_id).order_by(col(ClaimRow.id))
        with self._database.session() as session:
            return tuple(_claim(row) for row in session.exec(query).all())

    def claims_on(self, evidence_id: str) -> tuple[Claim, ...]:
        """Return the verified sentences that rest on a fact, oldest first."""
        query = (
            select(ClaimRow)
            .join(ClaimEvidenceRow, col(ClaimEvidenceRow.claim_id) == col(ClaimRow.id))
            .where(ClaimEvidenceRow.evidence_id == evidence_id)
            .order_by(col(ClaimRow.id))
        )
        with self._database.session() as session:
            return tuple(_claim(row) for row in session.exec(query).all())


def _read(session: Session, evidence_ids: Sequence[str]) -> tuple[Evidence, ...]:
    rows: dict[str, EvidenceRow] = {}
    terms: dict[str, list[str]] = {}
    for start in range(0, len(evidence_ids), _MANY):
        part = list(evidence_ids[start : start + _MANY])
        for row in session.exec(select(EvidenceRow).where(col(EvidenceRow.id).in_(part))).all():
            rows[row.id] = row
        query = select(EvidenceTermRow).where(col(EvidenceTermRow.evidence_id).in_(part))
        for term in session.exec(query.order_by(col(EvidenceTermRow.position))).all():
            terms.setdefault(term.evidence_id, []).append(term.term)
    for evidence_id in evidence_ids:
        if evidence_id not in rows:
            raise UnknownRecordError(f"there is no evidence {evidence_id!r}.", "Gather it first.")
    return tuple(
        Evidence.model_validate(rows[one].model_dump() | {"terms": terms.get(one, ())}) for one in evidence_ids
    )


def _must_be_same(kept: Evidence, given: Evidence) -> None:
    names = {"kind", "statement", "value", "display", "source", "source_sha256"}
    if kept.model_dump(include=names) != given.model_dump(include=names):
        raise ConflictError(
            f"the id {given.id} is another fact's: {kept.statement!r}, not {given.statement!r}.",
            "Make evidence with make_evidence; if it was, word the statement in another way.",
        )


def _claim(row: ClaimRow) -> Claim:
    return Claim.model_validate(row.model_dump(exclude={"id", "run_id", "sha256", "created_at"}))
