"""Scalar features against a slow, plain reckoning, and what must hold of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import site_log_odds
from agentic_spliceai.splice_engine.meta_layer.data.measured import MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.schema import LEAK_COLUMNS
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import VariantExamples, build_examples
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES, variant_features
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import genomic_inputs
from tests.splice_engine.base_layer.toys import MotifModel

from .test_variant_examples import PAD, genomic, one_hot
from .variant_toys import EXON_AT, EXON_LENGTH, measured, toy_construct, toy_examples, toy_gene, toy_sequence

DONOR_AT = EXON_AT + EXON_LENGTH - 1


def named(examples: VariantExamples) -> list[dict[str, float]]:
    return [dict(zip(VARIANT_FEATURES, map(float, row), strict=True)) for row in variant_features(examples)]


def member_log_odds(sequence: str) -> np.ndarray:
    return site_log_odds(MotifModel().predict(one_hot(PAD + sequence + PAD)[None]).logits[0]).astype(float)  # [M, L, 2]


SNVS = [(55, "G", "C"), (24, "G", "A"), (40, toy_construct()[40], "G"), (5, toy_construct()[5], "G"), (59, "G", "T")]


@pytest.mark.parametrize(("at", "ref", "alt"), [snv for snv in SNVS if snv[1] == toy_construct()[snv[0]]])
def test_score_features_against_a_plain_reckoning(at: int, ref: str, alt: str) -> None:
    (found,) = named(toy_examples(measured("v", at, ref, alt)))
    before = member_log_odds(toy_construct())
    after = member_log_odds(toy_construct()[:at] + alt + toy_construct()[at + 1 :])
    p_before, p_after = (1 / (1 + np.exp(-x)) for x in (before, after))
    drops = {}
    for name, site, column in (("acceptor", 1, EXON_AT), ("donor", 0, DONOR_AT)):
        drop = before[:, column, site] - after[:, column, site]
        drops[name] = drop
        assert found[f"{name}_log_odds_ref"] == pytest.approx(before[:, column, site].mean(), abs=0.02)
        assert found[f"{name}_drop"] == pytest.approx(drop.mean(), abs=0.03)
        assert found[f"{name}_drop_spread"] == pytest.approx(drop.std(), abs=0.03)
        loss = (p_before - p_after)[:, column, site].mean()
        assert found[f"{name}_loss"] == pytest.approx(loss, abs=2e-3)
        assert found[f"{name}_present"] == 1
        change = (p_after - p_before)[:, :, site].mean(axis=0)
        assert found[f"{name}_gain_any"] == pytest.approx(max(change.max(), 0), abs=2e-3)
        assert found[f"{name}_loss_any"] == pytest.approx(max(-change.min(), 0), abs=2e-3)
        level = np.maximum(after[:, :, site].mean(axis=0), -6)
        level[column] = -6
        assert found[f"{name}_rival_alt"] == pytest.approx(level.max(), abs=0.02)
    assert found["drop_sum"] == pytest.approx(sum(drop.mean() for drop in drops.values()), abs=0.05)
    assert found["drop_sum_spread"] == pytest.approx(sum(drops.values()).std(), abs=0.05)
    assert found["max_delta"] == pytest.approx(np.abs((p_after - p_before).mean(axis=0)).max(), abs=2e-3)


def test_place_features_by_hand() -> None:
    c = toy_construct()
    records = [
        measured("donor +1", 55, "G", "C"),
        measured("donor -1", 54, "G", "C"),
        measured("acceptor -1", 24, "G", "A"),
        measured("middle", 40, c[40], "G"),
        measured("over the donor", 53, c[53:57], ""),
        measured("upstream", 3, c[3], "G"),
    ]
    found = {record.id: row for record, row in zip(records, named(toy_examples(*records)), strict=True)}
    wanted = {
        "donor +1": (30, 1, 0, 0, 1, 0, 1),
        "donor -1": (29, 0, 1, 0, 0, 0, 0),
        "acceptor -1": (-1, -30, 0, 1, 0, 1, 0),
        "middle": (15, -14, 1, 0, 0, 0, 0),
        "over the donor": (28, 0, 1, 0, 1, 0, 1),
        "upstream": (-22, -51, 0, 1, 0, 0, 0),
    }
    names = ("from_acceptor", "from_donor", "exonic", "upstream", "downstream", "acceptor_dinucleotide",
             "donor_dinucleotide")  # fmt: skip
    for name, values in wanted.items():
        assert tuple(found[name][feature] for feature in names) == values, name
    assert found["upstream"]["acceptor_region"] == 0
    assert found["acceptor -1"]["acceptor_region"] == 1
    assert found["donor +1"]["donor_region"] == 1
    exon = c[EXON_AT : EXON_AT + EXON_LENGTH]
    assert found["middle"]["exon_gc"] == pytest.approx((exon.count("G") + exon.count("C")) / 30)
    near = c[20:61]
    assert found["middle"]["local_gc"] == pytest.approx((near.count("G") + near.count("C")) / 41)
    assert found["middle"]["exon_length_log"] == pytest.approx(np.log(30))


def test_base_features_by_hand() -> None:
    c = toy_construct()
    at = c.index("CTCA", 34) + 1
    records = [
        measured("transition", at, "T", "C"),
        measured("transversion", at, "T", "A"),
        measured("cpg", at + 2, "A", "G"),
        measured("inserted", at, "", "GG"),
        measured("deleted", at, "TCA", ""),
        measured("two", at, "TC", "GG"),
    ]
    found = {record.id: row for record, row in zip(records, named(toy_examples(*records)), strict=True)}
    assert [(row["transition"], row["transversion"]) for row in found.values()] == [
        (1, 0),
        (0, 1),
        (1, 0),
        *[(0, 0)] * 3,
    ]
    assert [(row["cpg_gained"], row["cpg_lost"]) for row in found.values()] == [
        (0, 0),
        (0, 0),
        (1, 0),  # TCA > TCG
        (1, 0),  # C GG TCA
        (0, 0),
        (1, 0),  # CTC > CGG
    ]
    assert [(row["inserted"], row["deleted"]) for row in found.values()] == [
        *[(0, 0)] * 3, (pytest.approx(np.log(3)), 0), (0, pytest.approx(np.log(4))), (0, 0)
    ]  # fmt: skip
    assert [found["transition"][f"ref_{b}"] for b in "ACGT"] == [0, 0, 0, 1]
    assert [found["transition"][f"alt_{b}"] for b in "ACGT"] == [0, 1, 0, 0]
    assert [found["two"][f"ref_{b}"] for b in "ACGT"] == [0, 0.5, 0, 0.5]
    assert [found["inserted"][f"ref_{b}"] for b in "ACGT"] == [0] * 4
    for place in (-3, -2, -1, 1, 2, 3):
        (base,) = (b for b in "ACGT" if found["transition"][f"base_{place:+d}_{b}"])
        assert base == c[at + place]
        (after,) = (b for b in "ACGT" if found["two"][f"base_{place:+d}_{b}"])
        assert after == c[at + place + (1 if place > 0 else 0)]


def test_equal_alleles_drop_and_gain_nothing() -> None:
    examples = toy_examples(measured("v", 40, toy_construct()[40], "G"))
    same = VariantExamples(**{**vars(examples), "alt_row": examples.ref_row})
    (found,) = named(same)
    changes = [
        name
        for name in VARIANT_FEATURES
        if any(key in name for key in ("drop", "loss", "gain_any", "max_delta", "rise"))
    ]
    assert len(changes) > 15
    assert {found[name] for name in changes} == {0.0}


def test_a_deleted_site_has_lost_everything() -> None:
    (found,) = named(toy_examples(measured("v", 53, toy_construct()[53:57], "")))
    donor = member_log_odds(toy_construct())[:, DONOR_AT, 0]
    assert found["donor_drop"] == pytest.approx(donor.mean() + 20, abs=0.02)
    assert found["donor_loss"] == pytest.approx((1 / (1 + np.exp(-donor))).mean(), abs=2e-3)


def test_labels_are_not_looked_at() -> None:
    one, other = (toy_examples(measured("v", 55, "G", "C", psi=psi)) for psi in (0.0, -0.9))
    np.testing.assert_array_equal(variant_features(one), variant_features(other))
    assert not set(VARIANT_FEATURES) & set(LEAK_COLUMNS)


def test_an_exon_far_away_has_distances_and_no_scores(tmp_path: Path) -> None:
    genome, annotation = toy_gene(tmp_path)

    def record(position: int) -> MeasuredVariant:
        return genomic(Variant(contig="chr1", position=position, ref=toy_sequence()[position - 1], alt="G"))

    inputs = genomic_inputs([record(250), record(110)], genome, annotation, context=40, window=41)
    intronic, first = named(build_examples(inputs, MotifModel(), window=41, center="variant"))
    assert (intronic["from_acceptor"], intronic["from_donor"], intronic["downstream"]) == (149, 50, 1)
    assert (intronic["donor_present"], intronic["donor_drop"], intronic["donor_log_odds_ref"]) == (0, 0, 0)
    assert (first["acceptor_present"], first["acceptor_region"], first["exonic"]) == (0, 0, 1)


def test_the_normaliser_takes_them() -> None:
    c = toy_construct()
    raw = variant_features(toy_examples(*(measured(str(at), at, c[at], "G") for at in range(30, 50) if c[at] != "G")))
    normalizer = Normalizer.fit(raw, VARIANT_FEATURES)
    scaled = Normalizer.from_dict(normalizer.as_dict()).transform(raw, VARIANT_FEATURES)
    assert np.abs(scaled.mean(axis=0)).max() < 1e-4
    assert np.isfinite(raw).all()
