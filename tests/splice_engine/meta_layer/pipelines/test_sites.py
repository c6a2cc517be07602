"""The study of canonical sites on toy genes: what is trained on, what is left to the base model, what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.training.split import TEST
from agentic_spliceai.splice_engine.errors import CheckpointError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import BaseProvenance, load_checkpoint
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.pipelines import sites
from agentic_spliceai.splice_engine.meta_layer.pipelines.study import study_sites
from tests.splice_engine.meta_layer.data.artifact_toys import toy_world

CONTIGS = {"chr1": "+", "chr2": "-", "chr3": "-", "chr4": "+", "chr5": "+", "chr6": "-", "chr13": "-", "chr16": "+"}
FLOOR = 0.01


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MetaLayerConfig:
    root = tmp_path_factory.mktemp("study")
    world = toy_world(root / "world", CONTIGS)
    model = {"encoder": "cnn", "encoder_options": {"hidden_dim": 4}, "hidden_dim": 16, "fusion": "concat"}
    config = MetaLayerConfig(
        base_model="small", data_root=root, timestamp="20260101_000000",
        data={"window": 41, "floor": FLOOR}, model={"name": "meta_splice", "options": model},
        training={"batch_size": 32, "max_epochs": 2, "seeds": (1, 2), "patience": 5},
    )  # fmt: skip
    settings = ArtifactSettings(fraction=0.2, minimum=20)
    write_artifacts(config.artifacts_dir, world.genome, world.annotation, world.model, settings=settings)
    return config


def test_what_the_base_model_excludes_stays_its_own(config: MetaLayerConfig) -> None:
    data = sites.load_sites(config)
    assert data.base is not None
    assert data.base.predictor == "motif"
    training = sites.train_sites(config, data)
    predictions = sites.predict_sites([run.checkpoint for run in training.runs], data, TEST)
    assert set(predictions) == {1, 2}
    rows = data.split.test
    base = data.table.base_scores()[rows]
    below = base[:, :2].max(axis=1) < FLOOR
    assert 0 < below.sum() < len(rows)
    for values in predictions.values():
        assert np.allclose(values[below], base[below], atol=1e-5)
        assert np.abs(values[~below] - base[~below]).max() > 1e-4
        assert np.allclose(values.sum(axis=1), 1, atol=1e-4)


def test_a_model_starts_as_its_base_model(config: MetaLayerConfig) -> None:
    data = sites.load_sites(config)
    normalizer = Normalizer.fit(data.table.features, FEATURE_NAMES)
    options = sites.with_base_logits(config.model, normalizer).options
    names = [FEATURE_NAMES[column] for column in options["base_logits"]]
    assert names == ["donor_logodds", "acceptor_logodds", "site_logodds"]
    assert options["num_features"] == len(FEATURE_NAMES)
    without = ModelConfig(name="meta_splice", options={"base_logits": None})
    assert sites.with_base_logits(without, normalizer).options["base_logits"] is None


def test_folds_cover_the_test_genes_once_and_share_none(config: MetaLayerConfig) -> None:
    data = sites.load_sites(config)
    folds = sites.folds_of(data, 3)
    covered = np.concatenate([fold.split.test for fold in folds])
    assert sorted(covered) == sorted(data.split.test)
    for fold in folds:
        assert not set(fold.groups[fold.split.train]) & set(fold.groups[fold.split.test])
        assert set(fold.table.chromosomes[fold.split.train]) <= {"chr1", "chr3", "chr5"}
        assert np.array_equal(fold.split.validation, data.split.validation)
    with pytest.raises(TrainingDataError, match="3 groups make no 4 folds"):
        sites.folds_of(data, 4)


def test_scores_of_another_base_model_are_refused(config: MetaLayerConfig) -> None:
    data = sites.load_sites(config)
    checkpoints = [run.checkpoint for run in sites.train_sites(config, data).runs]
    other = BaseProvenance(predictor="small", version="1", weights_sha256=("1" * 64,))
    foreign = sites.SiteData(data.table, data.split, data.groups, other)
    with pytest.raises(CheckpointError, match=r"trained on the scores of motif.*not of small"):
        sites.predict_sites(checkpoints, foreign, TEST)


@pytest.mark.parametrize("folds", [0, 3])
def test_a_study_is_whole_and_is_not_done_twice(config: MetaLayerConfig, folds: int, tmp_path: Path) -> None:
    config = config.model_copy(update={"timestamp": f"20260101_00000{folds}"})
    study = study_sites(config, folds=folds, bootstrap=Bootstrap(draws=20))
    study.write(tmp_path)
    runs = study.training.runs
    assert len(runs) == max(folds, 1) * 2
    assert len(study.arrays["model"]) == len(study.arrays["base"]) == len(study.arrays["label"])
    kept = {run.checkpoint: run.checkpoint.stat().st_mtime_ns for run in runs}
    again = study_sites(config, folds=folds, bootstrap=Bootstrap(draws=20))
    assert np.array_equal(again.arrays["model"], study.arrays["model"])
    assert {run.checkpoint: run.checkpoint.stat().st_mtime_ns for run in again.training.runs} == kept

    page = (tmp_path / "study.md").read_text()
    result = EvaluationResult.model_validate_json((tmp_path / "all-positions-of-the-test-genes.json").read_text())
    row = result.report.row("pr_auc", "site")
    for estimate in (row.base, row.model):
        assert estimate.value is not None
        assert f"{estimate.value:.3f}" in page
    assert result.base_model == "motif"
    assert json.loads((tmp_path / "training.json").read_text())[0]["seed"] == 1
    assert load_checkpoint(runs[0].checkpoint).card.base == sites.load_sites(config).base
