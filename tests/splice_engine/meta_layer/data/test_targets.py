"""Targets by hand: what the class says, and where the base model's change is."""

from __future__ import annotations

import numpy as np
import pytest

from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX, AffectedSite, EffectType
from agentic_spliceai.splice_engine.meta_layer.data.targets import (
    affected_site,
    base_change,
    effect_position,
    effect_type,
    validated_delta,
    variant_targets,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass

from .variant_toys import measured, toy_construct, toy_examples

SA, NORMAL, LOW, CONFLICTING = VariantClass
UNKNOWN = -1


def probabilities(length: int, **sites: float) -> np.ndarray:
    """[1, L, 3] of neither, but for `d17=0.9` (donor at 17) and `a3=0.2`."""
    array = np.zeros((1, length, 3), dtype=np.float32)
    for name, value in sites.items():
        array[0, int(name[1:]), "da".index(name[0])] = value
    array[..., 2] = 1 - array[..., :2].sum(axis=-1)
    return array


def change(ref: np.ndarray, alt: np.ndarray, at: int, reach: int = 50) -> np.ndarray:
    return base_change(ref, alt, np.array([at]), np.array([at + 1]), reach)


def test_validated_delta_by_hand() -> None:
    moved = change(probabilities(301, d160=0.9, a140=0.1), probabilities(301, d160=0.2, a140=0.3), at=150)
    assert validated_delta(moved, np.array([SA]))[0] == pytest.approx([-0.7, 0, 0.7], abs=1e-6)
    assert validated_delta(moved, np.array([NORMAL]))[0].tolist() == [0, 0, 0]
    for other in (LOW, CONFLICTING, UNKNOWN):
        assert np.isnan(validated_delta(moved, np.array([other]))).all()
    assert effect_position(moved, np.array([SA])).tolist() == [160]
    assert effect_position(moved, np.array([NORMAL])).tolist() == [IGNORE_INDEX]


def test_only_fifty_bases_either_side_count() -> None:
    for site, seen in ((99, False), (100, True), (200, True), (201, False)):
        moved = change(probabilities(301, **{f"d{site}": 0.8}), probabilities(301), at=150)
        assert validated_delta(moved, np.array([SA]))[0, 0] == pytest.approx(-0.8 if seen else 0)


def test_no_change_outside_the_sequence() -> None:
    ref, alt = probabilities(101, d50=0.5), probabilities(101)
    ref[:, :10] = alt[:, :10] = np.nan
    assert np.isfinite(change(ref, alt, 50)).all()


@pytest.mark.parametrize(
    ("ref", "alt", "wanted"),
    [
        ({"d50": 0.9}, {"d50": 0.1}, EffectType.DONOR_LOSS),
        ({}, {"d50": 0.9}, EffectType.DONOR_GAIN),
        ({"a50": 0.9}, {"a50": 0.5}, EffectType.ACCEPTOR_LOSS),
        ({}, {"a50": 0.1001}, EffectType.ACCEPTOR_GAIN),
        ({"d50": 0.9}, {"d60": 0.9}, EffectType.COMPLEX),
        ({"d50": 0.9}, {"d60": 0.3}, EffectType.DONOR_LOSS),  # the gain is less than half the loss
        ({"d50": 0.15}, {"a60": 0.09}, EffectType.DONOR_LOSS),  # the gain is below 0.1
        ({"d50": 0.9}, {"d50": 0.85}, IGNORE_INDEX),  # altering, but the base model sees nothing
    ],
)
def test_effect_types(ref: dict[str, float], alt: dict[str, float], wanted: int) -> None:
    moved = change(probabilities(101, **ref), probabilities(101, **alt), at=52)
    assert effect_type(moved, np.array([SA])).tolist() == [wanted]
    assert effect_type(moved, np.array([NORMAL])).tolist() == [EffectType.NONE]
    assert effect_type(moved, np.array([LOW])).tolist() == [IGNORE_INDEX]


def test_position_is_not_taken_from_noise() -> None:
    moved = change(probabilities(101, d50=0.09), probabilities(101), at=52)
    assert effect_position(moved, np.array([SA])).tolist() == [IGNORE_INDEX]


@pytest.mark.parametrize(
    ("acceptor", "donor", "wanted"),
    [
        (3.0, 0.2, AffectedSite.ACCEPTOR),
        (0.0, 1.0, AffectedSite.DONOR),
        (3.0, 1.5, AffectedSite.BOTH),
        (3.0, 1.4, AffectedSite.ACCEPTOR),
        (0.9, 0.9, IGNORE_INDEX),
        (-4.0, -4.0, IGNORE_INDEX),
    ],
)
def test_affected_sites(acceptor: float, donor: float, wanted: int) -> None:
    drops = np.array([acceptor]), np.array([donor])
    assert affected_site(*drops, np.array([SA])).tolist() == [wanted]
    assert affected_site(*drops, np.array([NORMAL])).tolist() == [AffectedSite.NONE]
    assert affected_site(*drops, np.array([CONFLICTING])).tolist() == [IGNORE_INDEX]


def test_targets_of_examples() -> None:
    c = toy_construct()
    examples = toy_examples(
        measured("donor", 55, "G", "C", psi=-0.8),
        measured("acceptor", 24, "G", "A", psi=-0.6),
        measured("normal", 55, "G", "A", psi=0.01),
        measured("between", 55, "G", "T", psi=-0.2),
        measured("unseen", 40, c[40], "G", psi=-0.7),
        window=91,
    )
    assert examples.classes.tolist() == [SA, SA, NORMAL, LOW, SA]
    assert examples.altering.tolist() == [1, 1, 0, 0, 1]
    targets = variant_targets(examples)
    assert targets.effect.tolist() == [
        EffectType.DONOR_LOSS, EffectType.ACCEPTOR_LOSS, EffectType.NONE, IGNORE_INDEX, IGNORE_INDEX,
    ]  # fmt: skip
    assert targets.site.tolist() == [AffectedSite.DONOR, AffectedSite.ACCEPTOR, AffectedSite.NONE, *[IGNORE_INDEX] * 2]
    assert targets.position.tolist() == [examples.donor[0], examples.acceptor[1], *[IGNORE_INDEX] * 3]
    assert targets.delta[0, 0] < -0.5
    assert targets.delta[1, 1] < -0.5
    assert targets.delta[2].tolist() == [0, 0, 0]
    assert np.isnan(targets.delta[3]).all()
    assert np.abs(targets.delta[4]).max() < 0.05
    known = targets.delta[[0, 1, 4]]
    assert known.sum(axis=1) == pytest.approx([0, 0, 0], abs=1e-5)
