"""What a variant does to splice sites according to a base model: deltas, one result a gene."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import BaseModel, FloatArray, Prediction
from agentic_spliceai.splice_engine.base_layer.results import (
    ChangeKind,
    DeltaScores,
    Provenance,
    SiteChange,
    SpliceClass,
    SpliceDelta,
    VariantResult,
    VariantTracks,
)
from agentic_spliceai.splice_engine.base_layer.windows import VariantWindow, encode, track, variant_window
from agentic_spliceai.splice_engine.errors import BuildMismatchError, OutsideGenesError, SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant, resolve_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Transcript, Variant

MAX_DISTANCE = 10_000
_INPUTS_PER_CHUNK = 16
_MAX_REF = 10_000


class Mask(StrEnum):
    """How `SpliceDelta.masked` is made.

    `ANNOTATED`: a gain at a site of that type that some transcript of the gene has, and a loss anywhere else, are left
    out before the largest change is looked for, so that a real change never hides behind a masked one.
    `NEAREST_BOUNDARY`: as SpliceAI 1.3.1 and OpenSpliceAI do: only the one exon end nearest to the variant counts as
    annotated, for both types, and the largest raw change is set to 0 when the mask hits it.
    """

    ANNOTATED = "annotated"
    NEAREST_BOUNDARY = "nearest_boundary"


@dataclass(frozen=True)
class _Job:
    """One variant on one transcript, waiting for the network."""

    variant: Variant
    gene: Gene
    transcript: Transcript
    window: VariantWindow


def score_variant(
    variant: Variant,
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    distance: int = 50,
    mask: Mask = Mask.ANNOTATED,
) -> tuple[SpliceDelta, ...]:
    """Score one variant on every gene that it touches, on either strand.

    Parameters
    ----------
    variant
        SNV, insertion, deletion, MNV or delins; it is normalised and its REF checked here.
    genome, annotation, model
        Where, which genes, and which network.
    distance
        How far from the variant a change is looked for, nt, 1 to 10,000. Beyond half the model's context nothing can
        change.
    mask
        How `masked` is made.

    Returns
    -------
    tuple of SpliceDelta
        One a gene, in the annotation's order; at least one.

    Raises
    ------
    OutsideGenesError
        If no gene contains the variant.
    ReferenceMismatchError, NoSequenceError, UnknownContigError, PositionOutOfRangeError, UnsupportedAlleleError
        If the variant does not fit the genome.
    SettingError
        If `distance` cannot be used.
    """
    _check_settings(distance, genome, annotation)
    jobs = _jobs(normalize_variant(variant, genome), genome, annotation, model, distance)
    return _score_jobs(jobs, genome, annotation, model, distance, mask)


def score_variants(
    variants: Iterable[Variant | str],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    distance: int = 50,
    mask: Mask = Mask.ANNOTATED,
) -> Iterator[VariantResult]:
    """Score many variants, streaming, in batches.

    Parameters are those of `score_variant`; an input may also be text (`chr3-37012011-A-G`, SPDI, HGVS, a VCF line).

    Yields
    ------
    VariantResult
        Exactly one an input, in the order of the inputs: scores, or the reason why there are none.
    """
    _check_settings(distance, genome, annotation)
    stream = enumerate(variants)
    while chunk := list(islice(stream, _INPUTS_PER_CHUNK)):
        yield from _score_chunk(chunk, genome, annotation, model, distance, mask)


def _score_chunk(
    chunk: Sequence[tuple[int, Variant | str]],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    distance: int,
    mask: Mask,
) -> Iterator[VariantResult]:
    rows: list[tuple[int, str, Variant | None, list[_Job] | SpliceEngineError]] = []
    for index, given in chunk:
        variant: Variant | None = None
        try:
            if isinstance(given, Variant):
                variant = normalize_variant(given, genome)
            else:
                variant = resolve_variant(given, genome, annotation)
            rows.append((index, str(given), variant, _jobs(variant, genome, annotation, model, distance)))
        except SpliceEngineError as error:
            rows.append((index, str(given), variant, error))
    jobs = [job for *_, outcome in rows if isinstance(outcome, list) for job in outcome]
    deltas = iter(_score_jobs(jobs, genome, annotation, model, distance, mask))
    for index, text, variant, outcome in rows:
        if isinstance(outcome, SpliceEngineError):
            yield VariantResult(index=index, text=text, variant=variant, not_scored=outcome.as_not_scored())
        else:
            yield VariantResult(index=index, text=text, variant=variant, deltas=tuple(islice(deltas, len(outcome))))


def _check_settings(distance: int, genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    if not 1 <= distance <= MAX_DISTANCE:
        raise SettingError(f"A distance of {distance} nt cannot be used.", f"Give 1 to {MAX_DISTANCE:,} nt.")
    if genome.build is not None and annotation.build is not None and genome.build is not annotation.build:
        raise BuildMismatchError(
            f"The genome is {genome.build}, the annotation {annotation.build}.", "Give both in the same build."
        )


def _jobs(
    variant: Variant, genome: ReferenceGenome, annotation: GeneAnnotation, model: BaseModel, distance: int
) -> list[_Job]:
    if len(variant.ref) > _MAX_REF:
        raise SettingError(
            f"REF of {len(variant.ref):,} bases is too long to score as a small variant.",
            f"At most {_MAX_REF:,} bases.",
        )
    jobs = []
    for gene in annotation.genes_at_variant(variant):
        transcript = _transcript_for(gene, variant)
        window = variant_window(variant, transcript, genome, distance=distance, context=model.info.context)
        jobs.append(_Job(variant, gene, transcript, window))
    if not jobs:
        raise OutsideGenesError(
            f"{variant} lies in no gene of {annotation.source}.",
            "Splicing is scored inside genes; check build and annotation.",
        )
    return jobs


def _transcript_for(gene: Gene, variant: Variant) -> Transcript:
    """Return the representative if it contains the variant, else the gene's longest transcript that does."""

    def touched(transcript: Transcript) -> bool:
        return transcript.start < variant.end and variant.position <= transcript.end

    if touched(gene.representative):
        return gene.representative
    others = [t for t in gene.transcripts if touched(t)]
    return max(others, key=lambda t: (t.end - t.start, t.id)) if others else gene.representative


def _score_jobs(
    jobs: Sequence[_Job],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    distance: int,
    mask: Mask,
) -> tuple[SpliceDelta, ...]:
    info = model.info
    provenance = Provenance(
        predictor=info.name,
        version=info.version,
        weights_sha256=info.weights_sha256,
        build=genome.build,
        genome_id=genome.identity,
        annotation_source=annotation.source,
        annotation_sha256=annotation.digest,
        context=info.context,
        distance=distance,
        thresholds=info.thresholds,
    )
    outputs = _predict_all(model, [(s, job.window) for job in jobs for s in (job.window.ref, job.window.alt)])
    deltas = []
    for number, job in enumerate(jobs):
        ref, alt = (
            track(
                job.window,
                alt=is_alt,
                probabilities=output.probabilities[0],
                logits=output.logits[0],
                context=info.context,
            )
            for is_alt, output in ((False, outputs[2 * number]), (True, outputs[2 * number + 1]))
        )
        deltas.append(_delta(job, VariantTracks(ref=ref, alt=alt), provenance, mask))
    return tuple(deltas)


def _predict_all(model: BaseModel, sequences: Sequence[tuple[str, VariantWindow]]) -> list[Prediction]:
    """Run each distinct sequence once, those of equal length in one batch; returns one Prediction [1, M, L, 3] each."""
    wanted = [(sequence, window.strand) for sequence, window in sequences]
    by_length: dict[int, list[tuple[str, object]]] = {}
    for key in dict.fromkeys(wanted):
        by_length.setdefault(len(key[0]), []).append(key)
    done: dict[tuple[str, object], Prediction] = {}
    for keys in by_length.values():
        batch: FloatArray = np.stack([encode(sequence, strand) for sequence, strand in keys])  # type: ignore[arg-type]
        output = model.predict(batch)
        for row, key in enumerate(keys):
            done[key] = Prediction(output.probabilities[row : row + 1], output.logits[row : row + 1])
    return [done[key] for key in wanted]


def _delta(job: _Job, tracks: VariantTracks, provenance: Provenance, mask: Mask) -> SpliceDelta:
    positions, ref, alt = tracks.aligned()
    change = alt - ref
    sites = {
        site_type: np.array(
            sorted({s.position for t in job.gene.transcripts for s in t.splice_sites if s.type is site_type}),
            dtype=np.int64,
        )
        for site_type in SiteType
    }
    raw = _largest(job, tracks, positions, ref, alt, change, sites)
    if mask is Mask.NEAREST_BOUNDARY:
        masked = _nearest_boundary_mask(raw, job)
    else:
        masked = _largest(job, tracks, positions, ref, alt, _annotated_mask(change, positions, sites), sites)
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


def _annotated_mask(
    change: FloatArray, positions: npt.NDArray[np.int64], sites: dict[SiteType, npt.NDArray[np.int64]]
) -> FloatArray:
    """Set gains at annotated sites and losses elsewhere to 0, by class."""
    masked = change.copy()
    for site_type, column in ((SiteType.DONOR, SpliceClass.DONOR), (SiteType.ACCEPTOR, SpliceClass.ACCEPTOR)):
        annotated = np.isin(positions, sites[site_type])
        values = masked[:, column]
        masked[:, column] = np.where(annotated, np.minimum(values, 0), np.maximum(values, 0))
    return masked


def _largest(
    job: _Job,
    tracks: VariantTracks,
    positions: npt.NDArray[np.int64],
    ref: FloatArray,
    alt: FloatArray,
    change: FloatArray,
    sites: dict[SiteType, npt.NDArray[np.int64]],
) -> DeltaScores:
    """Pick the largest gain and loss of each class; the first along the plus strand on ties."""
    found: dict[str, SiteChange] = {}
    for kind, site_type, column, sign in (
        (ChangeKind.ACCEPTOR_GAIN, SiteType.ACCEPTOR, SpliceClass.ACCEPTOR, 1.0),
        (ChangeKind.ACCEPTOR_LOSS, SiteType.ACCEPTOR, SpliceClass.ACCEPTOR, -1.0),
        (ChangeKind.DONOR_GAIN, SiteType.DONOR, SpliceClass.DONOR, 1.0),
        (ChangeKind.DONOR_LOSS, SiteType.DONOR, SpliceClass.DONOR, -1.0),
    ):
        signed = sign * change[:, column]
        index = int(signed.argmax())
        position = int(positions[index])
        found[kind.value] = SiteChange(
            kind=kind,
            # A class that only rises has a negative "loss" in the published tools; nothing was lost, so it is 0 here.
            score=min(max(float(signed[index]), 0.0), 1.0),
            position=position,
            offset=position - job.variant.position,
            insert_offset=_insert_offset(tracks, position, column),
            ref_score=float(ref[index, column]),
            alt_score=float(alt[index, column]),
            annotated=bool(np.isin(position, sites[site_type])),
        )
    return DeltaScores(**found)


def _insert_offset(tracks: VariantTracks, position: int, column: SpliceClass) -> int:
    """Tell which of the bases that share an anchor's position has the class's largest probability on the alternate."""
    rows = np.flatnonzero(tracks.alt.positions == position)
    if len(rows) < 2:
        return 0
    best = rows[int(tracks.alt.mean[rows, column].argmax())]
    return int(tracks.alt.insert_offsets[best])


def _nearest_boundary_mask(raw: DeltaScores, job: _Job) -> DeltaScores:
    """Mask as the published tools do: one boundary counts, and what the mask hits becomes 0 where it stands."""
    ends = sorted({start + 1 for start, _ in job.transcript.exons} | {end for _, end in job.transcript.exons})
    boundary = min(ends, key=lambda end: abs(end - job.variant.position))
    masked: dict[str, SiteChange] = {}
    for change in raw.changes():
        is_gain = change.kind in (ChangeKind.ACCEPTOR_GAIN, ChangeKind.DONOR_GAIN)
        hit = (change.position == boundary) == is_gain
        masked[change.kind.value] = change.model_copy(update={"score": 0.0}) if hit else change
    return DeltaScores(**masked)
