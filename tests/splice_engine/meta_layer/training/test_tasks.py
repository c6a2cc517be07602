"""What each task minimises and what evaluation gets from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.training import losses
from agentic_spliceai.splice_engine.meta_layer.training.predict import predict_scores
from agentic_spliceai.splice_engine.meta_layer.training.tasks import TASKS, task_of
from tests.splice_engine.meta_layer.training.toys import LinearModel, MotifModel, motif_data, settings

B, L = 5, 7
NAN = float("nan")


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "label": torch.tensor([0, 1, 2, 2, -100]),
        "altering": torch.tensor([1.0, 0, NAN, 1, 0]),
        "delta": torch.randn(B, 3).where(torch.tensor([1, 1, 0, 1, 1]).bool()[:, None], torch.tensor(NAN)),
        "base_delta": torch.randn(B, L, 2),
        "effect": torch.tensor([5, 0, 0, -100, 3]),
        "position": torch.tensor([6, 0, -100, 3, 3]),
        "psi": torch.tensor([0.5, NAN, -0.5, 0.1, NAN]),
        "site": torch.tensor([3, 0, 1, -100, 2]),
        "weight": torch.tensor([1.0, 2, 0.5, 1, 3]),
    }


OUTPUTS: dict[str, Any] = {
    "classification": (B, 3),
    "binary": (B,),
    "delta": (B, 3),
    "paired_delta": (B, L, 2),
    "effect_type": (B, 6),
    "localization": (B, L),
}

DEFAULTS: dict[str, Any] = {
    "classification": lambda o, b: losses.cross_entropy(o, b["label"], b["weight"]),
    "binary": lambda o, b: losses.bce(o, b["altering"], b["weight"]),
    "delta": lambda o, b: losses.mse(o, b["delta"], b["weight"]),
    "paired_delta": lambda o, b: losses.quantile(o, b["base_delta"], b["weight"], tau=0.9),
    "effect_type": lambda o, b: losses.cross_entropy(o, b["effect"], b["weight"]),
    "localization": lambda o, b: losses.cross_entropy(o, b["position"], b["weight"]),
}


@pytest.mark.parametrize("name", list(OUTPUTS))
def test_default_loss_and_scores(name: str, batch: dict[str, torch.Tensor]) -> None:
    task, output = TASKS[name], torch.randn(*OUTPUTS[name])
    assert torch.equal(task.criterion(settings())(output, batch), DEFAULTS[name](output, batch).mean)
    scores = task.scores(output, batch)
    np.testing.assert_array_equal(scores["target"], batch[task.target].numpy())
    expected = output.numpy()
    if name == "binary":
        expected = 1 / (1 + np.exp(-expected))
    elif name not in ("delta", "paired_delta"):
        expected = softmax(expected, axis=-1)
    np.testing.assert_allclose(scores["score"], expected, rtol=1e-5)


def test_recalibration_weighs_positions_and_scores_the_labelled_ones() -> None:
    task, output = TASKS["recalibration"], torch.randn(2, 4, 3)
    label = torch.tensor([[0, 2, -100, 1], [-100, 2, 2, 0]])
    batch = {"label": label, "weight": torch.rand(2, 4)}
    known = label != -100
    expected = torch.nn.functional.cross_entropy(output[known], label[known], reduction="none")
    weights = batch["weight"][known]
    assert torch.allclose(task.criterion(settings())(output, batch), (expected * weights).sum() / weights.sum())
    scores = task.scores(output, batch)
    np.testing.assert_allclose(scores["score"], softmax(output[known].numpy(), axis=1), rtol=1e-5)
    assert scores["target"].tolist() == [0, 2, 1, 2, 2, 0]


def test_multi_task_losses_by_name(batch: dict[str, torch.Tensor]) -> None:
    output = {"altering": torch.randn(B), "psi": torch.randn(B), "site": torch.randn(B, 4), "more": torch.zeros(B)}
    parts = {
        "bce": losses.bce(output["altering"], batch["altering"], batch["weight"]).mean,
        "focal": losses.binary_focal(output["altering"], batch["altering"], batch["weight"]).mean,
        "huber": losses.smooth_l1(output["psi"], batch["psi"], batch["weight"]).mean,
        "mse": losses.mse(output["psi"], batch["psi"], batch["weight"]).mean,
        "site": losses.cross_entropy(output["site"], batch["site"], batch["weight"]).mean,
    }
    for name, chosen in {
        "auto": ("bce", "huber", "site"),
        "focal": ("focal", "huber", "site"),
        "mse": ("bce", "mse", "site"),
    }.items():
        found = TASKS["multi_task"].criterion(settings(loss=name))(output, batch)
        assert torch.allclose(found, sum(parts[part] for part in chosen)), name
    scores = TASKS["multi_task"].scores(output, batch)
    assert {key: value.shape for key, value in scores.items()} == {
        "score": (B,),
        "target": (B,),
        "psi_score": (B,),
        "psi_target": (B,),
        "site_score": (B, 4),
        "site_target": (B,),
    }


def test_a_model_with_its_own_loss_is_trained_by_it() -> None:
    class Own(MetaModule):
        task = "delta"

        def loss(self, prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
            assert weight is not None
            assert torch.isfinite(target).all()
            return (weight[:, None] * (prediction - target).abs()).sum() / (3 * weight.sum())

    batch = {
        "delta": torch.tensor([[1.0, 0, 0], [NAN, NAN, NAN], [0, 2.0, 0]]),
        "weight": torch.tensor([1.0, 5, 3]),
    }
    criterion = TASKS["delta"].criterion(settings(), Own())
    parts = criterion.parts(torch.zeros(3, 3), batch)
    assert parts["loss"].mean.item() == pytest.approx((1 * 1 + 3 * 2) / 12)
    assert parts["loss"].weight.item() == 4
    batch["delta"][:] = NAN
    assert criterion.parts(torch.zeros(3, 3), batch)["loss"].weight.item() == 0


def test_measures_are_scikit_learns_or_left_out() -> None:
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(0)
    target, score = random.integers(0, 3, 200), random.dirichlet([1, 1, 1], 200)
    expected = np.mean([average_precision_score(target == c, score[:, c]) for c in (0, 1)])
    assert TASKS["classification"].measures({"score": score, "target": target}) == {"pr_auc": pytest.approx(expected)}
    binary = {"score": score[:, 0], "target": np.where(target == 2, np.nan, target)}
    expected = average_precision_score(target[target < 2], score[target < 2, 0])
    assert TASKS["binary"].measures(binary) == {"pr_auc": pytest.approx(expected)}
    assert TASKS["binary"].measures({"score": score[:, 0], "target": np.ones(200)}) == {}
    x = random.normal(size=(50, 3))
    known = {"score": x, "target": 2 * x + 1}
    assert TASKS["delta"].measures(known) == {"pearson": pytest.approx(1)}
    assert TASKS["delta"].measures({"score": np.zeros((4, 3)), "target": x[:4]}) == {}


def test_what_does_not_fit_is_refused(batch: dict[str, torch.Tensor]) -> None:
    with pytest.raises(SettingError, match="binary has no loss mse"):
        TASKS["binary"].criterion(settings(loss="mse"))
    for name, option in {
        "delta": {"label_smoothing": 0.1},
        "classification": {"positive_weight": 3.0},
        "binary": {"task_weights": "learned"},
        "multi_task": {"label_smoothing": 0.1, "loss": "focal"},
    }.items():
        with pytest.raises(SettingError, match=f"{next(iter(option))} means nothing to the .* loss of {name}"):
            TASKS[name].criterion(settings(**option))
    calibrated = build_model("calibrated", base="simple_cnn_delta", base_options={"hidden_dim": 8})
    with pytest.raises(SettingError, match="has a loss of its own"):
        TASKS["delta"].criterion(settings(loss="mse"), calibrated)
    with pytest.raises(TrainingDataError, match="no 'features', only altering"):
        TASKS["binary"].inputs(batch, LinearModel())
    with pytest.raises(TrainingDataError, match="no 'altering'"):
        TASKS["binary"].criterion(settings())(torch.zeros(2), {"features": torch.zeros(2, 2)})
    with pytest.raises(SettingError, match="declares the task ''"):
        task_of(MetaModule())


def test_predicting_keeps_the_order_and_does_not_depend_on_the_batch() -> None:
    data, model = motif_data(37, "t", 0), MotifModel(dropout=0.5).train()
    scores = predict_scores(model, data, batch_size=10)
    assert model.training
    with torch.no_grad():
        expected = torch.sigmoid(model.eval()(data.columns["ref"]))
    np.testing.assert_allclose(scores["score"], expected.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(scores["target"], data.columns["altering"].numpy())
    with pytest.raises(TrainingDataError, match="no example"):
        predict_scores(model, motif_data(0, "t", 0))
