"""What a splice-altering variant does: the second step of the multi-step framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.data.batches import EffectType
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import ClassHead, probabilities
from agentic_spliceai.splice_engine.meta_layer.models.variant_trunk import VariantTrunk, encoder_arguments


class EffectTypeClassifier(MetaModule):
    """Alternate sequence and changed base in, logits of the six `EffectType` classes out.

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
        Further arguments of the encoder; they win over the above.
    """

    inputs = ("alt", "ref_base", "alt_base")
    task = "effect_type"

    def __init__(
        self,
        hidden_dim: int = 128,
        n_layers: int = 6,
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
        self.head = ClassHead(self.trunk.output_dim, hidden_dim, dropout, classes=len(EffectType))

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Map alt float [B, 4, L] (or ids [B, L]), ref_base and alt_base float [B, 4] to logits [B, 6]."""
        logits: Tensor = self.head(self.trunk(alt, ref_base, alt_base))
        return logits

    def predict_proba(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Return the probability of each `EffectType`: float [B, 6]."""
        return probabilities(self.task, self(alt, ref_base, alt_base))
