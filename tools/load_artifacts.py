"""Open the artifacts of a base layer: what a folder holds, and whether it can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from agentic_spliceai.splice_engine.errors import NotScored, SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolModel, ToolSpec

_CHECKED_ROWS = 2_000
_SHOWN_CHROMOSOMES = 100


class LoadArtifactsArgs(ToolModel):
    """The folder, and what to look at in it."""

    folder: Annotated[str, PathAccess.READ] = Field(
        min_length=1, description="Folder with analysis_sequences_*.tsv, as `meta artifacts` writes it."
    )
    chromosomes: tuple[str, ...] = Field(default=(), description="Check rows of these only; by default of all.")
    genes: tuple[str, ...] = Field(default=(), description="Check rows of these genes only, by id or symbol.")
    verify: bool = Field(default=True, description="Compare every file with its digest in the manifest.")
    unweighted: bool = Field(
        default=False,
        description="Take a table without sampling weights, which is right only if all positions are in it.",
    )


class LoadArtifactsResult(ToolModel):
    """What the folder holds."""

    folder: str = Field(description="The folder.")
    usable: bool = Field(description="Whether no problem was found.")
    problems: tuple[NotScored, ...] = Field(description="What is wrong, each with a code and what to do.")
    base_model: str | None = Field(description="Base model that made the scores; null where the folder does not say.")
    build: str | None = Field(description="Genome build; null where the folder does not say.")
    manifest_sha256: str | None = Field(description="Digest of the manifest; null without one.")
    files: int = Field(ge=0, description="Tables in the folder.")
    rows: int = Field(ge=0, description="Positions that were kept.")
    genes: int = Field(ge=0, description="Genes that they belong to.")
    positions: int | None = Field(description="Positions that the rows stand for; null without sampling weights.")
    classes: dict[str, int] = Field(description="Rows by class: donor, acceptor, neither.")
    outcomes: dict[str, int] = Field(description="Rows by what the base model made of them: TP, FP, FN, TN.")
    chromosomes: dict[str, int] = Field(description=f"Rows a chromosome, of the first {_SHOWN_CHROMOSOMES}.")
    features: tuple[str, ...] = Field(description="Feature columns that can be read.")
    sequence_length: int | None = Field(description="Length of the sequence windows, nt; null where no row was read.")
    checked_rows: int = Field(ge=0, description=f"Rows whose every column was checked, at most {_CHECKED_ROWS:,}.")


def run(args: LoadArtifactsArgs, context: ToolContext) -> LoadArtifactsResult:
    """Open the folder; what is wrong with its files is a problem in the result.

    Raises
    ------
    ResourceError
        If there is no folder, or nothing in it that was written by a base layer.
    MissingExtraError
        If the libraries that read tables are not installed.
    """
    from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader

    folder = Path(args.folder).expanduser()
    loader = ArtifactLoader(folder)
    manifest = loader.manifest()
    problems: list[NotScored] = []
    if args.verify:
        try:
            loader.verify()
        except SpliceEngineError as error:
            problems.append(error.as_not_scored())
    statistics: dict[str, Any] = {}
    try:
        statistics = loader.statistics()
    except (SpliceEngineError, ValueError, KeyError, OSError, EOFError) as error:
        problems.append(_problem(error))
    features: tuple[str, ...] = ()
    length: int | None = None
    checked = 0
    try:
        table = loader.load_analysis_sequences(
            args.chromosomes or None, args.genes or None, limit=_CHECKED_ROWS, unweighted=args.unweighted
        )
        features, length, checked = table.feature_names, int(table.sequences.shape[1]), len(table)
    except (SpliceEngineError, ValueError, KeyError, OSError, EOFError) as error:
        problems.append(_problem(error))
    return LoadArtifactsResult(
        folder=str(folder),
        usable=not problems,
        problems=tuple(problems),
        base_model=_base_model(manifest.get("base_model")),
        build=manifest.get("build"),
        manifest_sha256=_digest(folder / "manifest.json"),
        files=len(loader.files),
        rows=statistics.get("rows", 0),
        genes=statistics.get("genes", 0),
        positions=statistics.get("positions"),
        classes=statistics.get("classes", {}),
        outcomes=statistics.get("outcomes", {}),
        chromosomes=dict(list(statistics.get("chromosomes", {}).items())[:_SHOWN_CHROMOSOMES]),
        features=features,
        sequence_length=length,
        checked_rows=checked,
    )


def _problem(error: Exception) -> NotScored:
    if isinstance(error, SpliceEngineError):
        return error.as_not_scored()
    # pandas has no error of its own for a table that lacks a column or is cut in the middle of a row.
    return NotScored(
        code="schema",
        message=f"A table cannot be read: {' '.join(str(error).split())[:200]}.",
        advice="Write it again.",
    )


def _base_model(said: Any) -> str | None:
    if not isinstance(said, dict):
        return None
    return " ".join(str(said[name]) for name in ("predictor", "name", "version") if said.get(name)) or None


def _digest(path: Path) -> str | None:
    from agentic_spliceai.records.artifacts import sha256_of

    return sha256_of(path) if path.is_file() else None


TOOL = ToolSpec(
    name="load_artifacts",
    purpose="Open a base layer's artifacts: columns, chromosomes, genes, rows, counts, and what is wrong.",
    args=LoadArtifactsArgs,
    result=LoadArtifactsResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
