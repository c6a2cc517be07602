"""What an answer about the course of training says: whether early stopping acted, and whether it mattered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.reporting.claims import render, verify_text
from agentic_spliceai.reporting.experiment_summary import summarise_experiment
from agentic_spliceai.reporting.learning_evidence import learning_evidence
from agentic_spliceai.splice_engine.meta_layer.experiments.learning import early_stopping_effect
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import Metric
from agentic_spliceai.splice_engine.meta_layer.experiments.result import SeedOutcome

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WORSE_AT_LAST, BEST_AT_LAST = (0.9, 0.5, 0.7), (0.9, 0.7, 0.5)


def told(
    validation: tuple[float, ...], *, stopped_early: bool | None, ended: bool = True, train: tuple[float, ...] = ()
) -> str:
    """Return the answer about one seed; with `stopped_early` None it has no outcome."""
    points = [Metric(epoch, epoch, 1, "validation", "loss", value) for epoch, value in enumerate(validation)]
    points += [Metric(epoch, epoch, 1, "train", "loss", value) for epoch, value in enumerate(train)]
    outcomes: tuple[SeedOutcome, ...] | None = ()
    if stopped_early is not None:
        outcomes = (SeedOutcome(seed=1, epochs=3, best_epoch=1, best=0.5, stopped_early=stopped_early, seconds=1.0),)
    effect = early_stopping_effect(points, max_epochs=20, outcomes=outcomes if ended else None)
    return _text(learning_evidence("cnn", effect, source="experiment_run:a", created_at=NOW))


def _text(evidence: tuple[Evidence, ...]) -> str:
    sentences = summarise_experiment(evidence)
    for sentence in sentences:
        assert verify_text(sentence, evidence).status == "verified", verify_text(sentence, evidence)
    return render(" ".join(sentences), evidence)


def test_an_answer_begins_with_whether_it_acted_and_whether_that_was_better() -> None:
    text = told(WORSE_AT_LAST, stopped_early=True)
    assert text.startswith(
        "Early stopping acted in cnn, counted by seeds: for 1 of 1 seed. In cnn the kept weights were better on "
        "validation than those of the last epoch for 1 of 1 seed."
    )
    assert "training stopped early, and 17 epochs up to the limit were not trained" in text


def test_where_training_ran_to_its_limit_nothing_was_saved_and_nothing_acted() -> None:
    text = told(BEST_AT_LAST, stopped_early=False)
    assert text.startswith("Early stopping did not act in cnn, counted by seeds: for 0 of 1 seed.")
    assert "better on validation than those of the last epoch for 0 of 1 seed, so that" in text
    assert "training ran to its limit; early stopping did not act" in text
    assert "not trained" not in text


def test_a_run_that_did_not_succeed_says_nothing_of_early_stopping() -> None:
    text = told(WORSE_AT_LAST, stopped_early=None)
    assert text.startswith("Whether early stopping would have acted in cnn is not known: its training was cut off.")
    assert "as the run did not succeed" in text
    assert "not trained" not in text


def test_of_a_run_that_goes_on_the_ending_is_not_told() -> None:
    text = told(WORSE_AT_LAST, stopped_early=None, ended=False)
    assert text.startswith("Whether early stopping acted in cnn is not recorded.")
    assert "cut off" not in text


@pytest.mark.parametrize(
    ("validation", "train", "overfits"),
    [
        (WORSE_AT_LAST, (0.8, 0.4, 0.2), True),
        (WORSE_AT_LAST, (0.8, 0.4, 0.6), False),
        (BEST_AT_LAST, (0.8, 0.4, 0.2), False),
    ],
)
def test_overfitting_is_told_only_where_the_losses_part(
    validation: tuple[float, ...], train: tuple[float, ...], overfits: bool
) -> None:
    text = told(validation, stopped_early=True, train=train)
    assert ("overfitting" in text) == overfits
    assert "training loss was" in text
