"""Small models and data that the tests of training share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.meta_layer.config import TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule, SequenceEncoder

LENGTH = 24


class Data:
    """Examples in memory, ten to a group."""

    def __init__(self, columns: Mapping[str, Tensor], part: str, *, labels: Any = None) -> None:
        self.columns = dict(columns)
        self.size = len(next(iter(columns.values())))
        self.groups = [f"{part}{i // 10}" for i in range(self.size)]
        if labels is not None:
            self.labels = labels

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


def motif_data(size: int, part: str, seed: int, *, shuffled: bool = False) -> Data:
    """Random sequences; those of class 1 hold GTGAG, those of class 0 its mirror GAGTG, at a random place."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (size, LENGTH))
    labels = random.integers(0, 2, size)
    for i, label in enumerate(labels):
        place = random.integers(0, LENGTH - 5)
        codes[i, place : place + 5] = (2, 3, 2, 0, 2) if label else (2, 0, 2, 3, 2)
    if shuffled:
        labels = random.permutation(labels)
    sequence = torch.nn.functional.one_hot(torch.from_numpy(codes), 4).transpose(1, 2).float()
    return Data({"ref": sequence, "altering": torch.from_numpy(labels).float()}, part)


class MotifModel(MetaModule):
    """Logit [B] from the strongest match of learned motifs."""

    inputs = ("ref",)
    task = "binary"

    def __init__(self, width: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, width, 5)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, 1)

    def forward(self, ref: Tensor) -> Tensor:
        return self.head(self.dropout(torch.relu(self.conv(ref)).amax(dim=2)))[:, 0]


class LinearModel(MetaModule):
    """Logit [B] of two features: few enough numbers for sums by hand."""

    inputs = ("features",)
    task = "binary"

    def __init__(self, num_features: int = 2) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features)[:, 0]


class BlockEncoder(SequenceEncoder):
    """Encoder of `blocks` linear blocks, frozen but for the last ones."""

    def __init__(self, blocks: int = 3, unfreeze: int = 0, width: int = 4) -> None:
        super().__init__()
        self.output_dim = width
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.filter_fn = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.unfreeze_last(unfreeze)

    @property
    def depth(self) -> int:
        return len(self.blocks)

    def unfreeze_last(self, blocks: int) -> None:
        self.requires_grad_(False)
        for block in self.blocks[self.depth - blocks :]:
            block.requires_grad_(True)
        self.norm.requires_grad_(blocks > 0)

    def encode_positions(self, sequence: Tensor) -> Tensor:
        x = sequence.transpose(1, 2)
        for block in self.blocks:
            x = torch.tanh(block(x))
        return self.norm(x + self.filter_fn(x))

    def forward(self, sequence: Tensor) -> Tensor:
        return self.encode_positions(sequence).mean(dim=1)


class EncoderModel(MetaModule):
    """A head on a `BlockEncoder`."""

    inputs = ("ref",)
    task: ClassVar[str] = "binary"

    def __init__(self, blocks: int = 3, unfreeze: int = 0) -> None:
        super().__init__()
        self.encoder = BlockEncoder(blocks, unfreeze)
        self.head = nn.Linear(4, 1)

    def forward(self, ref: Tensor) -> Tensor:
        return self.head(self.encoder(ref))[:, 0]


MODELS = {"motif": MotifModel, "linear": LinearModel, "encoder": EncoderModel}


def build(name: str, options: Mapping[str, Any]) -> MetaModule:
    """Build a toy from what a checkpoint says of it."""
    return {f"{c.__module__}:{c.__qualname__}": c for c in MODELS.values()}[name](**options)


def settings(**values: Any) -> TrainingConfig:
    """Settings for tests: CPU, few epochs, no warm-up, unless said otherwise."""
    return TrainingConfig(
        **{
            "accelerator": "cpu",
            "max_epochs": 3,
            "batch_size": 16,
            "warmup_fraction": 0.0,
            "schedule": "constant",
            "weight_decay": 0.0,
        }
        | values
    )
