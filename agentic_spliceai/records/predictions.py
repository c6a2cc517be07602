"""Predictions in the database: what a predictor said about a variant, to be looked up again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime, Field, JsonValue
from sqlmodel import col, func, select

from agentic_spliceai.records.base import Border, finite, now, plain_json
from agentic_spliceai.records.database import Database, insert_new
from agentic_spliceai.records.tables import PredictionRow


class NewPrediction(Border):
    """What a predictor said about one variant in one gene; empty texts stand for what does not apply."""

    run_id: str = Field(min_length=1, description="Run that made it.")
    variant: str = Field(min_length=1, description="As the project writes it: chr3-37012011-A-G.")
    build: str = ""
    gene: str = Field(default="", description="Name.")
    transcript: str = ""
    predictor: str = Field(min_length=1, description="With its version: spliceai 1.3.1.")
    kind: str = Field(min_length=1, description="score, triage or delta.")
    score: float | None = None
    probability: float | None = Field(default=None, ge=0, le=1)
    document: dict[str, JsonValue] = Field(default_factory=dict, description="The whole of it.")


class Prediction(NewPrediction):
    """A recorded prediction."""

    created_at: AwareDatetime


class PredictionStore:
    """The predictions of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, prediction: NewPrediction | Iterable[NewPrediction]) -> int:
        """Write one or several predictions down and return how many were new: a run says each thing once."""
        given = (prediction,) if isinstance(prediction, NewPrediction) else tuple(prediction)
        at = now()
        rows: list[dict[str, Any]] = []
        for one in given:
            numbers = {"score": finite(one.score), "probability": finite(one.probability), "created_at": at}
            rows.append(one.model_dump() | numbers | {"document": plain_json(one.document)})
        unique = ("run_id", "variant", "build", "gene", "transcript", "predictor", "kind")
        with self._database.writing() as session:
            return insert_new(session, PredictionRow, rows, *unique)

    def find(
        self, variant: str, gene: str | None = None, *, build: str | None = None, kind: str | None = None,
        limit: int = 100,
    ) -> tuple[Prediction, ...]:  # fmt: skip
        """Return the predictions about a variant, newest first; `gene` in any case of letters."""
        query = select(PredictionRow).where(PredictionRow.variant == variant)
        if gene is not None:
            query = query.where(func.lower(PredictionRow.gene) == gene.lower())
        if build is not None:
            query = query.where(PredictionRow.build == build)
        if kind is not None:
            query = query.where(PredictionRow.kind == kind)
        query = query.order_by(col(PredictionRow.created_at).desc(), col(PredictionRow.id).desc()).limit(limit)
        with self._database.session() as session:
            return tuple(_prediction(row) for row in session.exec(query).all())

    def of_run(self, run_id: str) -> tuple[Prediction, ...]:
        """Return what a run predicted, in that order."""
        query = select(PredictionRow).where(PredictionRow.run_id == run_id).order_by(col(PredictionRow.id))
        with self._database.session() as session:
            return tuple(_prediction(row) for row in session.exec(query).all())


def _prediction(row: PredictionRow) -> Prediction:
    return Prediction.model_validate(row.model_dump(exclude={"id"}))
