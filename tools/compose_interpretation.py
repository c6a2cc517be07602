"""Put everything that is known about a variant into one interpretation."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from agentic_spliceai import __version__
from agentic_spliceai.records.interpretation import GeneInterpretation, Interpretation
from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.consequence.types import EventType, Strength
from agentic_spliceai.splice_engine.errors import UnknownGeneError
from agentic_spliceai.splice_engine.genome.hgvs import hgvs_c_of_gene, reading_notes
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, Transcript, Variant
from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.suggest_codes import GeneCodes
from agentic_spliceai.tools.types import GeneConsequence, GeneDeltaPrediction, GeneScore, GeneTriage, GenomeArgs

_RANK = {Strength.STRONG: 0, Strength.MODERATE: 1, Strength.WEAK: 2}


class ComposeInterpretationArgs(GenomeArgs):
    """The results of the steps before."""

    text: str = Field(description="The variant as the person gave it.")
    variant: Variant = Field(description="The variant as it was scored.")
    scores: tuple[GeneScore, ...] = Field(min_length=1, description="The base model's scores, one a gene.")
    triage: tuple[GeneTriage, ...] = Field(description="Triage, one a gene.")
    delta_predictions: tuple[GeneDeltaPrediction, ...] | None = Field(
        default=None, description="The meta-layer's deltas, one a gene; null where they were not asked for."
    )
    consequences: tuple[GeneConsequence, ...] = Field(description="Consequences, one a gene.")
    codes: tuple[GeneCodes, ...] = Field(default=(), description="Suggested codes, one a gene; may be left out.")


class ComposeInterpretationResult(ToolModel):
    """The interpretation."""

    interpretation: Interpretation = Field(description="All that is known about the variant, versioned.")
    verdict: str = Field(description="One sentence for a person.")


def run(args: ComposeInterpretationArgs, context: ToolContext) -> ComposeInterpretationResult:
    """Join the results by gene, the most affected gene first.

    Raises
    ------
    ToolArgumentError
        If a gene has a score, but no triage or consequence.
    UnknownGeneError
        If the annotation does not have a scored gene at the variant.
    """
    bundle = context.resources.genome(args.genome, args.annotation)
    at_variant = {gene.id: gene for gene in bundle.annotation.genes_at_variant(args.variant)}
    triage = {item.gene_id: item.triage for item in args.triage}
    consequences = {item.gene_id: item.consequence for item in args.consequences}
    codes = {item.gene_id: item.codes for item in args.codes}
    predictions = {item.gene_id: item.prediction for item in args.delta_predictions or ()}
    genes = []
    for score in args.scores:
        delta = score.delta
        for what, found in (("triage", triage), ("consequence", consequences)):
            if delta.gene_id not in found:
                raise ToolArgumentError(f"{delta.gene_name} has a score, but no {what}.", "Give one for every gene.")
        if delta.gene_id not in at_variant:
            raise UnknownGeneError(
                f"{delta.gene_name} was scored, but {bundle.annotation.source} does not have it at {args.variant}.",
                "Give the genome and annotation that the scores were made with.",
            )
        genes.append(
            GeneInterpretation(
                gene_id=delta.gene_id,
                gene_name=delta.gene_name,
                transcript=_scored_transcript(at_variant[delta.gene_id], delta),
                other_transcripts=_others(at_variant[delta.gene_id], delta, bundle.genome),
                delta=delta,
                triage=triage[delta.gene_id],
                delta_prediction=predictions.get(delta.gene_id),
                consequence=consequences[delta.gene_id],
                codes=codes.get(delta.gene_id),
                tracks_sha256=score.tracks_sha256,
            )
        )
    genes.sort(key=_least_affected_last)
    interpretation = Interpretation(
        run_id=context.run_id,
        created_at=datetime.now(UTC),
        software_version=__version__,
        text=args.text,
        variant=args.variant,
        genes=tuple(genes),
        verdict=_verdict(genes),
        is_demo=bundle.is_demo,
        unknowns=_unknowns(genes, reading_notes(args.text, args.variant, bundle.annotation, bundle.genome)),
        timings={step: round(seconds, 4) for step, seconds in context.timings.items()},
    )
    return ComposeInterpretationResult(interpretation=interpretation, verdict=interpretation.verdict)


def _scored_transcript(gene: Gene, delta: SpliceDelta) -> Transcript:
    return next(t for t in gene.transcripts if t.id == delta.transcript_id)


def _others(gene: Gene, delta: SpliceDelta, genome: ReferenceGenome) -> tuple[str, ...]:
    """Describe the variant on each other transcript; one that does not contain it is named alone."""
    described = hgvs_c_of_gene(delta.variant, gene, genome)
    return tuple(described.get(t.id, t.id) for t in gene.transcripts if t.id != delta.transcript_id)


def _least_affected_last(gene: GeneInterpretation) -> tuple[bool, int, float]:
    event = gene.consequence.primary
    return (event.type is EventType.NONE, _RANK[event.strength], -gene.delta.raw.max_score)


def _verdict(genes: list[GeneInterpretation]) -> str:
    """Return the most affected gene's verdict, and name the other genes so that none is overlooked."""
    first, *rest = genes
    if not rest:
        return first.consequence.verdict
    affected = [gene.gene_name for gene in rest if gene.consequence.primary.type is not EventType.NONE]
    quiet = [gene.gene_name for gene in rest if gene.consequence.primary.type is EventType.NONE]
    tail = []
    if affected:
        tail.append(f"also changed: {', '.join(affected)}")
    if quiet:
        tail.append(f"no change seen in {', '.join(quiet)}")
    return f"{first.consequence.verdict.rstrip('.')} ({'; '.join(tail)})."


def _unknowns(genes: list[GeneInterpretation], notes: tuple[str, ...]) -> tuple[str, ...]:
    """Collect what the interpretation as a whole does not know; each gene's own limits stay with its consequence."""
    found = list(notes)
    for gene in genes:
        provenance = gene.delta.provenance
        thresholds = provenance.thresholds
        if gene.triage.status is MetaStatus.NO_TRAINED_MODEL:
            found.append(gene.triage.message)
        if not thresholds.calibrated:
            found.append(f"The thresholds were not calibrated for {provenance.predictor}: {thresholds.source}.")
        if provenance.distance > (sight := provenance.context // 2):
            found.append(
                f"{provenance.predictor} sees {sight} nt either side: "
                "a change further than that from the variant cannot show."
            )
        if (share := gene.delta.context.unknown_fraction) > 0:
            found.append(
                f"{share:.1%} of the sequence that the model sees in {gene.gene_name} has no bases in the genome file."
            )
    return tuple(dict.fromkeys(found))


TOOL = ToolSpec(
    name="compose_interpretation",
    purpose="Join scores, triage, deltas and consequences of a variant into one interpretation with its verdict.",
    args=ComposeInterpretationArgs,
    result=ComposeInterpretationResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
