"""Base-model scores along a whole gene, in the sense of transcription, in tiles of bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict, Field

from agentic_spliceai.splice_engine.base_layer.model import BaseModel, FloatArray
from agentic_spliceai.splice_engine.base_layer.results import ContextReport
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import one_hot, reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene, GenomeBuild, Strand, Transcript

TILE = 20_000
"""Positions scored at once: twice the longest context, so that the context costs little beside them, and 3.8 MB a
tensor of 32 channels. Measured speed no longer rises beyond it."""

_SHAPES = 8
"""A last tile is filled up with N to one of so many lengths; torch keeps about 20 MB of compiled code for each length,
which would add up over many genes."""


class TrackProvenance(PydanticModel):
    """Everything that one needs to get the same track again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictor: str = Field(description="Name in the registry.")
    version: str
    weights_sha256: tuple[str, ...] = Field(description="One digest a file, in the order of the members.")
    context: int = Field(description="Bases the network sees around a position, both sides together.")
    build: GenomeBuild | None
    genome_id: str = Field(description="Which genome file: its name, size and the digest of its index.")


@dataclass(frozen=True, eq=False)
class GeneTrack:
    """Splice-site probabilities along a gene, first transcribed base first.

    Attributes
    ----------
    gene_id, gene_name
        Whose.
    contig, strand
        Where, and the strand that was scored.
    start, end
        What was scored, 0-based half-open on the plus strand; L = end - start.
    bases : str of length L
        In transcript sense; N where the genome file has none.
    probabilities : float32 [M, L, 3]
        By ensemble member, position and `SpliceClass`.
    logits : float32 [M, L, 3]
        Before the softmax, same layout.
    context
        How much of what the network saw was real.
    provenance
        Model and genome.
    """

    gene_id: str
    gene_name: str
    contig: str
    strand: Strand
    start: int
    end: int
    bases: str
    probabilities: FloatArray
    logits: FloatArray
    context: ContextReport
    provenance: TrackProvenance

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def mean(self) -> FloatArray:
        """Ensemble probability, float32 [L, 3]: the mean of the members' probabilities."""
        mean: FloatArray = self.probabilities.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """1-based genomic position of each entry, int64 [L]; falling on the minus strand."""
        rising = np.arange(self.start + 1, self.end + 1, dtype=np.int64)
        return rising if self.strand is Strand.PLUS else rising[::-1].copy()

    def index_of(self, position: int) -> int:
        """Return the entry of a 1-based genomic position.

        Raises
        ------
        IndexError
            If it was not scored.
        """
        if not self.start < position <= self.end:
            raise IndexError(f"{self.contig}:{position} lies outside {self.contig}:{self.start + 1}-{self.end}")
        return position - 1 - self.start if self.strand is Strand.PLUS else self.end - position


def score_gene(
    gene: Gene | Transcript,
    genome: ReferenceGenome,
    model: BaseModel,
    *,
    start: int | None = None,
    end: int | None = None,
    tile: int = TILE,
) -> GeneTrack:
    """Score every position of a gene, or of a transcript, or of a part of it.

    The network sees what it sees in variant scoring: the strand of the gene, and N for everything outside the extent
    of `gene`, whichever part of it is scored.

    Parameters
    ----------
    gene
        Its extent bounds the sequence.
    genome
        The reference.
    model
        Any base model.
    start, end
        Part to score, 0-based half-open on the plus strand; by default all of it.
    tile
        Positions scored at once.

    Raises
    ------
    SettingError
        If the part is empty or reaches past the gene, or `tile` is no positive number.
    UnknownContigError, GenomeFileError
        If the genome does not have the sequence.
    """
    first, last = gene.start if start is None else start, gene.end if end is None else end
    if not gene.start <= first < last <= gene.end:
        raise SettingError(
            f"{gene.contig}:{first}-{last} is no part of {gene.id} ({gene.contig}:{gene.start}-{gene.end}).",
            "Give start and end inside the gene, 0-based half-open.",
        )
    if tile < 1:
        raise SettingError(f"A tile of {tile} positions scores nothing.", "Give at least 1.")
    info = model.info
    half = info.context // 2
    seen, report = _sequence(gene, genome, first - half, last + half)
    length = last - first
    logits = np.empty((info.members, length, 3), dtype=np.float32)
    probabilities = np.empty_like(logits)
    step = max(1, tile // _SHAPES)
    for at in range(0, length, tile):
        count = min(tile, length - at)
        piece = seen[at : at + count + info.context] + "N" * (-count % step)
        output = model.predict(one_hot(piece)[None])
        logits[:, at : at + count] = output.logits[0, :, :count]
        probabilities[:, at : at + count] = output.probabilities[0, :, :count]
    return GeneTrack(
        gene_id=gene.id if isinstance(gene, Gene) else gene.gene_id,
        gene_name=gene.name if isinstance(gene, Gene) else gene.gene_name,
        contig=gene.contig,
        strand=gene.strand,
        start=first,
        end=last,
        bases=seen[half : half + length],
        probabilities=probabilities,
        logits=logits,
        context=report,
        provenance=TrackProvenance(
            predictor=info.name,
            version=info.version,
            weights_sha256=info.weights_sha256,
            context=info.context,
            build=genome.build,
            genome_id=genome.identity,
        ),
    )


def _sequence(gene: Gene | Transcript, genome: ReferenceGenome, start: int, end: int) -> tuple[str, ContextReport]:
    """Return plus-strand interval [start, end) in transcript sense, N outside the gene, and what it holds."""
    inner = genome.fetch_padded(gene.contig, max(start, gene.start), min(end, gene.end))
    plus = "N" * (gene.start - start) + inner + "N" * (end - gene.end)
    length = genome.contig_length(gene.contig)
    past = max(-start, 0) + max(end - length, 0)
    unknown = inner.count("N")
    report = ContextReport(
        total=len(plus),
        real=len(inner) - unknown,
        outside_gene=len(plus) - len(inner) - past,
        no_sequence=unknown,
        past_contig_end=past,
    )
    return (reverse_complement(plus) if gene.strand is Strand.MINUS else plus), report
