"""Triage a part of a list of variants: the base model's scores, and a trained meta-layer's word where there is one."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from agentic_spliceai import __version__
from agentic_spliceai.records.errors import ArtifactError
from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta, Thresholds
from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
from agentic_spliceai.tools.batch import BatchInput, score_inputs
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.meta import MODEL, base_model_of, find_meta_model
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolSpec
from agentic_spliceai.tools.triage_rows import (
    TriagedChunk,
    TriageRow,
    VcfChunk,
    Verdict,
    judged_by_score,
    read_chunk,
    row_lines,
    score_cells,
    tally,
)
from agentic_spliceai.tools.types import WEIGHTS, GenomeArgs

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor

log = logging.getLogger(__name__)

_PROGRESS_EVERY = 50
# Changes when rows mean something else, so that no result of an earlier version is taken for one of this.
_ROWS_VERSION = 1


class TriageChunkArgs(GenomeArgs):
    """The part, the genome and the models."""

    chunk: VcfChunk = Field(description="A part, as split_vcf returns it.")
    base_model: str = Field(default="small", min_length=1, description="Base model of the registry.")
    weights: Annotated[str | None, PathAccess.READ] = Field(default=None, description=WEIGHTS)
    model: Annotated[str | None, PathAccess.READ] = Field(default=None, description=MODEL)
    distance: int = Field(default=50, ge=1, le=10_000, description="How far from the variant changes are sought, nt.")
    masked: bool = Field(default=False, description="Leave out gains at annotated sites and losses elsewhere.")


@dataclass(frozen=True)
class _Judges:
    """What verdicts rest on."""

    made_by: str
    key: str
    thresholds: Thresholds
    meta: MetaPredictor | None


def run(args: TriageChunkArgs, context: ToolContext) -> TriagedChunk:
    """Triage every input of the part, one row a gene or one with the reason; none is lost.

    With a trained meta-layer model its calibrated probability decides; an input that it cannot judge has no verdict,
    though the base model's scores stand in its row. Without one the base model's largest score and its thresholds
    decide. What was triaged before by the same models on the same genome is not done again.

    Raises
    ------
    ArtifactError
        If the part is missing or damaged.
    SpliceEngineError
        If the genome or a model cannot be opened. What is wrong with one input is in its row.
    """
    judges = _judges(args, context)
    kept = _Kept(context, judges.key) if context.keep_record else None
    if kept is not None and (done := kept.read(args.chunk)) is not None:
        return done
    inputs = read_chunk(context.artifacts.path(args.chunk.sha256))
    rows = list(_rows(args, inputs, judges, context))
    verdicts, reasons = tally(rows)
    chunk = TriagedChunk(
        index=args.chunk.index,
        inputs=len(inputs),
        rows=len(rows),
        sha256=context.artifacts.put_bytes(row_lines(rows)),
        verdicts=verdicts,
        reasons=reasons,
        made_by=judges.made_by,
    )
    if kept is not None:
        kept.write(chunk)
    return chunk


def _judges(args: TriageChunkArgs, context: ToolContext) -> _Judges:
    bundle = context.resources.genome(args.genome, args.annotation)
    info = context.resources.base_model(args.base_model, args.weights).info
    meta = find_meta_model(args.model, context)
    if meta is not None:
        # A model for something else is refused now.
        meta.triage((), bundle.genome, bundle.annotation, base_model_of(meta, context))
    parts = [
        str(_ROWS_VERSION), __version__, args.chunk.sha256, bundle.genome.identity, bundle.annotation.digest,
        info.name, info.version, *info.weights_sha256, str(args.distance), str(args.masked),
        info.thresholds.model_dump_json(), meta.card_sha256 if meta else "",
    ]  # fmt: skip
    kind = "masked" if args.masked else "raw"
    scores = f"{info.name} {info.version}, largest {kind} change within {args.distance} nt"
    if meta is None:
        limits = info.thresholds
        calibrated = "calibrated" if limits.calibrated else "not calibrated"
        made_by = f"{scores}: altering from {limits.moderate:g}, possible from {limits.weak:g} ({calibrated})"
    else:
        made_by = f"meta-layer model {meta.card_sha256[:12]} (calibrated probability); beside it {scores}"
    key = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return _Judges(made_by, key, info.thresholds, meta)


def _rows(
    args: TriageChunkArgs, inputs: Sequence[tuple[int, BatchInput]], judges: _Judges, context: ToolContext
) -> Iterator[TriageRow]:
    results = score_inputs(
        [item for _, item in inputs],
        context.resources,
        genome=args.genome,
        annotation=args.annotation,
        base_model=args.base_model,
        weights=args.weights,
        distance=args.distance,
        meta_model=args.model if judges.meta is not None else None,
    )
    for number, ((index, item), result) in enumerate(zip(inputs, results, strict=True)):
        if number % _PROGRESS_EVERY == 0:
            context.listen(ToolProgress(f"part {args.chunk.index + 1}", number, len(inputs)))
        head = {"index": index, "input": item.text, "record": item.record, "id": item.id}
        head["variant"] = str(result.variant) if result.variant else ""
        if result.not_scored is not None:
            yield TriageRow(**head, verdict=Verdict.NOT_JUDGED, **_reason(result.not_scored))
        for delta, said in zip_longest(result.deltas, result.meta):
            yield TriageRow(**head, **_base_cells(delta, args.masked), **_verdict(delta, said, judges, args.masked))
    context.listen(ToolProgress(f"part {args.chunk.index + 1}", len(inputs), len(inputs)))


def _base_cells(delta: SpliceDelta, masked: bool) -> dict[str, Any]:
    return {
        "gene_id": delta.gene_id,
        "gene_name": delta.gene_name,
        "strand": delta.strand.value,
        "transcript_id": delta.transcript_id,
        "predictor": f"{delta.provenance.predictor} {delta.provenance.version}",
        **score_cells(delta.masked if masked else delta.raw),
    }


def _verdict(delta: SpliceDelta, said: VariantPrediction | None, judges: _Judges, masked: bool) -> dict[str, Any]:
    if said is None:
        score = (delta.masked if masked else delta.raw).max_score
        limits = judges.thresholds
        return {
            "verdict": judged_by_score(score, limits), "judged_by": "base_model", "threshold": limits.moderate,
        }  # fmt: skip
    triage = said.triage
    if triage is None or triage.probability is None:
        reason = said.not_scored or NotScored(
            code="not_judged", message=f"The meta-layer says nothing about {delta.gene_name}.", advice=""
        )
        return {"verdict": Verdict.NOT_JUDGED, **_reason(reason)}
    cells = {
        "judged_by": "meta_layer",
        "probability": round(triage.probability, 6),
        "probability_low": None if triage.probability_low is None else round(triage.probability_low, 6),
        "probability_high": None if triage.probability_high is None else round(triage.probability_high, 6),
        "threshold": triage.threshold,
        "model_card_sha256": triage.model_card_sha256 or "",
        "caveats": "; ".join(triage.caveats),
    }
    if triage.threshold is None:
        reason = NotScored(
            code="no_threshold",
            message="The trained model has no threshold.",
            advice="Read the probability, or take a model whose threshold was chosen on validation data.",
        )
        return {"verdict": Verdict.NOT_JUDGED, **cells, **_reason(reason)}
    altering = triage.probability >= triage.threshold
    return {"verdict": Verdict.ALTERING if altering else Verdict.NOT_ALTERING, **cells}


def _reason(reason: NotScored) -> dict[str, str]:
    return {"reason_code": reason.code, "reason": reason.message, "advice": reason.advice}


class _Kept:
    """Remembers, by what made it, which artifact a triaged part became; in the cache folder, and checked when read."""

    def __init__(self, context: ToolContext, key: str) -> None:
        self._artifacts = context.artifacts
        self._path: Path = context.settings.cache_dir / "triage" / key[:2] / f"{key}.json"

    def read(self, chunk: VcfChunk) -> TriagedChunk | None:
        """Return what was made of the part before, if it and its rows are still there."""
        try:
            kept = TriagedChunk.model_validate_json(self._path.read_bytes(), strict=True)
            self._artifacts.path(kept.sha256)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, ArtifactError) as error:
            log.warning("%s cannot be used and is made again: %s", self._path, error)
            return None
        # The same inputs may be another part of another file.
        return kept.model_copy(update={"index": chunk.index})

    def write(self, chunk: TriagedChunk) -> None:
        """Remember a part; without a place to do so it will be made again."""
        part = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(chunk.model_dump_json(), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)


TOOL = ToolSpec(
    name="triage_chunk",
    purpose="Triage a part of a VCF: base scores and verdict of each variant on each gene, or the reason for none.",
    args=TriageChunkArgs,
    result=TriagedChunk,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.MINUTES,
    function=run,
)
