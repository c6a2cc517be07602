"""Paired delta prediction, first form: one encoder for both alleles, a head on the difference of their embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory, options_of
from agentic_spliceai.splice_engine.meta_layer.models.inputs import as_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.layers import masked_mean, mlp, real_positions


class DeltaPredictor(MetaModule):
    """Siamese: a head on `encoder(alt) - encoder(ref)`, position by position.

    The head sees the difference at the position, gated by what the reference has there, and the mean difference over
    the window. It has no bias, so that equal alleles give exactly zero (without dropout, which differs between them).

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
        self.gate = nn.Linear(hidden_dim, hidden_dim)
        self.head = mlp((2 * hidden_dim, hidden_dim, 2), dropout=dropout, bias=False)

    def forward(self, ref: Tensor, alt: Tensor) -> Tensor:
        """Predict the deltas.

        Parameters
        ----------
        ref, alt : float [B, 4, L]
            Both alleles, aligned.

        Returns
        -------
        float [B, L, 2]
            Change of the donor and acceptor probability, within -1 to 1.
        """
        reference = self.encoder.encode_positions(ref)
        difference = self.encoder.encode_positions(alt) - reference
        real = real_positions(as_one_hot(ref)) | real_positions(as_one_hot(alt))
        overall = masked_mean(difference, real).unsqueeze(1).expand_as(difference)
        local = difference * torch.sigmoid(self.gate(reference))
        delta: Tensor = torch.tanh(self.head(torch.cat([local, overall], dim=2)))
        return delta
