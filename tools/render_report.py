"""Write the report that a person reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec


class RenderReportArgs(ToolModel):
    """The interpretation and where to write."""

    interpretation: Interpretation = Field(description="What to report.")
    out: Annotated[str | None, PathAccess.WRITE] = Field(
        default=None, description="Folder to write to; null is the reports folder of the settings."
    )


class ReportFiles(ToolModel):
    """The files of a report."""

    html: str = Field(description="Self-contained page.")
    markdown: str = Field(description="The same in Markdown.")
    json_file: str = Field(description="The interpretation as JSON.")


class RenderReportResult(ToolModel):
    """Where the report is."""

    folder: str = Field(description="Folder of the report.")
    files: ReportFiles = Field(description="Its files.")


def run(args: RenderReportArgs, context: ToolContext) -> RenderReportResult:
    """Write HTML, Markdown and JSON.

    Raises
    ------
    ResourceError
        If the folder cannot be written to.
    ArtifactError
        If the per-position scores are missing or damaged.
    """
    from agentic_spliceai.reporting.files import render_report

    folder = Path(args.out).expanduser() if args.out is not None else context.settings.reports_dir
    tracks = {
        gene.gene_id: VariantTracks.load(context.artifacts.path(gene.tracks_sha256))
        for gene in args.interpretation.genes
        if gene.tracks_sha256 is not None
    }
    paths = render_report(args.interpretation, tracks, folder)
    return RenderReportResult(
        folder=str(folder),
        files=ReportFiles(html=str(paths.html), markdown=str(paths.markdown), json_file=str(paths.json)),
    )


TOOL = ToolSpec(
    name="render_report",
    purpose="Write an interpretation as one self-contained HTML page, Markdown and JSON.",
    args=RenderReportArgs,
    result=RenderReportResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.SECONDS,
    function=run,
    internal=True,
)
