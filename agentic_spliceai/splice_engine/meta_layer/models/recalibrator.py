"""Recalibration of a base model position by position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.heads import CLASSES, probabilities
from agentic_spliceai.splice_engine.meta_layer.models.layers import GatedTrunk, real_positions, silence

FLOOR = 1e-8
"""Smallest base probability that is told from 0: ln is -18.4 there."""


class Recalibrator(MetaModule):
    """Corrects the base model's log-probabilities by what sequence and neighbouring scores say.

    The correction starts at zero: untrained, the model is the base model.

    Parameters
    ----------
    hidden_dim, n_layers
        Channels and number of gated blocks.
    kernel_size
        Odd kernel width.
    dilations
        One a layer; by default 1, 2, 4, 8 and again.
    dropout
        Of whole channels.
    separable
        Depthwise convolutions followed by 1x1.
    """

    inputs = ("sequence", "base")
    task = "recalibration"

    def __init__(
        self,
        hidden_dim: int = 32,
        n_layers: int = 6,
        kernel_size: int = 11,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.1,
        separable: bool = False,
    ) -> None:
        super().__init__()
        channels = 4 + 2 * CLASSES
        self.trunk = GatedTrunk(channels, hidden_dim, n_layers, kernel_size, dilations, dropout, separable=separable)
        self.norm = nn.LayerNorm(hidden_dim)
        self.correction = nn.Linear(hidden_dim, CLASSES)
        silence(self.correction)

    def forward(self, sequence: Tensor, base: Tensor) -> Tensor:
        """Correct a batch.

        Parameters
        ----------
        sequence : float [B, 4, L]
            One-hot, transcript sense.
        base : float [B, L, 3]
            Base probabilities, `SpliceClass` order.

        Returns
        -------
        float [B, L, 3]
            Logits; in the run of Ns at either end those of the base model.
        """
        log_base = base.clamp(min=FLOOR).log()
        # The logarithm is brought near the scale of the other channels.
        x = torch.cat([sequence, base.transpose(1, 2), log_base.transpose(1, 2) / 10], dim=1)
        real = real_positions(sequence)
        correction: Tensor = self.correction(self.norm(self.trunk(x, real).transpose(1, 2)))
        return log_base + correction * real.unsqueeze(2)

    def predict_proba(self, sequence: Tensor, base: Tensor) -> Tensor:
        """Return recalibrated probabilities: float [B, L, 3]."""
        return probabilities(self.task, self(sequence, base))
