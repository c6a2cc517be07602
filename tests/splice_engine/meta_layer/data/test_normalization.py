"""One scale for all parts, learned from the training part alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from agentic_spliceai.splice_engine.errors import CheckpointError, SchemaError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.normalization import LIMIT, MIN_SPREAD, Normalizer

NAMES = ("donor_logodds", "donor_surge_ratio", "gc_51", "motif_gt")


def rows(n: int = 500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack(
        [rng.normal(-5, 3, n), np.exp(rng.normal(0, 6, n)), rng.uniform(0, 1, n), np.ones(n)], axis=1
    ).astype(np.float32)


def test_values_by_hand() -> None:
    x = np.array([[0.0, 0.0, 0.2, 1.0], [4.0, 3.0, 0.4, 1.0]], dtype=np.float32)
    made = Normalizer.fit(x, NAMES)
    assert made.mean == pytest.approx((2.0, np.log(4) / 2, 0.3, 1.0))
    assert made.std == pytest.approx((2.0, np.log(4) / 2, MIN_SPREAD, MIN_SPREAD))
    np.testing.assert_allclose(made.transform(x), [[-1, -1, -0.5, 0], [1, 1, 0.5, 0]], atol=1e-6)


def test_training_rows_come_out_centred_and_scaled() -> None:
    z = Normalizer.fit(rows(), NAMES).transform(rows(), NAMES)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(z[:, :3].std(axis=0), 1, atol=1e-3)
    assert z.dtype == np.float32


def test_ratios_have_no_power_beyond_the_limit_and_keep_their_sign() -> None:
    made = Normalizer.fit(rows(), NAMES)
    wild = np.array([[1e6, 1e30, 0.5, 1], [-1e6, -1e30, 0.5, 1], [0, 5, 0.5, 1]], dtype=np.float32)
    z = made.transform(wild)
    assert np.abs(z).max() <= LIMIT
    assert z[0, 1] > z[2, 1] > z[1, 1]
    assert z[1, 1] < 0


def test_a_constant_column_is_zero_and_stays_tame() -> None:
    made = Normalizer.fit(rows(), NAMES)
    other = rows(10)
    assert (made.transform(other)[:, 3] == 0).all()
    other[:, 3] = 0
    assert (made.transform(other)[:, 3] == -1 / MIN_SPREAD).all()


def test_it_survives_text_exactly() -> None:
    made = Normalizer.fit(rows(), NAMES)
    again = Normalizer.from_json(made.to_json())
    assert again == made
    assert again.digest == made.digest
    assert Normalizer.from_dict(json.loads(json.dumps(made.as_dict()))) == made
    np.testing.assert_array_equal(again.transform(rows(20, seed=3)), made.transform(rows(20, seed=3)))
    assert Normalizer.fit(rows(seed=1), NAMES).digest != made.digest


def test_other_columns_are_refused() -> None:
    made = Normalizer.fit(rows(), NAMES)
    with pytest.raises(SchemaError, match=r"shape \(500, 3\)"):
        made.transform(rows()[:, :3])
    with pytest.raises(SchemaError, match="'gc_51' instead of 'donor_surge_ratio'"):
        made.transform(rows(), ("donor_logodds", "gc_51", "donor_surge_ratio", "motif_gt"))


def test_bad_values_are_named() -> None:
    bad = rows()
    bad[7, 2] = np.nan
    with pytest.raises(SchemaError, match="'gc_51' is nan in row 7"):
        Normalizer.fit(bad, NAMES)
    with pytest.raises(SchemaError, match="'gc_51' is nan in row 7"):
        Normalizer.fit(rows(), NAMES).transform(bad)
    with pytest.raises(SchemaError, match="'pred_type' knows the label"):
        Normalizer.fit(rows(), ("pred_type", *NAMES[1:]))
    with pytest.raises(TrainingDataError):
        Normalizer.fit(rows()[:0], NAMES)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("mean"),
        lambda d: d.update(std=[1.0]),
        lambda d: d.update(std=[0.0] * 4),
        lambda d: d.update(mean=[float("nan")] * 4),
        lambda d: d.update(transforms=["cube"] * 4),
    ],
)
def test_a_damaged_one_is_refused(change: object) -> None:
    document = Normalizer.fit(rows(), NAMES).as_dict()
    change(document)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match="damaged"):
        Normalizer.from_dict(document)
    with pytest.raises(CheckpointError, match="no JSON"):
        Normalizer.from_json("{")
