"""What the course of training says, from metrics made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import CheckpointError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.experiments.learning import early_stopping_effect
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import Metric, MetricsLog, load_metrics
from agentic_spliceai.splice_engine.meta_layer.experiments.result import SeedOutcome


def outcome(seed: int, *, stopped_early: bool) -> SeedOutcome:
    return SeedOutcome(seed=seed, epochs=5, best_epoch=2, best=0.5, stopped_early=stopped_early, seconds=10.0)


VALIDATION = [0.9, 0.6, 0.5, 0.55, 0.7]
TRAINING = [0.9, 0.7, 0.5, 0.3, 0.2]


def course(seed: int = 1, validation: list[float] = VALIDATION, name: str = "loss") -> list[Metric]:
    found = []
    for epoch, value in enumerate(validation):
        found.append(Metric(10 * (epoch + 1), epoch, seed, "validation", name, value))
        found.append(Metric(10 * (epoch + 1), epoch, seed, "train", "loss", TRAINING[epoch]))
        found.append(Metric(10 * (epoch + 1), epoch, seed, "train", "seconds", 2.0))
    return found


def test_best_and_last_epoch_of_each_seed() -> None:
    outcomes = (outcome(1, stopped_early=True), outcome(2, stopped_early=True))
    found = [*course(1), *course(2, [0.5, 0.4, 0.3, 0.2, 0.1])]
    effect = early_stopping_effect(found, max_epochs=20, outcomes=outcomes)
    first, second = effect.seeds
    assert (first.seed, first.best_epoch, first.best, first.last) == (1, 2, 0.5, 0.7)
    assert first.worsening == pytest.approx(0.2)
    assert (first.epochs, first.epochs_after_best, first.epochs_saved) == (5, 2, 15)
    assert first.seconds_saved == pytest.approx(30.0)
    assert first.overfitting
    assert (second.best_epoch, second.worsening, second.overfitting) == (4, 0.0, False)
    assert (effect.acted, effect.kept_better) == (2, 1)


def test_how_each_seed_ended() -> None:
    found = [*course(1), *course(2), *course(3)]
    outcomes = (outcome(1, stopped_early=True), outcome(2, stopped_early=False))
    effect = early_stopping_effect(found, max_epochs=20, outcomes=outcomes)
    assert [seed.ending for seed in effect.seeds] == ["stopped early", "ran to its limit", "cut off"]
    assert [seed.epochs_saved for seed in effect.seeds] == [15, None, None]
    assert [seed.seconds_saved for seed in effect.seeds] == [pytest.approx(30.0), None, None]
    assert effect.acted is None  # the third might have stopped
    to_the_limit = early_stopping_effect(course(2), outcomes=outcomes)
    assert (to_the_limit.acted, to_the_limit.kept_better) == (0, 1)
    assert early_stopping_effect(course(1)).seeds[0].ending == "not known"


def test_a_measure_that_is_maximised() -> None:
    effect = early_stopping_effect(course(1, [0.1, 0.8, 0.8, 0.6, 0.5], "pr_auc"), watched="pr_auc")
    (only,) = effect.seeds
    assert only.best_epoch == 1  # of two equal ones the first was kept
    assert only.worsening == pytest.approx(0.3)
    assert only.epochs_saved is None


def test_a_measure_that_is_not_there() -> None:
    with pytest.raises(TrainingDataError, match="no seed has a validation pr_auc"):
        early_stopping_effect(course(), watched="pr_auc")


def line(epoch: int, loss: float) -> dict[str, object]:
    return {
        "event": "epoch", "epoch": epoch, "step": 5 * (epoch + 1), "train_loss": loss, "val_loss": loss + 0.1,
        "val_pr_auc": 0.5, "lr": {"head": 0.001}, "seconds": 1.5,
    }  # fmt: skip


def test_each_number_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.add(1, {"event": "step", "epoch": 0, "step": 5, "loss": 0.8})
    log.add(1, line(0, 0.7))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step": 10, "ep')  # a kill cut the line
    again = MetricsLog(path)
    again.add(1, line(0, 0.7))
    assert path.read_bytes() == whole
    again.add(1, line(1, 0.6))
    found = load_metrics(path)
    names = [(m.epoch, m.split, m.name) for m in found]
    assert len(set(names)) == len(names) == 11
    assert (0, "train", "step_loss") in names
    assert (1, "validation", "pr_auc") in names
    assert (1, "train", "lr_head") in names
    assert all(set(json.loads(text)) == {*Metric._fields, "at"} for text in path.read_text().splitlines())


def test_a_damaged_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1\n{}\n')
    with pytest.raises(CheckpointError, match="is damaged"):
        load_metrics(path)
