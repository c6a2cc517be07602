"""Parts of arguments and results that several tools share."""

from __future__ import annotations

from agentic_spliceai.tools.spec import ToolModel
from pydantic import Field

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.consequence.types import Consequence
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, TriageResult

GENOME = "Genome: demo, GRCh38, GRCh37, or the path of a FASTA file."
ANNOTATION = "Gene annotation file (GTF, GFF3 or gene table); null takes the genome's own."


class GenomeArgs(ToolModel):
    """Arguments of a tool that reads a genome."""

    genome: str = Field(min_length=1, description=GENOME)
    annotation: str | None = Field(default=None, description=ANNOTATION)


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
