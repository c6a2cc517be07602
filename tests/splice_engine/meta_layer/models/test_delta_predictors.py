"""Paired and single-pass delta predictors, and their calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models import (
    CalibratedDeltaPredictor,
    SimpleCNNDeltaPredictor,
    SpliceInducingClassifier,
    ValidatedDeltaPredictor,
    create_calibrated_predictor,
)
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.delta_predictor_calibrated import pinball
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model, name_of
from tests.splice_engine.meta_layer.models.toys import GATED, SINGLE_PASS, L, make_batch, make_model, run, train

SIAMESE = ("delta", "delta_v2", "simple_cnn_delta", "calibrated")


def make_trained(name: str, **options: Any) -> MetaModule:
    """Return a model whose biases are not zero any more."""
    model = make_model(name, **options)
    if model.trainable_count:
        train(model, make_batch(seed=5), steps=3)
    return model


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SIAMESE)
def test_no_change_is_exactly_no_delta(name: str, training: bool) -> None:
    model = make_trained(name).train(training)
    batch = make_batch()
    same = batch | {"alt": batch["ref"]}
    assert run(model, same).eq(0).all()
    assert run(model, batch).abs().max() > 1e-4


@pytest.mark.parametrize("name", SIAMESE)
def test_with_dropout_no_change_is_no_delta_in_evaluation(name: str) -> None:
    options: dict[str, Any] = {
        "delta": {"dropout": 0.5, "encoder_options": {"dropout": 0.5}},
        "delta_v2": {"dropout": 0.5, "encoder_options": {"dropout": 0.5}},
        "simple_cnn_delta": {"dropout": 0.5},
        "calibrated": {"base_options": {**GATED, "dropout": 0.5}},
    }[name]
    batch = make_batch()
    assert run(make_trained(name, **options).eval(), batch | {"alt": batch["ref"]}).eq(0).all()


@pytest.mark.parametrize("name", SIAMESE)
def test_deltas_lie_within_one(name: str) -> None:
    model = make_model(name)
    for parameter in model.parameters():
        parameter.data.mul_(8)
    delta = run(model, make_batch())
    assert delta.shape == (6, L, 2)
    assert delta.abs().max() <= 1


def test_swapping_the_alleles_turns_the_second_form_around() -> None:
    model, batch = make_trained("delta_v2"), make_batch()
    swapped = batch | {"ref": batch["alt"], "alt": batch["ref"]}
    torch.testing.assert_close(run(model, swapped), -run(model, batch))


def test_the_gated_cnn_finds_no_delta_beyond_its_reach() -> None:
    model = make_trained("simple_cnn_delta").eval()
    assert isinstance(model, SimpleCNNDeltaPredictor)
    delta = run(model, make_batch())
    reach = model.receptive_field // 2
    assert reach < L // 2 - 1
    moved = delta.abs().amax(dim=(0, 2)).nonzero().flatten()
    assert (moved.min().item(), moved.max().item()) == (L // 2 - reach, L // 2 + reach)


def test_validated_deltas_depend_on_the_changed_base_and_on_position() -> None:
    batch = make_batch()
    for variant in ("basic", "attention"):
        model = make_model("validated_delta", variant=variant).eval()
        before = run(model, batch)
        other = batch | {"ref_base": batch["ref_base"].roll(1, dims=1)}
        assert not torch.allclose(before, run(model, other), atol=1e-6)
        moved = batch | {"alt": batch["alt"].roll(11, dims=2)}
        assert not torch.allclose(before, run(model, moved), atol=1e-6)
        torch.testing.assert_close(before.sum(dim=1), torch.zeros(6), atol=1e-6, rtol=0)
    with pytest.raises(SettingError, match=r"'atention'.*attention"):
        ValidatedDeltaPredictor("atention")


def test_documented_sizes() -> None:
    """Hidden 256, 8 layers: the published file of the binary classifier has 62 MB; "about 1M" is the separable form."""
    full = SpliceInducingClassifier(hidden_dim=256, n_layers=8)
    assert 60e6 < 4 * full.parameter_count < 65e6
    small = SpliceInducingClassifier(hidden_dim=256, n_layers=8, encoder_options={"separable": True})
    assert 0.9e6 < small.parameter_count < 1.4e6


def best_constant(targets: np.ndarray, tau: float, **options: Any) -> float:
    """Return the constant that the calibrated predictor's own loss ends at."""
    model = create_calibrated_predictor(make_model("simple_cnn_delta"), "quantile", tau, **options)
    sample = torch.tensor(targets, dtype=torch.float32)
    constant = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([constant], lr=0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(600):
        optimizer.zero_grad()
        model.loss(constant.expand_as(sample), sample).backward()
        optimizer.step()
        schedule.step()
    return constant.item()


@pytest.mark.parametrize("tau", [0.5, 0.9, 0.95])
def test_the_quantile_loss_pulls_a_constant_to_the_quantile(tau: float) -> None:
    generator = np.random.default_rng(0)
    gains = generator.exponential(0.3, 3000) * (generator.random(3000) < 0.4)  # sparse: most are 0
    signed = generator.normal(0.1, 0.4, 3000)
    assert best_constant(gains, tau) == pytest.approx(np.quantile(gains, tau), abs=0.02)
    # Losses are mirrored: the size that all but 1 - tau of the losses stay below.
    assert best_constant(-gains, tau) == pytest.approx(-np.quantile(gains, tau), abs=0.02)
    # The plain loss knows no direction.
    assert best_constant(signed, tau, symmetric=False) == pytest.approx(np.quantile(signed, tau), abs=0.02)


@pytest.mark.parametrize(
    ("prediction", "target", "symmetric", "cost"),
    [
        (0.2, 0.6, True, 0.9 * 0.4), (0.6, 0.2, True, 0.1 * 0.4),
        (-0.2, -0.6, True, 0.9 * 0.4), (-0.6, -0.2, True, 0.1 * 0.4),
        (0.3, -0.2, True, 0.9 * 0.5), (0.5, 0.0, True, 0.1 * 0.5), (-0.5, 0.0, True, 0.1 * 0.5),
        (-0.2, -0.6, False, 0.1 * 0.4), (-0.6, -0.2, False, 0.9 * 0.4), (-0.5, 0.0, False, 0.9 * 0.5),
    ],
)  # fmt: skip
def test_quantile_loss_by_hand(prediction: float, target: float, symmetric: bool, cost: float) -> None:
    value = pinball(torch.tensor([prediction]), torch.tensor([target]), 0.9, symmetric=symmetric)
    assert value.item() == pytest.approx(cost, abs=1e-6)


def test_the_loss_leaves_unknown_targets_out_and_heeds_weights() -> None:
    prediction = torch.tensor([[0.1, 0.2, -0.3], [0.0, 0.0, 0.0], [0.4, -0.4, 0.0]], requires_grad=True)
    target = torch.tensor([[0.5, 0.0, -0.5], [torch.nan] * 3, [0.1, -0.1, 0.0]])
    base = make_model("validated_delta")
    model = create_calibrated_predictor(base, "temperature")
    known = (prediction - target)[[0, 2]].square().detach()
    torch.testing.assert_close(model.loss(prediction, target), known.mean())
    weight = torch.tensor([3.0, 7.0, 1.0])
    torch.testing.assert_close(model.loss(prediction, target, weight), (3 * known[0] + known[1]).sum() / 12)
    nothing = model.loss(prediction, torch.full((3, 3), torch.nan))
    nothing.backward()
    assert nothing.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()
    with pytest.raises(ValueError, match="differ in shape"):
        model.loss(prediction, target[:, :1])


@pytest.mark.parametrize("strategy", ["quantile", "scaled", "temperature", "hybrid"])
def test_every_strategy_starts_as_its_base_and_trains_it(strategy: str) -> None:
    base = make_model("simple_cnn_delta")
    model = create_calibrated_predictor(base_predictor=base, strategy=strategy, quantile=0.9)
    batch = make_batch()
    assert model.base is base
    assert model.task == "paired_delta"
    torch.testing.assert_close(run(model, batch), run(base, batch), atol=1e-5, rtol=1e-4)
    model.standardise(batch["base_delta"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = model.loss(run(model, batch), batch["base_delta"])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    again = build_model(name_of(model), **model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(run(again, batch), run(model, batch))


def test_scale_stretches_and_temperature_keeps_within_one() -> None:
    batch = make_batch()
    base = make_model("simple_cnn_delta")
    plain = run(base, batch)
    scaled = create_calibrated_predictor(base, "scaled")
    assert scaled.log_scale is not None
    scaled.log_scale.data.fill_(np.log(3.0))
    torch.testing.assert_close(run(scaled, batch), 3 * plain)
    cold = create_calibrated_predictor(base, "temperature")
    assert cold.log_temperature is not None
    cold.log_temperature.data.fill_(np.log(0.01))
    sharp = run(cold, batch)
    assert sharp.abs().max() <= 1
    assert (sharp.sign() == plain.sign()).all()
    assert (sharp.abs() >= plain.abs()).all()


def test_a_scale_is_learned_in_units_of_the_targets() -> None:
    """Doubling the unit of the targets leaves the loss as it is."""
    batch = make_batch()
    model = create_calibrated_predictor(make_model("simple_cnn_delta"), "scaled")
    model.standardise(batch["base_delta"])
    first = model.loss(torch.zeros_like(batch["base_delta"]), batch["base_delta"])
    model.standardise(2 * batch["base_delta"])
    second = model.loss(torch.zeros_like(batch["base_delta"]), 2 * batch["base_delta"])
    torch.testing.assert_close(first, second)
    assert model.config["target_std"] == pytest.approx(2 * batch["base_delta"].std(correction=0).item())
    with pytest.raises(SettingError, match="do not vary"):
        model.standardise(torch.zeros(5))


@pytest.mark.parametrize(
    ("base", "options", "message"),
    [
        ("simple_cnn_delta", {"strategy": "quantil"}, "quantile"),
        ("simple_cnn_delta", {"quantile": 1.0}, "between 0 and 1"),
        ("splice_inducing", {"base_options": SINGLE_PASS}, "predicts no deltas"),
        ("simple_cnn", {}, "simple_cnn_delta"),
    ],
)
def test_calibrations_that_cannot_be_are_refused(base: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        CalibratedDeltaPredictor(base, **options)
