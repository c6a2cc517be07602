"""Scoring inputs in one process: genome, annotation and model are opened once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentic_spliceai.splice_engine.base_layer.results import VariantResult
from agentic_spliceai.tools.batch_types import BatchResult, Chunk
from agentic_spliceai.tools.context import Resources


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
        from agentic_spliceai.splice_engine.base_layer.results import Mask, Precision
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

    def chunk_sizes(self) -> Iterator[int]:
        """Yield how many inputs to score together; see `VariantScorer`."""
        return self._scorer.chunk_sizes()

    def score(self, chunk: Chunk) -> list[BatchResult]:
        """Score inputs: one result each, in order, without the scores by position, which would fill the memory."""
        found = self._scorer.score_chunk([item.raw or item.text for _, item in chunk if item.not_scored is None])
        results = []
        for index, item in chunk:
            if item.not_scored is not None:
                result = VariantResult(index=index, text=item.text, not_scored=item.not_scored)
            else:
                result = next(found)
            results.append(
                BatchResult(
                    index=index,
                    text=result.text,
                    variant=result.variant,
                    deltas=tuple(delta.model_copy(update={"tracks": None}) for delta in result.deltas),
                    not_scored=result.not_scored,
                    record=item.record,
                    id=item.id,
                )
            )
        return results
