"""Score every single-base change of a region or of an exon with its flanks."""

from __future__ import annotations

import heapq
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.splice_engine.errors import OutsideGenesError
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.types import Interval, Transcript
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant
from agentic_spliceai.tools.batch import BatchInput, BatchResult, score_inputs, write_results
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.types import TRANSCRIPT, WEIGHTS, GenomeArgs

LONGEST = 2_000
_REGION = re.compile(r"(?P<contig>[^:\s]+):(?P<start>[\d,]{1,15})-(?P<end>[\d,]{1,15})", re.ASCII)
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


class SaturatedChange(ToolModel):
    """One single-base change and its largest effect."""

    variant: str = Field(description="The change: chr7-117559590-C-T.")
    gene_name: str = Field(description="The gene.")
    transcript_id: str = Field(description="The transcript that was scored.")
    max_score: float = Field(ge=0, le=1, description="Its largest gain or loss.")
    change: str = Field(description="acceptor_gain, acceptor_loss, donor_gain or donor_loss.")
    position: int = Field(ge=1, description="Where that happens, 1-based.")


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
        If the region cannot be read or is too long, or the transcript has no such exon.
    SpliceEngineError
        If genome, annotation or model cannot be opened, or the region is not in the genome.
    """
    bundle = context.resources.genome(args.genome, args.annotation)
    place, what, transcript = _place(args, bundle)
    if not 1 <= len(place) <= LONGEST:
        raise ToolArgumentError(
            f"{place} has {len(place):,} nt.", f"Give 1 to {LONGEST:,} nt: a part of it, or a smaller flank."
        )
    bases = bundle.genome.fetch(place)
    if not bundle.annotation.genes_at(place.contig, place.start, place.end):
        raise OutsideGenesError(
            f"No gene of {bundle.annotation.source} lies in {place}.", "Check build and annotation."
        )
    info = context.resources.base_model(args.base_model, args.weights).info
    total = 3 * (len(bases) - bases.count("N"))
    results = score_inputs(
        _changes(place, bases),
        context.resources,
        genome=args.genome,
        annotation=args.annotation,
        base_model=args.base_model,
        weights=args.weights,
        transcripts=[transcript.id] if transcript else [],
        distance=args.distance,
    )
    seen = _Seen(args)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saturation.tsv"
        summary = write_results(seen.watch(results, total, context), str(path), "tsv", masked=args.masked)
        digest = context.artifacts.put_file(path)
    limits = info.thresholds
    counts = {name: seen.at_least(getattr(limits, name)) for name in ("weak", "moderate", "strong")}
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
        top=seen.top(),
        evidence=tuple(_evidence(what, predictor, summary.scored, counts, seen.top(), digest, context)),
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


def _place(args: SaturateRegionArgs, bundle: GenomeBundle) -> tuple[Interval, str, Transcript | None]:
    transcript = bundle.annotation.transcript(args.transcript) if args.transcript else None
    if args.region is not None:
        place = _region(args.region)
        return place, str(place), transcript
    if args.gene is not None:
        gene = bundle.annotation.gene(args.gene)
        if transcript is not None and transcript.gene_id != gene.id:
            raise ToolArgumentError(f"{transcript.id} is no transcript of {gene.name}.", "Leave one of the two out.")
        transcript = transcript or gene.representative
    if transcript is None or args.exon is None:
        raise ToolArgumentError("No exon is named.", "Give a gene or transcript, and the exon's number.")
    exons = transcript.spliced_exons_in_order
    if args.exon > len(exons):
        raise ToolArgumentError(
            f"{transcript.id} ({transcript.gene_name}) has {len(exons)} exons, not {args.exon}.", "Give one of them."
        )
    start, end = exons[args.exon - 1]
    length = bundle.genome.contig_length(transcript.contig)
    place = Interval(
        contig=transcript.contig, start=max(start - args.flank, 0), end=min(end + args.flank, length)
    )  # fmt: skip
    what = f"exon {args.exon} of {len(exons)} of {transcript.gene_name} ({transcript.id}) and {args.flank} nt beside it"
    return place, what, transcript


def _region(text: str) -> Interval:
    match = _REGION.fullmatch(text.strip())
    if match is None:
        raise ToolArgumentError(f"{text!r:.60} is no region.", "Write chr7:117559500-117559700, 1-based.")
    start, end = (int(match[name].replace(",", "") or 0) for name in ("start", "end"))
    if not 1 <= start <= end:
        raise ToolArgumentError(f"{text!r:.60} does not begin before it ends.", "Positions are 1-based and rise.")
    return Interval(contig=canonical_contig(match["contig"]), start=start - 1, end=end)


def _changes(place: Interval, bases: str) -> Iterator[BatchInput]:
    for position, ref in enumerate(bases, place.start + 1):
        for alt in "ACGT" if ref != "N" else "":
            if alt != ref:
                text = f"{place.contig}-{position}-{ref}-{alt}"
                yield BatchInput(text, RawVariant(text, place.contig, position, ref, 1, alt))


class _Seen:
    """Counts scores and keeps the largest, while results pass by."""

    def __init__(self, args: SaturateRegionArgs) -> None:
        self._masked = args.masked
        self._top = args.top
        self._scores: Counter[float] = Counter()
        self._best: list[tuple[float, int, SaturatedChange]] = []

    def watch(self, results: Iterator[BatchResult], total: int, context: ToolContext) -> Iterator[BatchResult]:
        for number, result in enumerate(results):
            if number % _PROGRESS_EVERY == 0:
                context.listen(ToolProgress("changes scored", number, total))
            if result.deltas:
                self._see(number, result)
            yield result
        context.listen(ToolProgress("changes scored", total, total))

    def _see(self, number: int, result: BatchResult) -> None:
        delta = max(result.deltas, key=lambda d: (d.masked if self._masked else d.raw).max_score)
        scores = delta.masked if self._masked else delta.raw
        largest = max(scores.changes(), key=lambda change: change.score)
        self._scores[largest.score] += 1
        if not self._top:
            return
        item = SaturatedChange(
            variant=str(result.variant),
            gene_name=delta.gene_name,
            transcript_id=delta.transcript_id,
            max_score=round(largest.score, 4),
            change=largest.kind.value,
            position=largest.position,
        )
        # The number makes the earlier of two equal changes the larger one, and keeps the heap from comparing models.
        entry = (largest.score, -number, item)
        if len(self._best) < self._top:
            heapq.heappush(self._best, entry)
        else:
            heapq.heappushpop(self._best, entry)

    def at_least(self, threshold: float) -> int:
        return sum(count for score, count in self._scores.items() if score >= threshold)

    def top(self) -> tuple[SaturatedChange, ...]:
        return tuple(item for *_, item in sorted(self._best, key=lambda entry: entry[:2], reverse=True))


TOOL = ToolSpec(
    name="saturate_region",
    purpose="Score every single-base change of a region or an exon with its flanks; the largest, and a table of all.",
    args=SaturateRegionArgs,
    result=SaturateRegionResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.MINUTES,
    function=run,
)
