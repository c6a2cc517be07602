"""Parts that several models are made of: gated dilated convolutions, masks of real sequence, pooling, positions.

Leading and trailing Ns are padding: they are held at zero in every layer and left out of every mean, so that a result
does not depend on how far a window is padded. An N inside the sequence is a base like the others, with a zero column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown

Pooling = Literal["centre_mean", "centre", "mean"]

DILATIONS = (1, 2, 4, 8)
"""Repeated over the layers, so that no tap of a deep stack lies outside a window of some hundred bases."""


def real_positions(one_hot: Tensor) -> Tensor:
    """Return bool [B, L], False in the run of Ns at either end of float [B, 4, L]."""
    known = (one_hot.sum(dim=1) > 0).long()
    return (known.cumsum(dim=1) > 0) & (known.flip(1).cumsum(dim=1) > 0).flip(1)


def reverse_complement(one_hot: Tensor) -> Tensor:
    """Return the opposite strand of [B, 4, L]: channels A, C, G, T and positions both reversed; N stays N."""
    return one_hot.flip(1, 2)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of states [B, L, D] over mask [B, L]: [B, D], zeros where the mask is empty."""
    weights = mask.to(states.dtype).unsqueeze(2)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def pool(states: Tensor, real: Tensor, how: Pooling) -> Tensor:
    """Summarise states [B, L, D] as [B, D].

    Parameters
    ----------
    states : float [B, L, D]
        By position.
    real : bool [B, L]
        Positions that hold sequence.
    how
        `centre`: the column L // 2. `mean`: over real positions, which forgets where things are. `centre_mean`: half
        the sum of both.
    """
    if how == "mean":
        return masked_mean(states, real)
    centre = states[:, states.shape[1] // 2]
    return centre if how == "centre" else (centre + masked_mean(states, real)) / 2


def check_pooling(how: str) -> Pooling:
    """Return `how`, or raise a SettingError if it is no way to pool."""
    for known in get_args(Pooling):
        if how == known:
            return known  # type: ignore[no-any-return]
    raise unknown("pooling", how, get_args(Pooling))


def centred_positions(length: int, dim: int, *, device: torch.device | None = None) -> Tensor:
    """Return float [L, D]: sines and cosines of the signed offset from the column L // 2, in bases.

    Wavelengths run geometrically from 2 pi to 2,000 pi bases (the encoding of Vaswani et al., 2017, about a centre), so
    that padding a window on both sides changes no position's code.
    """
    offset = torch.arange(length, device=device, dtype=torch.float32) - length // 2
    return offset_code(offset, dim)


def offset_code(offset: Tensor, dim: int) -> Tensor:
    """Return the code of `centred_positions` for float offsets of any shape [...]: [..., D]."""
    half = (dim + 1) // 2
    rates = torch.exp(-math.log(1000.0) * torch.arange(half, device=offset.device) / max(half - 1, 1))
    angle = offset.float().unsqueeze(-1) * rates
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[..., :dim]


def mlp(widths: Sequence[int], *, dropout: float, bias: bool = True) -> nn.Sequential:
    """Return linear layers from `widths[0]` to `widths[-1]` with GELU and dropout between them.

    Without bias the result maps zero to exactly zero.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after, bias=bias), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def silence(layer: nn.Module) -> None:
    """Set a layer's weights and bias to zero, so that training starts from what it is added to."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class GatedBlock(nn.Module):
    """Residual unit `x + tanh(a) * sigmoid(b)`, with a and b one dilated convolution of the normalised x; keeps L."""

    def __init__(self, width: int, kernel_size: int, dilation: int, dropout: float, *, separable: bool = False) -> None:
        super().__init__()
        # By position, so that neither padding nor a change elsewhere shifts what is seen here.
        self.norm = nn.LayerNorm(width)
        out = width if separable else 2 * width
        self.conv: nn.Module = nn.Conv1d(
            width,
            out,
            kernel_size,
            dilation=dilation,
            padding=dilation * (kernel_size - 1) // 2,
            groups=width if separable else 1,
        )
        if separable:
            self.conv = nn.Sequential(self.conv, nn.Conv1d(width, 2 * width, 1))
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Map [B, C, L] to the same shape; `real` float [B, 1, L] is 0 where there is no sequence."""
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        value, gate = self.conv(normed * real).chunk(2, dim=1)
        y: Tensor = x + self.dropout(torch.tanh(value) * torch.sigmoid(gate)) * real
        return y


class GatedTrunk(nn.Module):
    """A stack of gated blocks over the channels of a sequence.

    Parameters
    ----------
    channels
        Input channels.
    hidden_dim, n_layers
        Width and number of blocks.
    kernel_size
        Odd kernel width.
    dilations
        One a layer; None repeats `DILATIONS`.
    dropout
        Of whole channels.
    separable
        Depthwise convolutions followed by 1x1: about `kernel_size` times fewer parameters, and faster.

    Raises
    ------
    SettingError
        If the kernel is even, a number is below 1, or there are not as many dilations as layers.
    """

    def __init__(
        self,
        channels: int,
        hidden_dim: int,
        n_layers: int,
        kernel_size: int,
        dilations: Sequence[int] | None,
        dropout: float,
        *,
        separable: bool = False,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or min(kernel_size, hidden_dim, n_layers) < 1:
            raise SettingError(
                f"kernel_size {kernel_size}, hidden_dim {hidden_dim} and n_layers {n_layers} make no network.",
                "Take an odd kernel, so that positions stay where they are, and at least one layer and channel.",
            )
        steps = list(islice(cycle(DILATIONS), n_layers)) if dilations is None else [int(d) for d in dilations]
        if len(steps) != n_layers or min(steps) < 1:
            raise SettingError(
                f"dilations {steps} do not fit {n_layers} layers.", "Give one dilation of at least 1 for each layer."
            )
        self.dilations, self.kernel_size = tuple(steps), kernel_size
        self.project = nn.Conv1d(channels, hidden_dim, 1)
        self.blocks = nn.ModuleList(
            GatedBlock(hidden_dim, kernel_size, step, dropout, separable=separable) for step in steps
        )

    @property
    def receptive_field(self) -> int:
        """Bases that one output position sees, its own included."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Map float [B, channels, L] to [B, hidden_dim, L], zero where `real`, bool [B, L], is False."""
        mask = real.unsqueeze(1).to(x.dtype)
        y: Tensor = self.project(x) * mask
        for block in self.blocks:
            y = block(y, mask)
        return y
