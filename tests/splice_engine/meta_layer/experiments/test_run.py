"""Experiments from specification to result: what is found, what is not, and what a folder holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentic_spliceai.splice_engine.errors import CheckpointError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import load_checkpoint
from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import evaluator_digest
from agentic_spliceai.splice_engine.meta_layer.experiments import prepare as prepare_module
from agentic_spliceai.splice_engine.meta_layer.experiments.compare import Decision, compare_results
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import Records
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import ExperimentFolderError, IncomparableError
from agentic_spliceai.splice_engine.meta_layer.experiments.learning import early_stopping_effect
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import load_metrics
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult, Figure
from agentic_spliceai.splice_engine.meta_layer.experiments.run import run_experiment
from agentic_spliceai.splice_engine.meta_layer.experiments.scores import load_scores
from agentic_spliceai.splice_engine.resources import sha256_of
from tests.splice_engine.meta_layer.experiments.toys import resolver, tiny_spec


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def run(root: Path, out: Path, **changes: Any) -> ExperimentResult:
    return run_experiment(tiny_spec(**changes), resolver=resolver(root), data_root=root, out=out, device="cpu")


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentResult, Path]:
    out = tmp_path_factory.mktemp("finished")
    return run(root, out), out


def figure(result: ExperimentResult, measure: str, subject: str, of: str = "altering") -> Figure:
    (found,) = (f for f in result.figures if (f.measure, f.subject, f.of, f.subset) == (measure, subject, of, "all"))
    return found


def test_the_planted_signal_is_found_and_the_base_model_stands_beside(finished: tuple[ExperimentResult, Path]) -> None:
    result, _ = finished
    model, base = figure(result, "roc_auc", "model"), figure(result, "roc_auc", "base")
    difference = figure(result, "roc_auc", "difference")
    assert model.value is not None
    assert base.value is not None
    assert model.value > 0.8
    assert base.value > 0.8
    assert difference.value == pytest.approx(model.value - base.value)
    assert model.low is not None
    assert model.low < model.value
    assert model.sd is not None
    assert model.n == base.n > 50
    assert model.groups is not None
    assert figure(result, "roc_auc", "ensemble").value is not None
    assert figure(result, "roc_auc", "max_delta").n == base.n


def test_a_result_says_what_it_rests_on(finished: tuple[ExperimentResult, Path]) -> None:
    result, out = finished
    assert result.spec_digest == tiny_spec().digest
    assert result.evaluator_digest == evaluator_digest()
    assert result.base_model == "small 1"
    assert [use.role for use in result.datasets] == ["train", "validation", "test"]
    assert all(use.synthetic for use in result.datasets)
    assert "simulated" in result.caveats[0]
    assert [seed.seed for seed in result.seeds] == [1, 2]
    assert {file.path for file in result.files} >= {
        "scores.npz",
        "ensemble/member_1.safetensors",
        "ensemble/member_2.safetensors",
    }
    assert all(sha256_of(out / file.path) == file.sha256 for file in result.files)
    assert "SIMULATED" in (out / "experiment.md").read_text()
    assert ExperimentResult.model_validate_json((out / "result.json").read_bytes()) == result


def test_scores_and_checkpoints_are_calibrated_on_validation(finished: tuple[ExperimentResult, Path]) -> None:
    _, out = finished
    test, validation = load_scores(out / "scores.npz"), load_scores(out / "scores.npz", "validation")
    assert set(test.model) == {1, 2}
    assert not set(test.group) & set(validation.group)
    for scores in validation.model.values():
        assert scores.mean() == pytest.approx(validation.truth.mean(), abs=0.03)
    cards = [load_checkpoint(out / "ensemble" / f"member_{seed}.safetensors").card for seed in (1, 2)]
    assert all("altering" in card.calibration for card in cards)
    assert cards[0].thresholds["altering"].chosen_on == "validation"


def test_metrics_of_all_seeds_stand_in_one_file(finished: tuple[ExperimentResult, Path]) -> None:
    _, out = finished
    metrics = load_metrics(out / "metrics.jsonl")
    assert {(m.seed, m.epoch) for m in metrics} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert {m.split for m in metrics} == {"train", "validation"}
    effect = early_stopping_effect(metrics, max_epochs=2)
    assert [course.epochs for course in effect.seeds] == [2, 2]


def test_a_finished_experiment_is_returned_and_another_one_refused(
    finished: tuple[ExperimentResult, Path], root: Path
) -> None:
    result, out = finished
    before = (out / "metrics.jsonl").read_bytes()
    assert run(root, out) == result
    assert run(root, out, name="renamed", description="the same by another name") == result
    assert (out / "metrics.jsonl").read_bytes() == before
    with pytest.raises(ExperimentFolderError, match="another experiment"):
        run(root, out, seeds=(3,))


def test_arms_on_the_same_rows_can_be_compared_and_others_not(
    finished: tuple[ExperimentResult, Path], root: Path, tmp_path: Path
) -> None:
    result, out = finished
    small = {"hidden_dim": 8, "n_layers": 1, "kernel_size": 3}
    cnn = run(root, tmp_path / "cnn", model="splice_inducing", options=small, training={"max_epochs": 1})
    scores = {"aware": out / "scores.npz", "cnn": tmp_path / "cnn" / "scores.npz"}
    found = compare_results({"aware": result, "cnn": cnn}, scores, "roc_auc", "aware", draws=100)
    contrast = found.arm("cnn").against_baseline
    assert contrast is not None
    assert contrast.decision is Decision.DISCARD  # an untrained CNN that sees no base model
    assert found.arm("aware").value == pytest.approx(figure(result, "roc_auc", "model").value)
    base = found.arm("aware").against_base_model.other_value
    assert base == pytest.approx(figure(result, "roc_auc", "base").value)
    fewer = run(root, tmp_path / "fewer", max_variants=250, seeds=(1,), training={"max_epochs": 1})
    with pytest.raises(IncomparableError, match="different variants"):
        compare_results(
            {"aware": result, "fewer": fewer},
            {"aware": out / "scores.npz", "fewer": tmp_path / "fewer" / "scores.npz"},
        )
    with pytest.raises(IncomparableError, match="not the file that its result names"):
        compare_results({"aware": result}, {"aware": tmp_path / "cnn" / "scores.npz"})


def test_shuffled_labels_give_no_gain(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base model's score is shuffled away with the labels, and nothing is left that a model could learn."""
    read = prepare_module.read_dataset

    def shuffled(*args: Any, **kwargs: Any) -> Records:
        found = read(*args, **kwargs)
        order = np.random.default_rng(5).permutation(len(found.records)).tolist()
        labels = [(found.records[i].psi, found.records[i].altering) for i in order]
        records = tuple(
            replace(record, psi=psi, altering=altering)
            for record, (psi, altering) in zip(found.records, labels, strict=True)
        )
        return replace(found, records=records)

    monkeypatch.setattr(prepare_module, "read_dataset", shuffled)
    result = run(root, tmp_path)
    value = figure(result, "roc_auc", "model").value
    assert value is not None
    assert 0.25 < value < 0.75
    found = compare_results({"shuffled": result}, {"shuffled": tmp_path / "scores.npz"}, "roc_auc", draws=200)
    assert found.arm("shuffled").against_base_model.decision is not Decision.KEEP


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("variant_aware", {"width": 8, "blocks": 1, "feature_width": 16}),
        ("validated_delta", {"hidden_dim": 8, "n_layers": 1, "kernel_size": 3}),
        ("simple_cnn_delta", {"hidden_dim": 8, "n_layers": 1, "kernel_size": 3}),
    ],
)
def test_every_kind_of_delta_model_is_measured_on_inclusion(
    model: str, options: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    result = run(root, tmp_path, task="delta", model=model, options=options, seeds=(1,),
                 training={"batch_size": 32, "max_epochs": 1})  # fmt: skip
    base = figure(result, "pearson", "base", "psi")
    assert base.value is not None
    assert base.value > 0.4
    assert figure(result, "mae", "model", "psi").value is not None
    scores = load_scores(tmp_path / "scores.npz")
    assert np.abs(scores.mean).max() <= 1
    assert any("One seed" in caveat for caveat in result.caveats)
    assert any("least squares on validation" in caveat for caveat in result.caveats) is (model != "variant_aware")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("simple_cnn_delta", {"hidden_dim": 8, "n_layers": 1, "kernel_size": 3}),
        ("effect_type", {"hidden_dim": 8, "n_layers": 1, "kernel_size": 3}),
        (
            "hyenadna_binary",
            {
                "hidden_dim": 8,
                "encoder_options": {"model_name": "hyenadna-tiny-1k-seqlen", "pretrained": False, "unfreeze_last": 0},
            },
        ),
    ],
)
def test_other_models_rank_variants_too(model: str, options: dict[str, Any], root: Path, tmp_path: Path) -> None:
    result = run(root, tmp_path, model=model, options=options, seeds=(1,), training={"max_epochs": 1})
    assert figure(result, "pr_auc", "model").value is not None
    assert any("random weights" in caveat for caveat in result.caveats) is (model == "hyenadna_binary")


def test_training_of_other_data_in_the_folder_is_refused(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path, seeds=(1,), training={"max_epochs": 1})
    (tmp_path / "result.json").unlink()
    note = tmp_path / "checkpoints" / "seed_1" / "run.json"
    note.write_text(note.read_text().replace('"seed": 1', '"seed": 7'))
    with pytest.raises(CheckpointError, match="differs in seed"):
        run(root, tmp_path, seeds=(1,), training={"max_epochs": 1})


def test_measured_variants(mirror: Path, root: Path, tmp_path: Path) -> None:
    spec = tiny_spec(dataset="mfass", max_variants=200)
    with pytest.raises(TrainingDataError, match="both kinds are needed"):
        run_experiment(spec, resolver=resolver(root, mirror), data_root=root, out=tmp_path / "few", device="cpu")
    spec = tiny_spec(dataset="mfass", max_variants=1500, seeds=(1,), training={"max_epochs": 1})
    result = run_experiment(spec, resolver=resolver(root, mirror), data_root=root, out=tmp_path, device="cpu")
    assert not any(use.synthetic for use in result.datasets)
    assert result.datasets[0].source_sha256 == sha256_of(mirror / "variants" / "mfass.tsv.gz")
    base = figure(result, "roc_auc", "base")
    assert base.value is not None
    assert base.value > 0.6
    assert figure(result, "roc_auc", "spliceai").value is not None
