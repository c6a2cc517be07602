"""Interpret one variant in one call: every step of a walk from text to evidence, for who has no workflow at hand."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentic_spliceai.records.interpretation import GeneInterpretation, Interpretation
from agentic_spliceai.splice_engine.consequence.codes import CodeStrength
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Variant
from agentic_spliceai.tools import (
    complete_interpretation,
    compose_interpretation,
    gather_evidence,
    infer_consequence,
    lookup_known_variants,
    predict_delta,
    resolve_variant,
    score_variant,
    suggest_codes,
    triage_variant,
    write_summary,
)
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.meta import MODEL
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.triage_variant import TriageVerdict
from agentic_spliceai.tools.types import TRANSCRIPT, WEIGHTS, GenomeArgs


class InterpretVariantArgs(GenomeArgs):
    """The variant, the genome and the models."""

    text: str = Field(min_length=1, description="chr3-37012011-A-G, SPDI, HGVS (NM_...:c.) or a VCF line.")
    base_model: str = Field(default="small", min_length=1, description="Base model of the registry.")
    weights: Annotated[str | None, PathAccess.READ] = Field(default=None, description=WEIGHTS)
    transcript: str | None = Field(default=None, description=TRANSCRIPT)
    distance: int = Field(default=500, ge=1, le=10_000, description="How far from the variant changes are sought, nt.")
    model: Annotated[str | None, PathAccess.READ] = Field(default=None, description=MODEL)


class LargestChange(ToolModel):
    """The largest gain or loss of one kind of site."""

    kind: str = Field(description="acceptor_gain, acceptor_loss, donor_gain or donor_loss.")
    score: float = Field(ge=0, le=1, description="How large, raw.")
    position: int = Field(ge=1, description="Where, 1-based.")


class Fact(ToolModel):
    """A piece of evidence in short; the whole is in the database, or in the interpretation."""

    id: str = Field(description="Its id, which an answer refers to.")
    statement: str = Field(description="What it is, without the value.")
    display: str = Field(description="The value as a text shows it.")


class SuggestedCode(ToolModel):
    """A code that a rule suggests; nothing is assigned."""

    code: str = Field(description="PVS1, PP3, BP4 or BP7.")
    strength: CodeStrength = Field(description="How much it would weigh; for PVS1 the most that its tree gives here.")
    suggestion: Literal[True] = Field(default=True, description="Always true: it is no assignment.")
    rule: str = Field(description="The rule and the version of the rules.")
    open_questions: tuple[str, ...] = Field(description="What has to be known before it can be assigned.")


class InterpretedGene(ToolModel):
    """What the variant does to one gene."""

    gene_name: str = Field(description="The gene.")
    transcript_id: str = Field(description="The transcript.")
    predictor: str = Field(description="Base model and version.")
    changes: tuple[LargestChange, ...] = Field(description="Largest gain and loss of acceptor and donor.")
    probability: float | None = Field(description="The meta-layer's calibrated probability; null without a model.")
    triage: str = Field(description="What triage says, in one sentence.")
    consequence: str = Field(description="Its consequence, in one sentence.")
    hgvs_c: str | None = Field(description="The variant on the transcript.")
    codes: tuple[SuggestedCode, ...] = Field(description="Suggested ACMG/AMP codes; a person weighs and decides.")


class InterpretVariantResult(ToolModel):
    """The interpretation in short; the whole is an artifact."""

    variant: str = Field(description="The variant, normalised.")
    genome: str = Field(description="The genome.")
    verdict: str = Field(description="One sentence for a person.")
    is_demo: bool = Field(description="Synthetic demonstration data: no human gene is spoken of.")
    genes: tuple[InterpretedGene, ...] = Field(description="Every overlapping gene, most affected first.")
    summary: str = Field(description="The checked summary; each number in it is backed by evidence.")
    author: str = Field(description="Who wrote it: rules, or a language model's name.")
    unknowns: tuple[str, ...] = Field(description="What was not known.")
    evidence: tuple[Fact, ...] = Field(description="The facts, with the ids that an answer may refer to.")
    interpretation_sha256: str = Field(description="Artifact with the whole interpretation, as JSON.")


def run(args: InterpretVariantArgs, context: ToolContext) -> InterpretVariantResult:
    """Walk from the text to the evidence, which is recorded under the run; raises what the steps raise."""
    where = {"genome": args.genome, "annotation": args.annotation}
    resolved = resolve_variant.run(
        resolve_variant.ResolveVariantArgs(text=args.text, transcript=args.transcript, **where), context
    )
    scores = score_variant.run(
        score_variant.ScoreVariantArgs(
            variant=resolved.variant,
            base_model=args.base_model,
            weights=args.weights,
            transcript=resolved.transcript,
            distance=args.distance,
            **where,
        ),
        context,
    ).scores
    triage = triage_variant.run(
        triage_variant.TriageVariantArgs(scores=scores, model=args.model, **where), context
    )  # fmt: skip
    # As in the workflow: what does not alter splicing has no delta to predict.
    predicted = (
        predict_delta.run(predict_delta.PredictDeltaArgs(scores=scores, model=args.model, **where), context).genes
        if triage.verdict is not TriageVerdict.NOT_ALTERING
        else ()
    )
    consequences = infer_consequence.run(
        infer_consequence.InferConsequenceArgs(scores=scores, **where), context
    ).genes  # fmt: skip
    codes = suggest_codes.run(
        suggest_codes.SuggestCodesArgs(scores=scores, consequences=consequences, triage=triage.genes, **where), context
    ).genes
    composed = compose_interpretation.run(
        compose_interpretation.ComposeInterpretationArgs(
            text=resolved.text,
            variant=resolved.variant,
            scores=scores,
            triage=triage.genes,
            delta_predictions=predicted,
            consequences=consequences,
            codes=codes,
            **where,
        ),
        context,
    ).interpretation
    evidence = gather_evidence.run(
        gather_evidence.GatherEvidenceArgs(interpretation=composed, known=_known(resolved.variant, context)), context
    ).evidence
    summary = write_summary.summarise(evidence, "interpretation", context)
    whole = complete_interpretation.run(
        complete_interpretation.CompleteInterpretationArgs(
            interpretation=composed,
            evidence=evidence,
            claims=summary.claims,
            refused=summary.refused,
            notes=summary.notes,
        ),
        context,
    ).interpretation
    if context.keep_record:
        context.records.evidence.add(context.run_id, whole.evidence)
    return _short(whole, resolved.genome, summary.text, summary.author, context)


def _known(variant: Variant, context: ToolContext) -> tuple[gather_evidence.KnownVariantFact, ...]:
    """Return what measured tables say, on a build that such tables are on."""
    if variant.build not in (GenomeBuild.GRCH37, GenomeBuild.GRCH38):
        return ()
    args = lookup_known_variants.LookupKnownVariantsArgs(variant=variant)
    return lookup_known_variants.run(args, context).facts


def _short(
    whole: Interpretation, genome: str, summary: str, author: str, context: ToolContext
) -> InterpretVariantResult:
    return InterpretVariantResult(
        variant=str(whole.variant),
        genome=genome,
        verdict=whole.verdict,
        is_demo=whole.is_demo,
        genes=tuple(_gene(gene) for gene in whole.genes),
        summary=summary,
        author=author,
        unknowns=whole.unknowns,
        evidence=tuple(Fact(id=one.id, statement=one.statement, display=one.display) for one in whole.evidence),
        interpretation_sha256=context.artifacts.put_bytes(whole.model_dump_json().encode()),
    )


def _gene(gene: GeneInterpretation) -> InterpretedGene:
    made_by = gene.delta.provenance
    suggestions = gene.codes.suggestions if gene.codes is not None else ()
    return InterpretedGene(
        gene_name=gene.gene_name,
        transcript_id=gene.delta.transcript_id,
        predictor=f"{made_by.predictor} {made_by.version}",
        changes=tuple(
            LargestChange(kind=change.kind.value, score=round(change.score, 4), position=change.position)
            for change in gene.delta.raw.changes()
        ),
        probability=gene.triage.probability,
        triage=gene.triage.message,
        consequence=gene.consequence.verdict,
        hgvs_c=gene.consequence.hgvs_c,
        codes=tuple(
            SuggestedCode(code=one.code, strength=one.strength, rule=one.rule, open_questions=one.open_questions)
            for one in suggestions
        ),
    )


TOOL = ToolSpec(
    name="interpret_variant",
    purpose="Interpret one variant: scores, triage, consequence, suggested codes, evidence and a checked summary.",
    args=InterpretVariantArgs,
    result=InterpretVariantResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.SECONDS,
    function=run,
)
