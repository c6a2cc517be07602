"""What a variant does to splice sites according to a base model: one result a gene."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from agentic_spliceai.splice_engine.base_layer.deltas import SitePositions, annotated_sites, delta_scores
from agentic_spliceai.splice_engine.base_layer.incremental import IncrementalScorer
from agentic_spliceai.splice_engine.base_layer.model import BaseModel, FloatArray, NetworkModel, Prediction, softmax
from agentic_spliceai.splice_engine.base_layer.results import (
    Mask,
    Precision,
    Provenance,
    SpliceDelta,
    VariantResult,
    VariantTracks,
)
from agentic_spliceai.splice_engine.base_layer.windows import (
    VariantWindow,
    allele_request,
    encode,
    track,
    variant_window,
)
from agentic_spliceai.splice_engine.errors import BuildMismatchError, OutsideGenesError, SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.resolve import resolve_variant
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Transcript, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant

__all__ = ["MAX_DISTANCE", "Mask", "Precision", "VariantScorer", "score_variant", "score_variants"]

MAX_DISTANCE = 10_000
# Inputs of one gene share a reference pass, also where others stand between them; fewer where each has many outputs, so
# that what is kept of a chunk stays near 100 MB.
_INPUTS_PER_CHUNK = 512
_OUTPUTS_PER_CHUNK = 2**17
_PLAIN_INPUTS_PER_CHUNK = 8
_FIRST_CHUNK = 4
_MAX_REF = 10_000


def score_variant(
    variant: Variant,
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    distance: int = 50,
    mask: Mask = Mask.ANNOTATED,
    transcripts: Collection[str] = (),
) -> tuple[SpliceDelta, ...]:
    """Score one variant on every gene that it touches, on either strand; see `VariantScorer` for the arguments.

    Returns
    -------
    tuple of SpliceDelta
        One a gene, in the annotation's order; at least one.

    Raises
    ------
    OutsideGenesError
        If no gene contains the variant.
    ReferenceMismatchError, NoSequenceError, UnknownContigError, PositionOutOfRangeError
        If the variant does not fit the genome.
    SettingError, BuildMismatchError, UnknownGeneError
        If the arguments cannot be used, or not together.
    """
    return VariantScorer(genome, annotation, model, distance, mask, tuple(transcripts)).score(variant)


def score_variants(
    variants: Iterable[Variant | RawVariant | str],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    distance: int = 50,
    mask: Mask = Mask.ANNOTATED,
    transcripts: Collection[str] = (),
) -> Iterator[VariantResult]:
    """Score many variants, streaming; see `VariantScorer` for the arguments.

    An input may also be text: `chr3-37012011-A-G`, SPDI, HGVS, a VCF line.

    Yields
    ------
    VariantResult
        Exactly one an input, in the order of the inputs: scores, or the reason why there are none.
    """
    return VariantScorer(genome, annotation, model, distance, mask, tuple(transcripts)).score_all(variants)


@dataclass(frozen=True)
class _Job:
    """One variant on one transcript, waiting for the network."""

    variant: Variant
    gene: Gene
    transcript: Transcript
    window: VariantWindow


@dataclass(frozen=True)
class VariantScorer:
    """A base model on a genome with its annotation.

    Parameters
    ----------
    genome, annotation, model
        Where, which genes, and which network.
    distance
        How far from the variant a change is looked for, nt, 1 to 10,000. Beyond half the model's context nothing can
        change.
    mask
        How the masked scores are made.
    transcripts
        Ids of transcripts to take instead of their gene's representative, where they contain the variant (version
        optional). Each result names the transcript that it was made on.
    precision
        `Precision.BFLOAT16` computes the networks' convolutions in bf16: about twice as fast on a processor with
        matrix instructions for it, and no longer exact.
    plain
        Run both alleles of each variant whole, where the default computes of an alternate what differs from the
        reference; for comparison. A model that is no `NetworkModel` is always run so. The scores are the same.

    Raises
    ------
    SettingError, BuildMismatchError, UnknownGeneError
        If the arguments cannot be used, or not together.
    """

    genome: ReferenceGenome
    annotation: GeneAnnotation
    model: BaseModel
    distance: int = 50
    mask: Mask = Mask.ANNOTATED
    transcripts: tuple[str, ...] = ()
    precision: Precision = Precision.FLOAT32
    plain: bool = False
    _incremental: IncrementalScorer | None = field(init=False, repr=False, default=None)
    _chosen: dict[str, str] = field(init=False, repr=False, default_factory=dict)
    _sites: dict[tuple[str, str], SitePositions] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.distance <= MAX_DISTANCE:
            raise SettingError(f"A distance of {self.distance} nt cannot be used.", f"Give 1 to {MAX_DISTANCE:,} nt.")
        builds = self.genome.build, self.annotation.build
        if None not in builds and builds[0] is not builds[1]:
            raise BuildMismatchError(
                f"The genome is {builds[0]}, the annotation {builds[1]}.", "Give both in the same build."
            )
        for name in self.transcripts:
            transcript = self.annotation.transcript(name)
            if self._chosen.setdefault(transcript.gene_id, transcript.id) != transcript.id:
                raise SettingError(f"Two transcripts of {transcript.gene_name} were chosen.", "Choose one a gene.")
        networks = self.model.residual_networks if isinstance(self.model, NetworkModel) and not self.plain else ()
        if networks:
            object.__setattr__(self, "_incremental", IncrementalScorer(networks, self.precision))
        elif self.precision is not Precision.FLOAT32:
            raise SettingError(
                f"{self.model.info.name} is run whole, which is done in float32 only.",
                "Take precision=float32, or a model of residual networks without plain=True.",
            )

    @property
    def provenance(self) -> Provenance:
        """What every result of this scorer carries."""
        info = self.model.info
        return Provenance(
            predictor=info.name,
            version=info.version,
            weights_sha256=info.weights_sha256,
            build=self.genome.build,
            genome_id=self.genome.identity,
            annotation_source=self.annotation.source,
            annotation_sha256=self.annotation.digest,
            context=info.context,
            distance=self.distance,
            mask=self.mask,
            precision=self.precision,
            thresholds=info.thresholds,
        )

    @property
    def incremental(self) -> bool:
        """Whether alternates are computed from the reference's activations; if not, both alleles are run whole."""
        return self._incremental is not None

    def chunk_sizes(self) -> Iterator[int]:
        """Yield how many inputs `score_all` reads before it yields their rows: few at first, so that rows come soon."""
        most = _PLAIN_INPUTS_PER_CHUNK
        if self.incremental:
            most = min(_INPUTS_PER_CHUNK, _OUTPUTS_PER_CHUNK // (2 * self.distance + 1))
        size = _FIRST_CHUNK
        while True:
            yield size
            size = min(2 * size, most)

    def score(self, variant: Variant) -> tuple[SpliceDelta, ...]:
        """Score one variant; see `score_variant`. Every chosen transcript has to contain it."""
        checked = normalize_variant(variant, self.genome)
        jobs = self._jobs(checked)
        unused = set(self._chosen.values()) - {job.transcript.id for job in jobs}
        if unused:
            raise OutsideGenesError(
                f"{checked} lies outside {', '.join(sorted(unused))}.", "Choose another transcript, or none."
            )
        return self._run(jobs)

    def score_all(self, variants: Iterable[Variant | RawVariant | str]) -> Iterator[VariantResult]:
        """Score many; see `score_variants`."""
        stream = enumerate(variants)
        for size in self.chunk_sizes():
            if not (chunk := list(islice(stream, size))):
                return
            yield from self._chunk(chunk)

    def score_chunk(self, variants: Sequence[Variant | RawVariant | str]) -> Iterator[VariantResult]:
        """Score what is at hand, all of it before the first row comes; see `chunk_sizes` and `score_variants`."""
        return self._chunk(list(enumerate(variants)))

    def _chunk(self, chunk: Sequence[tuple[int, Variant | RawVariant | str]]) -> Iterator[VariantResult]:
        rows: list[tuple[int, str, Variant | None, list[_Job] | SpliceEngineError]] = []
        for index, given in chunk:
            variant: Variant | None = None
            text = given.text if isinstance(given, RawVariant) else str(given)
            try:
                if isinstance(given, str):
                    variant = resolve_variant(given, self.genome, self.annotation)
                else:
                    variant = normalize_variant(given, self.genome)
                rows.append((index, text, variant, self._jobs(variant)))
            except SpliceEngineError as error:
                rows.append((index, text, variant, error))
        deltas = iter(self._run([job for *_, outcome in rows if isinstance(outcome, list) for job in outcome]))
        for index, text, variant, outcome in rows:
            if isinstance(outcome, SpliceEngineError):
                yield VariantResult(index=index, text=text, variant=variant, not_scored=outcome.as_not_scored())
            else:
                yield VariantResult(index=index, text=text, variant=variant, deltas=tuple(islice(deltas, len(outcome))))

    def _jobs(self, variant: Variant) -> list[_Job]:
        if len(variant.ref) > _MAX_REF:
            raise SettingError(
                f"REF of {len(variant.ref):,} bases is too long to score as a small variant.",
                f"At most {_MAX_REF:,} bases.",
            )
        jobs = []
        for gene in self.annotation.genes_at_variant(variant):
            transcript = self._transcript(gene, variant)
            if transcript is not None:
                window = variant_window(
                    variant, transcript, self.genome, distance=self.distance, context=self.model.info.context
                )
                jobs.append(_Job(variant, gene, transcript, window))
        if not jobs:
            raise OutsideGenesError(
                f"{variant} lies in no gene of {self.annotation.source}.",
                "Splicing is scored inside genes; check build and annotation.",
            )
        return jobs

    def _transcript(self, gene: Gene, variant: Variant) -> Transcript | None:
        """Return the first of these that contains the variant: chosen, representative, longest."""

        def touched(transcript: Transcript) -> bool:
            return transcript.start < variant.end and variant.position <= transcript.end

        inside = {t.id: t for t in gene.transcripts if touched(t)}
        for wanted in (self._chosen.get(gene.id), gene.representative_id):
            if wanted in inside:
                return inside[wanted]
        return max(inside.values(), key=lambda t: (t.end - t.start, t.id), default=None)

    def _run(self, jobs: Sequence[_Job]) -> tuple[SpliceDelta, ...]:
        provenance, context = self.provenance, self.model.info.context
        if self._incremental is None:
            outputs = self._predict([(s, job.window.strand) for job in jobs for s in (job.window.ref, job.window.alt)])
        else:
            requests = [allele_request(job.window, job.variant, job.transcript, context=context) for job in jobs]
            outputs = [
                Prediction(softmax(logits)[None], logits[None])
                for alleles in self._incremental.logits(requests)
                for logits in alleles
            ]
        return tuple(
            self._delta(job, provenance, ref=outputs[2 * number], alt=outputs[2 * number + 1])
            for number, job in enumerate(jobs)
        )

    def _predict(self, wanted: Sequence[tuple[str, Strand]]) -> list[Prediction]:
        """Run each distinct sequence once, those of equal length in one batch; one Prediction [1, M, L, 3] each."""
        by_length: dict[int, list[tuple[str, Strand]]] = {}
        for key in dict.fromkeys(wanted):
            by_length.setdefault(len(key[0]), []).append(key)
        done: dict[tuple[str, Strand], Prediction] = {}
        for keys in by_length.values():
            batch: FloatArray = np.stack([encode(sequence, strand) for sequence, strand in keys])
            output = self.model.predict(batch)
            for row, key in enumerate(keys):
                done[key] = Prediction(output.probabilities[row : row + 1], output.logits[row : row + 1])
        return [done[key] for key in wanted]

    def _delta(self, job: _Job, provenance: Provenance, *, ref: Prediction, alt: Prediction) -> SpliceDelta:
        key = job.gene.contig, job.gene.id
        if key not in self._sites:
            self._sites[key] = annotated_sites(job.gene)
        context = self.model.info.context
        tracks = VariantTracks(
            ref=track(job.window, ref, alt=False, context=context),
            alt=track(job.window, alt, alt=True, context=context),
        )
        raw, masked = delta_scores(job.variant, tracks, job.transcript, self._sites[key], self.mask)
        return SpliceDelta(
            variant=job.variant,
            gene_id=job.gene.id,
            gene_name=job.gene.name,
            transcript_id=job.transcript.id,
            strand=job.gene.strand,
            provenance=provenance,
            window_start=job.window.start,
            window_end=job.window.end,
            context=job.window.context,
            raw=raw,
            masked=masked,
            tracks=tracks,
        )
