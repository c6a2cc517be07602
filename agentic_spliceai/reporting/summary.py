"""Summaries written by rules: sentences whose every number and name is a reference to evidence."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.reporting.evidence import EVENT, SECOND, VARIANT, Facts
from agentic_spliceai.splice_engine.consequence.types import EventType


def summarise_interpretation(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Return the sentences of a summary of one variant: the most affected gene in full, the others in one each."""
    facts = Facts(evidence)
    genes = facts.subjects("gene")
    if not genes:
        return ()
    first, *others = genes
    sentences = [
        _where(facts, first),
        _what(facts, first),
        _effect(facts, first),
        _second(facts, first),
        _triage(facts, first),
        _predicted(facts, first),
        _codes(facts, first),
        *(_other(facts, gene) for gene in others),
        *_known(facts),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _ref(item: Evidence) -> str:
    return f"{{{item.id}}}"


def _refs(facts: Facts, subject: str, *names: str) -> list[str] | None:
    """Return references to all of these facts, or None if one is not known."""
    found = [facts.find(subject, name) for name in names]
    known = [_ref(item) for item in found if item is not None]
    return known if len(known) == len(names) else None


def _one(facts: Facts, subject: str, name: str) -> str | None:
    item = facts.find(subject, name)
    return None if item is None else _ref(item)


def _where(facts: Facts, gene: str) -> str:
    refs = _refs(facts, gene, "gene", "transcript examined", "place of the variant")
    genomic = _one(facts, VARIANT, "genomic name")
    if refs is None or genomic is None:
        return ""
    coding = _one(facts, gene, "coding name of the variant")
    name = f"{genomic} ({coding})" if coding else genomic
    return f"On {refs[0]} (transcript {refs[1]}), the variant {name} lies in {refs[2]}."


def _what(facts: Facts, gene: str) -> str:
    event = facts.find(gene, EVENT)
    score = _one(facts, gene, "largest raw change, score")
    refs = _refs(facts, gene, "predictor", "largest raw change, kind", "largest raw change, position")
    if event is None or score is None or refs is None:
        return ""
    largest = f"the largest change is {refs[1]} with a score of {score} at {refs[2]}"
    if event.value == EventType.NONE.value:
        return f"By the scores of {refs[0]}, {_ref(event)}: {largest}."
    strength = _one(facts, gene, f"{EVENT}, strength")
    place = next((r for part in ("exon", "intron") if (r := _one(facts, gene, f"{EVENT}, {part}"))), None)
    where = f" at {place}" if place else ""
    size = _one(facts, gene, f"{EVENT}, exonic bases")
    bases = f", a change of {size} in the transcript" if size else ""
    return f"The likeliest event is {_ref(event)}{where}{bases}; by {refs[0]} its support is {strength}, and {largest}."


def _effect(facts: Facts, gene: str) -> str:
    parts = [
        f"{name} {_ref(item)}"
        for name, what in (
            ("reading frame:", "reading frame"),
            ("protein change:", "protein change"),
            ("premature stop codon:", "premature stop codon"),
            ("share of the protein that is lost:", "share of the protein that is lost"),
            ("nonsense-mediated decay:", "nonsense-mediated decay (NMD)"),
        )
        if (item := facts.find(gene, f"{EVENT}, {what}")) is not None and item.value != 0
    ]
    return f"Predicted of this event: {'; '.join(parts)}." if parts else ""


def _second(facts: Facts, gene: str) -> str:
    event = _one(facts, gene, SECOND)
    if event is None:
        return ""
    frame = _one(facts, gene, f"{SECOND}, reading frame")
    return f"Another event that the scores allow is {event}{f' (reading frame: {frame})' if frame else ''}."


def _triage(facts: Facts, gene: str) -> str:
    what = "calibrated probability of altered splicing"
    item = facts.find(gene, what)
    if item is None:
        return ""
    if item.value is None:
        return f"There is no calibrated probability: {_ref(item)}."
    threshold = _one(facts, gene, "threshold of altered splicing")
    ends = _refs(facts, gene, f"{what}, low end over seeds", f"{what}, high end over seeds")
    spread = f" (over seeds {ends[0]} to {ends[1]})" if ends else ""
    beside = f", beside a threshold of {threshold}" if threshold else ""
    outside = [_ref(note) for note in facts.starting(gene, "outside of what the model was trained on")]
    limits = f"; outside of what it was trained on: {', '.join(outside)}" if outside else ""
    return (
        f"The trained model's calibrated probability that splicing is altered is {_ref(item)}{spread}{beside}{limits}."
    )


def _predicted(facts: Facts, gene: str) -> str:
    parts = [
        f"of the {what} {ref}"
        for what in ("donor", "acceptor", "exon's inclusion")
        if (ref := _one(facts, gene, f"predicted change of the {what}")) is not None
    ]
    return f"The change that it predicts: {', '.join(parts)}." if parts else ""


def _codes(facts: Facts, gene: str) -> str:
    none = facts.find(gene, "suggested code")
    if none is not None:
        return f"The rules for splicing suggest {_ref(none)}."
    parts = []
    for item in facts.starting(gene, "suggested code, rule"):
        rule = item.statement.rpartition("rule ")[2]
        strength = _one(facts, gene, f"suggested code, strength by rule {rule}")
        # PVS1_Moderate says it already.
        parts.append(f"{_ref(item)} ({strength})" if strength and "_" not in item.display else _ref(item))
    if not parts:
        return ""
    return f"The rules for splicing suggest {' and '.join(parts)}; a person weighs and decides."


def _other(facts: Facts, gene: str) -> str:
    refs = _refs(facts, gene, "gene", EVENT, "largest raw change, score")
    return f"On {refs[0]}: {refs[1]}, with a largest score of {refs[2]}." if refs else ""


def _known(facts: Facts) -> list[str]:
    return [f"Known of the variant: {_ref(item)}." for item in facts.starting(VARIANT, "known, ")]
