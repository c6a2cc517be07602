"""The HyenaDNA network, and its language-model and classification heads, as transformers models without remote code.

State dict names are those of the published `-hf` files.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput, SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.configuration import HyenaDNAConfig
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.implicit_filter import (
    HyenaFilter,
    Modulation,
    PositionFeatures,
    Sine,
    decay_rates,
    position_features,
)


class BranchLinear(nn.Linear):
    """Last layer of a residual branch: smaller at first, because there are 2 N branches to add up."""


class HyenaMixer(nn.Module):
    """Hyena operator of order 2: projections, a short convolution, and two gates around the long convolution."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        width, taps = config.d_model, config.short_filter_order
        self.in_proj = nn.Linear(width, 3 * width)
        self.short_filter = nn.Conv1d(3 * width, 3 * width, taps, groups=3 * width, padding=taps - 1)
        self.filter_fn = HyenaFilter(config)
        self.out_proj = BranchLinear(width, width)
        self.dropout = nn.Dropout(config.hyena_dropout)

    def forward(self, u: Tensor) -> Tensor:
        """Mix float [B, L, D] along L; output t depends on inputs 0..t."""
        # Padded on both sides and cut to the first L outputs, the short convolution is causal.
        projected = self.short_filter(self.in_proj(u).transpose(1, 2))[..., : u.shape[1]]
        gate, inner_gate, value = projected.chunk(3, dim=1)
        mixed = self.filter_fn(self.dropout(inner_gate * value))
        out: Tensor = self.out_proj((gate * mixed).transpose(1, 2))
        return out


class HyenaMLP(nn.Module):
    """Two layers with the tanh approximation of GELU between."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.d_model, config.d_inner)
        self.fc2 = BranchLinear(config.d_inner, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to float [B, L, D]."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
        return out


class HyenaBlock(GradientCheckpointingLayer):  # type: ignore[misc]
    """Pre-norm block on the residual stream."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mixer = HyenaMixer(config)
        self.norm2 = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mlp = HyenaMLP(config)

    def forward(self, residual: Tensor) -> Tensor:
        """Map float32 [B, L, D] to the same; the residual stream stays in float32 in a model of lower precision."""
        residual = residual + self.mixer(self.norm1(residual.to(self.norm1.weight.dtype)))
        out: Tensor = residual + self.mlp(self.norm2(residual.to(self.norm2.weight.dtype)))
        return out


class HyenaEmbeddings(nn.Module):
    """Token embedding; the model has no position embedding and no padding index."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.padded_vocab_size, config.d_model)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map int64 [B, L] to float [B, L, D]."""
        out: Tensor = self.word_embeddings(input_ids)
        return out


class HyenaBackbone(nn.Module):
    """Embedding, blocks and final norm."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__()
        self.max_seq_len = config.max_seq_len
        self.embeddings = HyenaEmbeddings(config)
        self.dropout = nn.Dropout(config.embed_dropout)
        self.layers = nn.ModuleList([HyenaBlock(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)

    def forward(
        self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, *, frozen_blocks: int | None = None
    ) -> tuple[Tensor, ...]:
        """Return embedding, the N blocks' outputs and the final norm, each float [B, L, D].

        Parameters
        ----------
        input_ids : int64 [B, L]
            Token ids; or else
        inputs_embeds : float [B, L, D]
            vectors in the place of the embedding.
        frozen_blocks
            With a number, the embedding and that many blocks run without a gradient, and their outputs are not kept:
            the memory of training is that of the other blocks.

        Raises
        ------
        SettingError
            If the input is longer than the model's position features, or is given in neither or both forms.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise SettingError("HyenaDNA takes either input_ids or inputs_embeds.", "Give one of them.")
        length = (input_ids if input_ids is not None else inputs_embeds).shape[1]  # type: ignore[union-attr]
        if length > self.max_seq_len:
            raise SettingError(
                f"The sequence has {length:,} tokens; this HyenaDNA reads at most {self.max_seq_len:,}.",
                "Take a shorter window, or a model of longer context.",
            )
        states: list[Tensor] = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen_blocks is None):
            embedded = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
            state = self.dropout(embedded)
            state = state.to(torch.promote_types(state.dtype, torch.float32))
            if frozen_blocks is None:
                states.append(state)
            for layer in self.layers[: frozen_blocks or 0]:
                state = layer(state)
        for layer in self.layers[frozen_blocks or 0 :]:
            state = layer(state)
            states.append(state)
        return (*states, self.ln_f(state.to(self.ln_f.weight.dtype)))


class HyenaDNAPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    """What the HyenaDNA models share: configuration class, initialisation, and strict loading."""

    config_class = HyenaDNAConfig
    base_model_prefix = "hyena"
    weights_sha256: str | None = None
    """Digest of the file that `load_hyenadna` read."""
    supports_gradient_checkpointing = True
    _no_split_modules = ["HyenaBlock"]  # noqa: RUF012
    # Positions lose their meaning in 8 bits of mantissa.
    _keep_in_fp32_modules_strict = ["filter_fn"]  # noqa: RUF012

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise one module as the original code does, the rescaling of the residual branches included."""
        std = self.config.initializer_range
        if isinstance(module, nn.Linear):
            scale = math.sqrt(2 * self.config.n_layer) if isinstance(module, BranchLinear) else 1
            init.normal_(module.weight, mean=0.0, std=std / scale)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=std)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Conv1d):
            bound = 1 / math.sqrt(module.kernel_size[0])  # the framework's default for a depthwise convolution
            init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, Sine):
            init.constant_(module.freq, self.config.activation_freq)
        elif isinstance(module, HyenaFilter):
            init.normal_(module.bias, mean=0.0, std=1.0)
        elif isinstance(module, PositionFeatures):
            z, t = position_features(self.config.max_seq_len, self.config.emb_dim)
            init.copy_(module.z, z)
            init.copy_(module.t, t)
        elif isinstance(module, Modulation):
            init.copy_(module.deltas, decay_rates(self.config.d_model))

    @classmethod
    def from_pretrained(cls, *args: Any, output_loading_info: bool = False, **kwargs: Any) -> Any:
        """Load as transformers does, but raise where it would leave weights random.

        Raises
        ------
        WeightsError
            If a tensor is missing or of another shape. A classification head, new by its nature, may be missing.
        """
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        missing = sorted(key for key in info["missing_keys"] if not key.startswith("score."))
        wrong = sorted(str(key) for key in info["mismatched_keys"])
        if missing or wrong:
            raise WeightsError(
                f"HyenaDNA weights do not fit: missing {missing[:3]}, of another shape {wrong[:3]}.",
                "Give the folder of a HyenaDNA checkpoint, or use load_hyenadna, which reads every published layout.",
            )
        return (model, info) if output_loading_info else model


class HyenaDNAModel(HyenaDNAPreTrainedModel):
    """HyenaDNA without a head.

    Causal: output t depends on tokens 0..t only. There is no attention mask; padding tokens are ordinary tokens, so
    pad on the left and leave padded positions out of whatever is made of the output.
    """

    _keys_to_ignore_on_load_unexpected = [r"^lm_head\."]  # noqa: RUF012

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__(config)
        self.backbone = HyenaBackbone(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the token embedding."""
        return self.backbone.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the token embedding."""
        self.backbone.embeddings.word_embeddings = value  # type: ignore[assignment]

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the network on int64 [B, L] ids or float [B, L, D] vectors.

        Returns
        -------
        BaseModelOutput
            `last_hidden_state` float [B, L, D] after the final norm; `hidden_states`, where asked for, the embedding,
            the N blocks' outputs and the final norm (N + 2 tensors).
        """
        _refuse(kwargs)
        states = self.backbone(input_ids, inputs_embeds)
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        return BaseModelOutput(last_hidden_state=states[-1], hidden_states=states if wanted else None)


class HyenaDNAForCausalLM(HyenaDNAPreTrainedModel):
    """HyenaDNA that predicts the next token."""

    _tied_weights_keys = {"lm_head.weight": "hyena.backbone.embeddings.word_embeddings.weight"}  # noqa: RUF012

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__(config)
        self.hyena = HyenaDNAModel(config)
        self.lm_head = nn.Linear(config.d_model, config.padded_vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        """Return the head."""
        return self.lm_head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the head."""
        self.lm_head = value  # type: ignore[assignment]

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return logits float32 [B, L, V'], row t for token t + 1; with `labels` (ids, -100 ignored), the loss too."""
        _refuse(kwargs)
        out = self.hyena(input_ids, inputs_embeds, output_hidden_states=output_hidden_states, return_dict=True)
        logits = self.lm_head(out.last_hidden_state).float()
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        return CausalLMOutput(loss=loss, logits=logits, hidden_states=out.hidden_states)


class HyenaDNAForSequenceClassification(HyenaDNAPreTrainedModel):
    """HyenaDNA with a linear classifier on the last position, which sees the whole sequence; pad on the left."""

    def __init__(self, config: HyenaDNAConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.hyena = HyenaDNAModel(config)
        self.score = nn.Linear(config.d_model, config.num_labels, bias=False)
        self.post_init()

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return logits float32 [B, labels], and the loss of the configured `problem_type` where `labels` are."""
        _refuse(kwargs)
        out = self.hyena(input_ids, inputs_embeds, output_hidden_states=output_hidden_states, return_dict=True)
        logits = self.score(out.last_hidden_state[:, -1]).float()
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=out.hidden_states)


def _refuse(arguments: dict[str, Any]) -> None:
    """Refuse arguments that would seem to do something."""
    unknown = sorted(name for name, value in arguments.items() if value is not None)
    if unknown:
        raise SettingError(
            f"HyenaDNA takes no {', '.join(unknown)}.", "The network has no mask and no cache; pad on the left."
        )
