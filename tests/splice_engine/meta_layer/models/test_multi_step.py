"""The multi-step framework and its parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.data.batches import EffectType
from agentic_spliceai.splice_engine.meta_layer.models import MultiStepPredictor
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from tests.splice_engine.meta_layer.models.toys import L, make_batch, make_model, make_one_hot, run, train


def make_steps() -> dict[str, MetaModule]:
    names = {"inducing": "splice_inducing", "effect": "effect_type", "localizer": "segmentation_localizer",
             "delta": "conditioned_delta"}  # fmt: skip
    return {role: make_model(name, seed=i).eval() for i, (role, name) in enumerate(names.items())}


def watch(model: MetaModule) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    model.register_forward_pre_hook(lambda _, inputs: calls.append(inputs))
    return calls


def test_steps_behind_the_first_see_splice_altering_variants_only() -> None:
    steps, batch = make_steps(), make_batch(8)
    probability = torch.sigmoid(run(steps["inducing"], batch))
    threshold = probability.median().item()
    model = MultiStepPredictor(**steps, threshold=threshold).eval()
    calls = {role: watch(step) for role, step in steps.items()}
    result = model.predict(batch)
    altering = probability >= threshold
    assert 0 < altering.sum() < 8
    assert torch.equal(result.altering, altering)
    torch.testing.assert_close(result.probability, probability)
    assert len(calls["inducing"][0][0]) == 8
    for role in ("effect", "localizer", "delta"):
        assert len(calls[role]) == 1
        assert torch.equal(calls[role][0][0], batch["alt"][altering])
    assert result.effect[~altering].eq(-100).all()
    assert result.position[~altering].eq(-100).all()
    assert result.delta[~altering].isnan().all()
    assert result.effect_probability[~altering].isnan().all()


def test_each_step_gets_what_the_earlier_ones_predicted() -> None:
    steps, batch = make_steps(), make_batch(8)
    model = MultiStepPredictor(**steps, threshold=0.0).eval()
    result = model.predict(batch)
    assert torch.equal(result.effect, run(steps["effect"], batch).argmax(dim=1))
    torch.testing.assert_close(result.effect_probability, run(steps["effect"], batch).softmax(dim=1))
    assert torch.equal(result.position, run(steps["localizer"], batch).argmax(dim=1))
    told = batch | {"effect": result.effect, "position": result.position}
    torch.testing.assert_close(result.delta, run(steps["delta"], told))
    torch.testing.assert_close(run(model, batch), result.delta)
    # The truth, where a batch happens to hold it, is not looked at.
    lie = batch | {"effect": batch["effect"] * 0, "position": batch["position"] * 0}
    assert torch.equal(model.predict(lie).delta, result.delta)


def test_below_the_threshold_nothing_runs_and_the_delta_is_zero() -> None:
    steps, batch = make_steps(), make_batch()
    model = MultiStepPredictor(**steps, threshold=1.0).eval()
    calls = [watch(steps[role]) for role in ("effect", "localizer", "delta")]
    assert run(model, batch).eq(0).all()
    assert calls == [[], [], []]


def test_two_steps_are_enough_and_inputs_are_what_the_steps_need() -> None:
    model = MultiStepPredictor(
        make_model("variant_aware"), make_model("validated_delta"), threshold=0.0
    ).eval()  # fmt: skip
    batch = make_batch()
    assert set(model.inputs) == {*make_model("variant_aware").inputs, "ref_base", "alt_base"}
    result = model.predict(batch)
    assert result.effect.eq(-100).all()
    torch.testing.assert_close(result.delta, run(model.delta, batch))


@pytest.mark.parametrize(
    ("role", "name", "message"),
    [("inducing", "effect_type", "binary or multi_task"), ("delta", "simple_cnn_delta", "model of delta"),
     ("effect", "splice_inducing", "effect_type"), ("localizer", "conditioned_delta", "localization")],
)  # fmt: skip
def test_a_model_of_another_task_is_no_step(role: str, name: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        MultiStepPredictor(**{**make_steps(), role: make_model(name)})


def test_specs_and_thresholds_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingError, match="no probability"):
        MultiStepPredictor(**make_steps(), threshold=1.5)
    with pytest.raises(SettingError, match="describes no model"):
        MultiStepPredictor({"model": "splice_inducing"}, make_model("validated_delta"))


def test_steps_evaluate_even_while_training() -> None:
    steps = make_steps() | {"delta": make_model("validated_delta", dropout=0.9)}
    model = MultiStepPredictor(**steps, threshold=0.0).train()
    batch = make_batch()
    assert torch.equal(run(model, batch), run(model, batch))


def test_the_conditioned_delta_listens_to_effect_and_position() -> None:
    model, batch = make_model("conditioned_delta").eval(), make_batch()
    before = run(model, batch)
    for key, value in (("effect", (batch["effect"] + 1) % len(EffectType)), ("position", batch["position"] + 1)):
        assert not torch.allclose(before, run(model, batch | {key: value}), atol=1e-6)
        unknown = run(model, batch | {key: torch.full_like(value, -100)})
        assert torch.isfinite(unknown).all()
        assert not torch.allclose(before, unknown, atol=1e-6)


def planted(n: int, seed: int) -> dict[str, Tensor]:
    """Return random sequence with one GTAAGT at a random place; its first column is the position."""
    batch = make_batch(n, seed=seed)
    alt = make_one_hot(n, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    position = torch.randint(2, L - 8, (n,), generator=generator)
    motif = F.one_hot(torch.tensor([2, 3, 0, 0, 2, 3]), 4).T.float()
    for row, at in enumerate(position.tolist()):
        alt[row, :, at : at + 6] = motif
    return batch | {"alt": alt, "position": position}


@pytest.mark.parametrize("name", ["attention_localizer", "segmentation_localizer"])
def test_a_localizer_learns_to_find_a_planted_site(name: str) -> None:
    model = make_model(name, hidden_dim=16, kernel_size=7, n_layers=2)
    train(model, planted(128, seed=1), steps=60)
    unseen = planted(64, seed=2)
    proba = model.eval().predict_proba(*(unseen[key] for key in model.inputs))  # type: ignore[operator]
    torch.testing.assert_close(proba.sum(dim=1), torch.ones(64))
    assert (proba.argmax(dim=1) == unseen["position"]).float().mean() > 0.9


@pytest.mark.parametrize("name", ["attention_localizer", "segmentation_localizer"])
def test_padding_is_no_position(name: str) -> None:
    model, batch = make_model(name), make_batch()
    batch["alt"][:, :, :20] = 0
    proba = model.predict_proba(*(batch[key] for key in model.inputs))  # type: ignore[operator]
    assert proba[:, :20].eq(0).all()
