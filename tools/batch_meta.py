"""What a trained meta-layer says of the variants of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from agentic_spliceai.splice_engine.base_layer.results import VariantResult
from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.meta import base_model_of, find_meta_model

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle


class MetaJudge:
    """A trained model with the base model that it reads.

    Parameters
    ----------
    name
        Checkpoint, or a folder with an ensemble's.
    bundle
        Genome and annotation.
    resources
        Where models are found.

    Raises
    ------
    CheckpointError
        If there is no such model, or it says nothing of variants.
    """

    def __init__(self, name: str, bundle: GenomeBundle, resources: Resources) -> None:
        context = ToolContext(resources)
        predictor = find_meta_model(name, context)
        assert predictor is not None
        self._predictor = predictor
        self._bundle = bundle
        self._base = base_model_of(predictor, context)
        # Whether the models fit together is said now, and not with the first variant.
        tuple(predictor.predict_variants((), bundle.genome, bundle.annotation, self._base))
        self.card_sha256 = predictor.card_sha256

    def judge(self, results: Sequence[VariantResult]) -> list[tuple[VariantPrediction, ...]]:
        """Return predictions, one a gene with scores, for each result."""
        scored = [result for result in results if result.deltas]
        variants = [result.variant for result in scored if result.variant is not None]
        said: dict[tuple[int, str | None], VariantPrediction] = {}
        if variants:
            rows = self._predictor.predict_variants(variants, self._bundle.genome, self._bundle.annotation, self._base)
            said = {(row.index, row.gene_id): row for row in rows}
        number = count()
        return [_of_genes(result, next(number), said) if result.deltas else () for result in results]


def meta_call(said: VariantPrediction) -> str:
    """Return `altering`, `not_altering`, or nothing where there is no probability or no threshold."""
    triage = said.triage
    if triage is None or triage.probability is None or triage.threshold is None:
        return ""
    return "altering" if triage.probability >= triage.threshold else "not_altering"


def _of_genes(
    result: VariantResult, number: int, said: dict[tuple[int, str | None], VariantPrediction]
) -> tuple[VariantPrediction, ...]:
    rows = []
    for delta in result.deltas:
        row = said.get((number, delta.gene_id)) or said.get((number, None))
        if row is None:
            reason = NotScored(
                code="not_judged", message=f"The meta-layer says nothing about {delta.gene_name}.", advice=""
            )
            row = VariantPrediction(index=0, text=result.text, variant=result.variant, not_scored=reason)
        about = {"index": result.index, "text": result.text, "gene_id": delta.gene_id, "gene_name": delta.gene_name}
        rows.append(row.model_copy(update=about))
    return tuple(rows)
