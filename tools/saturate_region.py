"""Score every single-base change of a region or of an exon with its flanks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.tools.batch import BatchResult, score_inputs, write_results
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.saturation import SaturatedChange, Tally, find_place, snv_inputs
from agentic_spliceai.tools.saturation_rows import rows_of
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.types import TRANSCRIPT, WEIGHTS, GenomeArgs

LONGEST = 2_000
_PROGRESS_EVERY = 48
_TOLD = 10


class SaturateRegionArgs(GenomeArgs):
    """Where: a region, or an exon of a gene."""

    region: str | None = Field(
        default=None, description=f"chr7:117559500-117559700, 1-based, both ends included; at most {LONGEST:,} nt."
    )
    gene: str | None = Field(default=None, description="Gene, by symbol or id, whose exon is meant.")
    exon: int | None = Field(default=None, ge=1, description="Exon number in the direction of transcription.")
    transcript: str | None = Field(default=None, description=TRANSCRIPT)
    flank: int = Field(default=50, ge=0, le=LONGEST, description="Bases beside the exon, on either side, nt.")
    base_model: str = Field(default="small", min_length=1, description="Base model of the registry.")
    weights: Annotated[str | None, PathAccess.READ] = Field(default=None, description=WEIGHTS)
    distance: int = Field(default=50, ge=1, le=10_000, description="How far from a change its effect is sought, nt.")
    masked: bool = Field(default=False, description="Leave out gains at annotated sites and losses elsewhere.")
    top: int = Field(default=20, ge=0, le=100, description="How many of the largest changes to return.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.region is None) == (self.gene is None and self.transcript is None):
            raise ValueError("give a region, or a gene (or transcript) with an exon")
        if self.region is None and self.exon is None:
            raise ValueError("exon: which one of the gene is meant")
        if self.region is not None and self.exon is not None:
            raise ValueError("exon: it goes with a gene, not with a region")
        return self


class SaturateRegionResult(ToolModel):
    """What the changes of the region do."""

    region: str = Field(description="The region, 1-based, both ends included.")
    what: str = Field(description="What it is: the region as given, or the exon with its flanks.")
    bases: int = Field(ge=1, description="Its length, nt.")
    without_sequence: int = Field(ge=0, description="Bases that are N in the genome file: they cannot be changed.")
    changes: int = Field(ge=0, description="Single-base changes that were tried: three a base.")
    scored: int = Field(ge=0, description="Changes with a score.")
    not_scored: dict[str, int] = Field(description="Changes without a score, by the code of the reason.")
    predictor: str = Field(description="Base model and version.")
    weak: int = Field(ge=0, description="Changes from the predictor's weak threshold on.")
    moderate: int = Field(ge=0, description="Changes from its moderate threshold on.")
    strong: int = Field(ge=0, description="Changes from its strong threshold on.")
    thresholds: str = Field(description="These thresholds and their source.")
    top: tuple[SaturatedChange, ...] = Field(description="The largest changes.")
    evidence: tuple[Evidence, ...] = Field(
        description=f"Counts, and the first {_TOLD} of the largest changes, as evidence that an answer refers to."
    )
    table_sha256: str = Field(description="Artifact with every change: a table as `agentic-spliceai score` writes it.")


def run(args: SaturateRegionArgs, context: ToolContext) -> SaturateRegionResult:
    """Score all changes.

    Raises
    ------
    ToolArgumentError
        If the region is too long, or the transcript has no such exon.
    SpliceEngineError
        If genome, annotation or model cannot be opened, or the region is not in the genome.
    """
    bundle = context.resources.genome(args.genome, args.annotation)
    found = find_place(
        bundle, region=args.region, gene=args.gene, transcript=args.transcript, exon=args.exon, flank=args.flank
    )
    place, what, transcript = found.interval, found.what, found.transcript
    if len(place) > LONGEST:
        raise ToolArgumentError(
            f"{place} has {len(place):,} nt.",
            f"Give at most {LONGEST:,} nt, or a smaller flank; `agentic-spliceai saturate` takes any length.",
        )
    bases = bundle.genome.fetch(place)
    info = context.resources.base_model(args.base_model, args.weights).info
    total = 3 * (len(bases) - bases.count("N"))
    results = score_inputs(
        snv_inputs(place, bundle.genome),
        context.resources,
        genome=args.genome,
        annotation=args.annotation,
        base_model=args.base_model,
        weights=args.weights,
        transcripts=[transcript.id] if transcript else [],
        distance=args.distance,
    )
    tally = Tally(args.top)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saturation.tsv"
        summary = write_results(
            _watched(results, tally, args.masked, total, context), str(path), "tsv", masked=args.masked
        )
        digest = context.artifacts.put_file(path)
    limits = info.thresholds
    counts = {name: tally.at_least(getattr(limits, name)) for name in ("weak", "moderate", "strong")}
    predictor = f"{info.name} {info.version}"
    return SaturateRegionResult(
        region=str(place),
        what=what,
        bases=len(bases),
        without_sequence=bases.count("N"),
        changes=summary.inputs,
        scored=summary.scored,
        not_scored=summary.reasons,
        predictor=predictor,
        **counts,
        thresholds=f"weak {limits.weak:g}, moderate {limits.moderate:g}, strong {limits.strong:g}: {limits.source}",
        top=tally.top(),
        evidence=tuple(_evidence(what, predictor, summary.scored, counts, tally.top(), digest, context)),
        table_sha256=digest,
    )


def _evidence(
    what: str,
    predictor: str,
    scored: int,
    counts: dict[str, int],
    top: tuple[SaturatedChange, ...],
    digest: str,
    context: ToolContext,
) -> Iterator[Evidence]:
    make = partial(
        make_evidence,
        EvidenceKind.SCORE,
        source=f"run:{context.run_id}",
        source_sha256=digest,
        created_at=context.started_at,
    )
    genes = tuple(dict.fromkeys(change.gene_name for change in top))
    yield make(f"{what}, {predictor}: single-base changes scored", scored, f"{scored:,}", terms=genes)
    for name, count in counts.items():
        yield make(f"{what}, {predictor}: changes from the {name} threshold on", count, f"{count:,}", terms=genes)
    for change in top[:_TOLD]:
        kind = change.change.replace("_", " ")
        yield make(
            f"{change.variant} on {change.gene_name}, {predictor}: {kind} at {change.position:,}",
            change.max_score,
            f"{change.max_score:.2f}",
            terms=(change.variant, change.gene_name, change.transcript_id),
        )


def _watched(
    results: Iterator[BatchResult], tally: Tally, masked: bool, total: int, context: ToolContext
) -> Iterator[BatchResult]:
    """Count scores while results pass by."""
    for number, result in enumerate(results):
        if number % _PROGRESS_EVERY == 0:
            context.listen(ToolProgress("changes scored", number, total))
        if result.variant is not None:
            tally.add(rows_of([result], result.variant.contig, masked=masked))
        yield result
    context.listen(ToolProgress("changes scored", total, total))


TOOL = ToolSpec(
    name="saturate_region",
    purpose="Score every single-base change of a region or an exon with its flanks; the largest, and a table of all.",
    args=SaturateRegionArgs,
    result=SaturateRegionResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.MINUTES,
    function=run,
)
