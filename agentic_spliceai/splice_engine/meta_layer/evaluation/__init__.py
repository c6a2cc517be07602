"""Measures with their intervals, one evaluator for every model, and its digest.

A model is never evaluated alone: every `evaluate_*` asks for the base model's scores of the same rows. The names below
are imported when they are first used, so that result types can be read without scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
    from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import evaluator_digest
    from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import (
        Subject,
        evaluate_classification,
        evaluate_delta,
        evaluate_positions,
        evaluate_triage,
    )
    from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
    from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import to_markdown
    from agentic_spliceai.splice_engine.meta_layer.training.calibration import Threshold, choose_threshold

__all__ = [
    "Bootstrap",
    "EvaluationResult",
    "Subject",
    "Threshold",
    "choose_threshold",
    "evaluate_classification",
    "evaluate_delta",
    "evaluate_positions",
    "evaluate_triage",
    "evaluator_digest",
    "to_markdown",
]

_HOMES = {
    "Bootstrap": ".bootstrap",
    "EvaluationResult": ".results",
    "Subject": ".evaluator",
    "Threshold": "..training.calibration",
    "choose_threshold": "..training.calibration",
    "evaluate_classification": ".evaluator",
    "evaluate_delta": ".evaluator",
    "evaluate_positions": ".evaluator",
    "evaluate_triage": ".evaluator",
    "evaluator_digest": ".digest",
    "to_markdown": ".tables",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
