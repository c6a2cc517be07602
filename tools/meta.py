"""Where tools find a trained meta-layer model."""

from __future__ import annotations

from typing import Protocol

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, TriageResult


class MetaModel(Protocol):
    """A trained meta-layer, as far as the tools use it."""

    def triage(self, delta: SpliceDelta) -> TriageResult:
        """Return the calibrated probability that the variant alters splicing."""
        ...

    def predict_delta(self, delta: SpliceDelta) -> DeltaPrediction:
        """Return the deltas that the meta-layer predicts."""
        ...


def find_meta_model(name: str | None) -> MetaModel | None:
    """Return the trained meta-layer model called `name` (None: the default one), or None where there is none."""
    return None


def no_trained_model(name: str | None) -> str:
    """Say that there is no model, and what the result rests on instead."""
    missing = "No trained meta-layer model is available" if name is None else f"There is no trained model {name!r}"
    return f"{missing}: the result rests on the base model's scores alone, and no calibrated probability is given."
