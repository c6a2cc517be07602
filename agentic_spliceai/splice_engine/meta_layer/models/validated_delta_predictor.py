"""Single-pass delta prediction for targets that measurements have validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import options_of
from agentic_spliceai.splice_engine.meta_layer.models.heads import DeltaHead
from agentic_spliceai.splice_engine.meta_layer.models.variant_trunk import VariantTrunk, encoder_arguments


class ValidatedDeltaPredictor(MetaModule):
    """Alternate sequence and changed base in, deltas of donor, acceptor and neither out.

    Parameters
    ----------
    variant
        `basic` pools the sequence; `attention` looks at the positions around the variant.
    hidden_dim, n_layers, kernel_size
        Channels, gated blocks and odd kernel width of the gated CNN; `hidden_dim` is the width of every encoder.
    dropout
        Of encoder, attention and head.
    encoder
        Name for `SequenceEncoderFactory`; `n_layers` and `kernel_size` count for `gated_cnn` only.
    encoder_options
        Further arguments of the encoder; they win over the above.
    """

    inputs = ("alt", "ref_base", "alt_base")
    task = "delta"

    def __init__(
        self,
        variant: str = "basic",
        hidden_dim: int = 128,
        n_layers: int = 6,
        kernel_size: int = 15,
        dropout: float = 0.1,
        encoder: str = "gated_cnn",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = encoder_arguments(encoder, hidden_dim, n_layers, kernel_size, dropout, encoder_options)
        self.trunk = VariantTrunk(variant, hidden_dim, encoder, options, dropout)
        self.config = {**self.config, "encoder_options": options_of(self.trunk.encoder, encoder_options)}
        self.head = DeltaHead(self.trunk.output_dim, hidden_dim, dropout)

    def forward(self, alt: Tensor, ref_base: Tensor, alt_base: Tensor) -> Tensor:
        """Predict the deltas.

        Parameters
        ----------
        alt : float [B, 4, L] or int64 [B, L]
            Alternate sequence, the variant in the middle.
        ref_base, alt_base : float [B, 4]
            The changed base before and after, transcript sense.

        Returns
        -------
        float [B, 3]
            Change of the donor, acceptor and neither probability: within -1 to 1, adding up to 0.
        """
        delta: Tensor = self.head(self.trunk(alt, ref_base, alt_base))
        return delta
