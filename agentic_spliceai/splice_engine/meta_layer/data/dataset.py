"""Positions, one an example, as the batches that models read; see `data.batches` for keys and shapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.codes import one_hot, tokens
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactTable
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.splits import DataSplit

Batch = dict[str, Tensor]
Form = Literal["one_hot", "tokens"]


class MetaLayerDataset(Dataset[Batch]):
    """Positions of one part of a split.

    Sequences stay one byte a base; the one-hot or token form is made for the examples that are asked for.

    Parameters
    ----------
    table
        Loaded artifacts.
    rows : int64 [n]
        Rows of the part; by default all.
    part
        `train`, `validation` or `test`; must be given as `train` for a scale to be learned from these rows.
    normalizer
        Scale of the features. Only the training part may do without: it learns its own.
    form
        Form of the sequence.
    window
        Middle part of the sequence to use, nt, odd; by default all that was loaded.
    weight
        `sampling`: the positions that a row stands for, so that means over rows estimate means over all positions;
        `uniform`: 1.
    groups : str [N]
        Group of each row of the table, see `splits.group_rows`; by default its gene.

    Attributes
    ----------
    normalizer
        As given or learned.
    groups : list of str
        Group of each example.
    window
        Positions of each sequence.
    base_model : dict or None
        Name, version and weights' digests of the model that made the scores, where the artifacts say so.
    labels : int64 [n]
        `SpliceClass` of each example.

    Raises
    ------
    TrainingDataError
        If the part is empty, or a part other than training comes without a normaliser.
    SettingError
        If the window is even or longer than the sequences.
    """

    def __init__(
        self,
        table: ArtifactTable,
        rows: npt.NDArray[np.int64] | None = None,
        *,
        part: str | None = None,
        normalizer: Normalizer | None = None,
        form: Form = "one_hot",
        window: int | None = None,
        weight: Literal["sampling", "uniform"] = "sampling",
        groups: npt.NDArray[np.str_] | None = None,
    ) -> None:
        self._rows = np.arange(len(table)) if rows is None else np.asarray(rows, dtype=np.int64)
        if not len(self._rows):
            raise TrainingDataError(f"The {part or 'data'} part has no example.", "Check the split.")
        features = table.features[self._rows]
        if normalizer is None:
            if part != TRAIN:
                raise TrainingDataError(
                    f"The {part or 'data'} part comes without a normaliser, and may not learn one from itself.",
                    "Pass the training part's normaliser; only part='train' learns its own.",
                )
            normalizer = Normalizer.fit(features, table.feature_names)
        width = table.sequences.shape[1]
        window = width if window is None else window
        if window % 2 == 0 or not 1 <= window <= width:
            raise SettingError(
                f"A window of {window} nt cannot be cut from {width} nt.", "Give an odd number up to it."
            )
        self.part, self.form, self.normalizer = part, form, normalizer
        self.window, self.base_model = window, table.base_model
        self.groups: list[str] = (table.genes if groups is None else groups)[self._rows].tolist()
        self.labels = table.labels[self._rows]
        self._codes = table.sequences[:, (width - window) // 2 : (width + window) // 2]
        self._features = torch.from_numpy(normalizer.transform(features, table.feature_names))
        self._labels = torch.from_numpy(self.labels)
        weights = table.weights[self._rows] if weight == "sampling" else np.ones(len(self._rows))
        self._weights = torch.from_numpy(weights.astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row of the table of each example, int64 [n]."""
        return self._rows

    def batch(self, indices: Iterable[int]) -> Batch:
        """Return several examples as one batch."""
        at = np.fromiter(indices, dtype=np.int64)
        codes = self._codes[self._rows[at]]
        where = torch.from_numpy(at)
        return {
            "sequence": one_hot(codes) if self.form == "one_hot" else tokens(codes),
            "features": self._features[where],
            "label": self._labels[where],
            "weight": self._weights[where],
        }

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return {key: value[0] for key, value in self.batch([index % len(self)]).items()}

    def __getitems__(self, indices: list[int]) -> list[Batch]:
        """Return examples that a `DataLoader` asks for at once: made together, handed out one by one."""
        together = self.batch(indices)
        return [{key: value[number] for key, value in together.items()} for number in range(len(indices))]


@dataclass(frozen=True)
class Loaders:
    """One loader a part, and the scale of features that was learned from the training part."""

    train: DataLoader[Batch]
    validation: DataLoader[Batch]
    test: DataLoader[Batch]
    normalizer: Normalizer


def make_loaders(
    table: ArtifactTable,
    split: DataSplit,
    *,
    batch_size: int = 32,
    form: Form = "one_hot",
    window: int | None = None,
    normalizer: Normalizer | None = None,
    weight: Literal["sampling", "uniform"] = "sampling",
    workers: int = 0,
    seed: int = 0,
) -> Loaders:
    """Make loaders of the three parts; only training is shuffled, by `seed`.

    Parameters
    ----------
    table, split
        Positions, and which part each belongs to.
    normalizer
        A given scale, for example a checkpoint's; by default the training part's own.
    batch_size, form, window, weight
        See `MetaLayerDataset`.
    workers
        Processes that load data.
    """
    common: dict[str, Any] = {"form": form, "window": window, "weight": weight}
    train = MetaLayerDataset(table, split.train, part=TRAIN, normalizer=normalizer, **common)
    held_out = [
        MetaLayerDataset(table, split.part(part), part=part, normalizer=train.normalizer, **common)
        for part in (VALIDATION, TEST)
    ]
    shuffled = DataLoader(
        train, batch_size, shuffle=True, num_workers=workers, generator=torch.Generator().manual_seed(seed)
    )
    validation, test = (DataLoader(part, batch_size, num_workers=workers) for part in held_out)
    return Loaders(shuffled, validation, test, train.normalizer)
