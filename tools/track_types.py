"""How tracks of whole genes are written, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.tools.spec import ToolModel

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.model import BaseModel
    from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor

TrackFormat = Literal["bedgraph", "bedgraph.gz", "bigwig", "bed", "tsv", "parquet"]
FORMATS: tuple[TrackFormat, ...] = get_args(TrackFormat)


KEPT, SCORED = "read back", "scored"
"""Words of progress: nt of genes that an earlier attempt had finished, and nt that the models work on."""


class TrackOptions(ToolModel):
    """How values are written."""

    formats: tuple[TrackFormat, ...] = Field(
        default=("bedgraph.gz", "bed"), min_length=1, description=f"What to write: {', '.join(FORMATS)}."
    )
    floor: float = Field(
        default=0.001, ge=0, le=1,
        description="Probability below which a position is left out of tracks and tables; 0 leaves out none.",
    )  # fmt: skip
    decimals: int = Field(default=4, ge=1, le=7, description="Digits behind the point of a written probability.")
    threshold: float = Field(default=0.5, gt=0, le=1, description="Probability from which a position is a site.")
    track_lines: bool = Field(default=False, description="Put a track line into bedGraph and BED.")


class SiteCounts(ToolModel):
    """What one predictor sees."""

    sites: int = Field(ge=0, description="Positions of a strand from the threshold on; one row of the BED each.")
    annotated_found: int = Field(ge=0, description="Of them, those that a transcript of a predicted gene has.")


class TrackProvenance(ToolModel):
    """Everything that one needs to get the same tracks again."""

    software_version: str = Field(description="Of agentic-spliceai.")
    predictor: str = Field(description="Base model.")
    version: str = Field(description="Of the base model.")
    weights_sha256: tuple[str, ...] = Field(description="One digest a file, in the order of the members.")
    context: int = Field(description="Bases the network sees around a position, both sides together.")
    precision: Precision = Field(description="In which numbers the base model computed.")
    build: GenomeBuild | None = Field(description="Genome build.")
    genome_id: str = Field(description="Which genome file: its name, size and the digest of its index.")
    annotation: str = Field(description="Where the genes come from.")
    annotation_sha256: str = Field(description="Digest of the annotation file.")
    meta_card_sha256: str | None = Field(description="Card of the meta-layer model; null without one.")
    meta_weights_sha256: tuple[str, ...] = Field(description="Of the meta-layer model, one digest a member.")


class TracksSummary(ToolModel):
    """What was predicted and written."""

    provenance: TrackProvenance = Field(description="Models, genome and annotation.")
    options: TrackOptions = Field(description="How values were written.")
    genes: int = Field(ge=0, description="Genes with values.")
    genes_from_parts: int = Field(ge=0, description="Of them, those that an earlier attempt had finished.")
    positions: int = Field(ge=0, description="Positions with values, each gene's own counted, nt.")
    without_sequence: int = Field(ge=0, description="Positions of these genes where the genome has N, nt.")
    annotated_sites: int = Field(ge=0, description="Annotated donors and acceptors at positions with values.")
    predictors: dict[str, SiteCounts] = Field(description="By predictor: base, and recalibrated where asked for.")
    reasons: dict[str, int] = Field(description="Targets and genes without values, by the code of the reason.")
    files: dict[str, str] = Field(description="What was written: path, and what it holds.")


def provenance_of(
    bundle: GenomeBundle, model: BaseModel, meta: MetaPredictor | None, precision: Precision
) -> TrackProvenance:
    """Return what decides the values: models, genome, annotation, precision."""
    info = model.info
    return TrackProvenance(
        software_version=__version__,
        predictor=info.name,
        version=info.version,
        weights_sha256=info.weights_sha256,
        context=info.context,
        precision=precision,
        build=bundle.genome.build or bundle.build,
        genome_id=bundle.genome.identity,
        annotation=bundle.annotation.source,
        annotation_sha256=bundle.annotation.digest,
        meta_card_sha256=None if meta is None else meta.card_sha256,
        meta_weights_sha256=() if meta is None else meta.weights_sha256,
    )
