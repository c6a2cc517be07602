"""A training run that kills its own process in the middle of an epoch: python -m ...killed_run FOLDER EXAMPLES."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train
from tests.splice_engine.meta_layer.training.toys import Data, MotifModel, motif_data, settings

CONFIG = settings(
    max_epochs=5,
    learning_rate=0.02,
    schedule="cosine",
    warmup_fraction=0.1,
    weight_decay=0.01,
    balanced=True,
    accumulate=2,
)


class Noisy(Data):
    """Examples with noise from all three global random streams; something happens at the n-th that is read."""

    digest = "noisy"  # else the examples are read once more
    then: Callable[[], None] | None = None
    after = -1

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if self.after == 0 and self.then is not None:
            self.then()
        self.after -= 1
        example = super().__getitem__(index)
        noise = random.random() + np.random.random() + float(torch.rand(()))  # noqa: NPY002 - what is tested
        return example | {"ref": example["ref"] + 0.05 * noise}


def run(folder: Path, *, after: int = -1, then: Callable[[], None] | None = None, workers: int = 0) -> TrainingResult:
    """Train, and call `then` when `after` training examples have been read."""
    data = motif_data(200, "t", 1)
    noisy = Noisy(data.columns, "t", labels=data.columns["altering"].numpy())
    noisy.after, noisy.then = after, then
    return train(
        lambda: MotifModel(dropout=0.2),
        noisy,
        motif_data(60, "v", 2),
        output_dir=folder,
        config=CONFIG.model_copy(update={"workers": workers}),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), after=int(sys.argv[2]), then=lambda: os.kill(os.getpid(), signal.SIGKILL))
