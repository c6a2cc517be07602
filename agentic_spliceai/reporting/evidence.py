"""The facts of an interpretation as evidence: every number and name with its id, its source and what it may name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Protocol

from pydantic import AwareDatetime, JsonValue

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.records.interpretation import GeneInterpretation, Interpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.claim_words import CODE_STEMS
from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, DeltaScores, SiteChange
from agentic_spliceai.splice_engine.consequence.codes import CodeAssessment, lost_share
from agentic_spliceai.splice_engine.consequence.types import EventType, Frame, NmdPrediction, SpliceEvent
from agentic_spliceai.splice_engine.consequence.wording import STOP_IN_FRAME
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, MetaStatus, TriageResult

VARIANT = "the variant"
EVENT, SECOND = "likeliest event", "alternative event"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:()+>*=-]{0,79}")
_CODE = re.compile(rf"(?:{'|'.join(sorted(CODE_STEMS))})[\W_]*\d", re.IGNORECASE)
# The kind of change that a score or position belongs to, where its name does not say it.
_KIND = re.compile(r" \((?:acceptor|donor) (?:gain|loss)\)$")
_TITLES = {"spliceai": ("SpliceAI",), "openspliceai": ("OpenSpliceAI",)}
_EVENTS = {
    EventType.EXON_SKIPPING: "exon skipping",
    EventType.DONOR_SHIFT: "donor shift",
    EventType.ACCEPTOR_SHIFT: "acceptor shift",
    EventType.INTRON_RETENTION: "intron retention",
    EventType.PSEUDOEXON: "pseudoexon",
    EventType.NONE: "no splice change is predicted",
}
_FRAMES = {
    Frame.IN_FRAME: "in frame",
    Frame.FRAMESHIFT: "frameshift",
    Frame.START_LOST: "start codon lost",
    Frame.NO_CODING_CHANGE: "coding sequence unchanged",
    Frame.NON_CODING: "none, the transcript is non-coding",
    Frame.UNKNOWN: "not known",
}
_NMD = {
    NmdPrediction.PREDICTED: "predicted",
    NmdPrediction.ESCAPES: "predicted to escape",
    NmdPrediction.NOT_APPLICABLE: "does not apply",
    NmdPrediction.UNKNOWN: "not known",
}


class KnownFact(Protocol):
    """A variant of a data set or database that says something about this one."""

    @property
    def statement(self) -> str:
        """What it says, without the value: 'MFASS: change of inclusion'."""
        ...

    @property
    def value(self) -> JsonValue:
        """The value."""
        ...

    @property
    def display(self) -> str:
        """The value as a text shows it."""
        ...

    @property
    def source(self) -> str:
        """'dataset:NAME'."""
        ...

    @property
    def source_sha256(self) -> str | None:
        """Digest of the file."""
        ...


def statement(subject: str, what: str) -> str:
    """Return how evidence says what it is about: `MYBPC3: donor loss, raw score`."""
    return f"{words.clean(subject)}: {what}"


class Facts:
    """Evidence by what it is about.

    Parameters
    ----------
    evidence
        As `interpretation_evidence` and `experiment_evidence` make it.
    """

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self.evidence = tuple(evidence)
        self._by_name: dict[tuple[str, str], Evidence] = {}
        for item in self.evidence:
            subject, _, what = _KIND.sub("", item.statement).rpartition(": ")
            self._by_name.setdefault((subject, what), item)

    def find(self, subject: str, what: str) -> Evidence | None:
        """Return the fact, or None."""
        return self._by_name.get((words.clean(subject), what))

    def subjects(self, what: str) -> tuple[str, ...]:
        """Return the subjects of which this is known, in the order of the evidence."""
        return tuple(subject for subject, name in self._by_name if name == what)

    def starting(self, subject: str, what: str) -> tuple[Evidence, ...]:
        """Return the facts about a subject whose name begins so."""
        clean = words.clean(subject)
        return tuple(item for (found, name), item in self._by_name.items() if found == clean and name.startswith(what))


class _Maker:
    """Makes the evidence of one run."""

    def __init__(self, interpretation: Interpretation) -> None:
        self._source = f"run:{interpretation.run_id}"
        made = interpretation.created_at
        # A date without a zone is an old record's; its runs were written in UTC.
        self._at: AwareDatetime = made if made.tzinfo is not None else made.replace(tzinfo=UTC)

    def __call__(
        self,
        kind: EvidenceKind,
        subject: str,
        what: str,
        value: JsonValue,
        display: str,
        *,
        terms: Iterable[str] = (),
        codes: Iterable[str] = (),
        digest: str | None = None,
        source: str | None = None,
        unit: str = "",
    ) -> Evidence:
        # Only a suggested code's own evidence may have terms that look like a code.
        named = (*(term for term in terms if is_name(term)), *codes)
        return make_evidence(
            kind,
            statement(subject, what),
            value,
            words.shorten(words.clean(display), 300) or "(none)",
            source=source or self._source,
            created_at=self._at,
            unit=unit,
            terms=tuple(dict.fromkeys(named)),
            source_sha256=digest,
        )


def is_name(text: str) -> bool:
    """Whether a text from a file may be written as a name: one word of plain characters that looks like no code."""
    return _NAME.fullmatch(text) is not None and _CODE.match(text) is None


def shown_name(text: str) -> str:
    """Return a name for a sentence; one that is no plain word stands in quotation marks, to be seen as a name."""
    clean = words.shorten(words.clean(text), 80).translate({ord(c): "" for c in "{}<>`“”"})
    return clean if is_name(clean) else f"“{clean}”"


def interpretation_evidence(interpretation: Interpretation, known: Iterable[KnownFact] = ()) -> tuple[Evidence, ...]:
    """Return everything that a summary of an interpretation may say, in the order of the report.

    The same interpretation gives the same evidence, ids included.
    """
    make = _Maker(interpretation)
    variant = str(interpretation.variant)
    items: list[Evidence] = [
        make(EvidenceKind.CONSEQUENCE, VARIANT, "genomic name", variant, shown_name(variant), terms=(variant,))
    ]
    for gene in interpretation.genes:
        items.extend(_gene(gene, make))
    items.extend(
        make(
            EvidenceKind.KNOWN_VARIANT,
            VARIANT,
            f"known, {words.clean(fact.statement)}",
            fact.value,
            fact.display,
            source=fact.source,
            digest=fact.source_sha256,
        )
        for fact in known
    )
    return tuple({item.id: item for item in items}.values())


def _gene(gene: GeneInterpretation, make: _Maker) -> Iterator[Evidence]:
    name, consequence, made = gene.gene_name, gene.consequence, gene.delta.provenance
    about = EvidenceKind.CONSEQUENCE
    yield make(about, name, "gene", name, shown_name(name), terms=(name,))
    transcript = consequence.transcript_id
    yield make(about, name, "transcript examined", transcript, shown_name(transcript), terms=(transcript,))
    if consequence.hgvs_c is not None:
        terms = (consequence.hgvs_c, consequence.hgvs_c.rpartition(":")[2])
        yield make(about, name, "coding name of the variant", consequence.hgvs_c, consequence.hgvs_c, terms=terms)
    yield make(about, name, "place of the variant", consequence.region, consequence.region)
    predictor = f"{shown_name(made.predictor)} (version {words.clean(made.version)})"
    yield make(
        EvidenceKind.SCORE,
        name,
        "predictor",
        predictor,
        predictor,
        terms=(made.predictor, *_TITLES.get(made.predictor, ())),
        digest=gene.tracks_sha256,
    )
    yield from _scores(gene, make)
    primary = consequence.primary
    yield from _event(gene, EVENT, primary, make)
    for number, event in enumerate(consequence.events[1:], start=1):
        yield from _event(gene, SECOND if number == 1 else f"{SECOND} {number}", event, make)
    yield from _triage(name, gene.triage, make)
    if gene.delta_prediction is not None:
        yield from _prediction(name, gene.delta_prediction, make)
    if gene.codes is not None:
        yield from _codes(name, gene.codes, make)


def _scores(gene: GeneInterpretation, make: _Maker) -> Iterator[Evidence]:
    name, delta = gene.gene_name, gene.delta
    thresholds = delta.provenance.thresholds
    raw, masked = delta.raw, delta.masked
    for form, scores in (("raw", raw), ("masked", masked)):
        for change in scores.changes():
            # A masked score is told where it says something else than the raw one.
            if form == "masked" and change.score == _of(raw, change.kind).score:
                continue
            what = f"{words.CHANGE_WORDS[change.kind].lower()}, {form} score"
            score = round(change.score, 6)
            yield make(
                EvidenceKind.SCORE,
                name,
                what,
                score,
                words.delta(change.score, thresholds),
                digest=gene.tracks_sha256,
            )
            if form == "raw" and change.score >= thresholds.weak:
                yield _position(gene, f"{words.CHANGE_WORDS[change.kind].lower()}, position", change, make)
    largest = max(raw.changes(), key=lambda change: change.score)
    kind = words.CHANGE_WORDS[largest.kind].lower()
    yield make(
        EvidenceKind.SCORE,
        name,
        f"largest raw change, score ({kind})",
        round(largest.score, 6),
        words.delta(largest.score, thresholds),
        digest=gene.tracks_sha256,
    )
    yield make(
        EvidenceKind.SCORE, name, "largest raw change, kind", largest.kind.value, kind, digest=gene.tracks_sha256
    )
    yield _position(gene, f"largest raw change, position ({kind})", largest, make)
    yield make(
        EvidenceKind.SCORE,
        name,
        "threshold from which a change counts",
        thresholds.weak,
        f"{thresholds.weak:g}",
    )


def _of(scores: DeltaScores, kind: ChangeKind) -> SiteChange:
    return next(change for change in scores.changes() if change.kind is kind)


def _position(gene: GeneInterpretation, what: str, change: SiteChange, make: _Maker) -> Evidence:
    place = _place(gene, change.position)
    inserted = f" + {change.insert_offset} inserted" if change.insert_offset else ""
    value: JsonValue = {"position": change.position, "inserted": change.insert_offset}
    return make(EvidenceKind.SCORE, gene.gene_name, what, value, place + inserted, digest=gene.tracks_sha256)


def _place(gene: GeneInterpretation, position: int) -> str:
    return f"{shown_name(gene.delta.variant.contig)}:{position:,}"


def _event(gene: GeneInterpretation, role: str, event: SpliceEvent, make: _Maker) -> Iterator[Evidence]:
    name, about = gene.gene_name, EvidenceKind.CONSEQUENCE
    thresholds = gene.delta.provenance.thresholds
    yield make(about, name, role, event.type.value, _EVENTS[event.type])
    if event.type is EventType.NONE:
        return
    yield make(about, name, f"{role}, strength", event.strength.value, event.strength.value)
    score = words.delta(event.score, thresholds)
    yield make(about, name, f"{role}, score it rests on", round(event.score, 6), score, digest=gene.tracks_sha256)
    if event.exon_number is not None:
        yield make(about, name, f"{role}, exon", event.exon_number, f"exon {event.exon_number}")
    if event.intron_number is not None:
        yield make(about, name, f"{role}, intron", event.intron_number, f"intron {event.intron_number}")
    if event.length_change:
        length = f"{words.signed(event.length_change)} nt"
        yield make(about, name, f"{role}, exonic bases", event.length_change, length, unit="nt")
    if event.cryptic_position is not None:
        place = _place(gene, event.cryptic_position)
        yield make(about, name, f"{role}, new site", event.cryptic_position, place)
    effect = event.effect
    if effect is None:
        return
    frame = _FRAMES[effect.frame]
    if effect.frame is Frame.IN_FRAME and effect.stop_residue is not None:
        frame = STOP_IN_FRAME
    yield make(about, name, f"{role}, reading frame", effect.frame.value, frame)
    if effect.hgvs_p is not None:
        yield make(about, name, f"{role}, protein change", effect.hgvs_p, effect.hgvs_p, terms=(effect.hgvs_p,))
    if effect.stop_residue is not None:
        stop = f"residue {effect.stop_residue}"
        yield make(about, name, f"{role}, premature stop codon", effect.stop_residue, stop)
    if (lost := lost_share(effect)) is not None:
        share = f"{lost:.1%}"
        yield make(about, name, f"{role}, share of the protein that is lost", round(lost, 6), share)
    yield make(about, name, f"{role}, nonsense-mediated decay (NMD)", effect.nmd.value, _NMD[effect.nmd])


def _triage(name: str, triage: TriageResult, make: _Maker) -> Iterator[Evidence]:
    kind, what, digest = EvidenceKind.TRIAGE, "calibrated probability of altered splicing", triage.model_card_sha256
    if triage.status is not MetaStatus.PREDICTED or triage.probability is None:
        yield make(kind, name, what, None, "no trained meta-layer model was asked")
        return
    yield make(
        kind, name, what, round(triage.probability, 6), _beside(triage.probability, triage.threshold), digest=digest
    )
    for end, value in (("low", triage.probability_low), ("high", triage.probability_high)):
        if value is not None:
            yield make(kind, name, f"{what}, {end} end over seeds", round(value, 6), f"{value:.2f}", digest=digest)
    if triage.threshold is not None:
        threshold = round(triage.threshold, 6)
        yield make(kind, name, "threshold of altered splicing", threshold, f"{triage.threshold:.2f}", digest=digest)
    for number, caveat in enumerate(triage.caveats, start=1):
        yield make(kind, name, f"outside of what the model was trained on, {number}", caveat, caveat, digest=digest)


def _beside(value: float, threshold: float | None) -> str:
    """Return a probability with as many decimals as it takes to stand on its side of the threshold as it is shown."""
    for digits in range(2, 7):
        shown = round(value, digits)
        if threshold is None or (shown >= round(threshold, 2)) == (value >= threshold):
            return f"{value:.{digits}f}"
    return f"{value:.7f}"


def _prediction(name: str, prediction: DeltaPrediction, make: _Maker) -> Iterator[Evidence]:
    for what, value in (
        ("predicted change of the donor", prediction.donor),
        ("predicted change of the acceptor", prediction.acceptor),
        ("predicted change of the exon's inclusion", prediction.inclusion),
    ):
        if value is not None:
            shown = f"{value:+.2f}".replace("-", words.MINUS)
            yield make(EvidenceKind.DELTA, name, what, round(value, 6), shown, digest=prediction.model_card_sha256)


def _codes(name: str, codes: CodeAssessment, make: _Maker) -> Iterator[Evidence]:
    digest = codes.rules_sha256
    for item in codes.suggestions:
        what = f"suggested code, rule {item.rule}"
        value: JsonValue = {"code": item.code, "strength": item.strength.value, "citation": item.citation}
        codes_named = (item.label, item.code)
        yield make(EvidenceKind.CODE, name, what, value, item.label, codes=codes_named, digest=digest)
        strength, shown = item.strength.value, words.CODE_STRENGTH_WORDS[item.strength]
        what = f"suggested code, strength by rule {item.rule}"
        yield make(EvidenceKind.CODE, name, what, strength, shown, digest=digest)
    if not codes.suggestions:
        yield make(EvidenceKind.CODE, name, "suggested code", None, "no code", digest=digest)
