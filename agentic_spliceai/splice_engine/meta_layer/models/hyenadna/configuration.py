"""Configuration of HyenaDNA, field for field that of the published `-hf` models."""

from __future__ import annotations

import inspect
from typing import Any

from transformers import PretrainedConfig

from agentic_spliceai.splice_engine.errors import SettingError


class HyenaDNAConfig(PretrainedConfig):  # type: ignore[misc]
    """Shape and constants of a HyenaDNA network; the defaults are those of the published class.

    Parameters
    ----------
    vocab_size
        Tokens in use; the embedding has this many rows rounded up to a multiple of `pad_vocab_size_multiple`.
    d_model
        Width D of the residual stream.
    d_inner
        Hidden width of the blocks' MLP; by default 4 D.
    n_layer
        Blocks N.
    max_seq_len
        Longest input M, tokens. It belongs to the filter's position features and cannot be changed after training.
    emb_dim
        Position features E of the implicit filter, odd: time, then cosines and sines.
    filter_order
        Width W of the MLP that makes the filter.
    short_filter_order
        Taps of the depthwise convolution before the gates.
    num_inner_mlps
        Hidden layers of the filter's MLP between its first and its last.
    hyena_order
        Order of the Hyena operator; every released model has 2, the only one supported.
    activation_freq
        Initial frequency of the filter's sine activations.
    train_freq
        Whether that frequency is trained.
    use_bias
        Has no effect; a published field.
    embed_dropout
        Dropout on the embedding in training, as the original code has it.
    hyena_dropout
        Dropout on the input of the long convolution in training.
    hyena_filter_dropout
        Published field of a dropout that no implementation has: 0 only.
    layer_norm_epsilon
        Of every LayerNorm.
    initializer_range
        Standard deviation of initial weights.
    pad_vocab_size_multiple
        See `vocab_size`.
    modulate
        Whether the filter decays with position.
    modulation_shift
        Added to the decay. Published checkpoints do not store it; both published inference codes have 0.05.
    pad_token_id
        Id that fills shorter sequences on the left; an ordinary token to the network.
    tie_word_embeddings
        Whether the language-model head is the embedding.

    Raises
    ------
    SettingError
        If a value asks for what the network does not have.
    """

    model_type = "hyenadna"
    # Auto classes and generic heads ask for the field's common names.
    attribute_map = {"hidden_size": "d_model", "num_hidden_layers": "n_layer", "max_position_embeddings": "max_seq_len"}  # noqa: RUF012

    def __init__(
        self,
        vocab_size: int = 12,
        d_model: int = 256,
        d_inner: int | None = None,
        n_layer: int = 12,
        max_seq_len: int = 1024,
        emb_dim: int = 3,
        filter_order: int = 64,
        short_filter_order: int = 3,
        num_inner_mlps: int = 2,
        hyena_order: int = 2,
        activation_freq: float = 1,
        train_freq: bool = True,
        use_bias: bool = True,
        embed_dropout: float = 0.1,
        hyena_dropout: float = 0.0,
        hyena_filter_dropout: float = 0.0,
        layer_norm_epsilon: float = 1e-5,
        initializer_range: float = 0.02,
        pad_vocab_size_multiple: int = 8,
        modulate: bool = True,
        modulation_shift: float = 0.05,
        pad_token_id: int | None = 4,
        tie_word_embeddings: bool = False,
        **kwargs: Any,
    ) -> None:
        if hyena_order != 2:
            raise SettingError(f"Hyena operators of order {hyena_order} are not supported.", "Use order 2.")
        if emb_dim < 3 or emb_dim % 2 == 0:
            raise SettingError(f"emb_dim is {emb_dim}.", "Use an odd number from 3: time, then cosines and sines.")
        if hyena_filter_dropout:
            raise SettingError("hyena_filter_dropout is not implemented, here or elsewhere.", "Set it to 0.")
        self.vocab_size = vocab_size
        self.d_model = d_model
        self.d_inner = 4 * d_model if d_inner is None else d_inner
        self.n_layer = n_layer
        self.max_seq_len = max_seq_len
        self.emb_dim = emb_dim
        self.filter_order = filter_order
        self.short_filter_order = short_filter_order
        self.num_inner_mlps = num_inner_mlps
        self.hyena_order = hyena_order
        self.activation_freq = activation_freq
        self.train_freq = train_freq
        self.use_bias = use_bias
        self.embed_dropout = embed_dropout
        self.hyena_dropout = hyena_dropout
        self.hyena_filter_dropout = hyena_filter_dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.pad_vocab_size_multiple = pad_vocab_size_multiple
        self.modulate = modulate
        self.modulation_shift = modulation_shift
        self.pad_token_id = pad_token_id
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)

    def architecture(self) -> dict[str, Any]:
        """Return the fields of this class as plain values: what builds the same network again."""
        return {name: getattr(self, name) for name in self.fields()}

    @classmethod
    def fields(cls) -> list[str]:
        """Return the names of the fields of this class."""
        return list(inspect.signature(cls.__init__).parameters)[1:-1]

    @property
    def padded_vocab_size(self) -> int:
        """Rows of the embedding."""
        return -(-self.vocab_size // self.pad_vocab_size_multiple) * self.pad_vocab_size_multiple
