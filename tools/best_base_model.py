"""Which base model answers a question that names none."""

from __future__ import annotations

from agentic_spliceai.splice_engine.base_layer.registry import base_models
from agentic_spliceai.splice_engine.resources import ResourceResolver

_BEST_FIRST = ("openspliceai",)
SMALL = "small"
"""Ships with the package."""


def best_base_model(resolver: ResourceResolver, genome: str) -> str:
    """Return the best base model whose weights are on this machine; nothing is downloaded.

    Parameters
    ----------
    resolver
        Knows where weights are.
    genome
        For the demo genome it is always the one that ships with the package.
    """
    if genome == "demo":
        return SMALL
    entries = base_models(resolver.data_dir / "base_models.yaml")
    for name in _BEST_FIRST:
        entry = entries.get(name)
        if entry is not None and all(resolver.locate(file) is not None for file in entry.files):
            return name
    return SMALL
