"""Keep what the triage of a list made in the artifact store, and under its run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.triage_rows import SHA256, Verdict, read_rows

if TYPE_CHECKING:
    from agentic_spliceai.records.predictions import NewPrediction

_MOST_PREDICTIONS = 10_000
_AT_ONCE = 500


class RecordTriageArgs(ToolModel):
    """What was made."""

    table: Annotated[str, PathAccess.READ] = Field(min_length=1, description="The table that join_triage wrote.")
    table_sha256: str = Field(pattern=SHA256, description="Its digest.")
    lines: Annotated[str, PathAccess.READ] = Field(min_length=1, description="The same as JSON lines.")
    lines_sha256: str = Field(pattern=SHA256, description="Their digest.")
    summary: Annotated[str, PathAccess.READ] = Field(min_length=1, description="The summary.")


class RecordTriageResult(ToolModel):
    """Whether and where it was kept."""

    run_id: str = Field(description="The run.")
    recorded: bool = Field(description="False where the user asked for no record.")
    database: str | None = Field(description="Where it was recorded.")
    artifacts: int = Field(ge=0, description="Files kept for the run.")
    predictions: int = Field(
        ge=0, description=f"Altering and possible variants that can be looked up, the first {_MOST_PREDICTIONS:,} rows."
    )


def run(args: RecordTriageArgs, context: ToolContext) -> RecordTriageResult:
    """Keep table, JSON lines and summary by their sha256 under the run, and what alters splicing as predictions.

    Repeated for the same run it changes nothing.

    Raises
    ------
    ToolArgumentError
        If the table is not the one that was joined.
    RecordError
        If the database cannot be written.
    """
    if not context.keep_record:
        return RecordTriageResult(run_id=context.run_id, recorded=False, database=None, artifacts=0, predictions=0)
    from agentic_spliceai.records.models import NewArtifact

    kept = {
        kind: context.artifacts.put_file(Path(path))
        for kind, path in (("triage_table", args.table), ("triage_lines", args.lines), ("triage_summary", args.summary))
    }
    if (kept["triage_table"], kept["triage_lines"]) != (args.table_sha256, args.lines_sha256):
        raise ToolArgumentError(f"{args.table} was changed since it was written.", "Join the parts again.")
    artifacts = tuple(
        NewArtifact(sha256=digest, kind=kind, bytes=context.artifacts.size(digest)) for kind, digest in kept.items()
    )
    context.records.add_artifacts(context.run_id, artifacts)
    predictions = _predictions(context.artifacts.path(kept["triage_lines"]), context.run_id)
    recorded = 0
    while some := list(islice(predictions, _AT_ONCE)):
        context.records.predictions.add(some)
        recorded += len(some)
    return RecordTriageResult(
        run_id=context.run_id,
        recorded=True,
        database=context.records.location,
        artifacts=len(artifacts),
        predictions=recorded,
    )


def _predictions(lines: Path, run_id: str) -> Iterator[NewPrediction]:
    from agentic_spliceai.records.predictions import NewPrediction

    telling = (row for _, row in read_rows(lines) if row["verdict"] in (Verdict.ALTERING, Verdict.POSSIBLE))
    for row in islice(telling, _MOST_PREDICTIONS):
        by_meta = row["judged_by"] == "meta_layer"
        yield NewPrediction(
            run_id=run_id,
            variant=row["variant"],
            gene=row["gene_name"],
            transcript=row["transcript_id"],
            predictor=f"meta-layer {row['model_card_sha256'][:12]}" if by_meta else row["predictor"],
            kind="triage" if by_meta else "score",
            score=row["max_score"],
            probability=row["probability"],
            document={name: row[name] for name in ("verdict", "change", "position", "threshold", "caveats")},
        )


TOOL = ToolSpec(
    name="record_triage",
    purpose="Keep the table, the JSON lines and the summary of a triage in the artifact store and under its run.",
    args=RecordTriageArgs,
    result=RecordTriageResult,
    side_effect=SideEffect.WRITES_RECORDS,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
