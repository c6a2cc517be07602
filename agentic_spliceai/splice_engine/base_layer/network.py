"""The dilated residual network that SpliceAI, OpenSpliceAI and our own small model share.

Source of the architecture: Jaganathan et al., Cell 2019 (SpliceAI); pre-activation residual units, skip connections
from every fourth unit. Convolutions are unpadded ("valid"): zero padding never reaches the cropped output of the
original, so leaving it out gives the same result with less work.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of a network.

    Attributes
    ----------
    widths, dilations
        Kernel width and dilation of each residual unit.
    channels
        Feature channels.
    negative_slope
        Slope of the leaky ReLU below 0; 0 gives the ReLU of SpliceAI, 0.1 is OpenSpliceAI's.
    batch_norm_eps
        Added to the variance: 1e-3 in Keras (SpliceAI), 1e-5 in PyTorch (OpenSpliceAI).
    """

    widths: tuple[int, ...]
    dilations: tuple[int, ...]
    channels: int = 32
    negative_slope: float = 0.1
    batch_norm_eps: float = 1e-5

    @property
    def context(self) -> int:
        """Bases that a prediction sees beside its own, both sides together, nt."""
        return 2 * sum(d * (w - 1) for w, d in zip(self.widths, self.dilations, strict=True))

    @classmethod
    def for_context(cls, context: int, *, negative_slope: float = 0.1, batch_norm_eps: float = 1e-5) -> NetworkSpec:
        """Return the published shape for 80, 400, 2,000 or 10,000 nt of context.

        Raises
        ------
        ValueError
            For any other context.
        """
        units = {80: 4, 400: 8, 2000: 12, 10000: 16}
        if context not in units:
            raise ValueError(f"no published network has a context of {context} nt; known: {sorted(units)}")
        widths = (11,) * 8 + (21,) * 4 + (41,) * 4
        dilations = (1,) * 4 + (4,) * 4 + (10,) * 4 + (25,) * 4
        n = units[context]
        return cls(widths[:n], dilations[:n], negative_slope=negative_slope, batch_norm_eps=batch_norm_eps)


class ResidualUnit(nn.Module):
    """`x + conv2(act(norm2(conv1(act(norm1(x))))))`, shortened by `2 * dilation * (width - 1)` positions."""

    def __init__(self, spec: NetworkSpec, width: int, dilation: int) -> None:
        super().__init__()
        c = spec.channels
        self.norm1 = nn.BatchNorm1d(c, eps=spec.batch_norm_eps)
        self.conv1 = nn.Conv1d(c, c, width, dilation=dilation)
        self.norm2: nn.Module = nn.BatchNorm1d(c, eps=spec.batch_norm_eps)
        self.conv2 = nn.Conv1d(c, c, width, dilation=dilation)
        self.act = nn.LeakyReLU(spec.negative_slope) if spec.negative_slope else nn.ReLU()
        self.trim = dilation * (width - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, L] to [B, C, L - 2 * trim]."""
        y = self.conv1(self.act(self.norm1(x)))
        y = self.conv2(self.act(self.norm2(y)))
        shortened: Tensor = x[:, :, self.trim : x.shape[2] - self.trim] + y
        return shortened


class SpliceNetwork(nn.Module):
    """One-hot sequence in, logits of donor, acceptor and neither out.

    Parameters
    ----------
    spec
        The shape. After every fourth residual unit a 1x1 convolution adds to the skip path.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        if len(spec.widths) % 4:
            raise ValueError("the number of residual units must be a multiple of 4")
        c = spec.channels
        self.spec = spec
        self.initial = nn.Conv1d(4, c, 1)
        self.initial_skip = nn.Conv1d(c, c, 1)
        self.units = nn.ModuleList(ResidualUnit(spec, w, d) for w, d in zip(spec.widths, spec.dilations, strict=True))
        self.skips = nn.ModuleList(nn.Conv1d(c, c, 1) for _ in range(len(spec.widths) // 4))
        self.final = nn.Conv1d(c, len(SpliceClass), 1)

    def forward(self, one_hot: Tensor) -> Tensor:
        """Return logits.

        Parameters
        ----------
        one_hot : float [B, 4, L + context]
            Channels A, C, G, T; an unknown base is an all-zero column.

        Returns
        -------
        float [B, 3, L]
            `SpliceClass` order; softmax over axis 1 gives probabilities.
        """
        logits: Tensor = self.final(self.hidden(one_hot))
        return logits

    def hidden(self, one_hot: Tensor) -> Tensor:
        """Return what the last layer reads, float [B, channels, L]; input as `forward`."""
        length = one_hot.shape[2] - self.spec.context
        if length < 1:
            raise ValueError(
                f"input of {one_hot.shape[2]} nt is shorter than the context of {self.spec.context} nt + 1"
            )
        x = self.initial(one_hot)
        skip = _crop(self.initial_skip(x), length)
        for i, unit in enumerate(self.units):
            x = unit(x)
            if i % 4 == 3:
                skip = skip + _crop(self.skips[i // 4](x), length)
        return skip


def _crop(x: Tensor, length: int) -> Tensor:
    """Keep the middle `length` positions of the last axis."""
    margin = (x.shape[2] - length) // 2
    return x[:, :, margin : margin + length]


def fold_batch_norms(network: SpliceNetwork) -> SpliceNetwork:
    """Return `network` itself in evaluation mode, its second batch norms folded into the convolutions before them.

    `norm2(conv1(x))` is affine in `conv1(x)`, so its scale and shift move into `conv1` and the norm becomes the
    identity. `norm1` stands behind a sum that the shortcut needs unscaled, and stays.
    """
    network.eval()
    with torch.no_grad():
        for unit in network.units:
            if not isinstance(unit, ResidualUnit) or not isinstance(norm := unit.norm2, nn.BatchNorm1d):
                continue
            if norm.running_var is None or norm.running_mean is None or unit.conv1.bias is None:
                raise ValueError(
                    "a batch norm without running statistics, or a convolution without bias, cannot be folded"
                )
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            unit.conv1.weight.mul_(scale[:, None, None])
            unit.conv1.bias.sub_(norm.running_mean).mul_(scale).add_(norm.bias)
            unit.norm2 = nn.Identity()
    return network
