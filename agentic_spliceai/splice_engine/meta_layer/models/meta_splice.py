"""The multimodal model of one position: sequence and base scores, fused, one of three heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory, options_of
from agentic_spliceai.splice_engine.meta_layer.models.fusion import create_fusion
from agentic_spliceai.splice_engine.meta_layer.models.heads import CLASSES, create_head, probabilities
from agentic_spliceai.splice_engine.meta_layer.models.inputs import as_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.layers import real_positions, silence
from agentic_spliceai.splice_engine.meta_layer.models.score_encoder import ScoreEncoder


class MetaSpliceModel(MetaModule):
    """Sequence encoder and score encoder, fused, with a head for classification, delta or binary.

    Parameters
    ----------
    encoder
        Name for `SequenceEncoderFactory`.
    hidden_dim
        Width D of both embeddings.
    num_features
        Score features F.
    fusion
        `cross_attention`, `concat` or `gated`.
    head
        `classification`, `delta` or `binary`; it decides the task.
    encoder_options, fusion_options
        Further arguments of the encoder and of the fusion.
    dropout
        Of the score encoder and the head.
    base_logits
        Columns of the features that hold the base model's log-odds: of donor against the rest, of acceptor against the
        rest, and of a site (either) against neither. With them the head's output is added to the base model's
        log-probabilities and starts at zero: untrained, the model is the base model, and training moves away from it
        only where that helps. Classification only.
    base_scale, base_shift
        Standard deviation and mean by which these three columns were normalised, so that normalising is undone; without
        them the start is the base model with its log-odds rescaled. Trained with the rest.

    Examples
    --------
    >>> model = MetaSpliceModel(encoder="cnn", hidden_dim=32, num_features=50)
    >>> model(torch.zeros(2, 4, 501), torch.zeros(2, 50)).shape
    torch.Size([2, 3])
    """

    inputs = ("sequence", "features")

    def __init__(
        self,
        encoder: str = "gated_cnn",
        hidden_dim: int = 256,
        num_features: int = 50,
        fusion: str = "cross_attention",
        head: str = "classification",
        encoder_options: Mapping[str, Any] | None = None,
        fusion_options: Mapping[str, Any] | None = None,
        dropout: float = 0.1,
        base_logits: Sequence[int] | None = None,
        base_scale: Sequence[float] = (1.0, 1.0, 1.0),
        base_shift: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        super().__init__()
        self.encoder = SequenceEncoderFactory.create(encoder, hidden_dim, **(encoder_options or {}))
        self.config = {**self.config, "encoder_options": options_of(self.encoder, encoder_options)}
        self.score_encoder = ScoreEncoder(num_features, hidden_dim, dropout)
        self.fusion = create_fusion(fusion, hidden_dim, **(fusion_options or {}))
        self.head = create_head(head, self.fusion.output_dim, hidden_dim, dropout)
        self.task = self.head.task  # type: ignore[misc]
        self.base: BaseLogits | None = None
        if base_logits is not None:
            if self.task != "classification":
                raise SettingError(
                    f"base_logits mean nothing to the {head} head.", "Leave them out, or take head='classification'."
                )
            self.base = BaseLogits(num_features, base_logits, base_scale, base_shift)
            silence(self.head.layers[-1])

    def forward(self, sequence: Tensor, features: Tensor) -> Tensor:
        """Judge a batch.

        Parameters
        ----------
        sequence : float [B, 4, L] or int64 [B, L]
            Window with the position in the middle, transcript sense.
        features : float [B, F]
            Normalised score features.

        Returns
        -------
        float [B, 3] logits, [B, 3] deltas or [B] logit, by head
        """
        scores = self.score_encoder(features)
        if self.fusion.attends:
            tokens = torch.cat([scores.unsqueeze(1), self.score_encoder.tokens(features)], dim=1)
            states = self.encoder.encode_positions(sequence)
            fused = self.fusion(states, tokens, real_positions(as_one_hot(sequence)))
        else:
            fused = self.fusion(self.encoder(sequence), scores)
        output: Tensor = self.head(fused)
        return output if self.base is None else output + self.base(features)

    def predict_proba(self, sequence: Tensor, features: Tensor) -> Tensor:
        """Return probabilities: float [B, 3] in `SpliceClass` order, or [B] for the binary head.

        Raises
        ------
        SettingError
            If the head predicts deltas.
        """
        return probabilities(self.task, self(sequence, features))


class BaseLogits(nn.Module):
    """The base model's log-probabilities, from three normalised log-odds; parameters as `MetaSpliceModel`'s."""

    columns: Tensor

    def __init__(
        self, num_features: int, columns: Sequence[int], scale: Sequence[float], shift: Sequence[float]
    ) -> None:
        super().__init__()
        if {len(columns), len(scale), len(shift)} != {CLASSES} or not all(0 <= c < num_features for c in columns):
            raise SettingError(
                f"base_logits {list(columns)}, base_scale {list(scale)} and base_shift {list(shift)} do not fit "
                f"{num_features} features.",
                f"Give {CLASSES} of each, columns from 0 to {num_features - 1}: donor, acceptor, site.",
            )
        self.register_buffer("columns", torch.tensor(list(columns)), persistent=False)
        self.scale = nn.Parameter(torch.tensor([float(x) for x in scale]))
        self.shift = nn.Parameter(torch.tensor([float(x) for x in shift]))

    def forward(self, features: Tensor) -> Tensor:
        """Map float [B, F] to log-probabilities [B, 3]; they add up to 1 as far as the log-odds agree."""
        donor, acceptor, site = (features[:, self.columns] * self.scale + self.shift).unbind(dim=1)
        return nn.functional.logsigmoid(torch.stack([donor, acceptor, -site], dim=1))
