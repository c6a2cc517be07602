"""What holds for every model by name: built again, copied, trained, indifferent to padding."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer import models
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import MODELS, build_model, name_of
from tests.splice_engine.meta_layer.models.toys import HYENA, SMALL, L, make_batch, make_model, pad, run, train

NEED_TRANSFORMERS = {"hyenadna_delta", "hyenadna_binary", "siamese_hyenadna", "cnn_hyenadna_ensemble"}
FROZEN = {"multi_step"}
CANCELLED = {
    "variant_aware": {"attention.bias"},  # shifts all positions of a softmax alike
    "siamese_hyenadna": {"encoder.network.backbone.ln_f.bias"},  # pretrained; shifts both alleles alike
}
EXPECTED_SHAPE = {
    "classification": (6, 3), "binary": (6,), "delta": (6, 3), "paired_delta": (6, L, 2), "effect_type": (6, 6),
    "localization": (6, L), "recalibration": (6, L, 3),
}  # fmt: skip


def tensors(output: Tensor | dict[str, Tensor]) -> list[Tensor]:
    return list(output.values()) if isinstance(output, dict) else [output]


def assert_same(first: MetaModule, second: MetaModule) -> None:
    batch = make_batch()
    with torch.no_grad():
        for x, y in zip(tensors(run(first, batch)), tensors(run(second, batch)), strict=True):
            assert torch.equal(x, y)


def test_every_name_has_a_small_model_here() -> None:
    assert set(SMALL) == set(MODELS)


@pytest.mark.parametrize("name", SMALL)
def test_output_has_the_shape_that_its_task_promises(name: str) -> None:
    model = make_model(name)
    output = run(model, make_batch())
    if model.task == "multi_task":
        assert output["altering"].shape == output["psi"].shape == (6,)
        assert output["site"].shape == (6, 4)
    else:
        assert output.shape == EXPECTED_SHAPE[model.task]


@pytest.mark.parametrize("name", SMALL)
def test_a_model_is_built_again_from_its_name_and_json(name: str) -> None:
    model = make_model(name).eval()
    train(model, make_batch(seed=1), steps=1) if name not in FROZEN else None
    config = json.loads(json.dumps(model.config))
    again = build_model(name_of(model), **config).eval()
    again.load_state_dict(model.state_dict(), strict=True)
    assert json.loads(json.dumps(again.config)) == config
    assert (again.inputs, again.task) == (model.inputs, model.task)
    assert_same(model, again)


@pytest.mark.parametrize("name", SMALL)
def test_copies_and_pickles_are_the_same_model(name: str) -> None:
    model = make_model(name).eval()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.config == model.config
        assert other.inputs == model.inputs
        assert_same(model, other)


@pytest.mark.parametrize("name", sorted(set(SMALL) - FROZEN))
def test_training_lowers_the_loss_and_reaches_every_parameter(name: str) -> None:
    model, batch = make_model(name), make_batch()
    batch["position"][0] = -100
    losses = train(model, batch, steps=8, lr=3e-3)
    assert losses[-1] < losses[0]
    # Heads that start at zero let no gradient through in the first step, so look after the last.
    dead = {key for key, p in model.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-10}
    assert dead <= CANCELLED.get(name, set())


def test_steps_of_the_multi_step_predictor_are_frozen() -> None:
    assert make_model("multi_step").trainable_count == 0


PAD_BY = 9


@pytest.mark.parametrize("name", sorted(set(SMALL) - NEED_TRANSFORMERS - {"variant_aware"}))
def test_padding_a_window_with_n_changes_nothing(name: str) -> None:
    """HyenaDNA takes N for a base; the variant-aware model reads its own mask of real sequence instead."""
    model, batch = make_model(name, seed=3).eval(), make_batch()
    if name not in FROZEN:
        train(model, batch, steps=2)
    padded = {
        **batch,
        **{key: pad(batch[key], PAD_BY) for key in ("sequence", "ref", "alt")},
        "base": pad(batch["base"].transpose(1, 2), PAD_BY).transpose(1, 2),
        "position": batch["position"] + PAD_BY,
    }
    with torch.no_grad():
        short, long = run(model, batch), run(model, padded)
    if model.task in ("paired_delta", "localization", "recalibration"):
        long = long[:, PAD_BY:-PAD_BY]
    torch.testing.assert_close(long, short, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_a_window_without_sequence_gives_numbers(name: str) -> None:
    batch = make_batch()
    nothing = batch | {key: torch.zeros_like(batch[key]) for key in ("sequence", "ref", "alt", "place")}
    model = make_model(name).eval()
    for value in tensors(run(model, nothing)):
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("name", SMALL)
def test_mixed_precision_gives_about_the_same(name: str) -> None:
    model, batch = make_model(name).eval(), make_batch()
    with torch.no_grad():
        exact = tensors(run(model, batch))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = tensors(run(model, batch))
    for x, y in zip(exact, rough, strict=True):
        torch.testing.assert_close(y.float(), x, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", ["meta_splice", "validated_delta", "conditioned_delta", "delta", "ensemble"])
def test_a_pretrained_encoder_is_built_again_in_the_shape_of_its_weights(name: str) -> None:
    """The options that a checkpoint keeps name every dimension, in whatever depth, so no release is asked for."""
    options: dict[str, Any] = {"encoder": "hyenadna", "encoder_options": HYENA}
    if name == "ensemble":
        options = {
            "members": [make_model("splice_inducing", **options), make_model("splice_inducing")],
            "weights": None,
        }
    model = make_model(name, **options)
    text = json.dumps(model.config)
    assert '"d_model": 8' in text
    assert '"short_filter_order": 3' in text
    again = build_model(name, **json.loads(text))
    again.load_state_dict(model.state_dict(), strict=True)
    assert_same(model.eval(), again.eval())


def test_unknown_names_and_options_are_errors_that_say_what_is_near() -> None:
    with pytest.raises(SettingError, match=r"Did you mean .*meta_splice"):
        build_model("meta_splce")
    with pytest.raises(SettingError, match=r"option of the model simple_cnn_delta is called 'hiden_dim'.*hidden_dim"):
        build_model("simple_cnn_delta", hiden_dim=3)
    with pytest.raises(SettingError, match="needs num_features"):
        build_model("variant_aware")
    with pytest.raises(SettingError, match="not registered"):
        name_of(models.CNNEncoder(4))


def test_every_public_name_exists_and_no_other() -> None:
    for name in models.__all__:
        assert getattr(models, name) is not None
    assert set(models.__all__) == set(dir(models))
    with pytest.raises(AttributeError, match="NoSuchModel"):
        _ = models.NoSuchModel


WITHOUT_EXTRA = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"transformers", "lightning", "pandas", "sklearn", "torchmetrics"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from tests.splice_engine.meta_layer.models.toys import SMALL, make_model
for name in SMALL:
    if name not in %r:
        make_model(name)
"""


def test_models_that_need_no_extra_are_built_without_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA % NEED_TRANSFORMERS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
