"""Losses against formulas written out by hand, SciPy, and what a loss is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.training.losses import (
    MultiTaskLoss,
    bce,
    binary_focal,
    cross_entropy,
    focal,
    mse,
    quantile,
    smooth_l1,
)

NAN = math.nan


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_weighted_smoothed_cross_entropy_is_the_formula(random: np.random.Generator) -> None:
    logits, target = random.normal(size=(7, 3)), np.array([0, 1, 2, 2, -100, 0, 1])
    weight, e = random.uniform(0.1, 3, 7), 0.2
    log_p, total, weights = log_softmax(logits, axis=1), 0.0, 0.0
    for row, t, w in zip(log_p, target, weight, strict=True):
        if t >= 0:
            truth = np.full(3, e / 3)
            truth[t] += 1 - e
            total, weights = total - w * (truth * row).sum(), weights + w
    found = cross_entropy(*map(torch.from_numpy, (logits, target, weight)), label_smoothing=e)
    assert float(found.mean) == pytest.approx(total / weights, rel=1e-6)
    assert float(found.weight) == pytest.approx(weights)


def test_cross_entropy_by_position_ignores_what_is_not_labelled(random: np.random.Generator) -> None:
    logits = torch.from_numpy(random.normal(size=(2, 5, 3)))
    target = torch.tensor([[0, 1, -100, 2, 2], [-100, -100, 1, 0, 2]])
    known = target != -100
    changed = logits.clone()
    changed[~known] = 50.0
    expected = torch.nn.functional.cross_entropy(logits[known], target[known])
    assert torch.allclose(cross_entropy(changed, target).mean.double(), expected)


def test_multiplying_every_weight_changes_nothing(random: np.random.Generator) -> None:
    prediction, target = torch.from_numpy(random.normal(size=(2, 6)))
    weight = torch.from_numpy(random.uniform(0.1, 2, 6))
    for loss in (mse, quantile, smooth_l1):
        assert torch.allclose(loss(prediction, target, weight).mean, loss(prediction, target, 7 * weight).mean)
    # But among examples they count: an example of weight 0 might as well not be there.
    weight[0] = 0
    assert torch.allclose(mse(prediction, target, weight).mean, mse(prediction[1:], target[1:], weight[1:]).mean)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_losses_are_their_formulas(gamma: float, random: np.random.Generator) -> None:
    logits, target = random.normal(size=(5, 4)), np.array([0, 3, 1, 1, 2])
    log_p = log_softmax(logits, axis=1)[np.arange(5), target]
    expected = (-((1 - np.exp(log_p)) ** gamma) * log_p).mean()
    assert float(focal(torch.from_numpy(logits), torch.from_numpy(target), gamma=gamma).mean) == pytest.approx(expected)

    z, y = random.normal(size=6), np.array([0.0, 1, 1, 0, 1, NAN])
    p_true = np.where(y[:5] == 1, expit(z[:5]), expit(-z[:5]))
    values = (1 - p_true) ** gamma * -np.log(p_true) * np.where(y[:5] == 1, 3.0, 1.0)
    found = binary_focal(torch.from_numpy(z), torch.from_numpy(y), gamma=gamma, positive_weight=3.0)
    assert float(found.mean) == pytest.approx(values.mean(), rel=1e-5)
    assert float(found.weight) == 5


def test_focal_has_a_finite_gradient_where_the_model_is_certain() -> None:
    logits = torch.tensor([[60.0, -60.0, 0.0]], requires_grad=True)
    focal(logits, torch.tensor([0]), gamma=0.5).mean.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_bce_weighs_positives_and_smooths(random: np.random.Generator) -> None:
    z, y = random.normal(size=5), np.array([1.0, 0, NAN, 1, 0])
    known = ~np.isnan(y)
    t = y[known] * 0.9 + 0.05
    expected = -(4 * t * np.log(expit(z[known])) + (1 - t) * np.log(expit(-z[known]))).mean()
    found = bce(torch.from_numpy(z), torch.from_numpy(y), positive_weight=4.0, label_smoothing=0.1)
    assert float(found.mean) == pytest.approx(expected, rel=1e-6)


def test_smooth_l1_is_a_square_near_zero_and_a_line_beyond() -> None:
    prediction = torch.tensor([0.05, -0.5, 0.0])
    found = smooth_l1(prediction, torch.tensor([0.0, 0.0, NAN]), beta=0.1)
    assert float(found.mean) == pytest.approx((0.05**2 / 0.2 + 0.5 - 0.05) / 2)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_quantile_loss_pulls_to_the_quantile(tau: float, random: np.random.Generator) -> None:
    target = torch.from_numpy(random.exponential(size=2001)).float()
    guess = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([guess], lr=0.02)
    for _ in range(600):
        optimizer.zero_grad()
        quantile(guess.expand(2001), target, tau=tau).mean.backward()
        optimizer.step()
    below = float((target < guess.detach()).float().mean())
    assert below == pytest.approx(tau, abs=0.02)


def test_tau_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(SettingError, match="tau"):
        quantile(torch.zeros(1), torch.zeros(1), tau=1.0)


def test_what_broadcasts_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        mse(torch.zeros(4), torch.zeros(4, 1))


@pytest.mark.parametrize("loss", [mse, quantile, smooth_l1, bce, binary_focal])
def test_no_label_gives_no_loss_and_no_gradient(loss: object) -> None:
    prediction = torch.ones(3, requires_grad=True)
    found = loss(prediction, torch.full((3,), NAN))  # type: ignore[operator]
    found.mean.backward()
    assert (found.mean.item(), found.weight.item()) == (0, 0)
    assert prediction.grad is not None
    assert prediction.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_no_class_gives_no_loss_and_no_gradient(loss: object) -> None:
    logits = torch.ones(2, 3, requires_grad=True)
    found = loss(logits, torch.full((2,), -100))  # type: ignore[operator]
    found.mean.backward()
    assert (found.mean.item(), found.weight.item()) == (0, 0)
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.fixture
def outputs() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"altering": torch.randn(6), "psi": torch.rand(6) - 0.5, "site": torch.randn(6, 4)}


@pytest.fixture
def targets() -> dict[str, torch.Tensor]:
    return {
        "altering": torch.tensor([1.0, 0, 1, NAN, 0, 1]),
        "psi": torch.tensor([-0.8, 0.0, NAN, NAN, 0.1, NAN]),
        "site": torch.tensor([1, 0, -100, 2, -100, 3]),
    }


def test_multi_task_loss_is_the_weighted_sum_of_its_parts(
    outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    loss = MultiTaskLoss(task_weights={"psi": 3.0, "site": 0.0})
    expected = bce(outputs["altering"], targets["altering"]).mean + 3 * smooth_l1(outputs["psi"], targets["psi"]).mean
    assert torch.allclose(loss.combine(loss.parts(outputs, targets)), expected)


def test_learned_weights_settle_where_the_theory_says(
    outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    """d/ds (exp(-s) l + s / 2) = 0 at exp(s) = 2 l; for the regression at exp(s) = l."""
    loss = MultiTaskLoss(task_weights="learned")
    assert loss.log_variance is not None
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        parts = loss.parts(outputs, targets)
        loss.combine(parts).backward()
        optimizer.step()
    settled = loss.log_variance.detach().exp()
    expected = torch.stack([2 * parts["altering"].mean, parts["psi"].mean, 2 * parts["site"].mean])
    assert torch.allclose(settled, expected, rtol=1e-3)
    assert torch.allclose(loss.combine(parts, fixed=True), sum(mean for mean, _ in parts.values()))


def test_a_part_without_labels_does_not_move_its_weight(
    outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> None:
    loss = MultiTaskLoss(task_weights="learned")
    targets["psi"] = torch.full((6,), NAN)
    loss.combine(loss.parts(outputs, targets)).backward()
    assert loss.log_variance is not None
    assert loss.log_variance.grad is not None
    assert (loss.log_variance.grad != 0).tolist() == [True, False, True]


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SettingError, match="exon"):
        MultiTaskLoss(task_weights={"exon": 1.0})
