"""The paired delta predictor with a gated CNN; the HyenaDNA models of the same job are in `hyenadna_models`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.layers import GatedTrunk, mlp, real_positions

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_models import (
        HyenaDNABinaryClassifier,
        HyenaDNADeltaPredictor,
        SiameseHyenaDNA,
    )

__all__ = ["HyenaDNABinaryClassifier", "HyenaDNADeltaPredictor", "SiameseHyenaDNA", "SimpleCNNDeltaPredictor"]


def __getattr__(name: str) -> object:
    # Late, because the HyenaDNA models need transformers and this one does not.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__package__}.hyenadna_models"), name)


class SimpleCNNDeltaPredictor(MetaModule):
    """Siamese gated CNN: a head on the difference of the alleles' embeddings, position by position.

    The head has no bias: the delta is exactly zero where the alleles are equal within the receptive field (without
    dropout, which differs between the alleles).

    Parameters
    ----------
    hidden_dim, n_layers
        Channels and number of gated blocks.
    kernel_size
        Odd kernel width.
    dilations
        One a layer; by default 1, 2, 4, 8 and again.
    dropout
        Of channels in the blocks, of units in the head.
    separable
        Depthwise convolutions followed by 1x1.
    """

    inputs = ("ref", "alt")
    task = "paired_delta"

    def __init__(
        self,
        hidden_dim: int = 64,
        n_layers: int = 6,
        kernel_size: int = 15,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.1,
        separable: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = GatedTrunk(4, hidden_dim, n_layers, kernel_size, dilations, dropout, separable=separable)
        self.norm = nn.LayerNorm(hidden_dim, bias=False)  # a bias would cancel in the difference
        self.head = mlp((hidden_dim, hidden_dim, 2), dropout=dropout, bias=False)
        self.receptive_field = self.trunk.receptive_field

    def forward(self, ref: Tensor, alt: Tensor) -> Tensor:
        """Map both alleles, float [B, 4, L], to deltas of donor and acceptor within -1 to 1, [B, L, 2]."""
        delta: Tensor = torch.tanh(self.head(self._states(alt) - self._states(ref)))
        return delta

    def _states(self, sequence: Tensor) -> Tensor:
        states: Tensor = self.norm(self.trunk(sequence, real_positions(sequence)).transpose(1, 2))
        return states
