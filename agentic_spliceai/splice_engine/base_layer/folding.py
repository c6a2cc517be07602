"""A network's weights as the incremental scorer uses them, and the layers as functions of [B, L, C] tensors."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agentic_spliceai.splice_engine.base_layer.fourier import TiledTransform, transform
from agentic_spliceai.splice_engine.base_layer.network import ResidualUnit, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.threads import run_side_by_side

_WIDE = {torch.float32: 11, torch.bfloat16: 21}
"""Width from which the transform is faster, by number format; measured in `fourier`."""

_LEAST_POSITIONS = 1_000
"""Outputs, of all of a batch, from which it is."""

_WORTH_A_TILE = 0.4
"""A tile that is used to this share takes as long as the direct convolution."""

_POSITIONS_AT_ONCE = 8_000
"""Outputs of one transform: 7 MB of intermediate results for 32 channels and a width of 41."""

_PIECES = (64, 256, 1024, 4096, 16384)
"""Sequences come in any length, and what a library keeps for each length of each layer (18 MB a length, measured) would
add up over the genes of a genome; long pieces run at the speed of the whole."""


@dataclass(frozen=True)
class Convolution:
    """An unpadded convolution along positions.

    Attributes
    ----------
    weight : float [C_out, C_in, 1, width]
        In channels-last memory.
    bias : float [C_out]
        Added to each output.
    dilation
        Distance of the taps.
    tiles
        The same convolution for stretches of whole tiles, where that is faster.
    """

    weight: Tensor
    bias: Tensor
    dilation: int
    tiles: TiledTransform | None = None

    @property
    def halo(self) -> int:
        """Positions needed beside an output on either side."""
        return self.dilation * (self.weight.shape[3] - 1) // 2

    def __call__(self, x: Tensor, pieces: Sequence[int] = ()) -> Tensor:
        """Map [B, L, C_in] to float32 [B, L - 2 * halo, C_out].

        Parameters
        ----------
        x
            Input, contiguous.
        pieces
            Lengths, rising, in which the direct convolution is to be computed; by default whatever length there is.
        """
        length = x.shape[1] - 2 * self.halo
        done = 0
        if self.tiles is not None and length >= self.tiles.tile and length * x.shape[0] >= _LEAST_POSITIONS:
            out = x.new_empty(x.shape[0], length, self.weight.shape[0])
            tile = self.tiles.tile
            most = max(1, _POSITIONS_AT_ONCE // (x.shape[0] * tile))
            while length - done > _WORTH_A_TILE * tile:
                # The last tile may begin inside the one before it.
                count = max(1, min(most, (length - done) // tile)) * tile
                start = min(done, length - count)
                self.tiles.into(out[:, start : start + count], x[:, start : start + count + 2 * self.halo])
                done = start + count
            out[:, :done] += self.bias
        elif not pieces or length <= pieces[0]:
            return self._direct(x)
        else:
            out = x.new_empty(x.shape[0], length, self.weight.shape[0])
        while done < length:
            fitting = [piece for piece in pieces if piece <= length - done] or list(pieces[:1])
            size = fitting[-1] if fitting and fitting[-1] <= length else length - done
            start = min(done, length - size)
            out[:, start : start + size] = self._direct(x[:, start : start + size + 2 * self.halo])
            done = start + size
        return out

    def _direct(self, x: Tensor) -> Tensor:
        """Convolve as conv2d over height 1 in channels-last memory, which is the tensor as it stands.

        The library's kernels for it come nearest to the processor's matrix peak (measured in `channels_last`).
        """
        planes = x.unsqueeze(1).permute(0, 3, 1, 2).to(self.weight.dtype)
        out = F.conv2d(planes, self.weight, self.bias, dilation=(1, self.dilation))
        return out.permute(0, 2, 3, 1).squeeze(1).float()


@dataclass(frozen=True)
class FoldedUnit:
    """A residual unit in evaluation mode: `x + conv2(act(conv1(act(scale * x + shift))))`."""

    scale: Tensor
    shift: Tensor
    conv1: Convolution
    conv2: Convolution
    negative_slope: float

    def activate(self, x: Tensor) -> Tensor:
        """Apply the activation in place."""
        return F.leaky_relu_(x, self.negative_slope) if self.negative_slope else F.relu_(x)

    def enter(self, x: Tensor) -> Tensor:
        """Return what the first convolution reads."""
        return self.activate(torch.addcmul(self.shift, x, self.scale))


@dataclass(frozen=True)
class FoldedNetwork:
    """A `SpliceNetwork` in evaluation mode, its second batch norms folded into the convolutions before them.

    Attributes
    ----------
    bases : float32 [5, C]
        What the first layer makes of A, C, G, T and N: a 1x1 convolution of a one-hot column is a look-up.
    units
        The residual units.
    skips
        1x1 convolutions of the first layer and of every fourth unit's output, as (weight [C, C], bias [C]).
    final
        Weight [3, C] and bias [3] of the last layer.
    """

    bases: Tensor
    units: tuple[FoldedUnit, ...]
    skips: tuple[tuple[Tensor, Tensor], ...]
    final: tuple[Tensor, Tensor]

    def first_layer(self, one_hot: Tensor) -> Tensor:
        """Map float [B, L, 4] to [B, L, C]; for codes, look up `bases`."""
        return F.linear(one_hot, (self.bases[:4] - self.bases[4]).T, self.bases[4])

    def logits(self, x: Tensor, keep: Callable[[Tensor], object] | None = None) -> Tensor:
        """Map the first layer's output to logits.

        Parameters
        ----------
        x : float32 [B, L + context, C]
            Contiguous.
        keep
            Is given, unit by unit, what the second convolution reads and what the unit puts out.

        Returns
        -------
        float32 [B, L, 3]
        """
        length = x.shape[1] - 2 * self.half_context
        skip = F.linear(_middle(x, length), *self.skips[0])
        for number, unit in enumerate(self.units):
            inner = unit.activate(unit.conv1(unit.enter(x), _PIECES))
            out = unit.conv2(inner, _PIECES)
            x = out.add_(_middle(x, out.shape[1]))
            if keep is not None:
                keep(inner)
                keep(x)
            if number % 4 == 3:
                skip += F.linear(_middle(x, length), *self.skips[number // 4 + 1])
        return F.linear(skip, *self.final)

    @property
    def channels(self) -> int:
        """Feature channels."""
        return self.bases.shape[1]

    @property
    def halos(self) -> tuple[int, ...]:
        """Positions that each convolution needs beside an output on either side, in order, two a unit."""
        return tuple(conv.halo for unit in self.units for conv in (unit.conv1, unit.conv2))

    @property
    def half_context(self) -> int:
        """Bases that an output sees on either side."""
        return sum(self.halos)


_FOLDED: WeakKeyDictionary[SpliceNetwork, dict[torch.dtype, tuple[int, FoldedNetwork]]] = WeakKeyDictionary()


def can_fold(network: nn.Module) -> bool:
    """Whether `fold` knows all that a network computes: the layers that `SpliceNetwork` makes, without hooks."""
    if type(network) is not SpliceNetwork:
        return False
    units = list(network.units)
    kinds: list[tuple[nn.Module, tuple[type[nn.Module], ...]]] = [
        *((unit, (ResidualUnit,)) for unit in units),
        *((unit.norm1, (nn.BatchNorm1d,)) for unit in units if isinstance(unit, ResidualUnit)),
        *((unit.norm2, (nn.BatchNorm1d, nn.Identity)) for unit in units if isinstance(unit, ResidualUnit)),
        *((unit.act, (nn.LeakyReLU, nn.ReLU)) for unit in units if isinstance(unit, ResidualUnit)),
    ]
    known = {id(module) for module, _ in kinds}
    kinds += [(m, (SpliceNetwork, nn.ModuleList, nn.Conv1d)) for m in network.modules() if id(m) not in known]
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    return all(type(module) in allowed for module, allowed in kinds) and not any(
        getattr(module, name) for module in network.modules() for name in hooks
    )


def fold(network: SpliceNetwork, *, dtype: torch.dtype = torch.float32) -> FoldedNetwork:
    """Return the weights of a network in evaluation mode, on its device; at once where they were folded before.

    Parameters
    ----------
    network
        Stays as it is. What was folded before is taken if its weights and statistics are still the same.
    dtype
        In which the residual units' convolutions are computed: float32, or bfloat16 for speed.

    Raises
    ------
    TypeError
        If the network may compute something else than its layers say; see `can_fold`.
    ValueError
        If a batch norm has no running statistics.
    """
    if not can_fold(network):
        raise TypeError(f"{type(network).__name__} may compute something else than a SpliceNetwork does")
    content = _content(network)
    known = _FOLDED.setdefault(network, {})
    if dtype not in known or known[dtype][0] != content:
        known[dtype] = content, _fold(network, dtype)
    return known[dtype][1]


def _content(network: SpliceNetwork) -> int:
    """Return a checksum of everything that training, loading or a user's own hand may change: a millisecond."""
    found = 0
    for tensor in (*network.parameters(), *network.buffers()):
        found = zlib.crc32(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data, found)
    return found


def fold_all(networks: Sequence[SpliceNetwork], *, dtype: torch.dtype = torch.float32) -> list[FoldedNetwork]:
    """Fold networks side by side; see `fold`."""
    folded: dict[int, FoldedNetwork] = {}

    def one(number: int) -> None:
        folded[number] = fold(networks[number], dtype=dtype)

    run_side_by_side([partial(one, number) for number in range(len(networks))], torch.device("cpu"))
    return [folded[number] for number in range(len(networks))]


def _fold(network: SpliceNetwork, dtype: torch.dtype) -> FoldedNetwork:
    with torch.no_grad():
        first, bias = _pointwise(network.initial)
        bases = torch.cat([first.T + bias, bias[None]])
        skips = [network.initial_skip, *network.skips]
        return FoldedNetwork(
            bases=bases.contiguous(),
            units=tuple(_fold_unit(cast(ResidualUnit, unit), dtype) for unit in network.units),
            skips=tuple(_pointwise(cast(nn.Conv1d, layer)) for layer in skips),
            final=_pointwise(network.final),
        )


def _fold_unit(unit: ResidualUnit, dtype: torch.dtype) -> FoldedUnit:
    scale, shift = _affine(unit.norm1)
    after_scale, after_shift = _affine(unit.norm2) if isinstance(unit.norm2, nn.BatchNorm1d) else (None, None)
    slope = unit.act.negative_slope if isinstance(unit.act, nn.LeakyReLU) else 0.0
    return FoldedUnit(
        scale=scale,
        shift=shift,
        conv1=_convolution(unit.conv1, dtype, after_scale, after_shift),
        conv2=_convolution(unit.conv2, dtype),
        negative_slope=slope,
    )


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return scale and shift of a batch norm in evaluation mode."""
    if not isinstance(norm, nn.BatchNorm1d) or norm.running_var is None or norm.running_mean is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _convolution(
    layer: nn.Conv1d, dtype: torch.dtype, scale: Tensor | None = None, shift: Tensor | None = None
) -> Convolution:
    weight, bias = layer.weight, _bias(layer)
    if scale is not None and shift is not None:
        weight, bias = weight * scale[:, None, None], bias * scale + shift
    weight, bias, dilation = weight.detach(), bias.detach(), layer.dilation[0]
    planes = weight.unsqueeze(2).to(dtype).clone(memory_format=torch.channels_last)
    wide = layer.kernel_size[0] >= _WIDE[dtype] and weight.device.type == "cpu"
    tiles = transform(weight, dilation, dtype=dtype) if wide else None
    return Convolution(planes, bias.to(dtype).clone(), dilation, tiles)


def _middle(x: Tensor, length: int) -> Tensor:
    """Return the middle positions of [B, L, C]."""
    margin = (x.shape[1] - length) // 2
    return x[:, margin : margin + length]


def _pointwise(layer: nn.Conv1d) -> tuple[Tensor, Tensor]:
    return layer.weight[:, :, 0].detach().clone(), _bias(layer).detach().clone()


def _bias(layer: nn.Conv1d) -> Tensor:
    return layer.weight.new_zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias
