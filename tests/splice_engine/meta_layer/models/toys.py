"""Small batches and small models, one for each name in the registry, shared by the tests of the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model

L, FEATURES = 61, 7
CNN = {"hidden_dim": 8, "kernel_sizes": [3, 5], "dropout": 0.0}
GATED = {"hidden_dim": 8, "n_layers": 3, "kernel_size": 3, "dropout": 0.0}
SINGLE_PASS = {"hidden_dim": 8, "n_layers": 3, "kernel_size": 3, "dropout": 0.0}

HYENA = {
    "pretrained": False, "unfreeze_last": None,
    "hyena_config": {"d_model": 8, "n_layer": 2, "d_inner": 16, "max_seq_len": 128, "emb_dim": 5, "filter_order": 8,
                     "embed_dropout": 0.0},
}  # fmt: skip
HYENA_MODEL = {"hidden_dim": 8, "dropout": 0.0, "encoder_options": HYENA}

SMALL: dict[str, dict[str, Any]] = {
    "meta_splice": {"encoder_options": GATED, "hidden_dim": 8, "num_features": FEATURES, "dropout": 0.0,
                    "fusion_options": {"dropout": 0.0}, "base_logits": [0, 1, 2]},
    "recalibrator": {**GATED},
    "delta": {"encoder_options": CNN, "hidden_dim": 8, "dropout": 0.0},
    "delta_v2": {"encoder_options": CNN, "hidden_dim": 8, "dropout": 0.0},
    "simple_cnn_delta": {**GATED},
    "validated_delta": {**SINGLE_PASS, "variant": "attention"},
    "splice_inducing": SINGLE_PASS,
    "effect_type": SINGLE_PASS,
    "attention_localizer": SINGLE_PASS,
    "segmentation_localizer": SINGLE_PASS,
    "conditioned_delta": SINGLE_PASS,
    "multi_step": {"inducing": {"name": "splice_inducing", "options": SINGLE_PASS},
                   "effect": {"name": "effect_type", "options": SINGLE_PASS},
                   "localizer": {"name": "attention_localizer", "options": SINGLE_PASS},
                   "delta": {"name": "conditioned_delta", "options": SINGLE_PASS}, "threshold": 0.5},
    "ensemble": {"members": [{"name": "splice_inducing", "options": SINGLE_PASS}] * 2, "weights": [1, 3]},
    "calibrated": {"base": "simple_cnn_delta", "base_options": GATED, "strategy": "hybrid"},
    "hyenadna_delta": HYENA_MODEL,
    "hyenadna_binary": HYENA_MODEL,
    "siamese_hyenadna": HYENA_MODEL,
    "cnn_hyenadna_ensemble": {"task": "delta", "cnn_options": SINGLE_PASS, "hyenadna_options": HYENA_MODEL},
    "variant_aware": {"num_features": FEATURES, "width": 8, "blocks": 2, "feature_width": 8, "dropout": 0.0},
}  # fmt: skip


def make_one_hot(n: int, length: int = L, *, seed: int = 0) -> Tensor:
    codes = torch.randint(0, 4, (n, length), generator=torch.Generator().manual_seed(seed))
    return F.one_hot(codes, 4).transpose(1, 2).float()


def pad(one_hot: Tensor, by: int) -> Tensor:
    """Put Ns at both ends."""
    return F.pad(one_hot, (by, by))


def make_batch(n: int = 6, length: int = L, *, seed: int = 0) -> dict[str, Tensor]:
    """Return a batch with every key that a model of the toys reads or is trained on."""
    generator = torch.Generator().manual_seed(seed)
    ref = make_one_hot(n, length, seed=seed)
    alt = ref.clone()
    alt[:, :, length // 2] = alt[:, :, length // 2].roll(1, dims=1)
    integers = {"label": 3, "effect": 6, "site": 4}
    place = torch.zeros(n, 6, length)
    place[:, :3, length // 2], place[:, 4] = 1, 1
    delta = torch.rand(n, 3, generator=generator) - 0.5
    return {
        "sequence": ref, "ref": ref, "alt": alt,
        "ref_base": ref[:, :, length // 2], "alt_base": alt[:, :, length // 2],
        "features": torch.randn(n, FEATURES, generator=generator),
        "base": torch.randn(n, length, 3, generator=generator).softmax(dim=2),
        "gap": torch.zeros(n, 2, length), "place": place,
        "base_ref": torch.randn(n, 6, length, generator=generator),
        "base_alt": torch.randn(n, 6, length, generator=generator),
        "position": torch.randint(length // 3, 2 * length // 3, (n,), generator=generator),
        "labels": torch.randint(0, 3, (n, length), generator=generator),
        "altering": torch.randint(0, 2, (n,), generator=generator).float(),
        "psi": torch.rand(n, generator=generator) - 0.5,
        "delta": delta - delta.mean(dim=1, keepdim=True),
        "base_delta": torch.rand(n, length, 2, generator=generator) - 0.5,
        **{key: torch.randint(0, k, (n,), generator=generator) for key, k in integers.items()},
    }  # fmt: skip


def make_model(name: str, *, seed: int = 0, **options: Any) -> MetaModule:
    torch.manual_seed(seed)
    return build_model(name, **{**SMALL.get(name, {}), **options})


def run(model: MetaModule, batch: Mapping[str, Tensor]) -> Any:
    return model(*(batch[key] for key in model.inputs))


def loss_of(model: MetaModule, batch: Mapping[str, Tensor]) -> Tensor:
    """Return a plain loss of the model's task."""
    output = run(model, batch)
    if model.task == "multi_task":
        return (
            F.binary_cross_entropy_with_logits(output["altering"], batch["altering"])
            + F.mse_loss(output["psi"], batch["psi"])
            + F.cross_entropy(output["site"], batch["site"])
        )
    if model.task == "binary":
        return F.binary_cross_entropy_with_logits(output, batch["altering"])
    if model.task == "recalibration":
        return F.cross_entropy(output.transpose(1, 2), batch["labels"])
    target = {"classification": "label", "effect_type": "effect", "localization": "position"}.get(model.task)
    if target:
        return F.cross_entropy(output, batch[target])
    return F.mse_loss(output, batch["base_delta" if model.task == "paired_delta" else "delta"])


def train(model: MetaModule, batch: Mapping[str, Tensor], *, steps: int, lr: float = 1e-2) -> list[float]:
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses
