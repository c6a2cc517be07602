"""The variant models on HyenaDNA: what they see, what is trained, and how they are built again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_models import (
    HyenaDNABinaryClassifier,
    HyenaDNADeltaPredictor,
    SiameseHyenaDNA,
)
from agentic_spliceai.splice_engine.meta_layer.models.inputs import tokens_to_one_hot
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model, name_of
from tests.splice_engine.meta_layer.models.hyena_toys import TINY, hf_state, ids, toy, write_hf

OPTIONS: dict[str, Any] = {"pretrained": False, "hyena_config": TINY}
NAMES = ("hyenadna_delta", "hyenadna_binary", "siamese_hyenadna")


def build(name: str, **encoder_options: Any) -> MetaModule:
    torch.manual_seed(0)
    return build_model(name, hidden_dim=24, dropout=0.2, encoder_options={**OPTIONS, **encoder_options})


def batch(size: int = 4, length: int = 41) -> dict[str, Tensor]:
    """SNVs in the middle of random sequence."""
    ref = ids(size, length)
    ref[:, length // 2] = 7 + torch.arange(size) % 4
    alt = ref.clone()
    alt[:, length // 2] = 7 + (torch.arange(size) + 1) % 4
    one_ref, one_alt = tokens_to_one_hot(ref), tokens_to_one_hot(alt)
    return {
        "ref": one_ref,
        "alt": one_alt,
        "ref_base": one_ref[:, :, length // 2],
        "alt_base": one_alt[:, :, length // 2],
    }


def run(model: MetaModule, data: dict[str, Tensor]) -> Tensor:
    out: Tensor = model(*(data[key] for key in model.inputs))
    return out


@pytest.mark.parametrize(
    ("name", "task", "inputs", "shape"),
    [
        ("hyenadna_delta", "delta", ("alt", "ref_base", "alt_base"), (4, 3)),
        ("hyenadna_binary", "binary", ("alt", "ref_base", "alt_base"), (4,)),
        ("siamese_hyenadna", "delta", ("ref", "alt"), (4, 3)),
    ],
)
def test_inputs_task_and_output(name: str, task: str, inputs: tuple[str, ...], shape: tuple[int, ...]) -> None:
    model = build(name)
    assert (model.task, model.inputs, name_of(model)) == (task, inputs, name)
    out = run(model, batch())
    assert out.shape == shape
    if task == "delta":  # a change of a distribution over three classes
        assert (out.abs() <= 1).all()
        torch.testing.assert_close(out.sum(dim=1), torch.zeros(4), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["hyenadna_delta", "hyenadna_binary"])
@pytest.mark.parametrize("key", ["alt", "ref_base", "alt_base"])
def test_every_input_counts(name: str, key: str) -> None:
    model, data = build(name).eval(), batch()
    changed = {**data, key: data[key].roll(1, dims=0)}
    assert (run(model, data) - run(model, changed)).abs().max() > 1e-5


def test_siamese_is_exactly_zero_where_alleles_are_equal() -> None:
    model, data = build("siamese_hyenadna", unfreeze_last=1), batch()
    for mode in (True, False):
        assert not model.train(mode)(data["ref"], data["ref"]).any()
    mixed = torch.cat([data["ref"][:2], data["alt"][2:]])
    out = model.eval()(data["ref"], mixed)
    assert not out[:2].any()
    assert (out[2:].abs().amax(dim=1) > 0).all()


def test_siamese_stays_zero_after_training() -> None:
    model, data = build("siamese_hyenadna", unfreeze_last=2).train(), batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    target = torch.tensor([[0.5, -0.2, -0.3]] * 4)
    for _ in range(5):
        optimizer.zero_grad()
        (run(model, data) - target).square().mean().backward()
        optimizer.step()
    assert run(model.eval(), data).abs().max() > 0.01
    assert not model(data["ref"], data["ref"]).any()


@pytest.mark.parametrize("name", NAMES)
def test_frozen_last_two_and_everything(name: str) -> None:
    for free, expected in ((0, set()), (2, {"layers.1", "layers.2", "ln_f"})):
        model = build(name, unfreeze_last=free).train()
        run(model, batch()).square().sum().backward()
        inside = [n for n, p in model.encoder.named_parameters() if p.grad is not None]  # type: ignore[union-attr]
        parts = [n.removeprefix("network.backbone.").split(".") for n in inside]
        assert {".".join(p[:2]) if p[0] == "layers" else p[0] for p in parts} == expected
        head = [p for n, p in model.named_parameters() if not n.startswith("encoder.")]
        assert all(p.grad is not None for p in head)
    model = build(name, unfreeze_last=None)
    assert model.trainable_count == model.parameter_count
    model.encoder_modules()[0].unfreeze_last(1)
    assert model.trainable_count < model.parameter_count


@pytest.mark.parametrize("name", NAMES)
def test_encoder_is_the_only_one_and_holds_no_head(name: str) -> None:
    (encoder,) = build(name).encoder_modules()
    assert all(parameter.requires_grad is False for parameter in encoder.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_trained_model_is_built_again_without_the_pretrained_file(tmp_path: Path, name: str) -> None:
    folder = write_hf(tmp_path, hf_state(toy()))
    torch.manual_seed(0)
    model = build_model(name, hidden_dim=24, encoder_options={"weights": str(folder), "unfreeze_last": 1}).eval()
    (folder / "model.safetensors").unlink()
    options = json.loads(json.dumps(model.config))
    with pytest.raises(WeightsError):  # never random weights in the place of pretrained ones
        build_model(name, **options)
    options["encoder_options"]["pretrained"] = False
    again = build_model(name, **options)
    again.load_state_dict(model.state_dict())
    assert torch.equal(run(again.eval(), batch()), run(model, batch()))
    assert again.trainable_count == model.trainable_count


def test_unknown_encoder_option_is_an_error() -> None:
    with pytest.raises(SettingError, match="unfreeze_last"):
        HyenaDNADeltaPredictor(encoder_options={**OPTIONS, "unfreeze": 2})


def test_the_small_release_by_its_documented_name() -> None:
    options = {"model_name": "hyenadna-small-32k", "pretrained": False}
    for cls in (HyenaDNADeltaPredictor, HyenaDNABinaryClassifier, SiameseHyenaDNA):
        model = cls(encoder_options=options)
        assert sum(p.numel() for p in model.encoder.parameters()) == 3_277_568


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_base_change_is_learned(name: str) -> None:
    """Whether the new base is G decides; all three models can see it."""
    torch.manual_seed(1)
    data = batch(32, 15)
    new_is_g = data["alt_base"][:, 2]
    target = torch.stack([0.6 * new_is_g, torch.zeros(32), -0.6 * new_is_g], dim=1)
    model = build_model(name, hidden_dim=32, dropout=0.0, encoder_options={**OPTIONS, "unfreeze_last": 1}).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        out = run(model, data)
        if model.task == "binary":
            loss = torch.nn.functional.binary_cross_entropy_with_logits(out, new_is_g)
        else:
            loss = (out - target).square().mean()
        loss.backward()
        optimizer.step()
    out = run(model.eval(), data)
    if model.task == "binary":
        assert ((out > 0) == (new_is_g > 0)).all()
    else:
        assert (out - target).abs().max() < 0.2
