"""Parts of arguments and results that several tools share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta, VariantTracks
from agentic_spliceai.splice_engine.consequence.types import Consequence
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, TriageResult
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import PathAccess, ToolModel

GENOME = "Genome: demo, GRCh38, GRCh37, or the path of a FASTA file."
TRANSCRIPT = "Transcript to take instead of its gene's representative; version optional."
WEIGHTS = "File or folder with the model's weights; null looks in data folder and mirror, then downloads."
ANNOTATION = "Gene annotation file (GTF, GFF3 or gene table); null takes the genome's own."


class GenomeArgs(ToolModel):
    """Arguments of a tool that reads a genome."""

    genome: Annotated[str, PathAccess.READ] = Field(min_length=1, description=GENOME)
    annotation: Annotated[str | None, PathAccess.READ] = Field(default=None, description=ANNOTATION)


class GeneScore(ToolModel):
    """The base model's scores on one gene."""

    delta: SpliceDelta = Field(description="Gains and losses of donor and acceptor, raw and masked.")
    tracks_sha256: str | None = Field(default=None, description="Artifact with the per-position scores (npz).")


class GeneTriage(ToolModel):
    """What triage says about one gene."""

    gene_id: str = Field(description="The gene.")
    triage: TriageResult = Field(description="Calibrated probability that the variant alters its splicing.")


class GeneDeltaPrediction(ToolModel):
    """What the meta-layer predicts on one gene."""

    gene_id: str = Field(description="The gene.")
    prediction: DeltaPrediction = Field(description="Deltas as the meta-layer predicts them.")


class GeneConsequence(ToolModel):
    """What happens to one gene's transcript."""

    gene_id: str = Field(description="The gene.")
    consequence: Consequence = Field(description="Events, reading frame and protein.")


def load_tracks(score: GeneScore, context: ToolContext) -> VariantTracks | None:
    """Return the per-position scores, None where none were kept.

    Raises
    ------
    ArtifactError
        If they are missing or damaged.
    """
    if score.tracks_sha256 is None:
        return score.delta.tracks
    return VariantTracks.load(context.artifacts.path(score.tracks_sha256))


def with_tracks(score: GeneScore, context: ToolContext) -> SpliceDelta:
    """Return the delta with its per-position scores, which its JSON form leaves out; raises as `load_tracks`."""
    return score.delta.model_copy(update={"tracks": load_tracks(score, context)})
