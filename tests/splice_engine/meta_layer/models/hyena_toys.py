"""A small HyenaDNA, and its weights in every published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import HyenaDNAConfig, HyenaDNAForCausalLM

TINY: dict[str, Any] = {
    "d_model": 16, "n_layer": 3, "d_inner": 32, "max_seq_len": 64, "emb_dim": 5, "filter_order": 8,
    "activation_freq": 10,
}  # fmt: skip


def toy(seed: int = 0, **fields: Any) -> HyenaDNAForCausalLM:
    """A causal language model whose every parameter is random: no bias is 0, no scale is 1."""
    torch.manual_seed(seed)
    model = HyenaDNAForCausalLM(HyenaDNAConfig(**{**TINY, **fields})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 10.0 if name.endswith("freq") else 1.0 if "norm" in name or "ln_f" in name else 0.0
            parameter.copy_(centre + 0.3 * torch.randn_like(parameter))
    return model


def ids(batch: int, length: int, seed: int = 1) -> Tensor:
    """Random bases, N among them."""
    return torch.randint(7, 12, (batch, length), generator=torch.Generator().manual_seed(seed))


def hf_state(model: HyenaDNAForCausalLM) -> dict[str, Tensor]:
    """The tensors under the published `-hf` names."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def original_state(model: HyenaDNAForCausalLM, *, checkpointed: bool) -> dict[str, Tensor]:
    """The tensors under the original names: three copies of the frequency, `.layer.` where `checkpointed`."""
    state: dict[str, Tensor] = {}
    for name, tensor in hf_state(model).items():
        name = f"model.{name}".replace("model.hyena.backbone.", "model.backbone.")
        if checkpointed:
            name = name.replace(".mixer.", ".mixer.layer.").replace(".mlp.", ".mlp.layer.")
        state[name] = tensor
        if name.endswith("implicit_filter.1.freq"):
            state[name.replace(".1.freq", ".3.freq")] = tensor.clone()
            state[name.replace(".1.freq", ".5.freq")] = tensor.clone()
    return state


def write_hf(folder: Path, state: dict[str, Tensor], **config: Any) -> Path:
    """A folder in the `-hf` layout; `config` wins over the toy's own."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    fields = {
        "model_type": "hyenadna", "architectures": ["HyenaDNAForCausalLM"], "vocab_size": 12, "torch_dtype": "float32",
        "auto_map": {"AutoConfig": "configuration_hyena.HyenaConfig", "AutoModel": "modeling_hyena.HyenaDNAModel"},
        **TINY, **config,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(fields))
    return folder
