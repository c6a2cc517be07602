"""Batches of variants: keys, shapes and meaning as `data.batches` has them."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import SAMPLE_WEIGHTS
from agentic_spliceai.splice_engine.meta_layer.data.variant_dataset import VariantDataset
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES

from .variant_toys import measured, toy_construct, toy_examples

C = toy_construct()
RECORDS = [
    measured("donor", 55, "G", "C", psi=-0.8, group="a"),
    measured("normal", 55, "G", "A", psi=0.01, group="a"),
    measured("between", 40, C[40], "G", psi=-0.2, group="b"),
    measured("deleted", 40, C[40:43], "", psi=0.3, group="b"),
    measured("inserted", 40, "", "GG", psi=-0.02, group="c"),
]

SHAPES = {
    "ref": (4, 91), "alt": (4, 91), "gap": (2, 91), "ref_base": (4,), "alt_base": (4,), "base_ref": (6, 91),
    "base_alt": (6, 91), "place": (6, 91), "features": (len(VARIANT_FEATURES),), "altering": (), "psi": (),
    "delta": (3,), "site": (), "effect": (), "position": (), "weight": (), "base_delta": (91, 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> VariantDataset:
    examples = toy_examples(*RECORDS, window=91)
    return VariantDataset(examples, VariantDataset.fit_normalizer(examples), class_weights=SAMPLE_WEIGHTS)


def test_keys_shapes_and_types(data: VariantDataset) -> None:
    batch = data.batch([0, 3, 4])
    assert {key: tuple(value.shape[1:]) for key, value in batch.items()} == SHAPES
    assert {key for key, value in batch.items() if value.dtype is torch.int64} == {"site", "effect", "position"}
    assert {value.dtype for key, value in batch.items() if key not in ("site", "effect", "position")} == {torch.float32}
    for key in ("ref", "alt", "gap", "base_ref", "base_alt", "place", "features", "base_delta"):
        assert torch.isfinite(batch[key]).all(), key


def test_one_by_one_and_together_are_the_same(data: VariantDataset) -> None:
    loader = DataLoader(data, batch_size=3)
    batches = list(loader)
    assert [len(batch["psi"]) for batch in batches] == [3, 2]
    for number in range(len(data)):
        single, together = data[number], batches[number // 3]
        for key, value in single.items():
            torch.testing.assert_close(value, together[key][number % 3], equal_nan=True)
    torch.testing.assert_close(data[-1]["alt"], data[4]["alt"])
    with pytest.raises(IndexError):
        data[5]


def test_meaning(data: VariantDataset) -> None:
    batch = data.batch(range(5))
    # A gap, like N, has no base; where both alleles have one, only the changed columns differ.
    assert (batch["ref"].sum(1) * batch["gap"][:, 0]).sum() == 0
    assert (batch["alt"].sum(1) * batch["gap"][:, 1]).sum() == 0
    for row, changed in enumerate((1, 1, 1, 3, 2)):
        differs = (batch["ref"][row] != batch["alt"][row]).any(dim=0)
        assert int(differs.sum()) == changed
        assert torch.equal(differs, batch["place"][row, 0] > 0)
    assert batch["ref_base"][0].tolist() == [0, 0, 1, 0]
    assert batch["alt_base"][0].tolist() == [0, 1, 0, 0]
    assert batch["ref_base"][4].tolist() == [0] * 4
    torch.testing.assert_close(batch["base_delta"], (batch["base_alt"] - batch["base_ref"])[:, 4:6].transpose(1, 2))
    donor = int(data.examples.donor[0])
    assert batch["base_delta"][0, donor, 0] < -0.5
    torch.testing.assert_close(batch["delta"][0, :2], batch["base_delta"][0, donor])
    assert batch["altering"].tolist() == [1, 0, 0, 0, 0]
    assert batch["psi"].tolist() == pytest.approx([-0.8, 0.01, -0.2, 0.3, -0.02])
    assert batch["weight"].tolist() == [2, 1, 0.5, 0.5, 1]


def test_weights_are_one_unless_asked_for_and_groups_are_named() -> None:
    examples = toy_examples(*RECORDS, window=91)
    normalizer = VariantDataset.fit_normalizer(examples)
    plain = VariantDataset(examples, normalizer, balance_by="effect")
    assert plain.batch(range(5))["weight"].tolist() == [1] * 5
    assert plain.groups == ["a", "a", "b", "b", "c"]
    assert plain.labels.tolist() == [2, 0, -100, -100, 0]
    assert VariantDataset(examples, normalizer).labels.tolist() == [1, 0, 0, 0, 0]
    with pytest.raises(TrainingDataError, match="no example"):
        VariantDataset(examples.subset([]), normalizer)


def test_the_scale_is_that_of_the_training_part() -> None:
    examples = toy_examples(*RECORDS, window=91)
    normalizer = VariantDataset.fit_normalizer(examples.subset([0, 1, 2]))
    column = VARIANT_FEATURES.index("donor_drop")
    whole = VariantDataset(examples, normalizer).batch(range(5))["features"][:, column]
    part = VariantDataset(examples.subset([3, 4]), normalizer).batch([0, 1])["features"][:, column]
    torch.testing.assert_close(whole[3:], part)
    assert abs(float(whole[:3].mean())) < 1e-5
    assert torch.isfinite(whole).all()
