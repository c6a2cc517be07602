"""Fusion of what the sequence says and what the scores say; every fusion gives [B, 2D]."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.layers import centred_positions, pool
from agentic_spliceai.splice_engine.meta_layer.models.naming import construct, unknown


class Fusion(nn.Module):
    """Joins two modalities of width D.

    Attributes
    ----------
    attends : bool
        Whether `forward` takes positions [B, L, D], tokens [B, T, D] and a mask, rather than two vectors [B, D].
    output_dim : int
        2 D.
    """

    attends: ClassVar[bool] = False

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = 2 * dim


class ConcatFusion(Fusion):
    """The two vectors side by side.

    Parameters
    ----------
    dim
        Width D of each.
    """

    def forward(self, sequence: Tensor, scores: Tensor) -> Tensor:
        """Map float [B, D] and [B, D] to [B, 2D]."""
        return torch.cat([sequence, scores], dim=1)


class GatedFusion(Fusion):
    """The two vectors side by side, each unit scaled by a gate in 0 to 1 that sees both.

    Parameters
    ----------
    dim
        Width D of each.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.gate = nn.Linear(2 * dim, 2 * dim)

    def forward(self, sequence: Tensor, scores: Tensor) -> Tensor:
        """Map float [B, D] and [B, D] to [B, 2D]."""
        both = torch.cat([sequence, scores], dim=1)
        return both * torch.sigmoid(self.gate(both))


class CrossAttentionFusion(Fusion):
    """Score tokens look at the positions of the sequence, and the positions at the score tokens.

    Every position carries its signed offset from the window's centre, so that where something is matters. Padding (the
    run of Ns at either end) is never looked at, except for the centre, which always is.

    Parameters
    ----------
    dim
        Width D; a multiple of `heads`.
    heads
        Attention heads.
    dropout
        Of attention weights.

    Raises
    ------
    SettingError
        If `dim` is no multiple of `heads`.
    """

    attends = True

    def __init__(self, dim: int, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__(dim)
        if dim % heads:
            raise SettingError(f"A width of {dim} does not divide into {heads} heads.", "Choose a multiple.")
        self.sequence_norm, self.score_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.scores_to_sequence = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.sequence_to_scores = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.output_norm = nn.LayerNorm(2 * dim)

    def forward(self, sequence: Tensor, tokens: Tensor, real: Tensor) -> Tensor:
        """Fuse.

        Parameters
        ----------
        sequence : float [B, L, D]
            Embedded positions, at least two.
        tokens : float [B, T, D]
            At least two; the first sums up the others.
        real : bool [B, L]
            Positions that hold sequence.

        Returns
        -------
        float [B, 2D]
            The positions, each with what it read among the scores, as centre and mean; the first token with the mean
            of what all tokens read in the sequence.

        Raises
        ------
        ValueError
            If there is only one position or token: a softmax over one is always 1, and attends to nothing.
        """
        positions, scores, hidden = self._prepared(sequence, tokens, real)
        seen = self.sequence_to_scores(positions, scores, scores, need_weights=False)[0]
        read = self.scores_to_sequence(scores, positions, positions, key_padding_mask=hidden, need_weights=False)[0]
        halves = [pool(sequence + seen, ~hidden, "centre_mean"), tokens[:, 0] + read.mean(dim=1)]
        fused: Tensor = self.output_norm(torch.cat(halves, dim=1))
        return fused

    def attention(self, sequence: Tensor, tokens: Tensor, real: Tensor) -> Tensor:
        """Return how much each token looks at each position, mean over heads: float [B, T, L], rows sum to 1."""
        positions, scores, hidden = self._prepared(sequence, tokens, real)
        weights: Tensor = self.scores_to_sequence(scores, positions, positions, key_padding_mask=hidden)[1]
        return weights

    def _prepared(self, sequence: Tensor, tokens: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        length, dim = sequence.shape[1:]
        if min(length, tokens.shape[1]) < 2:
            raise ValueError(f"attention over {length} positions and {tokens.shape[1]} tokens: at least 2 are needed")
        place = centred_positions(length, dim, device=sequence.device).to(sequence.dtype)
        hidden = ~real
        hidden[:, length // 2] = False
        return self.sequence_norm(sequence) + place, self.score_norm(tokens), hidden


FUSIONS: dict[str, type[Fusion]] = {
    "concat": ConcatFusion,
    "gated": GatedFusion,
    "cross_attention": CrossAttentionFusion,
}
"""Fusions by name."""


def create_fusion(name: str, dim: int, **options: Any) -> Fusion:
    """Return a fusion of two modalities of width `dim`: `concat`, `gated` or `cross_attention`.

    Raises
    ------
    SettingError
        If the name or an option is unknown.
    """
    if name not in FUSIONS:
        raise unknown("fusion", name, FUSIONS)
    fusion: Fusion = construct(FUSIONS[name], {"dim": dim, **options}, what=f"{name} fusion")
    return fusion
