"""Keep an interpretation in the database."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.render_report import ReportFiles
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


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
    context.records.add_interpretation(context.run_id, args.interpretation, artifacts)
    context.records.evidence.add(context.run_id, args.interpretation.evidence)
    context.records.evidence.add_claims(context.run_id, args.interpretation.claims)
    return RecordRunResult(
        run_id=context.run_id,
        recorded=True,
        database=context.records.location,
        artifacts=len(artifacts),
        evidence=len(args.interpretation.evidence),
    )


TOOL = ToolSpec(
    name="record_run",
    purpose="Keep an interpretation, its per-position scores and its report in the database and artifact store.",
    args=RecordRunArgs,
    result=RecordRunResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
)
