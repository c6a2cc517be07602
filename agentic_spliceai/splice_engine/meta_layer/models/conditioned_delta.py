"""Deltas given what the effect is and where: the fourth step of the multi-step framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.data.batches import EffectType
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory, options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import DeltaHead
from agentic_spliceai.splice_engine.meta_layer.models.layers import mlp, offset_code
from agentic_spliceai.splice_engine.meta_layer.models.variant_trunk import encoder_arguments


class ConditionedDeltaPredictor(MetaModule):
    """Reads the alternate sequence at the variant and at the affected position, and is told the effect type.

    Trained on true effects and positions; the multi-step predictor gives it predicted ones.

    Parameters
    ----------
    hidden_dim, n_layers, kernel_size
        Channels, gated blocks and odd kernel width of the gated CNN; `hidden_dim` is the width of every encoder.
    dropout
        Of encoder and head.
    encoder
        Name for `SequenceEncoderFactory`; `n_layers` and `kernel_size` count for `gated_cnn` only.
    encoder_options
        Further arguments of the encoder; they win over the above.
    """

    inputs = ("alt", "ref_base", "alt_base", "effect", "position")
    task = "delta"

    def __init__(
        self,
        hidden_dim: int = 128,
        n_layers: int = 6,
        kernel_size: int = 15,
        dropout: float = 0.1,
        encoder: str = "gated_cnn",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = encoder_arguments(encoder, hidden_dim, n_layers, kernel_size, dropout, encoder_options)
        self.encoder = SequenceEncoderFactory.create(encoder, hidden_dim, **options)
        self.config = {**self.config, "encoder_options": options_of(self.encoder, encoder_options)}
        self.effect = nn.Embedding(len(EffectType) + 1, hidden_dim)
        self.unknown_position = nn.Parameter(torch.zeros(hidden_dim))
        self.bases = mlp((8, hidden_dim, hidden_dim), dropout=dropout)
        self.head = DeltaHead(4 * hidden_dim, hidden_dim, dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor, effect: Tensor, position: Tensor) -> Tensor:
        """Predict the deltas.

        Parameters
        ----------
        alt : float [B, 4, L] or int64 [B, L]
            Alternate sequence, the variant in the middle.
        ref_base, alt_base : float [B, 4]
            The changed base before and after, transcript sense.
        effect : int64 [B]
            `EffectType`; a negative number for unknown.
        position : int64 [B]
            Column with the largest effect, 0-based; a negative number for unknown.

        Returns
        -------
        float [B, 3]
            Change of the donor, acceptor and neither probability: within -1 to 1, adding up to 0.
        """
        states = self.encoder.encode_positions(alt)
        length, dim = states.shape[1:]
        rows = torch.arange(len(states), device=states.device)
        known = (position >= 0).unsqueeze(1)
        place = offset_code(position - length // 2, dim) + states[rows, position.clamp(min=0)]
        change = self.bases(torch.cat([ref_base, alt_base], dim=1))
        kind = self.effect(torch.where(effect < 0, len(EffectType), effect))
        where = torch.where(known, place, self.unknown_position)
        delta: Tensor = self.head(torch.cat([states[:, length // 2], where, change, kind], dim=1))
        return delta
