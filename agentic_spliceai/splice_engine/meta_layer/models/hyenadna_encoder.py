"""HyenaDNA as a sequence encoder: frozen, with its last blocks free, or trained whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.extras import require
from agentic_spliceai.splice_engine.meta_layer.models.pretrained_encoder import ALL, PretrainedEncoder

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import HyenaDNAModel


class HyenaDNAEncoder(PretrainedEncoder):
    """A pretrained HyenaDNA.

    The network is causal: the embedding of a position knows the bases to its left only, and that of the last position
    knows all. It has no mask: padding (id 4, on the left) is an ordinary token to it, which is why it is left out
    afterwards, from the mean and from the embeddings of positions.

    What is frozen runs without a gradient, so that it costs no memory in training, and keeps its long filters from one
    step to the next.

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
        or -1 trains everything, the embedding included. The method of this name changes it during training.
    pooling
        `mean` over all positions but padding, `last` position, or `max`.
    dropout
        Of the embedding's units.
    hyena_config
        Fields of `HyenaDNAConfig` over those of the release or the file, such as `embed_dropout`. The encoder's
        `config` holds all fields, so that a checkpoint's network is built without its weights at hand.
    gradient_checkpointing
        Compute the free blocks twice and keep less in memory.
    revision, local_files_only
        Of the hub, see `load_hyenadna`.

    Attributes
    ----------
    weights_sha256 : str or None
        Digest of the weight file that was loaded; None where the network was built empty.

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
        require("transformers", purpose="the HyenaDNA encoder")
        from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import load_hyenadna

        network: HyenaDNAModel = load_hyenadna(
            Path(weights) if weights is not None and pretrained else model_name,
            pretrained=pretrained,
            config=hyena_config,
            revision=revision,
            local_files_only=local_files_only,
        )
        if gradient_checkpointing:
            network.activation_checkpointing_enable({"use_reentrant": False})
        self.weights_sha256: str | None = network.weights_sha256
        self.config["weights"] = None if weights is None else str(weights)
        self.config["hyena_config"] = network.config.architecture()
        self._adopt(
            network,
            network.config.d_model,
            output_dim=output_dim,
            unfreeze_last=unfreeze_last,
            pooling=pooling,
            dropout=dropout,
        )

    def unfreeze_last(self, blocks: int) -> None:
        """Let gradients into the last `blocks` blocks and the final norm (-1: into everything), and into nothing else.

        The layer to `output_dim`, where there is one, is always trained.

        Raises
        ------
        SettingError
            If the network has fewer blocks.
        """
        super().unfreeze_last(blocks)
        if not self.network.config.train_freq:
            for name, parameter in self.network.named_parameters():
                if name.endswith(".freq"):
                    parameter.requires_grad_(False)

    def _states(self, tokens: Tensor) -> Tensor:
        frozen = None if self.unfrozen == ALL else self.depth - self.unfrozen
        states: Tensor = self.network.backbone(tokens, frozen_blocks=frozen)[-1]
        return states.float()

    def _blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.network.backbone.layers
        return blocks

    def _after_blocks(self) -> list[nn.Module]:
        return [self.network.backbone.ln_f]
