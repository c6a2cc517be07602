"""From the scores of a variant to its consequence on a transcript."""

from __future__ import annotations

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta, VariantTracks
from agentic_spliceai.splice_engine.consequence.allele import (
    Allele,
    Edit,
    Sense,
    SequenceSource,
    Span,
    edit_of,
    sense_cds,
    sense_exons,
)
from agentic_spliceai.splice_engine.consequence.effects import EffectPredictor
from agentic_spliceai.splice_engine.consequence.events import PSEUDOEXON_LENGTHS, Draft, EventFinder
from agentic_spliceai.splice_engine.consequence.sites import SiteReader, SiteTable
from agentic_spliceai.splice_engine.consequence.types import Consequence, EventType, SpliceEvent, Strength
from agentic_spliceai.splice_engine.consequence.wording import (
    event_text,
    none_text,
    region_text,
    site_name,
    verdict_text,
)
from agentic_spliceai.splice_engine.errors import (
    NoTranscriptNameError,
    OutsideGenesError,
    SettingError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome.hgvs import hgvs_c
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Transcript


def infer_consequence(
    delta: SpliceDelta, gene: Gene, genome: SequenceSource, *, transcript: Transcript | None = None
) -> Consequence:
    """Say what a variant does to a transcript.

    Parameters
    ----------
    delta
        Scores of the variant on the gene, with their per-position tracks.
    gene
        The gene that was scored.
    genome
        Where the reference sequence is read; a `ReferenceGenome`, or anything with its `fetch_padded`.
    transcript
        The transcript to speak of; by default the one that was scored.

    Returns
    -------
    Consequence
        Events, likeliest first; a single `EventType.NONE` if the scores show none.

    Raises
    ------
    SettingError
        If `delta` carries no tracks.
    UnknownGeneError
        If the scored transcript is none of the gene's.

    Notes
    -----
    The rules are in `events`; thresholds are the predictor's own, `delta.provenance.thresholds`. A site beside an indel
    in a repeat counts as kept if any placement of the indel keeps it, so that a loss here can be smaller than
    `delta.raw`, which follows the published protocol.
    """
    tracks, transcript = _inputs(delta, gene, transcript)
    sense = Sense(transcript.contig, transcript.strand)
    edit = edit_of(delta.variant, sense, genome)
    exons, cds = sense_exons(transcript), sense_cds(transcript)
    thresholds = delta.provenance.thresholds
    table = SiteReader(tracks, delta.variant, sense, edit, gene).read(exons, thresholds.weak)
    ref, alt = Allele(sense, genome), Allele(sense, genome, edit)
    finder = EventFinder(table, exons, edit, thresholds, ref=ref, alt=alt)
    drafts = finder.find()
    predictor = EffectPredictor(transcript, ref, alt)
    events = tuple(_event(draft, sense, predictor) for draft in drafts)
    name, nameless = _coding_name(delta, transcript, genome)
    limits = [
        *nameless,
        *_scope_limits(delta, gene, transcript, drafts),
        *_site_limits(delta, table, sense, finder, drafts),
        *_draft_limits(drafts, table, finder.normal, alt, edit),
        *_gap_limits(transcript),
        *(predictor.limits if drafts else ()),
    ]
    if events:
        first = events[0]
        strength = None if drafts[0].removed else first.strength
        verdict = verdict_text(gene.name, strength, event_text(drafts[0]), first.effect)
    else:
        text = none_text(delta.raw, thresholds)
        events = (
            SpliceEvent(
                type=EventType.NONE,
                strength=Strength.WEAK,
                score=delta.raw.max_score,
                support=(),
                description=_sentence(text),
            ),
        )
        verdict = f"{gene.name}: {text}."
    return Consequence(
        variant=delta.variant,
        gene_name=gene.name,
        transcript_id=transcript.id,
        strand=transcript.strand,
        hgvs_c=name,
        region=region_text(edit, exons, cds),
        events=events,
        verdict=verdict,
        limits=tuple(dict.fromkeys(limits)),
    )


def _inputs(delta: SpliceDelta, gene: Gene, transcript: Transcript | None) -> tuple[VariantTracks, Transcript]:
    if delta.tracks is None:
        raise SettingError(
            f"the scores of {delta.variant} on {delta.gene_name} carry no per-position tracks.",
            "Score the variant again and keep the tracks.",
        )
    if transcript is None:
        transcript = next((t for t in gene.transcripts if t.id == delta.transcript_id), None)
    if transcript is None:
        raise UnknownGeneError(
            f"{delta.transcript_id}, which was scored, is no transcript of {gene.name}.",
            "Pass the gene that the scores were made with.",
        )
    return delta.tracks, transcript


def _coding_name(
    delta: SpliceDelta, transcript: Transcript, genome: SequenceSource
) -> tuple[str | None, tuple[str, ...]]:
    """Return the variant's HGVS name on the transcript, or why it has none."""
    if not isinstance(genome, ReferenceGenome):
        return None, ("The variant has no c. name: that takes a reference genome with all its contigs.",)
    try:
        return hgvs_c(delta.variant, transcript, genome), ()
    except (OutsideGenesError, NoTranscriptNameError) as problem:
        return None, (f"The variant has no c. name: {problem.message}",)


def _event(draft: Draft, sense: Sense, predictor: EffectPredictor) -> SpliceEvent:
    return SpliceEvent(
        type=draft.type,
        strength=draft.strength,
        score=draft.score,
        support=draft.support,
        interval=None if draft.span is None or draft.span[0] == draft.span[1] else sense.interval(*draft.span),
        exon_number=None if draft.exon is None else draft.exon + 1,
        intron_number=None if draft.intron is None else draft.intron + 1,
        cryptic_position=None if draft.cryptic is None else draft.cryptic.change.position,
        length_change=draft.length_change,
        alternative=draft.alternative,
        description=_sentence(event_text(draft)),
        effect=None if draft.exons is None else predictor.predict(draft.exons),
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _scope_limits(delta: SpliceDelta, gene: Gene, transcript: Transcript, drafts: tuple[Draft, ...]) -> list[str]:
    """Say what the inference as a whole leaves out."""
    limits = []
    if others := len(gene.transcripts) - 1:
        limits.append(
            f"Only {transcript.id} was examined; {gene.name} has {others} other transcript{'s' if others > 1 else ''}."
        )
    if not delta.provenance.thresholds.calibrated:
        limits.append(f"The thresholds are not calibrated for {delta.provenance.predictor} {delta.provenance.version}.")
    if drafts:
        limits.append("Effects are predicted from sequence only; how much of the RNA is affected is not known.")
    if sum(not draft.alternative for draft in drafts) > 1:
        limits.append("Each event is described on its own; what several of them do together was not worked out.")
    if delta.context.no_sequence:
        limits.append(
            f"{delta.context.no_sequence} nt of the {delta.context.total} nt that the network saw have no sequence."
        )
    return limits


def _site_limits(
    delta: SpliceDelta, table: SiteTable, sense: Sense, finder: EventFinder, drafts: tuple[Draft, ...]
) -> list[str]:
    """Name the scores from the weak threshold on that no event explains."""
    weak = delta.provenance.thresholds.weak
    contig = sense.contig
    limits = [
        f"A new {site_name(change)} at {contig}:{change.position} (gain {change.score:.2f}) fits no exon here."
        for change in finder.unused
    ]
    limits += [
        f"A fall of {change.score:.2f} at {contig}:{change.position} concerns "
        f"an {'' if change.annotated else 'un'}annotated {site_name(change)} that this transcript does not use."
        for change in table.foreign_losses
        if change.annotated or not drafts
    ]
    for site in finder.removed_sites:
        seen = "which was not scored" if site.change is None else f"scored {site.change.ref_score:.2f} on the reference"
        limits.append(
            f"The variant itself removes the {site.type} of exon {site.exon + 1}, {seen}: the scores show no loss "
            "there, the sequence does."
        )
    raw = {(change.kind, change.position): change.score for change in delta.raw.changes()}
    for site in table.own.values():
        if site.rise >= weak and site.change is not None:
            limits.append(
                f"The annotated {site.type} of exon {site.exon + 1} becomes stronger "
                f"({site.change.ref_score:.2f} to {site.change.alt_score:.2f}); that is no event here."
            )
        if site.change is None or site.loss >= weak:
            continue
        if (shown := raw.get((site.change.kind, site.change.position), 0.0)) >= weak:
            limits.append(
                f"The raw loss of {shown:.2f} at the {site.type} of exon {site.exon + 1} only says that the variant "
                f"removes or moves its base: the site itself is kept, at {site.change.alt_score:.2f}."
            )
    return limits


def _gap_limits(transcript: Transcript) -> list[str]:
    """Name the bases that the genome has and the transcript lacks: they are read as part of their exon."""
    return [
        f"{transcript.id} lacks {end - start} nt that the genome has at {transcript.contig}:{start + 1}-{end}; they "
        "are no intron and count as part of their exon here."
        for start, end in transcript.gaps
    ]


def _draft_limits(
    drafts: tuple[Draft, ...], table: SiteTable, normal: tuple[Span, ...], alt: Allele, edit: Edit
) -> list[str]:
    """Say which events end outside of what was scored or sequenced."""
    low, high = table.window
    limits = []
    for draft in drafts:
        if draft.type is EventType.EXON_SKIPPING and draft.exon is not None:
            limits += [
                f"The {kind} of exon {draft.exon + 1} lies outside the scored window."
                for kind in (SiteType.ACCEPTOR, SiteType.DONOR)
                if (site := table.own.get((kind, draft.exon))) is not None and site.change is None
            ]
        if draft.type is EventType.INTRON_RETENTION and draft.intron is not None:
            limits += [
                f"The {kind} of intron {draft.intron + 1} lies outside the scored window."
                for kind, exon in ((SiteType.DONOR, draft.intron), (SiteType.ACCEPTOR, draft.intron + 1))
                if table.own[kind, exon].change is None
            ]
        if draft.own is not None and draft.moves:
            own, kind = draft.own, "insertion" if edit.shift > 0 else "deletion"
            limits.append(
                f"The shift can as well be read as the {kind} lying in exon {own.exon + 1} and its {own.type} kept."
            )
        if draft.cryptic is not None and draft.exons is None:
            reach = PSEUDOEXON_LENGTHS[1]
            acceptor = draft.cryptic.type is SiteType.ACCEPTOR
            room = high - draft.cryptic.boundary if acceptor else draft.cryptic.boundary - low
            if room < reach:
                limits.append("The partner of the new site may lie outside the scored window; score a larger distance.")
        changed = set(draft.exons or ()).difference(normal)
        if any("N" in alt.sequence(*span) for span in changed):
            limits.append("The bases that an event adds or moves are partly not sequenced.")
    return limits
