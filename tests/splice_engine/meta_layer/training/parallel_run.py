"""A training run on several CPU processes: python -m ...parallel_run FOLDER PROCESSES."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train
from tests.splice_engine.meta_layer.training.toys import MotifModel, motif_data, settings


def run(folder: Path, processes: int) -> TrainingResult:
    """Train with the same number of examples a step, however many processes share them."""
    config = settings(learning_rate=0.02, seeds=(0, 1), devices=processes, batch_size=16 // processes, accumulate=2)
    return train(MotifModel, motif_data(128, "t", 1), motif_data(61, "v", 2), output_dir=folder, config=config)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), int(sys.argv[2]))
