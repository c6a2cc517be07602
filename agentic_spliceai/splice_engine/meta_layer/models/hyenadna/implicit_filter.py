"""The Hyena operator's long convolution: a filter as long as the input, made by a small network from position alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.configuration import HyenaDNAConfig

CACHE_LIMIT = 64 << 20
"""Largest spectrum kept from one forward to the next, bytes a block; 32,770 tokens of width 256 fit."""


def position_features(length: int, features: int) -> tuple[Tensor, Tensor]:
    """Return what the filter knows of each position.

    Parameters
    ----------
    length
        M, the longest input of the model.
    features
        E; bands = (E - 1) / 2.

    Returns
    -------
    z : float32 [1, M, E]
        Time in 0..1, then cos(f a) and -sin(f a) of the bands' frequencies f = linspace(1e-4, bands - 1) at the angle
        a[i] = 2 pi i / M. The angle is divided by M and time by M - 1, as published.
    t : float32 [1, M, 1]
        Time alone.
    """
    bands = (features - 1) // 2
    t = torch.linspace(0, 1, length, dtype=torch.float32)[:, None]
    angle = 2 * math.pi * torch.arange(length, dtype=torch.float32)[:, None] / length
    phase = torch.linspace(1e-4, bands - 1, bands, dtype=torch.float32)[None] * angle
    return torch.cat([t, phase.cos(), -phase.sin()], dim=1)[None], t[None]


def decay_rates(channels: int) -> Tensor:
    """Return the channels' rates of decay, float32 [1, 1, D]: from 1 % at 1.5 times the length to 1 % at 0.3 times."""
    low, high = math.log(0.01) / 1.5, math.log(0.01) / 0.3
    return torch.linspace(low, high, channels, dtype=torch.float32)[None, None]


def fft_size(length: int) -> int:
    """Return the smallest product of 2, 3 and 5 that is not below `length`: a size that every FFT library does fast."""
    best = 1 << max(length - 1, 0).bit_length()
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            size = threes << max(-(-length // threes) - 1, 0).bit_length()
            best = min(best, size)
            threes *= 3
        fives *= 5
    return best


class Sine(nn.Module):
    """`sin(freq * x)`, one trainable frequency a channel."""

    def __init__(self, width: int, *, trainable: bool) -> None:
        super().__init__()
        self.freq = nn.Parameter(torch.empty(1, width), requires_grad=trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to float [..., W]."""
        return torch.sin(self.freq * x)


class PositionFeatures(nn.Module):
    """Holder of `position_features`: constants, stored because published checkpoints store them.

    Filled by the model's initialisation, as parameters are.
    """

    z: Tensor
    t: Tensor

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.register_buffer("z", torch.empty(1, length, features, dtype=torch.float32))
        self.register_buffer("t", torch.empty(1, length, 1, dtype=torch.float32))


class Modulation(nn.Module):
    """Holder of `decay_rates`; see `PositionFeatures`."""

    deltas: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("deltas", torch.empty(1, 1, channels, dtype=torch.float32))


class HyenaFilter(nn.Module):
    """Causal convolution of every channel with its implicit filter, plus `bias` times the input itself.

    The filter depends on parameters only, so that without a gradient its spectrum is kept from one forward to the next,
    until a parameter changes. It stays in float32 when the model is narrowed: positions have no room in 8 bits.
    """

    bias: nn.Parameter

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        width, inner = config.filter_order, config.num_inner_mlps
        self.bias = nn.Parameter(torch.empty(config.d_model))
        self.pos_emb = PositionFeatures(config.max_seq_len, config.emb_dim)
        self.modulation = Modulation(config.d_model)
        layers: dict[str, nn.Module] = {
            "0": nn.Linear(config.emb_dim, width),
            # All activations share this one, as published; the numbering leaves room for one after each layer.
            "1": Sine(width, trainable=config.train_freq),
        }
        layers |= {str(2 * i): nn.Linear(width, width) for i in range(1, inner + 1)}
        layers[str(2 * inner + 2)] = nn.Linear(width, config.d_model, bias=False)
        self.implicit_filter = nn.ModuleDict(layers)
        self._modulate, self._shift = config.modulate, config.modulation_shift
        self._kept: tuple[Any, Tensor] | None = None

    def kernel(self, length: int) -> Tensor:
        """Return the filter, float [L, D]: row j weighs the input j positions back."""
        z, t = self.pos_emb.z[0, :length], self.pos_emb.t[0, :length]
        sine = self.implicit_filter["1"]
        *hidden, last = (layer for layer in self.implicit_filter.values() if isinstance(layer, nn.Linear))
        for layer in hidden:
            z = sine(layer(z))
        taps: Tensor = last(z)
        if self._modulate:
            taps = taps * (torch.exp(-t * self.modulation.deltas[0].abs()) + self._shift)
        return taps

    def forward(self, x: Tensor) -> Tensor:
        """Convolve float [B, D, L], in float32 whatever autocast or the input's type says; output as the input."""
        length = x.shape[-1]
        size = fft_size(2 * length - 1)  # the circular convolution of this size is the linear one
        with torch.autocast(device_type=x.device.type, enabled=False):
            spectrum = self._spectrum(length, size)
            signal = torch.fft.rfft(x.to(self.bias.dtype), n=size)
            y = torch.fft.irfft(signal * spectrum, n=size)[..., :length]
        out: Tensor = y.to(x.dtype)
        return out

    def _spectrum(self, length: int, size: int) -> Tensor:
        """Return the filter's spectrum, complex [D, size // 2 + 1], kept where no gradient passes."""
        state = self._state()
        if state is None:
            return self._compute_spectrum(length, size)
        # What is made in inference mode can take no part in a gradient later.
        key = (length, size, torch.is_inference_mode_enabled(), state)
        kept = self._kept  # read once: another thread may replace it
        if kept is not None and kept[0] == key:
            return kept[1]
        spectrum = self._compute_spectrum(length, size)
        fits = spectrum.numel() * spectrum.element_size() <= CACHE_LIMIT
        self._kept = (key, spectrum) if fits else None
        return spectrum

    def _compute_spectrum(self, length: int, size: int) -> Tensor:
        # The spectrum of the bias, a filter of one tap, is constant.
        spectrum: Tensor = torch.fft.rfft(self.kernel(length).T, n=size) + self.bias[:, None]
        return spectrum

    def _state(self) -> tuple[tuple[int, int, str], ...] | None:
        """Return what tells one state of the parameters from the next, or None where the filter may not be kept."""
        tensors = [*self.parameters(), *self.buffers()]
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return None
        if any(tensor.is_inference() for tensor in tensors):  # these do not count their changes
            return None
        return tuple((tensor.data_ptr(), tensor._version, str(tensor.dtype)) for tensor in tensors)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode; forgets the kept filter, because writes through `.data` are counted by nobody."""
        self._kept = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._kept = None

        def wide(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            narrowed = moved.is_floating_point() and torch.finfo(moved.dtype).bits < 32
            return tensor.to(moved.device) if narrowed else moved

        super()._apply(wide, recurse=recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles make their own.
        return {**self.__dict__, "_kept": None}
