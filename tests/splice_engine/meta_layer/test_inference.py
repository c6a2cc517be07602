"""A trained model at work, on the demo genome with the small base model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle, open_genome
from agentic_spliceai.splice_engine.genome.types import Gene
from agentic_spliceai.splice_engine.meta_layer import inference
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    save_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus, VariantPrediction
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Platt, Threshold
from agentic_spliceai.splice_engine.resources import ResourceResolver

DONOR = "minigene-2139-G-A"  # first base of intron 2
VARIANTS = (DONOR, "minigene-2139-C-A", "minigene-2100-G-T", "no variant", "minigene-10-A-C", "minigene-2139-G-GTT")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> GenomeBundle:
    return open_genome("demo", ResourceResolver(tmp_path_factory.mktemp("demo")))


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> EnsembleModel:
    return load_base_model("small", ResourceResolver(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def gene(demo: GenomeBundle) -> Gene:
    return next(iter(demo.annotation.genes))


def shaken(model: MetaModule, seed: int) -> MetaModule:
    """Heads start at zero; here they speak."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def variant_member(
    base_model: EnsembleModel, seed: int = 0, name: str = "variant_aware", **card: object
) -> CheckpointContent:
    options = {"num_features": len(VARIANT_FEATURES), "width": 8, "blocks": 2} if name == "variant_aware" else {}
    torch.manual_seed(seed)
    model = shaken(build_model(name, **options), seed)
    fields: dict[str, object] = {
        "features": VARIANT_FEATURES,
        "normaliser": Normalizer.fit(
            np.random.default_rng(0).normal(size=(50, len(VARIANT_FEATURES))), VARIANT_FEATURES
        ).as_dict(),
        "base": BaseProvenance.of(base_model.info),
        "seed": seed,
        "task": model.task,
    }
    return CheckpointContent(model, ModelCard.model_validate(fields | card))


def site_member(base_model: EnsembleModel, name: str, **options: object) -> CheckpointContent:
    rng = np.random.default_rng(1)
    normalizer = Normalizer.fit(rng.normal(-8, 4, size=(200, len(FEATURE_NAMES))), FEATURE_NAMES)
    model = build_model(name, **options)
    return CheckpointContent(
        model,
        ModelCard(
            features=FEATURE_NAMES if name == "meta_splice" else (),
            normaliser=normalizer.as_dict() if name == "meta_splice" else None,
            base=BaseProvenance.of(base_model.info),
            task=model.task,
            window=501,
        ),
    )


def triage(
    members: Sequence[CheckpointContent], demo: GenomeBundle, base_model: EnsembleModel, variants: Sequence[str]
) -> list[VariantPrediction]:
    return list(MetaPredictor(members).triage(variants, demo.genome, demo.annotation, base_model))


def test_every_input_gets_its_row_or_its_reason(demo: GenomeBundle, base_model: EnsembleModel) -> None:
    rows = triage([variant_member(base_model)], demo, base_model, VARIANTS)
    assert [row.index for row in rows] == list(range(6))
    assert [row.text for row in rows] == list(VARIANTS)
    reasons = [None if row.not_scored is None else row.not_scored.code for row in rows]
    assert reasons[0] is None
    assert reasons[1] == "reference_mismatch"
    assert reasons[3] == "invalid_variant"
    assert reasons[4] in {"outside_genes", "reference_mismatch"}
    assert rows[0].gene_name == "DEMO1"
    found = rows[0].triage
    assert found is not None
    assert found.status is MetaStatus.PREDICTED
    assert found.probability_low is None  # one member has no interval


def test_chunks_and_company_change_nothing(
    demo: GenomeBundle, base_model: EnsembleModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = variant_member(base_model)
    together = triage([member], demo, base_model, VARIANTS)
    monkeypatch.setattr(inference, "_CHUNK", 2)
    apart = triage([member], demo, base_model, VARIANTS)
    for a, b in zip(together, apart, strict=True):
        assert a.not_scored == b.not_scored
        if a.triage is not None and b.triage is not None:
            assert a.triage.probability == pytest.approx(b.triage.probability, abs=1e-6)


def test_an_ensemble_is_the_mean_of_its_calibrated_members(demo: GenomeBundle, base_model: EnsembleModel) -> None:
    threshold = {"altering": threshold_at(0.3)}
    platts = [Platt(slope=(0.7,), intercept=(-0.4,)), Platt(slope=(1.4,), intercept=(0.2,)), None]
    members = [
        variant_member(base_model, seed, thresholds=threshold, calibration={} if platt is None else {"altering": platt})
        for seed, platt in enumerate(platts)
    ]
    alone = [triage([variant_member(base_model, seed)], demo, base_model, [DONOR])[0].triage for seed in range(3)]
    expected = []
    for result, platt in zip(alone, platts, strict=True):
        assert result is not None
        assert result.probability is not None
        odds = np.log(result.probability / (1 - result.probability))
        slope, intercept = (1.0, 0.0) if platt is None else (platt.slope[0], platt.intercept[0])
        expected.append(1 / (1 + np.exp(-(slope * odds + intercept))))
    (row,) = triage(members, demo, base_model, [DONOR])
    found = row.triage
    assert found is not None
    assert found.probability == pytest.approx(np.mean(expected), abs=1e-6)
    assert found.probability_low is not None
    assert found.probability_high is not None
    assert found.probability is not None
    assert found.probability_low < found.probability < found.probability_high
    assert found.threshold == 0.3
    assert ("not splice-altering" in found.message) is (found.probability < 0.3)


def threshold_at(value: float) -> Mapping[str, object]:
    return Threshold(value=value, criterion="f1", precision=1, recall=1, f1=1, fpr=0, n=10, positives=5).model_dump()


def test_deltas_of_every_kind_of_model(demo: GenomeBundle, base_model: EnsembleModel) -> None:
    for name in ("variant_aware", "validated_delta", "simple_cnn_delta"):
        predictor = MetaPredictor([variant_member(base_model, name=name)])
        (row,) = predictor.predict_delta([DONOR], demo.genome, demo.annotation, base_model)
        assert row.delta is not None
        if name == "variant_aware":
            assert row.delta.inclusion is not None
            assert row.delta.site in {"none", "acceptor", "donor", "both"}
        else:
            assert row.delta.donor is not None
            assert row.delta.acceptor is not None
            assert abs(row.delta.donor) + abs(row.delta.acceptor) > 0


def test_what_does_not_fit_is_refused(demo: GenomeBundle, base_model: EnsembleModel, gene: Gene) -> None:
    other = BaseProvenance(predictor="openspliceai", version="MANE-10000nt", weights_sha256=("0" * 64,))
    with pytest.raises(CheckpointError, match=r"trained on the scores of openspliceai.*not of small"):
        triage([variant_member(base_model, base=other)], demo, base_model, [DONOR])
    with pytest.raises(CheckpointError, match="trained for multi_task cannot recalibrate sites"):
        MetaPredictor([variant_member(base_model)]).recalibrate(gene, demo.genome, base_model)
    with pytest.raises(CheckpointError, match="cannot triage"):
        triage([site_member(base_model, "recalibrator")], demo, base_model, [DONOR])
    with pytest.raises(CheckpointError, match="differ in their task"):
        MetaPredictor([variant_member(base_model), variant_member(base_model, name="validated_delta")])
    fewer = VARIANT_FEATURES[:-1]
    normaliser = Normalizer.fit(np.ones((3, len(fewer))), fewer).as_dict()
    with pytest.raises(CheckpointError, match="other features than this version computes"):
        triage([variant_member(base_model, features=fewer, normaliser=normaliser)], demo, base_model, [DONOR])
    with pytest.raises(CheckpointError, match="without a member"):
        MetaPredictor([])


def test_a_card_that_does_not_say_enough_is_refused(demo: GenomeBundle, base_model: EnsembleModel, gene: Gene) -> None:
    """Nothing is fitted on, or assumed for, what is asked."""
    with pytest.raises(CheckpointError, match="without their normalisation"):
        triage([variant_member(base_model, features=(), normaliser=None)], demo, base_model, [DONOR])
    with pytest.raises(CheckpointError, match="does not say of which"):
        triage([variant_member(base_model, base=None)], demo, base_model, [DONOR])
    options = {"encoder": "cnn", "hidden_dim": 16, "num_features": len(FEATURE_NAMES), "fusion": "concat"}
    silent = site_member(base_model, "meta_splice", **options)
    card = silent.card.model_copy(update={"window": None})
    with pytest.raises(CheckpointError, match="how long the sequences were"):
        MetaPredictor([CheckpointContent(silent.model, card)]).recalibrate(gene, demo.genome, base_model)


def test_the_answer_does_not_depend_on_the_company(demo: GenomeBundle, base_model: EnsembleModel) -> None:
    member = variant_member(base_model, name="validated_delta")
    assert "features" not in member.model.inputs
    bare = CheckpointContent(member.model, ModelCard(task="delta", base=member.card.base))
    arguments = (demo.genome, demo.annotation, base_model)
    (alone,) = MetaPredictor([bare]).predict_delta([DONOR], *arguments)
    first, *_ = MetaPredictor([bare]).predict_delta([DONOR, "minigene-2139-G-T", "minigene-2139-G-C"], *arguments)
    assert alone.delta is not None
    assert first.delta is not None
    assert alone.delta.donor == pytest.approx(first.delta.donor, abs=1e-6)


@pytest.mark.parametrize("name", ["", "SAME"])
def test_genes_that_overlap_under_one_name_keep_their_own_answers(
    name: str, demo: GenomeBundle, base_model: EnsembleModel, tmp_path: Path
) -> None:
    rows = []
    for gene, strand in (("GA", "+"), ("GB", "-")):
        attributes = f'gene_id "{gene}"; transcript_id "{gene}.1";' + (f' gene_name "{name}";' if name else "")
        for start, end in ((1201, 1500), (2021, 2138), (3001, 3200)):
            rows.append(f"minigene\ttoy\texon\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n")
    (tmp_path / "two.gtf").write_text("".join(rows))
    annotation = GeneAnnotation.load(tmp_path / "two.gtf")
    predictor = MetaPredictor([variant_member(base_model)])
    both = list(predictor.triage([DONOR], demo.genome, annotation, base_model))
    assert [row.gene_id for row in both] == ["GA", "GB"]
    probabilities = [row.triage.probability for row in both if row.triage]
    assert probabilities[0] != pytest.approx(probabilities[1], abs=1e-3)
    (only,) = predictor.triage([DONOR], demo.genome, annotation, base_model, gene="GB")
    assert only.triage is not None
    assert only.triage.probability == pytest.approx(probabilities[1], abs=1e-6)


def test_what_the_model_was_not_trained_on_is_said(
    demo: GenomeBundle, base_model: EnsembleModel, tmp_path: Path
) -> None:
    member = variant_member(base_model, domain={"site_distance": 5.0, "allele_length": 1.0})
    bases = demo.genome.fetch_padded("minigene", 2199, 2203)
    inputs = [DONOR, f"minigene-2200-{bases[0]}-{'A' if bases[0] != 'A' else 'C'}", f"minigene-2200-{bases}-{bases[0]}"]
    rows = triage([member], demo, base_model, inputs)
    notes = [row.triage.caveats for row in rows if row.triage]
    assert notes[0] == ()
    assert len(notes[1]) == 1
    assert "in training at most 5" in notes[1][0]
    assert any("nt long" in note for note in notes[2])
    assert rows[1].triage is not None
    assert notes[1][0] in rows[1].triage.message
    whole = 'gene_id "G"; transcript_id "G.1";'
    (tmp_path / "one.gtf").write_text(f"minigene\ttoy\texon\t1201\t3200\t.\t+\t.\t{whole}\n")
    (row,) = MetaPredictor([member]).triage([DONOR], demo.genome, GeneAnnotation.load(tmp_path / "one.gtf"), base_model)
    assert row.triage is not None
    assert row.triage.caveats == ("the transcript has no splice site",)
    assert row.base_model == "small 1"
    assert row.annotation_sha256


def test_files_and_folders(tmp_path: Path, demo: GenomeBundle, base_model: EnsembleModel) -> None:
    members = [variant_member(base_model, seed) for seed in (1, 2)]
    for member in members:
        save_checkpoint(tmp_path / f"member_{member.card.seed}.safetensors", member)
    loaded = MetaPredictor.load(tmp_path)
    (row,) = loaded.triage([DONOR], demo.genome, demo.annotation, base_model)
    (expected,) = triage(members, demo, base_model, [DONOR])
    assert row.triage is not None
    assert expected.triage is not None
    assert row.triage.probability == pytest.approx(expected.triage.probability, abs=1e-7)
    one = MetaPredictor.load(tmp_path / "member_1.safetensors")
    assert one.card_sha256 == one.card.sha256 != loaded.card_sha256
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        MetaPredictor.load(tmp_path / "empty")


def test_an_untrained_model_of_positions_is_the_base_model(
    demo: GenomeBundle, base_model: EnsembleModel, gene: Gene
) -> None:
    names = ("donor_logodds", "acceptor_logodds", "site_logodds")
    columns = [FEATURE_NAMES.index(name) for name in names]
    member = site_member(base_model, "recalibrator")
    track = MetaPredictor([member]).recalibrate(gene, demo.genome, base_model)
    assert track.recalibrated.all()
    assert np.abs(track.probabilities - track.base).max() < 1e-5
    options = {"encoder": "cnn", "hidden_dim": 16, "num_features": len(FEATURE_NAMES), "fusion": "concat"}
    plain = site_member(base_model, "meta_splice", **options)
    assert plain.card.normaliser is not None
    scale = [plain.card.normaliser["std"][c] for c in columns]
    shift = [plain.card.normaliser["mean"][c] for c in columns]
    member = site_member(base_model, "meta_splice", **options, base_logits=columns, base_scale=scale, base_shift=shift)
    track = MetaPredictor([member]).recalibrate(gene, demo.genome, base_model, floor=1e-3)
    assert 0 < track.recalibrated.sum() < len(track.recalibrated)
    # The ensemble's mean of log-odds is not the log-odds of its mean, so this is near, not equal.
    assert np.abs(track.probabilities - track.base)[track.recalibrated].max() < 0.1
    assert np.array_equal(track.probabilities[~track.recalibrated], track.base[~track.recalibrated])
    assert np.allclose(track.probabilities.sum(axis=1), 1, atol=1e-5)


def test_tiles_leave_no_seam(
    demo: GenomeBundle, base_model: EnsembleModel, gene: Gene, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = site_member(base_model, "recalibrator")
    shaken(member.model, 3)
    whole = MetaPredictor([member]).recalibrate(gene, demo.genome, base_model)
    assert np.abs(whole.probabilities - whole.base).max() > 0.01
    monkeypatch.setattr(inference, "_TILE", 700)
    tiled = MetaPredictor([member]).recalibrate(gene, demo.genome, base_model)
    assert np.abs(whole.probabilities - tiled.probabilities).max() < 1e-5


def test_a_trained_model_is_used_without_training_libraries() -> None:
    code = (
        "import sys; from agentic_spliceai.splice_engine.meta_layer import MetaPredictor; "
        "print(*sorted(set(sys.modules) & {'lightning', 'pandas', 'sklearn', 'transformers', 'torchmetrics'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
