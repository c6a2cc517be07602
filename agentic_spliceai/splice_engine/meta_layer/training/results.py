"""What training leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic_spliceai.splice_engine.meta_layer.checkpoint import CheckpointContent, load_checkpoint
from agentic_spliceai.splice_engine.meta_layer.config import TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.training.optimization import lower_is_better


@dataclass(frozen=True)
class SeedRun:
    """The training run of one seed.

    Attributes
    ----------
    seed
        Seed of weights, order and dropout.
    folder
        Holds `best.safetensors`, `metrics.jsonl`, `run.json` and `result.json`.
    best_epoch
        From 0.
    best
        Value of the monitored measure there.
    epochs
        Epochs that were trained.
    seconds
        Time spent in epochs, interruptions left out.
    stopped_early
        Whether patience ended the run.
    history
        One entry an epoch, as in `metrics.jsonl`.
    parameters, trainable
        Number of parameters in all, and of those that the first epoch trains.
    """

    seed: int
    folder: Path
    best_epoch: int
    best: float
    epochs: int
    seconds: float
    stopped_early: bool
    history: tuple[dict[str, Any], ...] = field(repr=False)
    parameters: int
    trainable: int

    @property
    def checkpoint(self) -> Path:
        """File of the best model."""
        return self.folder / "best.safetensors"


@dataclass(frozen=True)
class TrainingResult:
    """The runs of all seeds.

    Attributes
    ----------
    config
        How they were trained.
    runs
        In the order of `config.seeds`.
    """

    config: TrainingConfig
    runs: tuple[SeedRun, ...]

    @property
    def best_run(self) -> SeedRun:
        """The run with the best monitored measure on validation; the first of equals."""
        sign = 1.0 if lower_is_better(self.config) else -1.0
        return min(self.runs, key=lambda run: sign * run.best)

    @property
    def best_checkpoint(self) -> Path:
        """Checkpoint of `best_run`."""
        return self.best_run.checkpoint

    @property
    def seconds(self) -> float:
        """Time spent in epochs of all runs."""
        return sum(run.seconds for run in self.runs)

    def load(self, run: SeedRun | None = None, **options: Any) -> CheckpointContent:
        """Load the best model of a run, by default of the best one; options and errors as `load_checkpoint`."""
        return load_checkpoint((run or self.best_run).checkpoint, **options)
