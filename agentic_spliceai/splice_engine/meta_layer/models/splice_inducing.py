"""Is a variant splice-altering: the first step of the multi-step framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import BinaryHead, probabilities
from agentic_spliceai.splice_engine.meta_layer.models.variant_trunk import VariantTrunk, encoder_arguments


class SpliceInducingClassifier(MetaModule):
    """Gated CNN over the alternate sequence (401 nt in the reference design) and the changed base: one logit.

    Parameters
    ----------
    hidden_dim, n_layers, kernel_size
        Channels, gated blocks and odd kernel width of the gated CNN; `hidden_dim` is the width of every encoder.
    dropout
        Of encoder, attention and head.
    variant
        `basic` pools the sequence; `attention` looks at the positions around the variant.
    encoder
        Name for `SequenceEncoderFactory`; `n_layers` and `kernel_size` count for `gated_cnn` only.
    encoder_options
        Further arguments of the encoder; they win over the above. `separable` makes it about fourteen times smaller.
    """

    inputs = ("alt", "ref_base", "alt_base")
    task = "binary"

    def __init__(
        self,
        hidden_dim: int = 256,
        n_layers: int = 8,
        kernel_size: int = 15,
        dropout: float = 0.1,
        variant: str = "basic",
        encoder: str = "gated_cnn",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = encoder_arguments(encoder, hidden_dim, n_layers, kernel_size, dropout, encoder_options)
        self.trunk = VariantTrunk(variant, hidden_dim, encoder, options, dropout)
        self.config = {**self.config, "encoder_options": options_of(self.trunk.encoder, encoder_options)}
        self.head = BinaryHead(self.trunk.output_dim, hidden_dim, dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Map alt float [B, 4, L] (or ids [B, L]), ref_base and alt_base float [B, 4] to a logit [B]."""
        logit: Tensor = self.head(self.trunk(alt, ref_base, alt_base))
        return logit

    def predict_proba(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Return the probability that the variant alters splicing: float [B]."""
        return probabilities(self.task, self(alt, ref_base, alt_base))
