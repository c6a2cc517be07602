"""Sequence encoders by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from agentic_spliceai.splice_engine.meta_layer.models.base import SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.models.naming import construct, unknown

ENCODERS = {
    "cnn": "encoders:CNNEncoder",
    "gated_cnn": "encoders:GatedCNNEncoder",
    "hyenadna": "hyenadna_encoder:HyenaDNAEncoder",
    "none": "encoders:NoSequenceEncoder",
}
"""Short names and their classes, as `module:class` of this package."""

_HUGGING_FACE = "huggingface_encoder:HuggingFaceEncoder"


class SequenceEncoderFactory:
    """Makes sequence encoders by name."""

    @staticmethod
    def create(name: str, output_dim: int = 256, **options: Any) -> SequenceEncoder:
        """Return a new encoder.

        Parameters
        ----------
        name
            `cnn`, `gated_cnn`, `hyenadna`, `none`, or any DNA encoder of Hugging Face: its name there (with a `/`) or
            a folder that holds it. A HyenaDNA of that kind is built by `HyenaDNAEncoder`, which needs no remote code.
        output_dim
            Width D of the embedding.
        options
            Further arguments of the encoder's constructor.

        Raises
        ------
        SettingError
            If the name or an option is unknown.
        MissingExtraError
            If the encoder needs a library that is not installed.
        """
        options = {"output_dim": output_dim, **options}
        if name in ENCODERS:
            encoder: SequenceEncoder = construct(_load(ENCODERS[name]), options, what=f"the {name} encoder")
            return encoder
        if "/" not in name and not Path(name).is_dir() and not _is_hyenadna(name):
            raise unknown("sequence encoder", name, ENCODERS)
        if _is_hyenadna(name):
            home, options = ENCODERS["hyenadna"], {"model_name": name, **options}
        else:
            home, options = _HUGGING_FACE, {"name": name, **options}
        found: SequenceEncoder = construct(_load(home), options, what=f"the {name} encoder")
        return found


def options_of(encoder: SequenceEncoder, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options with which `create` makes an encoder of the same shape, for a model's `config`.

    These are the given ones; for a pretrained encoder all of them, among them the shape that its weights turned out to
    have, so that it can be built where these weights are not at hand.
    """
    if "pretrained" not in encoder.config:
        return dict(given or {})
    return {key: value for key, value in encoder.config.items() if key not in ("name", "output_dim")}


def _is_hyenadna(name: str) -> bool:
    return Path(name).name.lower().startswith("hyenadna-")


def _load(home: str) -> type[Any]:
    module, _, cls = home.partition(":")
    found: type[Any] = getattr(import_module(f"{__package__}.{module}"), cls)
    return found
