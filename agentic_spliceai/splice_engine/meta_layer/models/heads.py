"""Output heads by name, and the one place where an output becomes a probability."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.layers import mlp
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown

CLASSES = len(SpliceClass)


class ClassHead(nn.Module):
    """Logits of some classes.

    Parameters
    ----------
    dim, hidden_dim
        Width of input and of the hidden layer.
    classes
        Number of classes; donor, acceptor, neither by default.
    dropout
        Of hidden units.
    """

    task = "classification"

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.1, classes: int = CLASSES) -> None:
        super().__init__()
        self.layers = mlp((dim, hidden_dim, classes), dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [B, dim] to logits [B, classes]."""
        logits: Tensor = self.layers(x)
        return logits


class BinaryHead(nn.Module):
    """One logit.

    Parameters
    ----------
    dim, hidden_dim
        Width of input and of the hidden layer.
    dropout
        Of hidden units.
    """

    task = "binary"

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = mlp((dim, hidden_dim, 1), dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [B, dim] to a logit [B]."""
        logit: Tensor = self.layers(x).squeeze(-1)
        return logit


class DeltaHead(nn.Module):
    """Change of the donor, acceptor and neither probability: the difference of two distributions over the classes.

    As the deltas of a base model do, each lies within -1 to 1 and the three add up to 0.

    Parameters
    ----------
    dim, hidden_dim
        Width of input and of the two hidden layers.
    dropout
        Of hidden units.
    """

    task = "delta"

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = mlp((dim, hidden_dim, hidden_dim, 2 * CLASSES), dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [B, dim] to deltas [B, 3]."""
        before, after = self.layers(x).chunk(2, dim=1)
        delta: Tensor = after.softmax(dim=1) - before.softmax(dim=1)
        return delta


HEADS: dict[str, type[ClassHead] | type[BinaryHead] | type[DeltaHead]] = {
    "classification": ClassHead,
    "delta": DeltaHead,
    "binary": BinaryHead,
}
"""Heads by name."""


def create_head(name: str, dim: int, hidden_dim: int, dropout: float = 0.1) -> ClassHead | BinaryHead | DeltaHead:
    """Return a head: `classification`, `delta` or `binary`.

    Raises
    ------
    SettingError
        If the name is unknown.
    """
    if name not in HEADS:
        raise unknown("head", name, HEADS)
    return HEADS[name](dim, hidden_dim, dropout)


def probabilities(task: str, output: Tensor) -> Tensor:
    """Turn what a model of a task returns into probabilities, the only time that this is done.

    Parameters
    ----------
    task
        `classification`, `effect_type`, `localization` and `recalibration` give a distribution over the last axis,
        `binary` a probability each.
    output
        What `forward` returned.

    Raises
    ------
    SettingError
        If the task predicts no probability.
    """
    if task == "binary":
        return torch.sigmoid(output)
    if task in ("classification", "effect_type", "localization", "recalibration"):
        return output.softmax(dim=-1)
    raise SettingError(f"A model of the task {task!r} predicts no probability.", "Read the values that it returns.")
