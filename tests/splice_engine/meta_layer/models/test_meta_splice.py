"""The multimodal model and the recalibrator: heads, ablations, and starting from the base model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models import MetaSpliceModel, Recalibrator
from agentic_spliceai.splice_engine.meta_layer.models.inputs import one_hot_to_tokens
from tests.splice_engine.meta_layer.models.toys import CNN, GATED, make_batch, make_one_hot, train

N_FEATURES = 7


def make_model(**options: Any) -> MetaSpliceModel:
    torch.manual_seed(0)
    given: dict[str, Any] = {"hidden_dim": 8, "num_features": N_FEATURES, "encoder": "cnn", "dropout": 0.0}
    if options.get("encoder", "cnn") == "cnn":
        given["encoder_options"] = CNN
    return MetaSpliceModel(**{**given, **options}).eval()


@pytest.mark.parametrize("encoder", ["cnn", "gated_cnn", "none"])
@pytest.mark.parametrize("fusion", ["concat", "gated", "cross_attention"])
@pytest.mark.parametrize("head", ["classification", "delta", "binary"])
def test_every_encoder_fusion_and_head_goes_with_every_other(encoder: str, fusion: str, head: str) -> None:
    options = {"cnn": CNN, "gated_cnn": GATED, "none": None}[encoder]
    model = make_model(encoder=encoder, fusion=fusion, head=head, encoder_options=options)
    batch = make_batch()
    output = model(batch["sequence"], batch["features"])
    assert model.task == head
    assert output.shape == ((6,) if head == "binary" else (6, 3))
    assert torch.equal(output, model(one_hot_to_tokens(batch["sequence"]), batch["features"]))
    # Both modalities are read.
    assert not torch.allclose(output, model(batch["sequence"], batch["features"] + 1), atol=1e-6)
    other = model(make_one_hot(6, seed=9), batch["features"])
    assert torch.equal(output, other) == (encoder == "none")


def test_deltas_are_differences_of_probabilities() -> None:
    model = make_model(head="delta")
    for parameter in model.head.parameters():
        parameter.data.mul_(20)
    delta = model(make_one_hot(64), 5 * torch.randn(64, N_FEATURES, generator=torch.Generator().manual_seed(0)))
    assert delta.abs().max() > 0.5
    assert delta.abs().max() <= 1
    torch.testing.assert_close(delta.sum(dim=1), torch.zeros(64), atol=1e-6, rtol=0)
    with pytest.raises(SettingError, match="no probability"):
        model.predict_proba(make_one_hot(2), torch.zeros(2, N_FEATURES))


def test_probabilities_are_taken_once() -> None:
    batch = make_batch()
    model = make_model()
    proba = model.predict_proba(batch["sequence"], batch["features"])
    logits = model(batch["sequence"], batch["features"])
    torch.testing.assert_close(proba, logits.exp() / logits.exp().sum(dim=1, keepdim=True))
    binary = make_model(head="binary")
    logit = binary(batch["sequence"], batch["features"])
    torch.testing.assert_close(binary.predict_proba(batch["sequence"], batch["features"]), 1 / (1 + (-logit).exp()))


def base_features(n: int = 64) -> tuple[torch.Tensor, torch.Tensor, list[float], list[float]]:
    """Return base probabilities [n, 3], features whose columns 4, 1, 2 hold them normalised, and the numbers."""
    generator = torch.Generator().manual_seed(0)
    base = (4 * torch.randn(n, 3, generator=generator)).softmax(dim=1)
    odds = torch.stack([base[:, 0].logit(), base[:, 1].logit(), -base[:, 2].logit()], dim=1)
    mean, std = odds.mean(dim=0), odds.std(dim=0)
    features = torch.randn(n, N_FEATURES, generator=generator)
    features[:, [4, 1, 2]] = (odds - mean) / std
    return base, features, std.tolist(), mean.tolist()


def test_on_the_base_models_logits_the_untrained_model_is_the_base_model() -> None:
    base, features, scale, shift = base_features()
    model = make_model(base_logits=[4, 1, 2], base_scale=scale, base_shift=shift)
    torch.testing.assert_close(model.predict_proba(make_one_hot(64), features), base, atol=1e-5, rtol=1e-4)


def test_training_moves_away_from_the_base_model_where_it_is_wrong() -> None:
    base, features, scale, shift = base_features()
    labels = base.argmax(dim=1)
    wrong = features[:, 0] > 1
    labels[wrong] = (labels[wrong] + 1) % 3
    model = make_model(base_logits=[4, 1, 2], base_scale=scale, base_shift=shift).train()
    batch = {"sequence": make_one_hot(64), "features": features, "label": labels}
    losses = train(model, batch, steps=60)
    assert losses[0] == pytest.approx(F.nll_loss(base.log(), labels).item(), rel=1e-3)
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    "options",
    [
        {"base_logits": [0, 1]},
        {"base_logits": [0, 1, N_FEATURES]},
        {"base_logits": [0, 1, 2], "base_scale": [1.0]},
        {"base_logits": [0, 1, 2], "head": "binary"},
        {"head": "clasification"},
        {"encoder_options": {"kernel": 3}},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        make_model(**options)


def make_recalibrator() -> Recalibrator:
    torch.manual_seed(0)
    return Recalibrator(hidden_dim=8, n_layers=3, kernel_size=5, dropout=0.0)


def test_the_untrained_recalibrator_is_the_base_model() -> None:
    batch = make_batch()
    base = batch["base"].clone()
    base[0, 0] = torch.tensor([0.0, 0.0, 1.0])
    base[0, 1] = torch.tensor([1e-6, 1 - 1e-6, 0.0])
    proba = make_recalibrator().predict_proba(batch["sequence"], base)
    torch.testing.assert_close(proba, base, atol=1e-6, rtol=1e-5)


def test_the_recalibrator_corrects_what_sequence_contradicts() -> None:
    """The base model overlooks every donor at a GT that is planted; sequence tells."""
    generator = torch.Generator().manual_seed(0)
    sequence = make_one_hot(8, 60)
    label = torch.full((8, 60), 2)
    for row in range(8):
        site = int(torch.randint(10, 50, (1,), generator=generator))
        for offset, base in enumerate((2, 3, 0, 0, 2, 3)):  # GTAAGT
            sequence[row, :, site + offset] = F.one_hot(torch.tensor(base), 4).float()
        label[row, site] = 0
    base = torch.tensor([0.02, 0.02, 0.96]).expand(8, 60, 3)
    model = make_recalibrator()
    train(model, {"sequence": sequence, "base": base, "labels": label}, steps=80)
    proba = model.predict_proba(sequence, base)
    donors = label == 0
    assert proba[donors][:, 0].min() > 0.5
    assert proba[~donors][:, 0].max() < 0.5


def test_a_correction_reaches_as_far_as_the_receptive_field() -> None:
    model = make_recalibrator()
    batch = make_batch(2)
    train(model, batch, steps=2)
    base = batch["base"].clone().requires_grad_()
    model(batch["sequence"], base)[0, 30].sum().backward()
    assert base.grad is not None
    seen = base.grad[0].abs().sum(dim=1).nonzero().flatten()
    reach = model.trunk.receptive_field // 2
    assert (seen.min().item(), seen.max().item()) == (30 - reach, 30 + reach)
