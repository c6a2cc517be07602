"""Paired delta prediction, second form: each allele gets probabilities of its own, position by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory, options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import CLASSES
from agentic_spliceai.splice_engine.meta_layer.models.layers import mlp


class DeltaPredictorV2(MetaModule):
    """Siamese: probabilities of donor, acceptor and neither at each position, those of alternate minus reference.

    Deltas lie within -1 to 1; swapping the alleles changes their sign; equal alleles give exactly zero (without
    dropout, which differs between the alleles).

    Parameters
    ----------
    encoder
        Name for `SequenceEncoderFactory`.
    hidden_dim
        Width of embedding and head.
    encoder_options
        Further arguments of the encoder.
    dropout
        Of the head.
    """

    inputs = ("ref", "alt")
    task = "paired_delta"

    def __init__(
        self,
        encoder: str = "cnn",
        hidden_dim: int = 128,
        encoder_options: Mapping[str, Any] | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = SequenceEncoderFactory.create(encoder, hidden_dim, **(encoder_options or {}))
        self.config = {**self.config, "encoder_options": options_of(self.encoder, encoder_options)}
        self.head = nn.Sequential(nn.GELU(), mlp((hidden_dim, hidden_dim, CLASSES), dropout=dropout))

    def forward(self, ref: Tensor, alt: Tensor) -> Tensor:
        """Map both alleles, float [B, 4, L], to deltas of donor and acceptor, [B, L, 2]."""
        return self._sites(alt) - self._sites(ref)

    def _sites(self, sequence: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder.encode_positions(sequence))
        return logits.softmax(dim=2)[:, :, :2]
