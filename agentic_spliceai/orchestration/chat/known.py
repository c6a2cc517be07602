"""What the tables of measured variants say, as facts and a text that rests on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.tools.plain_text import printable

_LONGEST = 120


def known_variant_answer(outcome: Mapping[str, JsonValue]) -> tuple[str, tuple[Evidence, ...]]:
    """Return a text about the result of `lookup_known_variants`, and the facts in it."""
    variant = str(outcome["variant"])
    lines, facts = [f"{printable(variant)} ({outcome['build']}):"], []
    tables: Any = outcome["tables"]
    for table in tables:
        lines.append(f"- {printable(str(table['message']))}")
        for row in table["rows"]:
            made = _facts(variant, table, row)
            facts += made
            shown = "; ".join(f"{fact.statement}: {fact.display} [{fact.id}]" for fact in made)
            if shown:
                lines.append(f"  {shown}")
    if facts:
        lines.append(f"Classes: {printable(str(outcome['classes']))}")
    return "\n".join(lines), tuple(facts)


def _facts(variant: str, table: Mapping[str, Any], row: Mapping[str, Any]) -> list[Evidence]:
    title = str(table["title"])

    def fact(what: str, value: JsonValue, display: str) -> Evidence:
        return make_evidence(
            EvidenceKind.KNOWN_VARIANT,
            f"{what}, {title}",
            value,
            printable(display)[:_LONGEST],
            source=f"dataset:{table['table']}",
            created_at=datetime.now(UTC),
            terms=tuple(term for term in (variant, row.get("gene"), row.get("hgvs")) if term),
            source_sha256=table.get("table_sha256"),
        )

    facts = []
    if row.get("classification"):
        facts.append(fact(f"class of {variant}", row["classification"], str(row["classification"])))
    if row.get("delta_psi") is not None:
        facts.append(fact(f"change of inclusion of {variant}", row["delta_psi"], f"{row['delta_psi']:+.3f}"))
    return facts
