"""Evidence and claims: a fact with its source, and a sentence with the facts that it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EvidenceKind(StrEnum):
    """What a piece of evidence is about."""

    SCORE = "score"
    TRIAGE = "triage"
    DELTA = "delta"
    CONSEQUENCE = "consequence"
    FIGURE = "figure"
    METRIC = "metric"
    COMPARISON = "comparison"
    DATASET = "dataset"
    KNOWN_VARIANT = "known_variant"
    CODE = "code"
    JOB = "job"
    COST = "cost"


class Evidence(_Frozen):
    """One fact.

    `display` is what stands in a text; it is made by code from `value`, never typed. Make one with `make_evidence`,
    which gives it its id: an id that the content does not give is refused wherever evidence is made or read.
    """

    id: str = Field(pattern=r"^E-[0-9a-f]{8}$", description="Short id, from the content: one fact has one id.")
    kind: EvidenceKind
    statement: str = Field(min_length=1, description="What it is, without the number: 'donor loss, SpliceAI, MLH1'.")
    value: JsonValue = Field(description="The fact itself: a number, a text, a truth value.")
    display: str = Field(min_length=1, description="The value as a text shows it: '0.97', '+11 nt', 'PP3'.")
    unit: str = ""
    terms: tuple[str, ...] = Field(
        default=(), description="Genes, transcripts, variants, HGVS and codes that this fact allows a text to name."
    )
    source: str = Field(description="What made it: 'run:ID', 'job:ID', 'experiment_run:ID', 'dataset:NAME'.")
    source_sha256: str | None = Field(default=None, description="Digest of what it was read from.")
    created_at: AwareDatetime

    @model_validator(mode="after")
    def _its_own_id(self) -> Self:
        own = _id_of(self.kind, self.statement, self.value, self.display, self.source, self.source_sha256)
        if self.id != own:
            raise ValueError(f"the id {self.id} is not the one that its content gives: evidence is made by tools only")
        return self


def _id_of(
    kind: EvidenceKind, statement: str, value: JsonValue, display: str, source: str, source_sha256: str | None
) -> str:
    content: Mapping[str, JsonValue] = {
        "kind": kind.value,
        "statement": statement,
        "value": value,
        "display": display,
        "source": source,
        "source_sha256": source_sha256,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
    return f"E-{digest[:8]}"


def make_evidence(
    kind: EvidenceKind,
    statement: str,
    value: JsonValue,
    display: str,
    *,
    source: str,
    created_at: AwareDatetime,
    unit: str = "",
    terms: tuple[str, ...] = (),
    source_sha256: str | None = None,
) -> Evidence:
    """Return a piece of evidence with the id that its content gives it."""
    return Evidence(
        id=_id_of(kind, statement, value, display, source, source_sha256),
        kind=kind,
        statement=statement,
        value=value,
        display=display,
        unit=unit,
        terms=terms,
        source=source,
        source_sha256=source_sha256,
        created_at=created_at,
    )


class ClaimStatus(StrEnum):
    """Whether a claim passed the check."""

    VERIFIED = "verified"
    REFUSED = "refused"


class Claim(_Frozen):
    """A sentence and the evidence that it rests on.

    `text` holds references such as `{E-0a1b2c3d}`; `rendered` has the displays in their places.
    """

    text: str = Field(min_length=1)
    rendered: str
    evidence_ids: tuple[str, ...]
    author: str = Field(description="'rules', or the language model's name.")
    status: ClaimStatus
    problems: tuple[str, ...] = Field(default=(), description="Why it was refused.")
