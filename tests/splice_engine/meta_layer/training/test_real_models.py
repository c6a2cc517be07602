"""Models of the registry go through training, checkpoint and prediction as the toys do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.meta_layer.config import ModelConfig
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.training.optimization import parameter_groups
from agentic_spliceai.splice_engine.meta_layer.training.predict import predict_scores
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train
from tests.splice_engine.meta_layer.training.toys import Data, settings

L, F = 41, 5
SMALL = {"d_model": 8, "n_layer": 3, "d_inner": 16, "filter_order": 8}
HYENA = {"pretrained": False, "model_name": "hyenadna-tiny-1k", "hyena_config": SMALL}


def variants(size: int, part: str) -> Data:
    """Variants of random sequence, with every entry of `data.batches`; those of class 1 have a changed base score."""
    random = np.random.default_rng(size)

    def one_hot() -> torch.Tensor:
        codes = torch.from_numpy(random.integers(0, 4, (size, L)))
        return torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()

    altering = torch.from_numpy(random.integers(0, 2, size)).float()
    ref = one_hot()
    alt = ref.clone()
    alt[:, :, L // 2] = torch.eye(4)[random.integers(0, 4, size)]
    base_ref = torch.rand(size, 6, L)
    base_alt = base_ref - 0.8 * altering[:, None, None] * (torch.arange(L) == L // 2)
    place = torch.ones(size, 6, L)
    columns = {
        "ref": ref,
        "alt": alt,
        "gap": torch.zeros(size, 2, L),
        "ref_base": ref[:, :, L // 2],
        "alt_base": alt[:, :, L // 2],
        "base_ref": base_ref,
        "base_alt": base_alt,
        "place": place,
        "features": torch.randn(size, F),
        "altering": altering,
        "psi": torch.where(torch.rand(size) < 0.5, -0.5 * altering, torch.nan),
        "delta": torch.stack([-altering, torch.zeros(size), altering], dim=1),
        "site": altering.long(),
        "effect": torch.where(altering > 0, 2, 0),
        "position": torch.full((size,), L // 2),
        "weight": torch.ones(size),
        "base_delta": (base_alt - base_ref)[:, :2].transpose(1, 2).contiguous(),
    }
    return Data(columns, part)


MODELS: dict[str, dict[str, Any]] = {
    "variant_aware": {"num_features": F, "width": 8, "blocks": 2},
    "validated_delta": {"hidden_dim": 16, "n_layers": 2},
    "calibrated": {"base": "simple_cnn_delta", "base_options": {"hidden_dim": 16, "n_layers": 2}},
    "effect_type": {"hidden_dim": 16, "n_layers": 2},
    "attention_localizer": {"hidden_dim": 16, "n_layers": 2},
    "hyenadna_binary": {"hidden_dim": 8, "encoder_options": HYENA},
}


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_learns_and_its_checkpoint_predicts_the_same(name: str, tmp_path: Path) -> None:
    validation = variants(48, "v")
    config = settings(max_epochs=4, learning_rate=3e-3, batch_size=32, schedule="cosine", accumulate=2)
    model = ModelConfig(name=name, options=MODELS[name])
    result = train(model, variants(160, "t"), validation, output_dir=tmp_path, config=config)
    losses = [line["train_loss"] for line in result.best_run.history]
    assert losses[-1] < losses[0]
    first, second = (predict_scores(result.load().model, validation, batch_size=n) for n in (48, 7))
    for key in first:
        np.testing.assert_allclose(first[key], second[key], rtol=1e-4, atol=1e-5)


def test_a_pretrained_network_is_freed_block_by_block_at_its_own_rate(tmp_path: Path) -> None:
    model = build_model("hyenadna_binary", hidden_dim=8, encoder_options=HYENA)
    config = settings(max_epochs=3, unfreeze_at=(1, 2), learning_rate=1e-3, encoder_lr_multiplier=0.1, weight_decay=0.1)
    data = variants(64, "t")
    result = train(model, data, Data(data.columns, "v"), output_dir=tmp_path, config=config)
    assert result.best_run.best_epoch == 2
    before, after = model.state_dict(), result.load().model.state_dict()
    moved = {
        name.split("layers.")[1][0]
        for name in before
        if "layers." in name and not torch.equal(before[name], after[name])
    }
    assert moved == {"1", "2"}
    assert result.best_run.history[-1]["lr"] == pytest.approx(
        {"encoder": 1e-4, "encoder_no_decay": 1e-4, "head": 1e-3, "head_no_decay": 1e-3}
    )


def test_filters_have_no_decay_and_a_new_projection_has_the_heads_rate() -> None:
    options = {"num_features": F, "hidden_dim": 16, "encoder": "hyenadna", "encoder_options": HYENA}
    model = build_model("meta_splice", **options)
    groups = {g["name"]: {id(p) for p in g["params"]} for g in parameter_groups(model, settings(weight_decay=0.1))}
    parameters = dict(model.named_parameters())
    filters = [p for name, p in parameters.items() if "filter_fn" in name]
    assert filters
    assert all(id(p) in groups["encoder_no_decay"] for p in filters)
    assert id(parameters["encoder.projection.weight"]) in groups["head"]
    assert id(parameters["encoder.network.backbone.layers.0.mlp.fc1.weight"]) in groups["encoder"]
    assert sum(map(len, groups.values())) == len(parameters)
