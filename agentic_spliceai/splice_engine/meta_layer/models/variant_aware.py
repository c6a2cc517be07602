"""A variant model that sees both alleles, aligned, with what the base model says at each position of either.

One small convolutional stream reads the reference and, with the same weights, the alternate: bases, the base model's
outputs, and where the annotated sites, the exon and the variant are. What differs between the two streams is kept by
position and read at the places where splicing is decided: the variant, the exon's acceptor, its donor, and wherever
attention finds a change. Nothing is averaged over positions that did not change. Scalar features enter beside it, with
a linear path to each output, so that training starts from a calibrated base model and learns what to correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.data.batches import AffectedSite
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.layers import GatedBlock, mlp, silence

HIDDEN_SCALE = 0.1
"""Brings the base model's hidden channels near the range of the others: OpenSpliceAI's have a deviation of about 12."""


class VariantAwareModel(MetaModule):
    """Is the variant splice-altering, by how much does inclusion change, and which site does it hit.

    Parameters
    ----------
    num_features
        Scalar features F of the variant.
    base_channels, place_channels
        K and P of `data.batches`.
    hidden_channels
        Channels of the base model's last hidden layer, read as `hidden_ref` and `hidden_alt` [B, H, L]; 0 for none.
    width, blocks, kernel_size
        Channels, gated blocks (dilations 1, 2, 4, ...) and odd kernel width of the shared stream.
    feature_width
        Hidden width of the scalar path and of the heads.
    dropout
        Of channels in the stream, of units elsewhere.
    known_channel
        Index in P of the mask of real sequence.
    probes
        Indices in P of the masks at which the difference is read: variant, annotated acceptor, annotated donor.
    use_sequence, use_base
        Without one of the two the model shows what it is worth; both by default.

    Notes
    -----
    `psi` is exactly 0 where the two alleles are the same.
    """

    inputs = ("ref", "alt", "gap", "base_ref", "base_alt", "place", "features")
    task: ClassVar[str] = "multi_task"

    def __init__(
        self,
        num_features: int,
        base_channels: int = 6,
        place_channels: int = 6,
        hidden_channels: int = 0,
        width: int = 32,
        blocks: int = 5,
        kernel_size: int = 5,
        feature_width: int = 64,
        dropout: float = 0.2,
        known_channel: int = 4,
        probes: Sequence[int] = (0, 1, 2),
        use_sequence: bool = True,
        use_base: bool = True,
    ) -> None:
        super().__init__()
        self.use_sequence, self.use_base, self.hidden_channels = use_sequence, use_base, hidden_channels
        self.known_channel, self.probes = known_channel, list(probes)
        if hidden_channels:
            self.inputs = (*type(self).inputs, "hidden_ref", "hidden_alt")  # type: ignore[misc, assignment]
        channels = 5 * use_sequence + base_channels * use_base + hidden_channels + place_channels
        self.project = nn.Conv1d(channels, width, 1)
        self.blocks = nn.ModuleList(GatedBlock(width, kernel_size, 2**i, dropout) for i in range(blocks))
        self.context_gate = nn.Conv1d(width, width, 1)
        # Without bias: no change in, no change out.
        self.change = nn.Conv1d(width, width, 1, bias=False)
        self.attention = nn.Conv1d(2 * width, 1, 1, bias=False)  # a bias would cancel in the softmax
        read = (len(self.probes) + 2) * width
        context = len(self.probes) * width
        self.scalar = mlp((num_features, feature_width, width), dropout=dropout)
        self.trunk = nn.Sequential(
            nn.LayerNorm(read + context + width),
            nn.Linear(read + context + width, feature_width),
            nn.GELU(),
            nn.Dropout(dropout),
        )
        self.linear = nn.Linear(num_features, 2)
        self.altering = nn.Linear(feature_width, 1)
        self.psi = nn.Linear(feature_width, 1)
        self.site = nn.Linear(feature_width, len(AffectedSite))
        for head in (self.linear, self.altering, self.psi):
            silence(head)

    def forward(
        self,
        ref: Tensor,
        alt: Tensor,
        gap: Tensor,
        base_ref: Tensor,
        base_alt: Tensor,
        place: Tensor,
        features: Tensor,
        hidden_ref: Tensor | None = None,
        hidden_alt: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Judge a batch; shapes in `data.batches`.

        Returns
        -------
        dict
            `altering` float [B] logit, `psi` float [B] in -1 to 1, `site` float [B, 4] logits of `AffectedSite`,
            `attention` float [B, L] where the change was read.
        """
        known = place[:, self.known_channel : self.known_channel + 1]
        reference = self._stream(ref, gap[:, 0:1], base_ref, hidden_ref, place, known)
        alternate = self._stream(alt, gap[:, 1:2], base_alt, hidden_alt, place, known)
        difference = alternate - reference
        change = self.change(difference) * torch.sigmoid(self.context_gate(reference))
        score = self.attention(torch.cat([reference, difference.abs()], dim=1)).masked_fill(known == 0, -1e4)
        weights = score.softmax(dim=2)
        masks = [place[:, p : p + 1] for p in self.probes]
        read = [_at(change, mask) for mask in masks]
        read += [(change * weights).sum(dim=2), change.abs().amax(dim=2)]
        context = [_at(reference, mask) for mask in masks]
        scalar = self.scalar(features)
        hidden = self.trunk(torch.cat([*read, *context, scalar], dim=1))
        linear = self.linear(features)
        same = ((ref == alt).all(dim=1) & (gap[:, 0] == gap[:, 1])).all(dim=1)
        psi = torch.tanh(self.psi(hidden).squeeze(1) + linear[:, 1])
        return {
            "altering": self.altering(hidden).squeeze(1) + linear[:, 0],
            "psi": psi.masked_fill(same, 0.0),
            "site": self.site(hidden),
            "attention": weights.squeeze(1),
        }

    def _stream(
        self, sequence: Tensor, gap: Tensor, base: Tensor, hidden: Tensor | None, place: Tensor, known: Tensor
    ) -> Tensor:
        parts = [sequence, gap] if self.use_sequence else []
        if self.use_base:
            parts.append(base)
        if self.hidden_channels:
            if hidden is None:
                raise ValueError("this model reads the base model's hidden channels; the batch has none")
            parts.append(hidden * HIDDEN_SCALE)
        x: Tensor = self.project(torch.cat([*parts, place], dim=1)) * known
        for block in self.blocks:
            x = block(x, known)
        return x


def _at(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of x [B, C, L] over mask [B, 1, L]: [B, C], 0 where the mask is empty."""
    return (x * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1)
