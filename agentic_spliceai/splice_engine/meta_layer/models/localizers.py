"""Where a variant's effect is largest: the third step of the multi-step framework."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory, options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import probabilities
from agentic_spliceai.splice_engine.meta_layer.models.inputs import as_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.layers import centred_positions, mlp, real_positions
from agentic_spliceai.splice_engine.meta_layer.models.variant_trunk import encoder_arguments


class _Localizer(MetaModule):
    """Encoded positions, each with its offset from the variant, and the embedded bases."""

    inputs = ("alt", "ref_base", "alt_base")
    task = "localization"

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
        self.norm = nn.LayerNorm(hidden_dim)
        self.bases = mlp((8, hidden_dim, hidden_dim), dropout=dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Score positions.

        Parameters
        ----------
        alt : float [B, 4, L] or int64 [B, L]
            Alternate sequence, the variant in the middle.
        ref_base, alt_base : float [B, 4]
            The changed base before and after, transcript sense.

        Returns
        -------
        float [B, L]
            Logits over the columns of the window; -1e4, which no softmax tells from nothing, in the run of Ns at
            either end.
        """
        states = self.norm(self.encoder.encode_positions(alt))
        states = states + centred_positions(states.shape[1], states.shape[2], device=states.device)
        change = self.bases(torch.cat([ref_base, alt_base], dim=1))
        return self._score(states, change).masked_fill(~real_positions(as_one_hot(alt)), -1e4)

    def predict_proba(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Return the probability of each position: float [B, L]."""
        return probabilities(self.task, self(alt, ref_base, alt_base))

    @abstractmethod
    def _score(self, states: Tensor, change: Tensor) -> Tensor:
        """Map float [B, L, D] and [B, D] to logits [B, L]."""


class AttentionPositionLocalizer(_Localizer):
    """The variant, as a query, points at a position: the logits are attention scores.

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

    def __init__(
        self,
        hidden_dim: int = 128,
        n_layers: int = 6,
        kernel_size: int = 15,
        dropout: float = 0.1,
        encoder: str = "gated_cnn",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(hidden_dim, n_layers, kernel_size, dropout, encoder, encoder_options)
        self.query = nn.Linear(2 * hidden_dim, hidden_dim)
        self.key = nn.Linear(hidden_dim, hidden_dim, bias=False)

    def _score(self, states: Tensor, change: Tensor) -> Tensor:
        centre = states[:, states.shape[1] // 2]
        query = self.query(torch.cat([centre, change], dim=1))
        scores: Tensor = (self.key(states) @ query.unsqueeze(2)).squeeze(2) / states.shape[2] ** 0.5
        return scores


class SegmentationPositionLocalizer(_Localizer):
    """Each position is judged by itself, from its surroundings, its offset and the change.

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

    def __init__(
        self,
        hidden_dim: int = 128,
        n_layers: int = 6,
        kernel_size: int = 15,
        dropout: float = 0.1,
        encoder: str = "gated_cnn",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(hidden_dim, n_layers, kernel_size, dropout, encoder, encoder_options)
        # Without a last bias: it would shift all positions alike, which a softmax does not see.
        self.head = nn.Sequential(
            nn.Linear(hidden_dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden_dim, 1, bias=False)
        )

    def _score(self, states: Tensor, change: Tensor) -> Tensor:
        logits: Tensor = self.head(states + change.unsqueeze(1)).squeeze(2)
        return logits
