"""What pretrained encoders share: freezing, unfreezing from the last block, padding, pooling, and the way to D."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.models.inputs import PAD_TOKEN, as_tokens
from agentic_spliceai.splice_engine.meta_layer.models.layers import masked_mean
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown

ALL = -1
"""Value of `unfreeze_last` that sets everything free, the embedding included."""

POOLINGS = ("mean", "last", "max")


class PretrainedEncoder(SequenceEncoder):
    """A network that was trained elsewhere, with a layer to the width that is asked for.

    What is frozen gets no gradient and stays in evaluation mode, without dropout, while the rest is trained. Padding
    (id 4) is left out of what is pooled, and zero in `encode_positions`; N (id 11) is a base like the others.

    Attributes
    ----------
    unfrozen : int
        Blocks that are trained now, counted from the last; -1 where everything is.
    """

    network: Any  # a transformers model, which has attributes that nn.Module does not promise
    unfrozen: int

    def _adopt(
        self,
        network: nn.Module,
        width: int,
        *,
        output_dim: int | None,
        unfreeze_last: int | None,
        pooling: str,
        dropout: float,
    ) -> None:
        """Take the network, of width `width`; the other arguments are those of the constructors."""
        if pooling not in POOLINGS:
            raise unknown("pooling", pooling, POOLINGS)
        self.network, self.pooling = network, pooling
        self.output_dim = width if output_dim is None else output_dim
        self.projection = nn.Identity() if self.output_dim == width else nn.Linear(width, self.output_dim)
        self.dropout = nn.Dropout(dropout)
        self.unfrozen = 0
        self.unfreeze_last(ALL if unfreeze_last is None else unfreeze_last)

    @abstractmethod
    def _states(self, tokens: Tensor) -> Tensor:
        """Map ids int64 [B, L] of `models.inputs`, padded on the left, to the network's states, float [B, L, width]."""

    @abstractmethod
    def _blocks(self) -> nn.ModuleList:
        """Return the network's blocks."""

    @abstractmethod
    def _after_blocks(self) -> list[nn.Module]:
        """Return what follows the blocks: final norms."""

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self._blocks())

    def unfreeze_last(self, blocks: int) -> None:
        """Let gradients into the last `blocks` blocks and what follows them (-1: into everything), and nothing else.

        The layer to `output_dim`, where there is one, is always trained.

        Raises
        ------
        SettingError
            If the network has fewer blocks.
        """
        if not ALL <= blocks <= self.depth:
            raise SettingError(
                f"unfreeze_last is {blocks}; the encoder has {self.depth} blocks.",
                f"Use 0 (frozen) to {self.depth}, or -1 for everything.",
            )
        self.unfrozen = blocks
        self.network.requires_grad_(False)
        for module in self._free():
            module.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of what is trained; what is frozen stays in evaluation mode."""
        super().train(mode)
        if mode:
            self.network.eval()
            for module in self._free():
                module.train()
        return self

    def encode_positions(self, sequence: Tensor) -> Tensor:
        """Embed each position: one-hot float [B, 4, L] or ids int64 [B, L] to float [B, L, D], zero where padding is.

        Raises
        ------
        SettingError
            If L is more than the network reads.
        """
        tokens = as_tokens(sequence)
        states: Tensor = self.dropout(self.projection(self._states(tokens)))
        return states * (tokens != PAD_TOKEN).unsqueeze(2)

    def forward(self, sequence: Tensor) -> Tensor:
        """Embed the whole sequence: one-hot float [B, 4, L] or ids int64 [B, L] to float [B, D].

        Raises
        ------
        SettingError
            If L is more than the network reads.
        """
        tokens = as_tokens(sequence)
        pooled: Tensor = self.dropout(self.projection(self._pool(self._states(tokens), tokens != PAD_TOKEN)))
        return pooled

    def _pool(self, states: Tensor, real: Tensor) -> Tensor:
        if self.pooling == "mean":
            return masked_mean(states, real)
        if self.pooling == "max":
            return states.masked_fill(~real.unsqueeze(2), torch.finfo(states.dtype).min).amax(dim=1)
        last = (real * torch.arange(1, real.shape[1] + 1, device=real.device)).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), last]

    def _free(self) -> list[nn.Module]:
        """Return what is trained."""
        if self.unfrozen == ALL:
            return [self.network]
        if self.unfrozen == 0:
            return []
        return [*self._blocks()[self.depth - self.unfrozen :], *self._after_blocks()]
