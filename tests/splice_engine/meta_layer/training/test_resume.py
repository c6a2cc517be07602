"""A run that is cut short anywhere ends with the same weights, bit for bit, as one that is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import ModelCard
from agentic_spliceai.splice_engine.meta_layer.training import trainer
from agentic_spliceai.splice_engine.meta_layer.training.callbacks import read_metrics
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train
from tests.splice_engine.meta_layer.training.killed_run import CONFIG, run
from tests.splice_engine.meta_layer.training.toys import LinearModel, MotifModel, build, motif_data, settings

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """The run without interruption."""
    result = run(tmp_path_factory.mktemp("whole"))
    assert result.best_run.best_epoch == CONFIG.max_epochs - 1, "the best weights are the last ones"
    return result


def assert_same(found: TrainingResult, expected: TrainingResult) -> None:
    untimed = [
        [{key: value for key, value in line.items() if key != "seconds"} for line in result.best_run.history]
        for result in (found, expected)
    ]
    assert untimed[0] == untimed[1]
    assert found.best_run.best_epoch == expected.best_run.best_epoch
    first, second = (result.load(build=build).model.state_dict() for result in (found, expected))
    assert all(torch.equal(first[name], second[name]) for name in second)


class InterruptedRunError(Exception):
    """What stops a run in these tests."""


def interrupt() -> None:
    raise InterruptedRunError


@pytest.mark.parametrize("after", [3, 200, 399, 730], ids=["first epoch", "epoch's start", "epoch's end", "mid-epoch"])
def test_interrupted_anywhere_and_resumed(after: int, whole: TrainingResult, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        run(tmp_path, after=after, then=interrupt)
    assert_same(run(tmp_path), whole)


def test_interrupted_after_each_epoch(whole: TrainingResult, tmp_path: Path) -> None:
    for _ in range(4):
        with pytest.raises(InterruptedRunError):
            run(tmp_path, after=250, then=interrupt)
    assert_same(run(tmp_path), whole)


def test_examples_loaded_by_another_process_come_in_the_same_order(tmp_path: Path) -> None:
    """A worker process asks for the first examples before the first epoch begins."""
    expected = run(tmp_path / "whole", workers=1)
    write = trainer.ResumeState.on_train_epoch_end

    def write_and_stop(self: trainer.ResumeState, pl_trainer: Any, module: Any) -> None:
        write(self, pl_trainer, module)
        if pl_trainer.current_epoch == 1:
            raise InterruptedRunError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.ResumeState, "on_train_epoch_end", write_and_stop)
        with pytest.raises(InterruptedRunError):
            run(tmp_path / "cut", workers=1)
    assert_same(run(tmp_path / "cut", workers=1), expected)


def test_killed_and_resumed(whole: TrainingResult, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", "tests.splice_engine.meta_layer.training.killed_run", str(tmp_path), "650"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "seed_0" / "result.json").exists()
    # Three epochs of 200 examples were finished; each has its line.
    lines = read_metrics(tmp_path / "seed_0" / "metrics.jsonl", "epoch")
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert_same(run(tmp_path), whole)


def test_a_kill_between_metrics_and_state_repeats_the_epoch_without_a_second_line(
    whole: TrainingResult, tmp_path: Path
) -> None:
    with pytest.raises(InterruptedRunError):
        run(tmp_path, after=500, then=interrupt)
    metrics = tmp_path / "seed_0" / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write(json.dumps({"event": "epoch", "epoch": 2, "step": 0}) + '\n{"event": "ep')
    assert_same(run(tmp_path), whole)


def test_a_finished_run_is_not_repeated(whole: TrainingResult) -> None:
    again = run(whole.best_run.folder.parent, after=0, then=interrupt)
    assert again == whole


def test_without_resume_a_run_starts_afresh(tmp_path: Path) -> None:
    train_data, validation = motif_data(40, "t", 1), motif_data(20, "v", 2)
    config = settings(max_epochs=1)
    for resume in (True, False):
        result = train(MotifModel, train_data, validation, output_dir=tmp_path, config=config, resume=resume)
        assert result.best_run.epochs == 1
    longer = settings(max_epochs=2)
    with pytest.raises(CheckpointError, match="differs in config"):
        train(MotifModel, train_data, validation, output_dir=tmp_path, config=longer)
    with pytest.raises(CheckpointError, match="differs in options"):
        train(lambda: MotifModel(width=4), train_data, validation, output_dir=tmp_path, config=config)
    with pytest.raises(CheckpointError, match="differs in data"):
        train(MotifModel, motif_data(40, "u", 1), validation, output_dir=tmp_path, config=config)
    with pytest.raises(CheckpointError, match="differs in model"):
        train(LinearModel, train_data, validation, output_dir=tmp_path, config=config)
    card = ModelCard(features=("donor",))
    with pytest.raises(CheckpointError, match="differs in inputs"):
        train(MotifModel, train_data, validation, output_dir=tmp_path, config=config, card=card)
    with pytest.raises(CheckpointError, match="differs in initial weights"):
        train(MotifModel(), train_data, validation, output_dir=tmp_path, config=config)
    result = train(MotifModel, train_data, validation, output_dir=tmp_path, config=longer, resume=False)
    assert result.best_run.epochs == 2


def test_early_stopping_survives_an_interruption_after_the_last_epoch(tmp_path: Path) -> None:
    """Killed after patience ran out but before the result was written: no further epoch is trained."""
    train_data, validation = motif_data(40, "t", 1), motif_data(20, "v", 2, shuffled=True)
    config = settings(max_epochs=30, learning_rate=0.1, patience=2)
    first = train(MotifModel, train_data, validation, output_dir=tmp_path / "a", config=config)
    assert first.best_run.stopped_early

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer._Run, "_finish", lambda *_: interrupt())
        with pytest.raises(InterruptedRunError):
            train(MotifModel, train_data, validation, output_dir=tmp_path / "b", config=config)
    second = train(MotifModel, train_data, validation, output_dir=tmp_path / "b", config=config)
    assert second.best_run.epochs == first.best_run.epochs
    assert_same(second, first)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_state_is_refused(damage: str, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        run(tmp_path, after=250, then=interrupt)
    state = tmp_path / "seed_0" / "resume.pt"
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2] if damage == "cut" else b"no state")
    with pytest.raises(CheckpointError, match=r"resume\.pt is damaged"):
        run(tmp_path)
