"""Predictions in the database."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from agentic_spliceai.records.predictions import NewPrediction, PredictionStore
from agentic_spliceai.records.store import RecordStore


@pytest.fixture
def predictions(database_url: str) -> Iterator[PredictionStore]:
    store = RecordStore(database_url, busy_timeout=20)
    yield store.predictions
    store.close()


def new_prediction(**changes: object) -> NewPrediction:
    values: dict[str, object] = {
        "run_id": "a1",
        "variant": "chr3-37012011-A-G",
        "build": "GRCh38",
        "gene": "MLH1",
        "transcript": "NM_000249.4",
        "predictor": "small 1",
        "kind": "triage",
        "probability": 0.9,
        "document": {"threshold": 0.5, "interval": [0.8, 0.95]},
    }
    return NewPrediction.model_validate(values | changes)


def test_a_prediction_is_looked_up_by_its_variant(predictions: PredictionStore) -> None:
    given = (new_prediction(), new_prediction(run_id="b2"), new_prediction(gene="EPM2AIP1", kind="score", score=-0.2))
    assert predictions.add(given) == 3
    assert predictions.add(new_prediction(variant="chr1-5-A-G")) == 1
    found = predictions.find("chr3-37012011-A-G")
    assert [(one.gene, one.run_id) for one in found] == [("EPM2AIP1", "a1"), ("MLH1", "b2"), ("MLH1", "a1")]
    assert (found[0].score, found[0].probability, found[2].probability) == (-0.2, 0.9, 0.9)
    assert found[2].document == given[0].document
    assert [one.run_id for one in predictions.find("chr3-37012011-A-G", "mlh1")] == ["b2", "a1"]
    assert len(predictions.find("chr3-37012011-A-G", kind="score")) == 1
    assert predictions.find("chr3-37012011-A-G", build="GRCh37") == predictions.find("chr3") == ()
    assert len(predictions.find("chr3-37012011-A-G", limit=2)) == 2
    assert [one.variant for one in predictions.of_run("a1")] == ["chr3-37012011-A-G"] * 2 + ["chr1-5-A-G"]


def test_a_run_says_each_thing_once(predictions: PredictionStore) -> None:
    assert predictions.add([new_prediction(), new_prediction()]) == 1
    assert predictions.add(new_prediction(probability=0.1)) == 0
    assert [one.probability for one in predictions.of_run("a1")] == [0.9]
    assert predictions.add(new_prediction(gene="", transcript="")) == 1
    assert predictions.add(new_prediction(gene="", transcript="")) == 0
    assert predictions.add([]) == 0


def test_numbers_that_are_none(predictions: PredictionStore) -> None:
    predictions.add(new_prediction(score=math.inf, document={"raw": [math.nan, 1.0]}))
    (found,) = predictions.of_run("a1")
    assert (found.score, found.document) == (None, {"raw": [None, 1.0]})
    for wrong in ({"probability": 1.2}, {"variant": ""}, {"colour": "red"}):
        with pytest.raises(ValidationError):
            new_prediction(**wrong)
