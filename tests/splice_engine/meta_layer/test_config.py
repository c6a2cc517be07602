"""The configuration: strict, derived from the base model's entry, the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from agentic_spliceai.splice_engine.errors import RegistryError, SettingError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.meta_layer import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.config import PRESETS, DataConfig, TrainingConfig

OWN_REGISTRY = """\
newmodel:
  version: "1"
  description: Somebody's own model.
  adapter: safetensors
  annotation_source: gencode
  context: 400
  licence: MIT
  files: [{paths: [models/new.safetensors], sha256: "%s"}]
  thresholds: {weak: 0.1, moderate: 0.2, strong: 0.5, source: borrowed, calibrated: false}
""" % ("0" * 64)


@pytest.mark.parametrize(
    ("name", "folder", "build", "column"),
    [
        ("openspliceai", "data/mane/GRCh38/openspliceai_eval/meta_models", GenomeBuild.GRCH38, "hg38"),
        ("spliceai", "data/ensembl/GRCh37/spliceai_eval/meta_models", GenomeBuild.GRCH37, "hg19"),
    ],
)
def test_paths_and_build_follow_from_the_base_model(name: str, folder: str, build: GenomeBuild, column: str) -> None:
    config = MetaLayerConfig(base_model=name)
    assert config.artifacts_dir == Path(folder)
    assert config.genome_build is build
    assert config.coordinate_column == column
    outputs = (config.checkpoints_dir, config.predictions_dir, config.evaluation_dir)
    assert [path.relative_to(config.eval_dir).parts[0] for path in outputs] == ["meta_layer_dev"] * 3
    assert [path.name for path in outputs] == ["checkpoints", "predictions", "evaluation"]
    assert {path.parent.name for path in outputs} == {config.timestamp}


def test_any_registered_name_is_a_base_model(tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_text(OWN_REGISTRY)
    with pytest.raises(ValidationError, match="names no genome build for newmodel"):
        MetaLayerConfig(base_model="newmodel", data_root=tmp_path)
    config = MetaLayerConfig(base_model="newmodel", data_root=tmp_path, genome_build="hg19")  # type: ignore[arg-type]
    assert config.artifacts_dir == tmp_path / "gencode" / "GRCh37" / "newmodel_eval" / "meta_models"
    with pytest.raises(RegistryError, match=r"'openspliceay'.*Did you mean openspliceai"):
        MetaLayerConfig(base_model="openspliceay")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_round_trip(name: str, tmp_path: Path) -> None:
    config = MetaLayerConfig.preset(name, data_root=tmp_path, timestamp="20260102_030405")
    config.to_yaml(tmp_path / "deep" / "config.yaml")
    assert MetaLayerConfig.from_yaml(tmp_path / "deep" / "config.yaml") == config


def test_presets_are_what_the_documents_ask_for() -> None:
    laptop, gpu = MetaLayerConfig.preset("laptop"), MetaLayerConfig.preset("gpu")
    assert (laptop.model.options["encoder"], laptop.training.batch_size) == ("gated_cnn", 32)
    assert (gpu.model.options["encoder"], gpu.training.batch_size) == ("hyenadna", 128)
    with pytest.raises(SettingError, match="Known: laptop, gpu, sites, variants"):
        MetaLayerConfig.preset("tpu")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("base_model: openspliceai\nbatchsize: 3", "batchsize"),
        ("training: {batch_sise: 3}", "training.batch_sise"),
        ("data: {window: 500}", "the window must be odd"),
        ("data: {test_chromosomes: [chr13]}", "chr13 are in both test and validation"),
        ("training: {seeds: [1, 1]}", "the same seed is given twice"),
        ("training: {learning_rate: .nan}", "finite"),
        ("genome_build: hg99", "unknown genome build 'hg99'"),
        ("timestamp: yesterday", "timestamp"),
        ("coordinate_column: hg19", "'hg19' is not GRCh38's, which is hg38"),
        ("- a list", "no mapping"),
        ("a: [", "no YAML"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, where: str) -> None:
    with pytest.raises(SettingError, match=where):
        MetaLayerConfig.from_yaml(text)


def test_a_configuration_does_not_change() -> None:
    config = MetaLayerConfig()
    with pytest.raises(ValidationError):
        config.base_model = "small"  # type: ignore[misc]
    assert DataConfig().test_chromosomes == ("chr1", "chr3", "chr5", "chr7", "chr9")
    assert TrainingConfig().seeds == (0,)
