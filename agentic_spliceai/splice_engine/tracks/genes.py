"""Donor and acceptor probability at every position of a gene, on the plus strand's axis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.base_layer.gene_tracks import TILE, score_gene
from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.errors import (
    GenomeFileError,
    NoSequenceError,
    SettingError,
    UnknownContigError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Strand
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.tracks.parts import FloatArray, GeneValues, PartStore
from agentic_spliceai.splice_engine.tracks.targets import GeneSpans, Refused, Span

STRETCH = 4 * TILE
"""nt that the base model scores in one call: tiles are the same as those of the whole gene, memory does not grow with
the gene, and progress is heard of."""

CLASSES = (SiteType.DONOR, SiteType.ACCEPTOR)
"""What the last axis of values counts; the same order as `SpliceClass`."""

#: What is wrong with one gene, while others can be predicted. Anything else is wrong with the model or its use.
_ONE_GENE = (GenomeFileError, NoSequenceError, UnknownContigError, UnknownGeneError)

Heard = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class GenePrediction:
    """Values along the wanted parts of a gene.

    Attributes
    ----------
    spans
        Which gene, and which parts of it.
    gene
        The gene with its transcripts.
    positions : int64 [L]
        0-based position of each entry, rising.
    values
        Probabilities by entry.
    from_part
        Whether they were read from an earlier run's part.
    """

    spans: GeneSpans
    gene: Gene
    positions: npt.NDArray[np.int64]
    values: GeneValues
    from_part: bool = False

    def sites(self) -> npt.NDArray[np.bool_]:
        """Return bool [L, 2]: where a transcript of the gene has a donor or an acceptor."""
        found = np.zeros((len(self.positions), len(CLASSES)), dtype=bool)
        for column, kind in enumerate(CLASSES):
            places = {
                site.position - 1 for transcript in self.gene.transcripts for site in transcript.splice_sites
                if site.type is kind
            }  # fmt: skip
            found[:, column] = np.isin(self.positions, np.fromiter(places, dtype=np.int64, count=len(places)))
        return found


class GenePredictor:
    """Predicts genes one after the other, and remembers what it predicted in parts.

    Parameters
    ----------
    genome, annotation
        Of one build.
    model
        Any base model.
    meta
        A meta-layer model of sites that was trained on this base model; None for the base model alone.
    parts
        Where finished genes are kept; None keeps none.
    precision
        In which numbers the base model's convolutions are computed.

    Raises
    ------
    SettingError
        If another precision than float32 is asked for with a meta-layer model.
    """

    def __init__(
        self,
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        model: BaseModel,
        *,
        meta: MetaPredictor | None = None,
        parts: PartStore | None = None,
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        if meta is not None and precision is not Precision.FLOAT32:
            raise SettingError(f"A meta-layer model reads float32 scores, not {precision}.", "Take precision=float32.")
        self._precision = precision
        self._genome = genome
        self._annotation = annotation
        self._model = model
        self._meta = meta
        self._parts = parts
        self._common = {
            "software": __version__,
            "precision": str(precision),
            "device": str(getattr(model, "device", "")),
            "predictor": [model.info.name, model.info.version, *model.info.weights_sha256, model.info.context],
            "meta": None if meta is None else [meta.card_sha256, *meta.weights_sha256],
            "genome": genome.identity,
        }

    def predict(self, wanted: GeneSpans, heard: Heard | None = None) -> GenePrediction:
        """Predict the wanted parts of a gene.

        Parameters
        ----------
        wanted
            Which gene, and which parts.
        heard
            Hears how many nt of it are scored so far.

        Raises
        ------
        NoSequenceError
            If the genome file has N throughout these parts.
        CheckpointError
            If the meta-layer model is for another task, or was trained on another base model.
        SpliceEngineError
            If genome, annotation or model cannot be used.
        """
        gene = wanted.of(self._annotation)
        bases = self._genome.fetch_padded(gene.contig, gene.start, gene.end)
        known = np.frombuffer(bases.encode(), dtype="S1") != b"N"
        kept = np.concatenate([known[start - gene.start : end - gene.start] for start, end in wanted.spans])
        if not kept.any():
            raise NoSequenceError(
                f"The genome file has no sequence for {gene.name} ({gene.interval}).", "Use a genome that has it."
            )
        positions = np.concatenate([np.arange(start, end, dtype=np.int64) for start, end in wanted.spans])
        key = self._key(wanted, bases)
        values = None if self._parts is None else self._parts.get(key, len(positions), recalibrated=bool(self._meta))
        from_part = values is not None
        if values is None:
            values = self._score(gene, wanted.spans, heard or _nobody)
            # What a network says of a base that is not known is no prediction.
            values.base[~kept] = np.nan
            if values.recalibrated is not None:
                values.recalibrated[~kept] = np.nan
            if self._parts is not None:
                self._parts.put(key, values)
        return GenePrediction(wanted, gene, positions, values, from_part)

    def _score(self, gene: Gene, spans: Sequence[Span], heard: Heard) -> GeneValues:
        if self._meta is not None:
            # It judges a gene as a whole: a part of it comes from the whole.
            track = self._meta.recalibrate(gene, self._genome, self._model)
            order = track.positions - 1 - gene.start
            base, recalibrated = np.empty_like(track.base[:, :2]), np.empty_like(track.probabilities[:, :2])
            judged = np.empty(len(order), dtype=bool)
            base[order], recalibrated[order] = track.base[:, :2], track.probabilities[:, :2]
            judged[order] = track.recalibrated
            rows = np.concatenate([np.arange(start - gene.start, end - gene.start) for start, end in spans])
            heard(len(rows))
            return GeneValues(base[rows], recalibrated[rows], judged[rows])
        done = 0
        found: list[FloatArray] = []
        for start, end in spans:
            pieces = []
            for first, last in _stretches(start, end, gene.strand):
                track_part = score_gene(
                    gene, self._genome, self._model, start=first, end=last, precision=self._precision
                )
                piece = track_part.mean[:, :2]
                pieces.append(piece if gene.strand is Strand.PLUS else piece[::-1])
                done += last - first
                heard(done)
            found += pieces if gene.strand is Strand.PLUS else pieces[::-1]
        return GeneValues(np.concatenate(found))

    def _key(self, wanted: GeneSpans, bases: str) -> str:
        """Return the digest of everything that decides the values."""
        own = {
            "gene": [wanted.gene_id, wanted.contig, str(wanted.strand), wanted.start, wanted.end, wanted.spans],
            "bases": hashlib.sha256(bases.encode()).hexdigest(),
        }
        return hashlib.sha256(json.dumps(self._common | own, sort_keys=True).encode()).hexdigest()


def predict_genes(
    wanted: Sequence[GeneSpans],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    meta: MetaPredictor | None = None,
    parts: PartStore | None = None,
    precision: Precision = Precision.FLOAT32,
    heard: Callable[[GeneSpans, int], None] | None = None,
) -> Iterator[GenePrediction | Refused]:
    """Predict genes one after the other: for each its values, or the reason why it has none.

    Parameters
    ----------
    wanted
        As `find_targets` finds them.
    genome, annotation, model, meta, parts, precision
        See `GenePredictor`.
    heard
        Hears of each gene how many nt of it are scored so far.

    Raises
    ------
    CheckpointError
        If the meta-layer model does not fit the base model or the task.
    """
    predictor = GenePredictor(genome, annotation, model, meta=meta, parts=parts, precision=precision)
    for item in wanted:
        try:
            yield predictor.predict(item, None if heard is None else partial(heard, item))
        except _ONE_GENE as error:
            yield Refused(item.gene_name, error.as_not_scored(), item)


def _stretches(start: int, end: int, strand: Strand) -> list[Span]:
    """Cut [start, end) into stretches, from the first transcribed base on, so that tiles fall as in one call."""
    if strand is Strand.PLUS:
        return [(at, min(at + STRETCH, end)) for at in range(start, end, STRETCH)]
    return [(max(at - STRETCH, start), at) for at in range(end, start, -STRETCH)]


def _nobody(done: int) -> None:
    """Do nothing."""
