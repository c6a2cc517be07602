"""What is learned on top of a base model: recalibrated sites, predicted deltas, triage of variants.

The names below are imported when they are first used, so that result types can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig
    from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
    from agentic_spliceai.splice_engine.meta_layer.data.dataset import MetaLayerDataset
    from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader
    from agentic_spliceai.splice_engine.meta_layer.data.splicevardb import load_splicevardb
    from agentic_spliceai.splice_engine.meta_layer.data.variant_dataset import VariantDataset
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
    from agentic_spliceai.splice_engine.meta_layer.training.trainer import MetaTrainer

__all__ = [
    "ArtifactLoader",
    "MetaLayerConfig",
    "MetaLayerDataset",
    "MetaPredictor",
    "MetaTrainer",
    "VariantDataset",
    "load_splicevardb",
    "write_artifacts",
]

_HOMES = {
    "ArtifactLoader": "data.loader",
    "MetaLayerConfig": "config",
    "MetaLayerDataset": "data.dataset",
    "MetaPredictor": "inference",
    "MetaTrainer": "training.trainer",
    "VariantDataset": "data.variant_dataset",
    "load_splicevardb": "data.splicevardb",
    "write_artifacts": "data.artifacts",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "MetaTrainer":
        from agentic_spliceai.splice_engine.meta_layer.extras import require

        require("lightning", purpose="training")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
