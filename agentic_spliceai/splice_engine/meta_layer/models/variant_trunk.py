"""What the single-pass variant models share: the alternate sequence and the changed base, as one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory
from agentic_spliceai.splice_engine.meta_layer.models.fusion import CrossAttentionFusion
from agentic_spliceai.splice_engine.meta_layer.models.inputs import as_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.layers import real_positions
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown

VARIANTS = ("basic", "attention")


class VariantTrunk(nn.Module):
    """Encodes the alternate sequence once and joins it with what the variant is.

    Parameters
    ----------
    variant
        `basic`: the pooled sequence beside the embedded bases. `attention`: the bases look at the positions around the
        variant, and these at the bases.
    hidden_dim
        Width D of either.
    encoder, encoder_options
        For `SequenceEncoderFactory`.
    dropout
        Of attention weights.

    Raises
    ------
    SettingError
        If there is no such variant.
    """

    def __init__(
        self, variant: str, hidden_dim: int, encoder: str, encoder_options: Mapping[str, Any], dropout: float
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise unknown("variant of the model", variant, VARIANTS)
        self.encoder = SequenceEncoderFactory.create(encoder, hidden_dim, **encoder_options)
        self.bases = nn.Linear(8, hidden_dim)
        self.output_dim = 2 * hidden_dim
        self.attention: CrossAttentionFusion | None = None
        if variant == "attention":
            self.ref_token, self.alt_token = nn.Linear(4, hidden_dim), nn.Linear(4, hidden_dim)
            self.attention = CrossAttentionFusion(hidden_dim, dropout=dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Map float [B, 4, L] (or ids [B, L]), the variant in the middle, and two float [B, 4] to [B, 2D]."""
        change = self.bases(torch.cat([ref_base, alt_base], dim=1))
        if self.attention is None:
            return torch.cat([self.encoder(alt), change], dim=1)
        tokens = torch.stack([change, self.ref_token(ref_base), self.alt_token(alt_base)], dim=1)
        fused: Tensor = self.attention(self.encoder.encode_positions(alt), tokens, real_positions(as_one_hot(alt)))
        return fused


def encoder_arguments(
    encoder: str,
    hidden_dim: int,
    n_layers: int,
    kernel_size: int,
    dropout: float,
    options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return an encoder's options: the model's own shape for a gated CNN, and `options`, which win."""
    shape: dict[str, Any] = {}
    if encoder == "gated_cnn":
        shape = {"hidden_dim": hidden_dim, "n_layers": n_layers, "kernel_size": kernel_size, "dropout": dropout}
    return {**shape, **(options or {})}
