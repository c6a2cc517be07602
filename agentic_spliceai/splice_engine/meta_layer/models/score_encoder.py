"""The base model's scores and their derived features, as one vector and as tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule


class ScoreEncoder(MetaModule):
    """MLP over score features, LayerNorm and GELU after each layer.

    The first layer adds up one vector a feature, its value times a learned direction plus a learned offset. These
    summands are the tokens that attention reads (the feature tokens of Gorishniy et al., 2021).

    Parameters
    ----------
    num_features
        Features F, normalised.
    hidden_dim
        Width D.
    dropout
        Of units, between the layers.
    """

    inputs = ("features",)

    def __init__(self, num_features: int = 50, hidden_dim: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.num_features, self.output_dim = num_features, hidden_dim
        bound = num_features**-0.5
        self.direction = nn.Parameter(torch.empty(num_features, hidden_dim).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(num_features, hidden_dim).uniform_(-bound, bound))
        self.layers = nn.Sequential(
            nn.LayerNorm(hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LayerNorm(hidden_dim),
            nn.GELU(),
        )

    def tokens(self, features: Tensor) -> Tensor:
        """Return one token a feature: float [B, F] to [B, F, D].

        Raises
        ------
        ValueError
            If there are not F features.
        """
        if features.ndim != 2 or features.shape[1] != self.num_features:
            raise ValueError(f"features have shape {tuple(features.shape)}, not [B, {self.num_features}]")
        return features.unsqueeze(2) * self.direction + self.offset

    def forward(self, features: Tensor) -> Tensor:
        """Embed all features together: float [B, F] to [B, D]."""
        vector: Tensor = self.layers(self.tokens(features).sum(dim=1))
        return vector
