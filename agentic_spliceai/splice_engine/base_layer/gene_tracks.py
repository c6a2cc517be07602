"""Base-model scores along a whole gene, in the sense of transcription, in tiles of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict, Field

from agentic_spliceai.splice_engine.base_layer.forward import FloatArray, whole_logits
from agentic_spliceai.splice_engine.base_layer.model import BaseModel, NetworkModel, Prediction, softmax
from agentic_spliceai.splice_engine.base_layer.results import ContextReport, Precision
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import one_hot, reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene, GenomeBuild, Strand, Transcript

TILE = 50_000
"""Positions scored at once: the work of 10,000 nt of context adds an eighth, and a tensor of 32 channels has 8 MB."""

_TILES = 4
"""Tiles that a model is given together, so that threads share out tiles and members."""


class TrackProvenance(PydanticModel):
    """Everything that one needs to get the same track again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictor: str = Field(description="Name in the registry.")
    version: str
    weights_sha256: tuple[str, ...] = Field(description="One digest a file, in the order of the members.")
    context: int = Field(description="Bases the network sees around a position, both sides together.")
    build: GenomeBuild | None
    genome_id: str = Field(description="Which genome file: its name, size and the digest of its index.")
    precision: Precision = Field(default=Precision.FLOAT32, description="Of the networks' convolutions.")


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
    precision: Precision = Precision.FLOAT32,
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
    precision
        Of the networks' convolutions; see `VariantScorer`.

    Raises
    ------
    SettingError
        If the part is empty or reaches past the gene, `tile` is no positive number, or the model has no networks whose
        precision can be chosen.
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
    run = _runner(model, precision)
    for at, count, rows in _batches(length, tile):
        batch = np.stack(
            [one_hot(seen[start : start + count + info.context]) for start in range(at, at + rows * count, count)]
        )
        output = run(batch)
        for row in range(rows):
            place = slice(at + row * count, at + (row + 1) * count)
            logits[:, place], probabilities[:, place] = output.logits[row], output.probabilities[row]
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
            precision=precision,
        ),
    )


def _batches(length: int, tile: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, positions a tile, and tiles, until `length` positions are covered."""
    whole = length // tile
    for first in range(0, whole, _TILES):
        yield first * tile, tile, min(_TILES, whole - first)
    if length % tile:
        yield whole * tile, length % tile, 1


def _runner(model: BaseModel, precision: Precision) -> Callable[[FloatArray], Prediction]:
    if precision is Precision.FLOAT32:
        return model.predict
    networks = model.residual_networks if isinstance(model, NetworkModel) else ()
    if not networks:
        raise SettingError(f"{model.info.name} is run in float32 only.", "Take precision=float32.")

    def run(batch: FloatArray) -> Prediction:
        logits = whole_logits(networks, batch, precision)
        return Prediction(softmax(logits), logits)

    return run


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
