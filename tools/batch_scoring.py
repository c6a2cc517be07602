"""Scoring inputs in one process: genome, annotation and model are opened once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from agentic_spliceai.splice_engine.base_layer.results import Mask, Precision, Provenance, VariantResult
from agentic_spliceai.tools.batch_types import BatchResult, Chunk
from agentic_spliceai.tools.context import Resources

if TYPE_CHECKING:
    from agentic_spliceai.tools.batch_meta import MetaJudge


@dataclass(frozen=True)
class ScoringOptions:
    """What decides the scores, by name: a process of its own can open it again. `VariantScorer` says what it means."""

    genome: str
    annotation: str | None
    base_model: str
    weights: str | None
    transcripts: tuple[str, ...]
    distance: int
    mask: str
    precision: str
    meta_model: str | None = None


class BatchScorer:
    """Scores chunks of inputs.

    Parameters
    ----------
    options
        What to score with.
    resources
        Where it is found.

    Raises
    ------
    SpliceEngineError
        If the genome or the model cannot be opened, or the options cannot be used.
    """

    def __init__(self, options: ScoringOptions, resources: Resources) -> None:
        from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer

        bundle = resources.genome(options.genome, options.annotation)
        self._scorer = VariantScorer(
            bundle.genome,
            bundle.annotation,
            resources.base_model(options.base_model, options.weights),
            options.distance,
            Mask(options.mask),
            options.transcripts,
            Precision(options.precision),
        )
        self._meta: MetaJudge | None = None
        if options.meta_model is not None:
            from agentic_spliceai.tools.batch_meta import MetaJudge

            self._meta = MetaJudge(options.meta_model, bundle, resources)

    @property
    def provenance(self) -> Provenance:
        """What every score carries."""
        return self._scorer.provenance

    @property
    def meta_card(self) -> str | None:
        """Digest of the trained meta-layer's card, if there is one."""
        return self._meta.card_sha256 if self._meta is not None else None

    def chunk_sizes(self) -> Iterator[int]:
        """Yield how many inputs to score together; see `VariantScorer`."""
        return self._scorer.chunk_sizes()

    def score(self, chunk: Chunk) -> list[BatchResult]:
        """Score inputs: one result each, in order, without the scores by position, which would fill the memory."""
        found = self._scorer.score_chunk([item.raw or item.text for _, item in chunk if item.not_scored is None])
        results = [
            next(found)
            if item.not_scored is None
            else VariantResult(index=index, text=item.text, not_scored=item.not_scored)
            for index, item in chunk
        ]
        said = self._meta.judge(results) if self._meta is not None else repeat(())
        return [
            BatchResult(
                index=index,
                text=result.text,
                variant=result.variant,
                deltas=tuple(delta.model_copy(update={"tracks": None}) for delta in result.deltas),
                not_scored=result.not_scored,
                record=item.record,
                id=item.id,
                meta=meta,
            )
            for (index, item), result, meta in zip(chunk, results, said, strict=False)
        ]
