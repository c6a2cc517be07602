"""Numbers with the evidence that they rest on, as a conversation shows them: `0.97 [E-0a1b2c3d]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence, EvidenceKind
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.reporting.claims import REFERENCE, references
from agentic_spliceai.tools.plain_text import printable


def cited(text: str, evidence: Mapping[str, Evidence]) -> str:
    """Return a text with each reference replaced by its value, and the id where the value is more than a name.

    A reference to nothing stays as it is.
    """

    def shown(match: Any) -> str:
        fact = evidence.get(match[1])
        if fact is None:
            return str(match[0])
        display = printable(fact.display)
        return display if _is_name(fact) else f"{display} [{fact.id}]"

    return REFERENCE.sub(shown, text)


def _is_name(fact: Evidence) -> bool:
    """Whether a fact only names something: a model, a measure. Its id stands with the answer's others."""
    return fact.kind in (EvidenceKind.METRIC, EvidenceKind.DATASET) and fact.display in fact.terms


def facts_of_run(run_id: str, store: RecordStore) -> tuple[Evidence, ...]:
    """Return the evidence that a workflow run gathered, and what its claims rest on."""
    found = {fact.id: fact for fact in store.evidence.of_run(run_id)}
    wanted = {name for claim in store.evidence.claims_of(run_id) for name in claim.evidence_ids} - set(found)
    found.update((fact.id, fact) for fact in store.evidence.get_many(sorted(wanted)))
    return tuple(found.values())


def summary_of_run(run_id: str, store: RecordStore) -> tuple[str, str, tuple[str, ...]]:
    """Return the verified summary of a run with its evidence, who wrote it, and the ids; empty where there is none."""
    claims = [claim for claim in store.evidence.claims_of(run_id) if claim.status is ClaimStatus.VERIFIED]
    evidence = {fact.id: fact for fact in facts_of_run(run_id, store)}
    authors = ", ".join(dict.fromkeys(claim.author for claim in claims))
    return "\n".join(cited(claim.text, evidence) for claim in claims), authors, _ids(claims)


def listed(evidence: Iterable[Evidence], most: int = 12) -> str:
    """Return facts one a line: what a person is shown where no sentence holds them."""
    facts = list(evidence)
    lines = [f"- {printable(fact.statement)}: {printable(fact.display)} [{fact.id}]" for fact in facts[:most]]
    if len(facts) > most:
        lines.append(f"- and {len(facts) - most} more")
    return "\n".join(lines)


def _ids(claims: Iterable[Claim]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for claim in claims for name in references(claim.text)))
