"""The study of measured variants on toy constructs: a planted signal is found, and the figures say where from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import CheckpointError, SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import read_card
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.data.measured import MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import TriageReport
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.meta_layer.pipelines import variants
from agentic_spliceai.splice_engine.meta_layer.pipelines.study import Study, study_variants
from tests.splice_engine.meta_layer.data.variant_toys import EXON_AT, EXON_LENGTH, measured, toy_construct, toy_examples

CHROMOSOMES = ("chr1", "chr3", "chr2", "chr4", "chr6", "chr8", "chr10", "chr12", "chr14", "chr15", "chr17", "chr18")


def exon_of(number: int) -> str:
    """The toy construct with an exon of its own between the motifs, so that exons are no copies of each other."""
    sequence = list(toy_construct())
    middle = slice(EXON_AT + 1, EXON_AT + EXON_LENGTH - 3)
    sequence[middle] = np.random.default_rng(number).choice(list("ACT"), middle.stop - middle.start)
    return "".join(sequence)


def records() -> list[MeasuredVariant]:
    """In each exon, changes of the donor's GT skip the exon; what is changed deep in the introns does nothing."""
    found = []
    donor = EXON_AT + EXON_LENGTH
    for number, chrom in enumerate(CHROMOSOMES):
        ref = exon_of(number)
        for at, psi in ((donor, -0.9), (donor + 1, -0.8), (3, 0.01), (8, 0.0), (70, 0.02), (75, -0.01)):
            for base in "ACT":
                if ref[at] != base:
                    name = f"v{number}.{at}{base}"
                    found.append(
                        measured(name, at, ref[at], base, psi=psi, ref=ref, chrom=chrom, group=f"exon{number}")
                    )
    return found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MetaLayerConfig:
    return MetaLayerConfig(
        base_model="small", data_root=tmp_path_factory.mktemp("study"), timestamp="20260101_000000",
        data={"validation_fraction": 0.25},
        model={"name": "variant_aware", "options": {"width": 8, "blocks": 1, "feature_width": 16, "dropout": 0.0}},
        training={"batch_size": 16, "max_epochs": 8, "learning_rate": 0.01, "seeds": (1, 2), "patience": 8},
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(config: MetaLayerConfig) -> variants.VariantData:
    return variants.split_variants(toy_examples(*records()), config)


@pytest.fixture(scope="module")
def study(config: MetaLayerConfig, data: variants.VariantData) -> Study:
    return study_variants(config, data, bootstrap=Bootstrap(draws=20))


def test_exons_are_on_one_side(data: variants.VariantData) -> None:
    groups = {name: set(data.part(name).names["group"]) for name in (TRAIN, VALIDATION, TEST)}
    assert groups[TEST] == {"exon0", "exon1"}
    assert not groups[TRAIN] & groups[VALIDATION]
    assert not (groups[TRAIN] | groups[VALIDATION]) & groups[TEST]


def test_the_planted_signal_is_found(study: Study) -> None:
    result = next(iter(study.sections.values())).result
    assert isinstance(result.report, TriageReport)
    row = result.report.row("roc_auc", "altering")
    assert row.model.value == 1.0
    assert row.base.value == 1.0  # the toy base model sees a lost motif, too
    assert np.corrcoef(study.arrays["psi"].astype(float), study.arrays["model_psi"].astype(float))[0, 1] > 0.9


def test_members_carry_their_calibration_and_the_ensemble_s_threshold(study: Study, data: variants.VariantData) -> None:
    cards = [read_card(path) for path in study.checkpoints]
    assert [card.seed for card in cards] == [1, 2]
    assert len({card.thresholds["altering"] for card in cards}) == 1
    assert all(card.calibration["altering"].kind == "platt" for card in cards)
    assert cards[0].base == data.base
    held = data.part(VALIDATION)
    validation = variants.calibrated(study.checkpoints, variants.predict_variants(study.checkpoints, held))
    mean = variants.mean_scores(validation)
    threshold = cards[0].thresholds["altering"].value
    assert np.array_equal(mean["score"] >= threshold, held.altering == 1)
    assert MetaPredictor.load(study.checkpoints).task == "multi_task"


def test_figures_name_both_models_and_how_the_threshold_was_found(study: Study, tmp_path: Path) -> None:
    study.write(tmp_path)
    page = (tmp_path / "study.md").read_text()
    assert "motif, drop" in page
    assert "chosen on validation" in page
    assert "seeds 1, 2 averaged" in page
    assert "Triage beside the base model's max_delta" in page


def test_a_model_that_measures_something_else_is_refused(config: MetaLayerConfig, data: variants.VariantData) -> None:
    other = config.model_copy(update={"model": ModelConfig(name="validated_delta")})
    with pytest.raises(SettingError, match="validated_delta does not give both"):
        study_variants(other, data)


def test_a_model_that_is_not_told_the_place_needs_the_variant_in_the_middle(
    config: MetaLayerConfig, tmp_path: Path
) -> None:
    model = ModelConfig(name="splice_inducing", options={"hidden_dim": 8, "n_layers": 1})
    other = config.model_copy(update={"model": model})
    whole = variants.split_variants(toy_examples(*records()), config)
    with pytest.raises(TrainingDataError, match="Build the examples with center='variant'"):
        variants.train_variants(other, whole, output_dir=tmp_path)
    centred = variants.split_variants(toy_examples(*records(), window=161, center="variant"), config)
    result = variants.train_variants(other, centred, output_dir=tmp_path)
    assert read_card(result.best_checkpoint).domain["site_distance"] >= 20


def test_inverted_labels_are_other_data(config: MetaLayerConfig, tmp_path: Path) -> None:
    examples = toy_examples(*records())
    variants.train_variants(config, variants.split_variants(examples, config), output_dir=tmp_path)
    inverted = replace(examples, altering=1 - examples.altering)
    with pytest.raises(CheckpointError, match="differs in data"):
        variants.train_variants(config, variants.split_variants(inverted, config), output_dir=tmp_path)
