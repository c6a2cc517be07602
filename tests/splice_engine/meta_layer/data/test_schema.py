"""The schema check names the column that is wrong, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agentic_spliceai.splice_engine.errors import SchemaError
from agentic_spliceai.splice_engine.meta_layer.data import schema
from agentic_spliceai.splice_engine.meta_layer.data.schema import (
    COLUMNS,
    FEATURE_NAMES,
    FEATURES,
    IDENTITY,
    LEAK_COLUMNS,
    NUMERIC_IDENTITY,
    check_columns,
    check_features,
    schema_digest,
)


def table() -> dict[str, Any]:
    text = {name: np.array(["x"] * 3) for name in IDENTITY if name not in NUMERIC_IDENTITY}
    text["splice_type"] = np.array(["donor", "", "acceptor"])
    return text | {name: np.arange(3.0) for name in (*NUMERIC_IDENTITY, *FEATURE_NAMES)}


def test_a_sound_table_passes_as_dict_and_as_frame() -> None:
    check_columns(table())
    check_columns(pd.DataFrame(table())[list(COLUMNS)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("donor_score"), "lacks the column 'donor_score'"),
        (lambda t: t.pop("gene_id"), "lacks the column 'gene_id'"),
        (lambda t: t["gc_51"].__setitem__(1, np.nan), "'gc_51' is nan in row 2"),
        (lambda t: t["donor_surge_ratio"].__setitem__(2, np.inf), "'donor_surge_ratio' is inf in row 3"),
        (lambda t: t.update(acceptor_score=np.array(["0.1", "x", "2"])), r"'acceptor_score' holds <U3.*row 2: 'x'"),
        (lambda t: t.update(position=np.array([1.0, np.nan, 3.0])), "'position' is nan in row 2"),
        (lambda t: t.update(splice_type=np.array(["donor", "", "exon"])), "'splice_type' is 'exon' in row 3"),
    ],
)
def test_the_bad_column_is_named(change: Callable[[dict[str, Any]], object], message: str) -> None:
    bad = table()
    change(bad)
    with pytest.raises(SchemaError, match=message):
        check_columns(bad)


def test_rows_are_numbered_as_the_caller_says() -> None:
    bad = table()
    bad["gc_51"][0] = np.nan
    with pytest.raises(SchemaError, match=r"chunk.tsv: column 'gc_51' is nan in row 101"):
        check_columns(bad, source="chunk.tsv", first_row=101)


@pytest.mark.parametrize("name", sorted(LEAK_COLUMNS))
def test_a_leaking_column_is_refused_as_a_feature(name: str) -> None:
    with pytest.raises(SchemaError, match=f"'{name}' knows the label"):
        check_features(["donor_score", name])
    with pytest.raises(SchemaError, match=f"'{name}' knows the label"):
        check_columns(table() | {name: np.arange(3.0)}, features=["donor_score", name])


def test_the_documents_leaks_are_all_known() -> None:
    documented = {"splice_type", "pred_type", "true_position", "predicted_position", "is_correct", "error_type"}
    assert documented <= LEAK_COLUMNS


def test_identity_and_repeated_columns_are_no_features() -> None:
    with pytest.raises(SchemaError, match="'gene_id'"):
        check_features(["gene_id"])
    with pytest.raises(SchemaError, match="'gc_51' is asked for twice"):
        check_features(["gc_51", "gc_51"])
    assert check_features(["my_own_score"]) == ("my_own_score",)


def test_every_feature_is_described_once() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES) >= 50
    assert all(feature.meaning and feature.group for feature in FEATURES)


def test_the_digest_changes_with_what_a_column_means(monkeypatch: pytest.MonkeyPatch) -> None:
    first = schema_digest()
    assert first == schema_digest(FEATURE_NAMES)
    assert first != schema_digest(FEATURE_NAMES[1:])
    assert first != schema_digest(FEATURE_NAMES[::-1])
    monkeypatch.setattr(schema, "FORMAT", schema.FORMAT + 1)
    assert first != schema_digest()
