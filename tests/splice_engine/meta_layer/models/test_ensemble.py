"""Ensembles average probabilities, by hand."""

from __future__ import annotations

import pytest
import torch

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models import Ensemble
from agentic_spliceai.splice_engine.meta_layer.models.heads import probabilities
from tests.splice_engine.meta_layer.models.toys import make_batch, make_model, run, train

WEIGHTS = (0.2, 0.8)


@pytest.mark.parametrize(
    "name",
    ["meta_splice", "splice_inducing", "effect_type", "attention_localizer", "recalibrator", "validated_delta",
     "simple_cnn_delta"],
)  # fmt: skip
def test_the_prediction_is_the_weighted_mean_of_predictions(name: str) -> None:
    batch = make_batch()
    members = [make_model(name, seed=seed).eval() for seed in (1, 2)]
    for member in members:
        train(member, batch, steps=2)
    ensemble = Ensemble(members, weights=[2, 8])
    outputs = [run(member, batch) for member in members]
    output = run(ensemble, batch)
    if "delta" not in ensemble.task:
        outputs = [probabilities(ensemble.task, each) for each in outputs]
        output = probabilities(ensemble.task, output)
    assert not torch.allclose(*outputs, atol=1e-4)
    torch.testing.assert_close(output, sum(w * o for w, o in zip(WEIGHTS, outputs, strict=True)))


def test_parts_of_the_multi_task_output_are_averaged_each_in_its_way() -> None:
    batch = make_batch()
    members = [make_model("variant_aware", seed=seed).eval() for seed in (1, 2)]
    for member in members:
        train(member, batch, steps=3)
    one, two = (run(member, batch) for member in members)
    output = run(Ensemble(members), batch)
    assert set(output) == set(one)
    torch.testing.assert_close(
        output["altering"].sigmoid(), (one["altering"].sigmoid() + two["altering"].sigmoid()) / 2
    )
    torch.testing.assert_close(
        output["site"].softmax(dim=1), (one["site"].softmax(dim=1) + two["site"].softmax(dim=1)) / 2
    )
    for key in ("psi", "attention"):
        torch.testing.assert_close(output[key], (one[key] + two[key]) / 2)


def test_members_may_read_different_inputs() -> None:
    members = [make_model("meta_splice", head="binary", base_logits=None), make_model("splice_inducing")]
    ensemble = Ensemble([member.eval() for member in members])
    assert ensemble.inputs == ("sequence", "features", "alt", "ref_base", "alt_base")
    batch = make_batch()
    mean = (run(members[0], batch).sigmoid() + run(members[1], batch).sigmoid()) / 2
    torch.testing.assert_close(run(ensemble, batch).sigmoid(), mean)


def test_certain_members_stay_certain() -> None:
    """The logit of an averaged probability is exact where the probability itself rounds to 1."""
    members = [make_model("splice_inducing", seed=seed).eval() for seed in (1, 2)]
    for member in members:
        member.head.layers[-1].bias.data.fill_(40.0)  # type: ignore[index, union-attr]
    logit = run(Ensemble(members), make_batch())
    assert ((logit > 39) & (logit < 41)).all()


def test_a_member_of_weight_zero_is_not_heard() -> None:
    members = [make_model("effect_type", seed=seed).eval() for seed in (1, 2)]
    batch = make_batch()
    output = run(Ensemble(members, weights=[1, 0]), batch)
    torch.testing.assert_close(output, run(members[0], batch).log_softmax(dim=1))


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [1, float("nan")]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    with pytest.raises(SettingError, match="weights"):
        Ensemble([make_model("effect_type"), make_model("effect_type")], weights=weights)


def test_members_of_two_tasks_are_refused() -> None:
    with pytest.raises(SettingError, match="binary, effect_type"):
        Ensemble([make_model("effect_type"), make_model("splice_inducing")])
    with pytest.raises(SettingError, match="none"):
        Ensemble([])
