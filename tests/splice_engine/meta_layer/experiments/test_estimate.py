"""Estimates grow with what makes a run long, say what they rest on, and follow past runs."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_spliceai.splice_engine.meta_layer.experiments.aliases import MODEL_ALIASES
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import UnknownDatasetError, UnsupportedExperimentError
from agentic_spliceai.splice_engine.meta_layer.experiments.estimate import PastRun, estimate_seconds
from agentic_spliceai.splice_engine.meta_layer.experiments.library import load_experiment
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec
from tests.splice_engine.meta_layer.experiments.toys import tiny_spec


@pytest.mark.parametrize("choice", MODEL_ALIASES.values(), ids=lambda choice: f"{choice.task}-{choice.name}")
def test_every_model_has_an_estimate_in_bounds(choice: Any) -> None:
    spec = ExperimentSpec(
        name="x", task=choice.task, dataset="mfass", base_model="openspliceai-400nt", model=choice.model,
        options=choice.options, training=choice.training, seeds=(1, 2, 3),
    )  # fmt: skip
    found = estimate_seconds(spec)
    assert 0 < found.low < found.expected < found.high
    assert 60 < found.expected < 48 * 3600
    assert "mfass" in found.basis
    assert "measured" in found.basis


def test_the_quick_experiment_takes_seconds() -> None:
    found = estimate_seconds(load_experiment("minigene_quick"))
    assert 5 < found.low < 20 < found.high < 300


def test_more_work_takes_longer() -> None:
    usual = estimate_seconds(tiny_spec()).expected
    for changes in (
        {"seeds": (1, 2, 3, 4, 5, 6)},
        {"max_variants": None},
        {"training": {"max_epochs": 50}},
        {"base_model": "openspliceai"},
        {"options": {"width": 128, "blocks": 6}},
        {"draws": 10_000},
    ):
        assert estimate_seconds(tiny_spec(**changes)).expected > 1.02 * usual, changes


def test_a_gpu_is_faster_and_said_to_be_assumed() -> None:
    spec = tiny_spec(model="splice_inducing", options={}, max_variants=None)
    found = estimate_seconds(spec, "cuda:0")
    assert found.expected < estimate_seconds(spec, "cpu").expected
    assert "assumed" in found.basis


def test_past_runs_win_over_measured_costs() -> None:
    spec = tiny_spec(seeds=(1, 2, 3))
    guess = estimate_seconds(spec)
    past = [PastRun(spec=tiny_spec(seeds=(1, 2, 3)), device="cpu", seconds=500.0)]
    found = estimate_seconds(spec, "cpu", past)
    assert found.expected == pytest.approx(500.0)
    assert found.low < 500 < found.high
    assert "1 past run of variant_aware" in found.basis
    others = [
        PastRun(spec=tiny_spec(model="splice_inducing", options={}), device="cpu", seconds=900.0),
        PastRun(spec=spec, device="cuda", seconds=900.0),
    ]
    assert estimate_seconds(spec, "cpu", others) == guess


def test_no_weights_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = tiny_spec(model="hyenadna_binary", options={"encoder_options": {"model_name": "hyenadna-small-32k-seqlen"}})
    assert estimate_seconds(spec).expected > 0


def test_what_cannot_run_has_no_estimate() -> None:
    with pytest.raises(UnknownDatasetError):
        estimate_seconds(tiny_spec(dataset="nowhere"))
    with pytest.raises(UnsupportedExperimentError):
        estimate_seconds(tiny_spec(task="sites"))
