"""Published layouts of HyenaDNA weights to ours: names of tensors, and the configuration that their shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.configuration import HyenaDNAConfig
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.implicit_filter import decay_rates, position_features

_EMBEDDING = "embeddings.word_embeddings.weight"
_FREQ = re.compile(r"(layers\.\d+\.mixer\.filter_fn\.implicit_filter)\.[135]\.freq")
_LAYER = re.compile(r"layers\.(\d+)\.")

# Constants of every release, used where a file comes without config.json.
_RELEASED = {"activation_freq": 10, "layer_norm_epsilon": 1e-5, "vocab_size": 12, "pad_vocab_size_multiple": 8}

# Fields that decide what is computed and that no tensor's shape tells.
_FROM_CONFIG = (
    "vocab_size", "pad_vocab_size_multiple", "activation_freq", "train_freq", "embed_dropout", "hyena_dropout",
    "layer_norm_epsilon", "initializer_range", "modulate", "modulation_shift", "pad_token_id", "tie_word_embeddings",
)  # fmt: skip


class LayoutError(ValueError):
    """Tensors that are not those of a HyenaDNA; the message says why."""


def canonical_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the backbone's tensors under our names, without prefix, and `lm_head.weight` where there is one.

    Reads the prefixes of every published layout, the extra `layer` component of models that were trained with
    activation checkpointing, and one or several copies of the shared frequency. Tensors outside the backbone (metrics,
    other heads) are left out.

    Raises
    ------
    LayoutError
        If there is no backbone, or copies of one tensor differ.
    """
    prefixes = [name.removesuffix(_EMBEDDING) for name in tensors if name.endswith(_EMBEDDING)]
    if len(prefixes) != 1:
        raise LayoutError(f"it has {len(prefixes)} tensors named ...{_EMBEDDING} and not one: no HyenaDNA")
    prefix = prefixes[0]
    heads = {f"{prefix.removesuffix('backbone.').removesuffix('hyena.')}lm_head.weight", "lm_head.weight"}
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name in heads:
            ours = "lm_head.weight"
        elif name.startswith(prefix):
            ours = name.removeprefix(prefix).replace(".mixer.layer.", ".mixer.").replace(".mlp.layer.", ".mlp.")
            ours = _FREQ.sub(r"\1.1.freq", ours)
        else:
            continue
        if ours in renamed and not torch.equal(renamed[ours], tensor):
            raise LayoutError(f"its copies of {ours} differ")
        renamed[ours] = tensor
    return renamed


def config_from(tensors: Mapping[str, Tensor], stored: Mapping[str, Any]) -> tuple[HyenaDNAConfig, list[str]]:
    """Return the configuration that fits tensors under our names.

    Parameters
    ----------
    tensors
        As `canonical_names` returns them.
    stored
        A `config.json` of either layout; shapes win over it, and it may be empty.

    Returns
    -------
    config
        The configuration.
    overruled
        Fields whose stored value the shapes contradict, as `field: stored, not actual`.

    Raises
    ------
    LayoutError
        If shapes do not make up a HyenaDNA of order 2, or nothing tells the maximum length.
    """
    fields = _flat(stored)
    shapes = _fields_of_shapes(tensors, fields)
    overruled = [
        f"{name}: {fields[name]}, not {value}"
        for name, value in shapes.items()
        if fields.get(name) is not None and fields[name] != value
    ]
    chosen = {**_RELEASED, **{name: fields[name] for name in _FROM_CONFIG if name in fields}, **shapes}
    config = HyenaDNAConfig(**chosen)
    rows = tensors[_EMBEDDING].shape[0]
    if config.padded_vocab_size != rows:
        overruled.append(f"vocab_size: {config.vocab_size}, not {rows}")
        config.vocab_size, config.pad_vocab_size_multiple = rows, 1
    return config, overruled


def fill_constants(tensors: dict[str, Tensor], config: HyenaDNAConfig) -> dict[str, Tensor]:
    """Return the tensors with the constants that a file may leave out, by formula; stored ones are kept."""
    z, t = position_features(config.max_seq_len, config.emb_dim)
    filled = dict(tensors)
    for layer in range(config.n_layer):
        prefix = f"layers.{layer}.mixer.filter_fn"
        filled.setdefault(f"{prefix}.pos_emb.z", z)
        filled.setdefault(f"{prefix}.pos_emb.t", t)
        filled.setdefault(f"{prefix}.modulation.deltas", decay_rates(config.d_model))
    return filled


def _fields_of_shapes(tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> dict[str, Any]:
    layers = {int(match[1]) for name in tensors if (match := _LAYER.match(name))}
    if not layers or layers != set(range(len(layers))):
        raise LayoutError(f"its layers are numbered {sorted(layers)}")
    block, mlp = "layers.0.mixer", "layers.0.mixer.filter_fn.implicit_filter"
    try:
        width = tensors[_EMBEDDING].shape[1]
        projections = tensors[f"{block}.in_proj.weight"].shape[0]
        filter_width, features = tensors[f"{mlp}.0.weight"].shape
        shapes = {
            "d_model": width,
            "n_layer": len(layers),
            "d_inner": tensors["layers.0.mlp.fc1.weight"].shape[0],
            "emb_dim": features,
            "filter_order": filter_width,
            "short_filter_order": tensors[f"{block}.short_filter.weight"].shape[-1],
            "num_inner_mlps": sum(name.startswith(mlp) and name.endswith(".bias") for name in tensors) - 1,
        }
    except (KeyError, ValueError, IndexError) as error:
        raise LayoutError(f"it lacks a tensor, or one has too few dimensions ({error})") from error
    if projections != 3 * width:
        raise LayoutError(f"in_proj has {projections} rows and not 3 x {width}: its operator is not of order 2")
    stored_z = tensors.get(f"{block}.filter_fn.pos_emb.z")
    length = fields.get("max_seq_len") if stored_z is None else stored_z.shape[1]
    if length is None:
        raise LayoutError("neither a stored position table nor config.json says its maximum length")
    return {**shapes, "max_seq_len": int(length)}


def _flat(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration of either layout, or of a golden file, under the `-hf` names."""
    layer = stored.get("layer")
    fields = {**stored, **(layer if isinstance(layer, Mapping) else {})}
    for theirs, ours in (
        ("l_max", "max_seq_len"),
        ("w", "activation_freq"),
        ("local_order", "short_filter_order"),
        ("shift", "modulation_shift"),
        ("order", "hyena_order"),
        ("layer_norm_eps", "layer_norm_epsilon"),
    ):
        if theirs in fields:
            fields.setdefault(ours, fields.pop(theirs))
    return fields
