"""Write the report that a person reads."""

from __future__ import annotations

import re
from pathlib import Path

from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from pydantic import Field

from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.splice_engine.base_layer.results import VariantTracks
from agentic_spliceai.splice_engine.errors import SettingError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60


class RenderReportArgs(ToolModel):
    """The interpretation and where to write."""

    interpretation: Interpretation = Field(description="What to report.")
    out: str | None = Field(
        default=None, description="Folder to write to; null makes one for the run in the reports folder."
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
    SettingError
        If the folder cannot be written to.
    ArtifactError
        If the per-position scores are missing or damaged.
    """
    from agentic_spliceai.reporting.files import render_report

    folder = Path(args.out).expanduser() if args.out is not None else default_folder(args.interpretation, context)
    tracks = {
        gene.gene_id: VariantTracks.load(context.artifacts.path(gene.tracks_sha256))
        for gene in args.interpretation.genes
        if gene.tracks_sha256 is not None
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = render_report(args.interpretation, tracks, folder)
    except OSError as error:
        raise SettingError(
            f"Cannot write the report to {folder}: {error.strerror or error}.", "Give another folder with --out."
        ) from error
    return RenderReportResult(
        folder=str(folder),
        files=ReportFiles(html=str(paths.html), markdown=str(paths.markdown), json_file=str(paths.json)),
    )


def default_folder(interpretation: Interpretation, context: ToolContext) -> Path:
    """Return a folder named by variant and run, so that no report overwrites another."""
    name = _UNSAFE.sub("_", str(interpretation.variant))[:_LONGEST_NAME]
    return context.settings.reports_dir / f"{name}_{interpretation.run_id}"


TOOL = ToolSpec(
    name="render_report",
    purpose="Write an interpretation as one self-contained HTML page, Markdown and JSON.",
    args=RenderReportArgs,
    result=RenderReportResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.SECONDS,
    function=run,
)
