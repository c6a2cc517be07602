"""Variant models on HyenaDNA: delta and triage from the alternate sequence, and a siamese one that sees both alleles.

Each takes `encoder_options`, the arguments of `HyenaDNAEncoder`: release, frozen or last blocks free, pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.heads import CLASSES, DeltaHead
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_encoder import HyenaDNAEncoder
from agentic_spliceai.splice_engine.meta_layer.models.layers import mlp
from agentic_spliceai.splice_engine.meta_layer.models.naming import construct


class _HyenaDNAModel(MetaModule):
    """What the models share: the encoder, and a configuration that builds it again without looking for weights."""

    def __init__(self, encoder_options: Mapping[str, Any] | None) -> None:
        super().__init__()
        # The network's own width: a projection belongs to the head, which has the head's learning rate.
        options = {"output_dim": None, **(encoder_options or {})}
        self.encoder: HyenaDNAEncoder = construct(HyenaDNAEncoder, options, what="the HyenaDNA encoder")
        self.config["encoder_options"] = dict(self.encoder.config)


class _SinglePass(_HyenaDNAModel):
    """Embedding of the alternate sequence beside one of the changed base; the head is an MLP of three layers."""

    inputs = ("alt", "ref_base", "alt_base")

    def __init__(self, hidden_dim: int, encoder_options: Mapping[str, Any] | None) -> None:
        super().__init__(encoder_options)
        self.projection = nn.Sequential(
            nn.Linear(self.encoder.output_dim, hidden_dim), nn.LayerNorm(hidden_dim), nn.GELU()
        )
        self.variant = nn.Sequential(nn.Linear(8, hidden_dim), nn.LayerNorm(hidden_dim), nn.GELU())

    def _joined(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        change = self.variant(torch.cat([ref_base, alt_base], dim=1))
        return torch.cat([self.projection(self.encoder(alt)), change], dim=1)


class HyenaDNADeltaPredictor(_SinglePass):
    """Delta of donor, acceptor and neither from the alternate sequence and the changed base.

    Alternate sequence, tokens, encoder, pooling and projection on one side, both bases on the other, then an MLP of
    three layers.

    Parameters
    ----------
    hidden_dim
        Width of either embedding and of the head's first layer.
    dropout
        Of the head's hidden units.
    encoder_options
        Arguments of `HyenaDNAEncoder`.
    """

    task = "delta"

    def __init__(
        self, hidden_dim: int = 256, dropout: float = 0.1, encoder_options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(hidden_dim, encoder_options)
        self.head = DeltaHead(2 * hidden_dim, hidden_dim, dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Map alt float [B, 4, L] (or ids [B, L]), ref_base and alt_base float [B, 4] to deltas [B, 3]."""
        delta: Tensor = self.head(self._joined(alt, ref_base, alt_base))
        return delta


class HyenaDNABinaryClassifier(_SinglePass):
    """Whether a variant alters splicing, from the alternate sequence and the changed base.

    Parameters
    ----------
    hidden_dim
        Width of either embedding and of the head's first layer.
    dropout
        Of the head's hidden units.
    encoder_options
        Arguments of `HyenaDNAEncoder`.
    """

    task = "binary"

    def __init__(
        self, hidden_dim: int = 256, dropout: float = 0.1, encoder_options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(hidden_dim, encoder_options)
        self.head = mlp((2 * hidden_dim, hidden_dim, hidden_dim // 2, 1), dropout=dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Map alt float [B, 4, L] (or ids [B, L]), ref_base and alt_base float [B, 4] to a logit [B]."""
        logit: Tensor = self.head(self._joined(alt, ref_base, alt_base)).squeeze(1)
        return logit


class SiameseHyenaDNA(_HyenaDNAModel):
    """Delta from both alleles: one encoder reads each, and the head sees only where and how the embeddings differ.

    No layer after the difference has a bias, so that the delta is exactly zero where the alleles are equal. The encoder
    is causal, so embeddings differ from the variant on; a mean alone would dilute a change at the window's end, which
    is why the head sees the largest change as well. Aligned alleles of an indel have Ns where a base is missing.

    Parameters
    ----------
    hidden_dim
        Width of the projected difference and of the head's first layer.
    dropout
        Of the head's hidden units.
    encoder_options
        Arguments of `HyenaDNAEncoder`. With everything free (`unfreeze_last` None), the embedding's dropout acts on
        either allele by itself in training, and equal alleles differ then.
    """

    inputs = ("ref", "alt")
    task = "delta"

    def __init__(
        self, hidden_dim: int = 256, dropout: float = 0.1, encoder_options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(encoder_options)
        self.projection = nn.Linear(self.encoder.output_dim, hidden_dim, bias=False)
        self.head = mlp((2 * hidden_dim, hidden_dim, hidden_dim, 2 * CLASSES), dropout=dropout, bias=False)

    def forward(self, ref: Tensor, alt: Tensor) -> Tensor:
        """Map both alleles, float [B, 4, L] or ids [B, L] of one length, to deltas [B, 3] that add up to 0."""
        # One after the other and not as one batch: only equal shapes are sure to be rounded equally.
        change = self.encoder.encode_positions(alt) - self.encoder.encode_positions(ref)
        change = nn.functional.gelu(self.projection(change))
        largest = change.abs().argmax(dim=1, keepdim=True)
        pooled = torch.cat([change.mean(dim=1), change.gather(1, largest).squeeze(1)], dim=1)
        before, after = self.head(pooled).chunk(2, dim=1)
        delta: Tensor = after.softmax(dim=1) - before.softmax(dim=1)
        return delta
