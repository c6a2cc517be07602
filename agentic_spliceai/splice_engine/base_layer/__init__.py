"""What the base model says: network, weights, registry, scoring.

The names below load torch when they are first used, so that result types can be read without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.model import BaseModel, EnsembleModel
    from agentic_spliceai.splice_engine.base_layer.registry import base_models, load_base_model
    from agentic_spliceai.splice_engine.base_layer.scoring import Mask, VariantScorer, score_variant, score_variants

__all__ = [
    "BaseModel",
    "EnsembleModel",
    "Mask",
    "VariantScorer",
    "base_models",
    "load_base_model",
    "score_variant",
    "score_variants",
]

_HOMES = {
    "BaseModel": "model",
    "EnsembleModel": "model",
    "Mask": "scoring",
    "VariantScorer": "scoring",
    "base_models": "registry",
    "load_base_model": "registry",
    "score_variant": "scoring",
    "score_variants": "scoring",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
