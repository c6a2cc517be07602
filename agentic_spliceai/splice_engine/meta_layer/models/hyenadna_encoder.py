"""HyenaDNA as a sequence encoder: frozen, with its last blocks free, or trained whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.extras import require
from agentic_spliceai.splice_engine.meta_layer.models.base import SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.models.inputs import PAD_TOKEN, as_tokens
from agentic_spliceai.splice_engine.meta_layer.models.layers import masked_mean
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import HyenaDNAModel

ALL = -1
"""Value of `unfreeze_last` that sets everything free, the embedding included."""

POOLINGS = ("mean", "last", "max")


class HyenaDNAEncoder(SequenceEncoder):
    """A pretrained HyenaDNA.

    The network is causal: the embedding of a position knows the bases to its left only, and that of the last position
    knows all. It has no mask: padding (id 4, on the left) is an ordinary token to it, and is left out of what is pooled
    and zero in `encode_positions`. N is a base like the others (id 11), never padding.

    What is frozen costs no memory for gradients, keeps its filters from one step to the next, and stays in evaluation
    mode, without dropout, while the rest is trained.

    Parameters
    ----------
    output_dim
        Width D of the embedding; where it is not the network's own, a linear layer is trained to reach it. None takes
        the network's own.
    model_name
        Release (`hyenadna-small-32k`, `hyenadna-medium-160k`, ...) or hub repository in the `-hf` layout.
    pretrained
        Load the weights. False builds the network empty, to be filled from a checkpoint or trained from scratch.
    weights
        Path of a file or folder with weights, in the place of the release's; read where `pretrained`.
    unfreeze_last
        Blocks that are trained, counted from the last, with the final norm where there is any; 0 is frozen, and None
        or -1 trains everything, the embedding included. `unfreeze_last(n)` changes it during training.
    pooling
        `mean` over all positions but padding, `last` position, or `max`.
    dropout
        Of the embedding's units.
    hyena_config
        Fields of `HyenaDNAConfig` over those of the release or the file, such as `embed_dropout`. `config` holds all
        fields after loading, so that a checkpoint's network is built without its weights at hand.
    gradient_checkpointing
        Compute the free blocks twice and keep less in memory.
    revision, local_files_only
        Of the hub, see `load_hyenadna`.

    Raises
    ------
    WeightsError
        If the weights cannot be found or do not fit; nothing is made up in their place.
    SettingError
        If an option has a value that it cannot have.
    MissingExtraError
        If transformers is not installed.
    """

    def __init__(
        self,
        output_dim: int | None = 256,
        model_name: str = "hyenadna-small-32k-seqlen",
        *,
        pretrained: bool = True,
        weights: str | None = None,
        unfreeze_last: int | None = 0,
        pooling: str = "mean",
        dropout: float = 0.0,
        hyena_config: Mapping[str, Any] | None = None,
        gradient_checkpointing: bool = False,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise unknown("pooling", pooling, POOLINGS)
        require("transformers", purpose="the HyenaDNA encoder")
        from pathlib import Path

        from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import load_hyenadna

        self.model: HyenaDNAModel = load_hyenadna(
            Path(weights) if weights is not None and pretrained else model_name,
            pretrained=pretrained,
            config=hyena_config,
            revision=revision,
            local_files_only=local_files_only,
        )
        width: int = self.model.config.d_model
        self.output_dim = width if output_dim is None else output_dim
        self.pooling = pooling
        self.projection = nn.Identity() if self.output_dim == width else nn.Linear(width, self.output_dim)
        self.dropout = nn.Dropout(dropout)
        if gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        self.config["weights"] = None if weights is None else str(weights)
        self.config["hyena_config"] = self.model.config.architecture()
        self.unfrozen = 0
        self.unfreeze_last(ALL if unfreeze_last is None else unfreeze_last)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.model.backbone.layers)

    @property
    def weights_sha256(self) -> str | None:
        """Digest of the weight file that was loaded, None for a network built empty."""
        return self.model.weights_sha256

    def unfreeze_last(self, blocks: int) -> None:
        """Let gradients into the last `blocks` blocks and the final norm (-1: into everything), and into nothing else.

        `unfrozen` tells the number afterwards. The projection to `output_dim`, where there is one, is always trained.

        Raises
        ------
        SettingError
            If the network has fewer blocks.
        """
        if not ALL <= blocks <= self.depth:
            raise SettingError(
                f"unfreeze_last is {blocks}; {self.config['model_name']} has {self.depth} blocks.",
                f"Use 0 (frozen) to {self.depth}, or -1 for everything.",
            )
        self.unfrozen = blocks
        self.model.requires_grad_(blocks == ALL)
        for module in self._free():
            module.requires_grad_(True)
        if not self.model.config.train_freq:
            for name, parameter in self.model.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and not name.endswith(".freq"))
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of what is trained; what is frozen stays in evaluation mode."""
        super().train(mode)
        if mode and self.unfrozen != ALL:
            self.model.eval()
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
        """Embed the whole sequence: one-hot float [B, 4, L] or ids int64 [B, L] to float [B, D]; zeros if all padding.

        Raises
        ------
        SettingError
            If L is more than the network reads.
        """
        tokens = as_tokens(sequence)
        real = tokens != PAD_TOKEN
        pooled: Tensor = self.dropout(self.projection(self._pool(self._states(tokens), real)))
        return pooled * real.any(dim=1, keepdim=True)

    def _states(self, tokens: Tensor) -> Tensor:
        frozen = None if self.unfrozen == ALL else self.depth - self.unfrozen
        states: Tensor = self.model.backbone(tokens, frozen_blocks=frozen)[-1]
        return states.float()

    def _pool(self, states: Tensor, real: Tensor) -> Tensor:
        if self.pooling == "mean":
            return masked_mean(states, real)
        if self.pooling == "max":
            return states.masked_fill(~real.unsqueeze(2), torch.finfo(states.dtype).min).amax(dim=1)
        last = (real * torch.arange(1, real.shape[1] + 1, device=real.device)).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), last]

    def _free(self) -> list[nn.Module]:
        """Return the blocks that are trained, and the final norm where there are any."""
        if self.unfrozen == ALL:
            return [self.model.backbone]
        if self.unfrozen == 0:
            return []
        return [*self.model.backbone.layers[self.depth - self.unfrozen :], self.model.backbone.ln_f]
