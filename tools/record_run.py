"""Keep an interpretation in the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.render_report import ReportFiles
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

if TYPE_CHECKING:
    from agentic_spliceai.records.predictions import NewPrediction


class RecordRunArgs(ToolModel):
    """What the run made."""

    interpretation: Interpretation = Field(description="What to keep.")
    report: ReportFiles | None = Field(default=None, description="Files of the report, kept by their sha256.")


class RecordRunResult(ToolModel):
    """Whether and where it was kept."""

    run_id: str = Field(description="The run.")
    recorded: bool = Field(description="False where the user asked for no record.")
    database: str | None = Field(description="Where it was recorded.")
    artifacts: int = Field(ge=0, description="Files kept for the run.")
    evidence: int = Field(ge=0, description="Facts kept for the run.")


def run(args: RecordRunArgs, context: ToolContext) -> RecordRunResult:
    """Store the interpretation, its evidence and claims, its tracks and its report under the run.

    Repeated for the same run it changes nothing.

    Raises
    ------
    RecordError
        If the database cannot be written.
    """
    if not context.keep_record:
        return RecordRunResult(run_id=context.run_id, recorded=False, database=None, artifacts=0, evidence=0)
    from agentic_spliceai.records.models import NewArtifact

    kept = {gene.tracks_sha256: "tracks" for gene in args.interpretation.genes if gene.tracks_sha256 is not None}
    if args.report is not None:
        for kind, path in args.report.model_dump().items():
            kept[context.artifacts.put_file(Path(path))] = f"report_{kind.removesuffix('_file')}"
    artifacts = tuple(
        NewArtifact(sha256=digest, kind=kind, bytes=context.artifacts.size(digest)) for digest, kind in kept.items()
    )
    # Only a run that was killed in this step has one already; what is written before it can be written again.
    known = context.records.get_run(context.run_id).interpretation is not None
    context.records.predictions.add(_predictions(args.interpretation, context.run_id))
    context.records.evidence.add(context.run_id, args.interpretation.evidence)
    context.records.evidence.add_claims(context.run_id, args.interpretation.claims)
    if not known:
        context.records.add_interpretation(context.run_id, args.interpretation, artifacts)
    return RecordRunResult(
        run_id=context.run_id,
        recorded=True,
        database=context.records.location,
        artifacts=len(artifacts),
        evidence=len(args.interpretation.evidence),
    )


def _predictions(interpretation: Interpretation, run_id: str) -> Iterator[NewPrediction]:
    """What the base model and, if one spoke, the meta-layer said of each gene, so that it is found by the variant."""
    from agentic_spliceai.records.predictions import NewPrediction

    variant = interpretation.variant
    for gene in interpretation.genes:
        made = gene.delta.provenance
        common = {
            "run_id": run_id,
            "variant": str(variant),
            "build": "" if variant.build is None else variant.build.value,
            "gene": gene.gene_name,
            "transcript": gene.delta.transcript_id,
        }
        largest = max(gene.delta.raw.changes(), key=lambda change: change.score)
        yield NewPrediction(
            **common,
            predictor=f"{made.predictor} {made.version}",
            kind="score",
            score=largest.score,
            document={"verdict": gene.consequence.verdict, "change": largest.kind.value, "position": largest.position},
        )
        if gene.triage.probability is not None:
            card = (gene.triage.model_card_sha256 or "")[:12]
            yield NewPrediction(
                **common,
                predictor=f"meta-layer {card}".strip(),
                kind="triage",
                probability=gene.triage.probability,
                document={"threshold": gene.triage.threshold, "caveats": list(gene.triage.caveats)},
            )


TOOL = ToolSpec(
    name="record_run",
    purpose="Keep an interpretation, its per-position scores and its report in the database and artifact store.",
    args=RecordRunArgs,
    result=RecordRunResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
