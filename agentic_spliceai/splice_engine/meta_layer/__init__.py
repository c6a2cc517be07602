"""What is learned on top of a base model: recalibrated sites, predicted deltas, triage of variants.

The names below are imported when they are first used, so that result types can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig

__all__ = ["MetaLayerConfig"]

_HOMES = {"MetaLayerConfig": "config"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
