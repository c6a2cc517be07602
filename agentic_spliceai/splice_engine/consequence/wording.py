"""The sentences of a consequence. Every number in them comes from the objects that they describe."""

from __future__ import annotations

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, DeltaScores, SiteChange, Thresholds
from agentic_spliceai.splice_engine.consequence.allele import Edit, Span
from agentic_spliceai.splice_engine.consequence.events import PSEUDOEXON_LENGTHS, Draft
from agentic_spliceai.splice_engine.consequence.sites import PAIR_FLOOR, FreeSite
from agentic_spliceai.splice_engine.consequence.types import (
    EventType,
    Frame,
    NmdPrediction,
    Strength,
    TranscriptEffect,
)
from agentic_spliceai.splice_engine.genome.types import SiteType

STRENGTH_WORDS = {
    Strength.STRONG: "strong prediction",
    Strength.MODERATE: "moderate prediction",
    Strength.WEAK: "weak candidate",
}

STOP_IN_FRAME = "length divisible by 3, but with a premature stop"
"""Of an event that keeps the frame and whose protein still ends early: 'in frame' would be read as harmless."""

_NMD_WORDS = {
    NmdPrediction.PREDICTED: "NMD predicted",
    NmdPrediction.ESCAPES: "NMD not predicted",
    NmdPrediction.NOT_APPLICABLE: "NMD does not apply",
    NmdPrediction.UNKNOWN: "NMD unknown",
}


def region_text(edit: Edit, exons: tuple[Span, ...], cds: tuple[Span, ...]) -> str:
    """Say where a variant lies, for example `intron 13 of 33, 13 nt before exon 14`.

    Parameters
    ----------
    edit
        The variant on the sense axis.
    exons, cds
        In the order of transcription, sense coordinates.
    """
    first, last = (edit.start, edit.end - 1) if edit.end > edit.start else (edit.start - 1, edit.start)
    a, b = _unit(first, exons), _unit(last, exons)
    if a != b:
        return f"{_unit_text(a, exons)} to {_unit_text(b, exons)}"
    kind, index = a
    text = _unit_text(a, exons)
    if kind == "exon":
        start, end = exons[index]
        before, after = end - 1 - last, first - start
        if index < len(exons) - 1 and (before <= after or index == 0):
            text += ", its last base" if before == 0 else f", {before} nt before its donor"
        elif index > 0:
            text += ", its first base" if after == 0 else f", {after} nt after its acceptor"
    elif kind == "intron":
        after, before = first - exons[index][1] + 1, exons[index + 1][0] - last
        text += f", {after} nt after exon {index + 1}" if after <= before else f", {before} nt before exon {index + 2}"
    elif kind == "upstream":
        return f"{exons[0][0] - last} nt upstream of the transcript"
    else:
        return f"{first - exons[-1][1] + 1} nt downstream of the transcript"
    if cds and last < cds[0][0]:
        return f"{text} (5' UTR)"
    return f"{text} (3' UTR)" if cds and first >= cds[-1][1] else text


def _unit(base: int, exons: tuple[Span, ...]) -> tuple[str, int]:
    for index, (start, end) in enumerate(exons):
        if base < start:
            return ("upstream", 0) if index == 0 else ("intron", index - 1)
        if base < end:
            return "exon", index
    return "downstream", len(exons)


def _unit_text(unit: tuple[str, int], exons: tuple[Span, ...]) -> str:
    kind, index = unit
    if kind in ("exon", "intron"):
        return f"{kind} {index + 1} of {len(exons) - (kind == 'intron')}"
    return f"{kind} of the transcript"


def event_text(draft: Draft) -> str:
    """Say in one clause what happens and which scores speak for it."""
    words = {
        EventType.EXON_SKIPPING: _skip_text,
        EventType.INTRON_RETENTION: _retention_text,
        EventType.DONOR_SHIFT: _shift_text,
        EventType.ACCEPTOR_SHIFT: _shift_text,
        EventType.PSEUDOEXON: _pseudoexon_text,
    }
    return words[draft.type](draft)


def _skip_text(draft: Draft) -> str:
    exon = (draft.exon or 0) + 1
    if draft.removed:
        if draft.removed > 1:
            return f"the variant itself removes exons {exon} to {exon + draft.removed - 1} ({-draft.length_change} nt)"
        losses = _losses_text(draft.support) or "the model saw no splice site there"
        return f"the variant itself removes exon {exon} ({-draft.length_change} nt; {losses})"
    return f"exon {exon} ({_span_length(draft)} nt) is predicted to be skipped ({_losses_text(draft.support)})"


def _retention_text(draft: Draft) -> str:
    intron = (draft.intron or 0) + 1
    return f"intron {intron} ({_span_length(draft)} nt) is predicted to be retained ({_losses_text(draft.support)})"


def _span_length(draft: Draft) -> int:
    start, end = draft.span or (0, 0)
    return end - start


def _losses_text(support: tuple[SiteChange, ...]) -> str:
    return ", ".join(f"loss of its {site_name(change)} {change.score:.2f}" for change in support)


def _shift_text(draft: Draft) -> str:
    own, new = draft.own, draft.cryptic
    if own is None or new is None:
        raise ValueError("a shift needs its annotated and its new site")
    exon, grows, site = own.exon + 1, draft.length_change, site_name(new.change)
    acceptor = new.type is SiteType.ACCEPTOR
    distance = _span_length(draft)
    outward = draft.span is not None and (draft.span[1] == own.boundary) == acceptor
    if distance and outward:
        place = f"{distance} nt {'upstream' if acceptor else 'downstream'} of exon {exon}"
    elif distance:
        place = f"{distance} nt inside exon {exon}"
    else:
        place = f"at the {'start' if acceptor else 'end'} of exon {exon}"
    elsewhere = own.change is None or new.change.position != own.change.position
    other = ", a site of another transcript" if new.change.annotated and elsewhere else ""
    gain = f"gain {new.change.score:.2f}{other}"
    change = f"{abs(grows)} nt {'longer' if grows > 0 else 'shorter'}" if grows else "no longer and no shorter"
    if draft.moves:
        scores = f"(gain {new.change.score:.2f} at the new place, loss {own.loss:.2f} at the old)"
        return f"the {site} of exon {exon} moves with the variant's bases {scores}: exon {exon} becomes {change}"
    if draft.competes:
        loss = f"loss of it {own.loss:.2f}" if own.change is not None else "not scored"
        return (
            f"a new {site} {place} may compete with the annotated one ({gain}; {loss}): exon {exon} may become {change}"
        )
    scores = f"({gain}, loss of the annotated {site} {own.loss:.2f})"
    return f"a new {site} {place} is predicted {scores}: exon {exon} becomes {change}"


def _pseudoexon_text(draft: Draft) -> str:
    intron = (draft.intron or 0) + 1
    if draft.pair is None:
        low, high = PSEUDOEXON_LENGTHS
        (change,) = draft.support
        return (
            f"a new {site_name(change)} deep in intron {intron} (gain {change.score:.2f}) may make a pseudoexon, "
            f"but no partner {low} to {high} nt away was seen"
        )
    halves = ", ".join(_half_text(site) for site in draft.pair)
    return f"a pseudoexon of {draft.length_change} nt in intron {intron} is possible ({halves})"


def _half_text(site: FreeSite) -> str:
    if site.gain < PAIR_FLOOR:
        return f"existing {site_name(site.change)} {site.change.alt_score:.2f}"
    return f"{site_name(site.change)} gain {site.gain:.2f}"


def site_name(change: SiteChange) -> str:
    """Return `donor` or `acceptor`."""
    return "donor" if change.kind in (ChangeKind.DONOR_GAIN, ChangeKind.DONOR_LOSS) else "acceptor"


def effect_text(effect: TranscriptEffect) -> str:
    """Say what an event does to the protein, as the end of a sentence."""
    nmd = _NMD_WORDS[effect.nmd]
    if effect.frame is Frame.NON_CODING:
        return "the transcript is non-coding"
    if effect.frame is Frame.START_LOST:
        return "the start codon is lost"
    if effect.frame is Frame.NO_CODING_CHANGE:
        return "the protein does not change" + (f", {nmd}" if effect.nmd is NmdPrediction.PREDICTED else "")
    if effect.frame is Frame.UNKNOWN:
        return "the effect on the reading frame is not known"
    frame = "frameshift" if effect.frame is Frame.FRAMESHIFT else "in frame"
    ref, alt = effect.protein_length_ref, effect.protein_length_alt
    if effect.hgvs_p is None or ref is None:
        return f"{frame}, protein not known"
    if effect.stop_residue is not None and effect.frame is Frame.IN_FRAME:
        return f"{STOP_IN_FRAME} at residue {effect.stop_residue}, {nmd}"
    if effect.stop_residue is not None:
        return f"{frame}, premature stop at residue {effect.stop_residue}, {nmd}"
    if alt is None:
        return f"{frame}, no stop codon in frame"
    if effect.frame is Frame.FRAMESHIFT:
        return f"{frame}, new stop at residue {alt + 1} (reference {ref + 1})"
    change = alt - ref
    if change == 0:
        return f"{frame}, protein of the same length"
    size = f"{abs(change)} residue{'s' if abs(change) > 1 else ''}"
    return f"{frame}, protein {size} {'longer' if change > 0 else 'shorter'}"


def verdict_text(gene: str, strength: Strength | None, text: str, effect: TranscriptEffect | None) -> str:
    """Join gene, strength (None for what the sequence itself shows), event and effect into a report's opening."""
    end = "" if effect is None else (", " if ": " in text else ": ") + effect_text(effect)
    words = "from the sequence itself" if strength is None else STRENGTH_WORDS[strength]
    return f"{gene}, {words}: {text}{end}."


def none_text(raw: DeltaScores, thresholds: Thresholds) -> str:
    """Say that nothing was seen, and how large the largest change was."""
    largest = max(raw.changes(), key=lambda change: change.score)
    named = f"{largest.score:.2f} ({largest.kind.value.replace('_', ' ')} at {largest.position})"
    if largest.score < thresholds.weak:
        return f"no splicing change is predicted: the largest score is {named}, below {thresholds.weak:.2f}"
    return f"no event on this transcript follows from the scores: the largest is {named}; see the limits"
