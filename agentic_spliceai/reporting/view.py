"""The content of a report, in words and in order: one view that HTML, Markdown and terminal lay out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentic_spliceai.records.evidence import ClaimStatus, Evidence
from agentic_spliceai.records.interpretation import GeneInterpretation, Interpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.claims import REFERENCE, references
from agentic_spliceai.splice_engine.base_layer.results import (
    ContextReport,
    Provenance,
    SiteChange,
    SpliceDelta,
    Thresholds,
    VariantTracks,
)
from agentic_spliceai.splice_engine.consequence.codes import CodeAssessment
from agentic_spliceai.splice_engine.consequence.types import EventType, Frame, SpliceEvent, Strength, TranscriptEffect
from agentic_spliceai.splice_engine.consequence.wording import STOP_IN_FRAME
from agentic_spliceai.splice_engine.errors import UnknownGeneError
from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus

NO_PLOT = "No plot: the per-position scores of this gene were not given to the report."
DEMO_NOTE = "Demonstration on a synthetic minigene. No human gene, and nobody's variant, is spoken of here."
CODES_NOTE = (
    "Suggestions of published rules for this variant's effect on splicing, for a qualified person to weigh; no code is "
    "assigned here."
)
RESEARCH_USE = (
    "For research use. Everything on this page is a computed suggestion for a qualified person to weigh; it is not a "
    "diagnosis and no code has been assigned by it. Confirm in RNA before acting on it."
)


@dataclass(frozen=True)
class Badge:
    """A strength in words, with the marks that tell it apart without colour."""

    label: str
    marks: str
    style: str


@dataclass(frozen=True)
class Fact:
    """One line of a list or provenance table; `digests` are shown shortened, each with its full form at hand."""

    name: str
    value: str
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventView:
    """One event of a transcript."""

    title: str
    badge: Badge
    description: str
    alternative: bool
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class ChangeView:
    """One row of the table of gains and losses."""

    kind: str
    badge: Badge
    raw: str
    masked: str
    ref: str
    alt: str
    position: str
    offset: str
    along: str
    site: str


@dataclass(frozen=True)
class CodeView:
    """One suggested code."""

    label: str
    strength: str
    why: str
    rule: str
    citation: str
    questions: tuple[str, ...]


@dataclass(frozen=True)
class CodesView:
    """What the rules for codes say of one gene; both are empty where there is nothing to say."""

    codes: tuple[CodeView, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClaimPart:
    """A piece of a claim: prose, or a value with the number of its evidence in the report's table (0 for prose)."""

    text: str
    number: int = 0


@dataclass(frozen=True)
class EvidenceView:
    """One row of the table of evidence."""

    number: int
    id: str
    statement: str
    display: str
    source: str
    digests: tuple[str, ...]


@dataclass(frozen=True)
class SummaryView:
    """The summary, and the evidence that it rests on."""

    author: str
    claims: tuple[tuple[ClaimPart, ...], ...]
    evidence: tuple[EvidenceView, ...]
    further: int
    refused: int


@dataclass(frozen=True)
class GeneView:
    """One gene's section; `verdict` is empty where it only repeats the report's."""

    anchor: str
    name: str
    gene_id: str
    strand: str
    transcript: str
    others: str
    other_names: str
    hgvs_c: str
    region: str
    verdict: str
    badge: Badge
    top_event: str
    top_score: str
    events: tuple[EventView, ...]
    changes: tuple[ChangeView, ...]
    window: str
    meta: tuple[str, ...]
    codes: CodesView | None
    unknowns: tuple[str, ...]


@dataclass(frozen=True)
class ProvenanceView:
    """What made the scores of one or more genes."""

    genes: str
    facts: tuple[Fact, ...]
    note: str


@dataclass(frozen=True)
class ReportView:
    """A whole report."""

    title: str
    kind: str
    given: str
    vcf: str
    build: str
    date: str
    is_demo: bool
    hgvs: tuple[str, ...]
    gene_names: str
    verdict: str
    badge: Badge
    scale: str
    summary: SummaryView | None
    genes: tuple[GeneView, ...]
    unknowns: tuple[str, ...]
    provenance: tuple[ProvenanceView, ...]
    run: tuple[Fact, ...]
    timings: tuple[Fact, ...]
    reading: tuple[str, ...]


def badge_of(strength: Strength | None, *, nothing: str = "Below threshold") -> Badge:
    """Return the badge of a strength; None is named by `nothing`."""
    marks = {Strength.STRONG: "●●●", Strength.MODERATE: "●●○", Strength.WEAK: "●○○"}
    if strength is None:
        return Badge(nothing, "○○○", "none")
    return Badge(words.STRENGTH_WORDS[strength], marks[strength], str(strength))


def event_badge(event: SpliceEvent) -> Badge:
    """Return the badge of an event; the event NONE has no strength."""
    return badge_of(None if event.type is EventType.NONE else event.strength, nothing="None")


def tracks_by_gene(
    interpretation: Interpretation, tracks: Mapping[str, VariantTracks]
) -> dict[str, VariantTracks | None]:
    """Return each gene's tracks: those given, else those that its scores still carry, else None.

    Raises
    ------
    UnknownGeneError
        If tracks are given for a gene that the interpretation does not hold.
    """
    known = {gene.gene_id: gene.delta.tracks for gene in interpretation.genes}
    for gene_id in tracks:
        if gene_id not in known:
            raise UnknownGeneError(
                f"tracks are given for gene {words.clean(gene_id)!r}, which this interpretation does not hold",
                f"Give tracks by gene_id; the interpretation holds {', '.join(words.clean(name) for name in known)}.",
            )
    return {gene_id: tracks.get(gene_id, carried) for gene_id, carried in known.items()}


def build_view(interpretation: Interpretation) -> ReportView:
    """Put an interpretation into words; every text in the view is clean of control characters, none is escaped."""
    variant = interpretation.variant
    verdict = words.clean(interpretation.verdict)
    genes = tuple(_gene(gene, index, verdict) for index, gene in enumerate(interpretation.genes, start=1))
    return ReportView(
        title=words.genomic_name(variant),
        kind=words.kind_words(variant),
        given=words.shorten(words.clean(interpretation.text), 200),
        vcf=words.shorten(words.clean(str(variant)), 80),
        build=words.build_words(variant.build),
        date=words.date_words(interpretation.created_at),
        is_demo=interpretation.is_demo,
        hgvs=tuple(gene.hgvs_c for gene in genes if gene.hgvs_c),
        gene_names=", ".join(dict.fromkeys(gene.name for gene in genes)),
        verdict=verdict,
        badge=genes[0].badge,
        scale=_scale(interpretation.genes[0].delta.provenance),
        summary=summary_view(interpretation),
        genes=genes,
        unknowns=tuple(dict.fromkeys(words.clean(text) for text in interpretation.unknowns)),
        provenance=_provenance(interpretation.genes),
        run=(
            Fact("Run", words.clean(interpretation.run_id)),
            Fact("Software", f"agentic-spliceai {words.clean(interpretation.software_version)}"),
            Fact("Date", words.date_words(interpretation.created_at)),
            Fact("Report schema", interpretation.schema_version),
        ),
        timings=_timings(interpretation.timings),
        reading=_reading(interpretation.genes[0].delta.provenance),
    )


def summary_view(interpretation: Interpretation) -> SummaryView | None:
    """Return the verified claims with the evidence that they refer to numbered in order; None without a summary."""
    verified = [claim for claim in interpretation.claims if claim.status is ClaimStatus.VERIFIED]
    if not verified:
        return None
    known = {item.id: item for item in interpretation.evidence}
    used = dict.fromkeys(name for claim in verified for name in references(claim.text) if name in known)
    numbers = {name: number for number, name in enumerate(used, start=1)}
    return SummaryView(
        author=words.clean(verified[0].author),
        claims=tuple(_claim(claim.text, known, numbers) for claim in verified),
        evidence=tuple(_evidence(number, known[name]) for name, number in numbers.items()),
        further=len(known) - len(numbers),
        refused=sum(claim.status is ClaimStatus.REFUSED for claim in interpretation.claims),
    )


def _claim(text: str, known: Mapping[str, Evidence], numbers: Mapping[str, int]) -> tuple[ClaimPart, ...]:
    parts = []
    # Of every two pieces, the second is the id that stood between braces.
    for index, piece in enumerate(REFERENCE.split(text)):
        if index % 2 and piece in known:
            parts.append(ClaimPart(words.clean(known[piece].display), numbers[piece]))
        elif piece:
            parts.append(ClaimPart(piece.replace("\n", " ")))
    return tuple(parts)


def _evidence(number: int, item: Evidence) -> EvidenceView:
    return EvidenceView(
        number=number,
        id=item.id,
        statement=words.clean(item.statement),
        display=words.clean(item.display),
        source=words.clean(item.source),
        digests=() if item.source_sha256 is None else _digests((item.source_sha256,)),
    )


def _codes(assessment: CodeAssessment) -> CodesView:
    return CodesView(
        codes=tuple(
            CodeView(
                label=words.clean(item.label),
                strength=words.CODE_STRENGTH_WORDS[item.strength],
                why=words.clean(item.why),
                rule=words.clean(item.rule),
                citation=words.clean(item.citation),
                questions=tuple(words.clean(text) for text in item.open_questions),
            )
            for item in assessment.suggestions
        ),
        notes=tuple(words.clean(text) for text in assessment.notes),
    )


def _gene(gene: GeneInterpretation, index: int, verdict: str) -> GeneView:
    consequence, delta = gene.consequence, gene.delta
    primary = consequence.primary
    others = len(gene.other_transcripts)
    limits = [words.clean(text) for text in consequence.limits]
    return GeneView(
        anchor=f"gene-{index}",
        name=words.clean(gene.gene_name),
        gene_id=words.clean(gene.gene_id),
        strand=words.strand_words(delta.strand),
        transcript=words.clean(gene.transcript.id),
        others={0: "the gene's only transcript", 1: "1 other transcript"}.get(others, f"{others} other transcripts"),
        other_names=", ".join(words.clean(text) for text in gene.other_transcripts),
        hgvs_c=words.clean(consequence.hgvs_c or ""),
        region=words.clean(consequence.region),
        verdict="" if words.clean(consequence.verdict) == verdict else words.clean(consequence.verdict),
        badge=event_badge(primary),
        top_event=words.EVENT_WORDS[primary.type],
        top_score=words.delta(delta.raw.max_score, delta.provenance.thresholds),
        events=tuple(_event(event, delta.provenance.thresholds) for event in consequence.events),
        changes=_changes(delta),
        window=f"{words.place(delta.variant.contig, delta.window_start)}–{delta.window_end:,}",
        meta=_meta(gene),
        codes=None if gene.codes is None else _codes(gene.codes),
        unknowns=tuple(dict.fromkeys([*limits, *context_sentences(delta.context)])),
    )


def _event(event: SpliceEvent, thresholds: Thresholds) -> EventView:
    facts: list[Fact] = []
    if event.type is not EventType.NONE:
        facts.append(Fact("Score it rests on", words.delta(event.score, thresholds)))
    facts.extend(_support(change, thresholds) for change in event.support)
    if event.exon_number is not None:
        facts.append(Fact("Exon", str(event.exon_number)))
    if event.intron_number is not None:
        facts.append(Fact("Intron", str(event.intron_number)))
    if event.interval is not None:
        facts.append(Fact("Bases concerned", f"{_interval(event)} ({len(event.interval):,} nt)"))
    if event.cryptic_position is not None:
        facts.append(Fact("New site", f"{event.cryptic_position:,}"))
    if event.type is not EventType.NONE:
        facts.append(Fact("Exonic bases", f"{words.signed(event.length_change)} nt"))
    if event.effect is not None:
        facts.extend(_effect(event.effect))
    return EventView(
        title=words.EVENT_WORDS[event.type],
        badge=event_badge(event),
        description=words.clean(event.description),
        alternative=event.alternative,
        facts=tuple(facts),
    )


def _support(change: SiteChange, thresholds: Thresholds) -> Fact:
    inserted = f", inserted base {change.insert_offset}" if change.insert_offset else ""
    return Fact(
        words.CHANGE_WORDS[change.kind],
        f"{words.delta(change.score, thresholds)} at {change.position:,}{inserted} "
        f"({words.probability(change.ref_score)} {words.ARROW} {words.probability(change.alt_score)})",
    )


def _interval(event: SpliceEvent) -> str:
    assert event.interval is not None
    place = words.place(event.interval.contig, event.interval.start + 1)
    return place if len(event.interval) == 1 else f"{place}–{event.interval.end:,}"


def _effect(effect: TranscriptEffect) -> list[Fact]:
    stops = effect.frame is Frame.IN_FRAME and effect.stop_residue is not None
    frame = STOP_IN_FRAME if stops else words.FRAME_WORDS[effect.frame]
    facts = [Fact("Reading frame", frame)]
    if effect.hgvs_p is not None:
        facts.append(Fact("Protein change", words.clean(effect.hgvs_p)))
    if effect.first_changed_residue is not None:
        facts.append(Fact("First changed residue", f"{effect.first_changed_residue}"))
    if effect.stop_residue is not None:
        facts.append(Fact("Premature stop codon", f"residue {effect.stop_residue}"))
    if effect.protein_length_ref is not None:
        altered = "no stop codon found" if effect.protein_length_alt is None else f"{effect.protein_length_alt:,} aa"
        facts.append(Fact("Protein length", f"{effect.protein_length_ref:,} aa {words.ARROW} {altered}"))
    facts.append(Fact("mRNA length", f"{words.signed(effect.mrna_length_change)} nt"))
    reason = words.clean(effect.nmd_reason)
    decay = words.NMD_WORDS[effect.nmd]
    facts.append(Fact("Nonsense-mediated decay", f"{decay}: {reason}" if reason else decay))
    return facts


def _changes(delta: SpliceDelta) -> tuple[ChangeView, ...]:
    rows: list[ChangeView] = []
    for raw, masked in zip(delta.raw.changes(), delta.masked.changes(), strict=True):
        same = masked.score == 0 or _site(raw) == _site(masked)
        rows.append(_change(raw, delta, raw_score=raw.score, masked_score=masked.score if same else None))
        if not same:
            rows.append(_change(masked, delta, raw_score=None, masked_score=masked.score))
    return tuple(rows)


def _site(change: SiteChange) -> tuple[int, int]:
    return change.position, change.insert_offset


def _change(
    change: SiteChange, delta: SpliceDelta, *, raw_score: float | None, masked_score: float | None
) -> ChangeView:
    thresholds = delta.provenance.thresholds
    score = raw_score if raw_score is not None else masked_score
    assert score is not None
    return ChangeView(
        kind=words.CHANGE_WORDS[change.kind],
        badge=badge_of(words.level(score, thresholds)),
        raw="–" if raw_score is None else words.delta(raw_score, thresholds),
        masked="–" if masked_score is None else words.delta(masked_score, thresholds),
        ref=words.probability(change.ref_score),
        alt=words.probability(change.alt_score),
        position=f"{change.position:,}" + (f" + {change.insert_offset} inserted" if change.insert_offset else ""),
        offset=words.signed(change.offset),
        along=words.offset_words(change, delta.strand),
        site="annotated" if change.annotated else "not annotated",
    )


def _meta(gene: GeneInterpretation) -> tuple[str, ...]:
    triage, lines = gene.triage, []
    if triage.status is MetaStatus.PREDICTED and triage.probability is not None:
        sentence = f"Probability that the variant alters splicing: {triage.probability:.2f}"
        if triage.probability_low is not None and triage.probability_high is not None:
            sentence += f" (over seeds {triage.probability_low:.2f} to {triage.probability_high:.2f})"
        if triage.threshold is not None:
            side = "at or above" if triage.probability >= triage.threshold else "below"
            sentence += f", {side} the threshold {triage.threshold:.2f}"
        lines.append(f"{sentence}.")
    lines.append(words.clean(triage.message))
    prediction = gene.delta_prediction
    if prediction is not None:
        parts = [
            f"{name} {value:+.2f}".replace("-", words.MINUS)
            for name, value in (("donor", prediction.donor), ("acceptor", prediction.acceptor))
            if value is not None
        ]
        if parts:
            lines.append(f"Predicted deltas: {', '.join(parts)}.")
        lines.append(words.clean(prediction.message))
    return tuple(dict.fromkeys(line for line in lines if line))


def context_sentences(context: ContextReport) -> tuple[str, ...]:
    """Say in words how much of what the network saw was real sequence."""
    total = context.total
    lines = [
        f"Of the {total:,} nt that the network looks at, {context.real:,} ({words.share(context.real, total)}) were "
        "real sequence of this transcript."
    ]
    if context.outside_gene:
        lines.append(
            f"{context.outside_gene:,} nt ({words.share(context.outside_gene, total)}) lie outside the transcript and "
            "were hidden from the network, as its protocol demands."
        )
    if context.no_sequence:
        inside = total - context.outside_gene - context.past_contig_end
        lines.append(
            f"{context.no_sequence:,} nt ({words.share(context.no_sequence, inside)} of the transcript's part) have no "
            "sequence in the genome file: scores near them are less sure."
        )
    else:
        lines.append("No base of the transcript's part is without sequence in the genome file.")
    if context.past_contig_end:
        lines.append(
            f"{context.past_contig_end:,} nt ({words.share(context.past_contig_end, total)}) lie past the end of the "
            "contig."
        )
    return tuple(lines)


def _provenance(genes: Iterable[GeneInterpretation]) -> tuple[ProvenanceView, ...]:
    together: dict[str, tuple[Provenance, list[str]]] = {}
    for gene in genes:
        provenance = gene.delta.provenance
        together.setdefault(provenance.model_dump_json(), (provenance, []))[1].append(words.clean(gene.gene_name))
    return tuple(_provenance_view(provenance, names) for provenance, names in together.values())


def _provenance_view(provenance: Provenance, names: list[str]) -> ProvenanceView:
    limits = provenance.thresholds
    predictor = words.clean(provenance.predictor)
    members = len(provenance.weights_sha256)
    note = (
        f"Calibrated for {predictor}."
        if limits.calibrated
        else f"Not calibrated for {predictor}: strong, moderate and weak are a borrowed scale here, not measured ones."
    )
    return ProvenanceView(
        genes=", ".join(dict.fromkeys(names)),
        facts=(
            Fact("Predictor", f"{predictor} {words.clean(provenance.version)}"),
            Fact(f"Weights, {members} members" if members > 1 else "Weights", "", _digests(provenance.weights_sha256)),
            Fact("Annotation", words.clean(provenance.annotation_source)),
            Fact("Annotation digest", "", _digests((provenance.annotation_sha256,))),
            Fact("Genome", words.clean(provenance.genome_id)),
            Fact("Build", words.build_words(provenance.build)),
            Fact("Context", f"{provenance.context:,} nt, both sides together"),
            Fact("Distance", f"up to {provenance.distance:,} nt from the variant"),
            Fact("Mask", words.MASK_WORDS[provenance.mask]),
            Fact("Thresholds", f"weak {limits.weak:g}, moderate {limits.moderate:g}, strong {limits.strong:g}"),
            Fact("Source of thresholds", words.clean(limits.source)),
            Fact("Calibration", note),
        ),
        note="" if limits.calibrated else note,
    )


def _digests(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(words.clean(text) for text in texts)


def _scale(provenance: Provenance) -> str:
    predictor, limits = words.clean(provenance.predictor), provenance.thresholds
    calibrated = "calibrated" if limits.calibrated else "not calibrated"
    return f"{predictor}, thresholds {limits.weak:g}, {limits.moderate:g}, {limits.strong:g}, {calibrated} for it"


def _timings(timings: Mapping[str, float]) -> tuple[Fact, ...]:
    return tuple(Fact(words.clean(step), f"{seconds:.2f} s") for step, seconds in timings.items())


def _reading(provenance: Provenance) -> tuple[str, ...]:
    limits = provenance.thresholds
    return (
        "Delta is the change of a position's splice-site probability, ALT minus REF, from 0 to 1. Gain: a site appears "
        "or grows. Loss: a site vanishes or shrinks. The table gives the largest of each kind within "
        f"{provenance.distance:,} nt.",
        f"A delta counts as weak from {limits.weak:g}, moderate from {limits.moderate:g}, strong from "
        f"{limits.strong:g}. A delta is not a fraction of transcripts, and a strong site that loses half its odds can "
        "show almost none.",
        "Masked deltas set gains at annotated sites and losses elsewhere to 0, because those seldom do harm. Raw "
        "deltas keep them.",
        "A donor is placed on the last base of its exon and an acceptor on the first, 1-based, on the plus strand. "
        "Upstream and downstream are along the transcript.",
        "The event, frame, protein and decay are inferred for the transcript named, one change at a time. Tissue, "
        "other transcripts and other variants are not considered.",
    )
