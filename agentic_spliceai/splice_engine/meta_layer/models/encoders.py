"""Sequence encoders that are trained from scratch: a multi-scale CNN, a gated dilated CNN, and none at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.models.inputs import as_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.layers import (
    GatedTrunk,
    check_pooling,
    pool,
    real_positions,
    reverse_complement,
)


class ConvolutionalEncoder(SequenceEncoder):
    """What the two CNNs share: masks of padding, both strands where asked, pooling.

    Positions in the run of Ns at either end are zeros in the output, and padding a window by the same number of Ns on
    both sides changes neither the embeddings of its positions nor the pooled one.
    """

    def __init__(self, output_dim: int, pooling: str, both_strands: bool) -> None:
        super().__init__()
        self.output_dim, self.pooling, self.both_strands = output_dim, check_pooling(pooling), both_strands

    @abstractmethod
    def _states(self, one_hot: Tensor, real: Tensor) -> Tensor:
        """Map float [B, 4, L] and bool [B, L] to [B, L, D]."""

    def encode_positions(self, sequence: Tensor) -> Tensor:
        """Embed each position: one-hot float [B, 4, L] or ids int64 [B, L] to float [B, L, D]."""
        return self._encode(as_one_hot(sequence))[0]

    def forward(self, sequence: Tensor) -> Tensor:
        """Embed the whole sequence: one-hot float [B, 4, L] or ids int64 [B, L] to float [B, D]."""
        states, real = self._encode(as_one_hot(sequence))
        return pool(states, real, self.pooling)

    def _encode(self, one_hot: Tensor) -> tuple[Tensor, Tensor]:
        real = real_positions(one_hot)
        states = self._states(one_hot, real)
        if self.both_strands:
            opposite = self._states(reverse_complement(one_hot), real.flip(1))
            states = (states + opposite.flip(1)) / 2
        return states, real


class CNNEncoder(ConvolutionalEncoder):
    """Simple multi-scale CNN: kernels of several widths side by side, twice.

    Parameters
    ----------
    output_dim
        Width D of the embedding.
    hidden_dim
        Channels of each kernel width.
    kernel_sizes
        Odd widths of the parallel convolutions.
    dropout
        Of whole channels.
    pooling
        `centre_mean`, `centre` or `mean`; see `layers.pool`.
    reverse_complement
        Average both strands, so that the opposite strand has the same embeddings in reverse order. Splice signals have
        a direction: leave this off unless strand shall not matter.
    """

    def __init__(
        self,
        output_dim: int = 256,
        hidden_dim: int = 16,
        kernel_sizes: Sequence[int] = (3, 7, 15, 31),
        dropout: float = 0.1,
        pooling: str = "centre_mean",
        reverse_complement: bool = False,
    ) -> None:
        super().__init__(output_dim, pooling, reverse_complement)
        if not kernel_sizes or any(k < 1 or k % 2 == 0 for k in kernel_sizes):
            raise SettingError(f"kernel_sizes {list(kernel_sizes)} cannot be used.", "Give odd widths.")
        width = hidden_dim * len(kernel_sizes)
        self.first = nn.ModuleList(nn.Conv1d(4, hidden_dim, k, padding=k // 2) for k in kernel_sizes)
        self.norm = nn.LayerNorm(width)
        self.second = nn.ModuleList(nn.Conv1d(width, hidden_dim, k, padding=k // 2) for k in kernel_sizes)
        self.dropout = nn.Dropout1d(dropout)
        self.project = nn.Linear(width, output_dim)
        self.receptive_field = 2 * max(kernel_sizes) - 1

    def _states(self, one_hot: Tensor, real: Tensor) -> Tensor:
        mask = real.unsqueeze(1).to(one_hot.dtype)
        x = torch.cat([conv(one_hot) for conv in self.first], dim=1)
        x = nn.functional.gelu(self.norm(x.transpose(1, 2))).transpose(1, 2) * mask
        y = torch.cat([conv(x) for conv in self.second], dim=1)
        x = x + self.dropout(nn.functional.gelu(y)) * mask
        states: Tensor = self.project(x.transpose(1, 2)) * real.unsqueeze(2)
        return states


class GatedCNNEncoder(ConvolutionalEncoder):
    """Dilated gated convolutions with residual connections.

    Parameters
    ----------
    output_dim
        Width D of the embedding.
    hidden_dim, n_layers
        Channels and number of gated blocks.
    kernel_size
        Odd kernel width.
    dilations
        One a layer; by default 1, 2, 4, 8 and again.
    dropout
        Of whole channels.
    separable
        Depthwise convolutions followed by 1x1: fewer parameters, faster.
    pooling
        `centre_mean`, `centre` or `mean`; see `layers.pool`.
    reverse_complement
        Average both strands, so that the opposite strand has the same embeddings in reverse order. Splice signals have
        a direction: leave this off unless strand shall not matter.

    Attributes
    ----------
    receptive_field : int
        Bases that the embedding of one position sees.
    """

    def __init__(
        self,
        output_dim: int = 256,
        hidden_dim: int = 64,
        n_layers: int = 6,
        kernel_size: int = 11,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.1,
        separable: bool = False,
        pooling: str = "centre_mean",
        reverse_complement: bool = False,
    ) -> None:
        super().__init__(output_dim, pooling, reverse_complement)
        self.trunk = GatedTrunk(4, hidden_dim, n_layers, kernel_size, dilations, dropout, separable=separable)
        self.norm = nn.LayerNorm(hidden_dim)
        self.project = nn.Linear(hidden_dim, output_dim)
        self.receptive_field = self.trunk.receptive_field

    def _states(self, one_hot: Tensor, real: Tensor) -> Tensor:
        x = self.trunk(one_hot, real).transpose(1, 2)
        states: Tensor = self.project(self.norm(x)) * real.unsqueeze(2)
        return states


class NoSequenceEncoder(SequenceEncoder):
    """Zeros, whatever the sequence: shows what the scores alone are worth.

    Parameters
    ----------
    output_dim
        Width D of the embedding.
    """

    def __init__(self, output_dim: int = 256) -> None:
        super().__init__()
        self.output_dim = output_dim

    def encode_positions(self, sequence: Tensor) -> Tensor:
        """Return zeros [B, L, D] for a sequence in either form."""
        return torch.zeros(sequence.shape[0], sequence.shape[-1], self.output_dim, device=sequence.device)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return zeros [B, D] for a sequence in either form."""
        return torch.zeros(sequence.shape[0], self.output_dim, device=sequence.device)
