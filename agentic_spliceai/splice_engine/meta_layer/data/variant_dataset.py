"""Variants, one an example, as the batches that models read; see `data.batches` for keys and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.codes import one_hot
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.targets import VariantTargets, variant_targets
from agentic_spliceai.splice_engine.meta_layer.data.variant_arrays import (
    BASE_CHANNELS,
    aligned_codes,
    base_channels,
    changed_bases,
    gap_masks,
    hidden_channels,
    place_channels,
    sequence_channels,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import VariantExamples
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES, variant_features

_PROBABILITIES = [BASE_CHANNELS.index(f"{site}_probability") for site in ("donor", "acceptor")]

Batch = dict[str, Tensor]


class VariantDataset(Dataset[Batch]):
    """Variants of one part of a split.

    Features and targets are computed once; arrays by column are made for the examples that are asked for.

    Parameters
    ----------
    examples
        The part.
    normalizer
        Scale of the features, learned from the training part: `VariantDataset.fit_normalizer(training examples)`.
        None for a model that reads no features: batches then have none.
    class_weights
        Sample weight by class, such as `SAMPLE_WEIGHTS`; a class that it lacks, and an unknown class, weighs 1. By
        default every example weighs 1.
    balance_by
        Target whose classes balanced sampling draws equally often: `altering`, `effect` or `site`.

    Attributes
    ----------
    examples, normalizer
        As given.
    groups : list of str
        Exon group or gene of each example.
    labels : [N]
        The target named by `balance_by`.
    targets
        `VariantTargets` of the examples.
    window
        Columns of each example.
    base_model : dict
        The model that scored.

    Raises
    ------
    TrainingDataError
        If there is no example.
    SchemaError
        If the normaliser was learned from other features.
    """

    def __init__(
        self,
        examples: VariantExamples,
        normalizer: Normalizer | None,
        *,
        class_weights: Mapping[VariantClass, float] | None = None,
        balance_by: Literal["altering", "effect", "site"] = "altering",
    ) -> None:
        if not len(examples):
            raise TrainingDataError("This part of the variants has no example.", "Check the split.")
        self.examples, self.normalizer = examples, normalizer
        self.targets: VariantTargets = variant_targets(examples)
        self._channels = sequence_channels(examples)
        weights = np.ones(len(examples), dtype=np.float32)
        for member, weight in (class_weights or {}).items():
            weights[examples.classes == member] = weight
        self._fixed: Batch = {
            name: torch.from_numpy(np.ascontiguousarray(values))
            for name, values in {
                "altering": examples.altering,
                "psi": examples.psi,
                "weight": weights,
                "delta": self.targets.delta,
                "site": self.targets.site,
                "effect": self.targets.effect,
                "position": self.targets.position,
            }.items()
        }
        if normalizer is not None:
            scaled = normalizer.transform(variant_features(examples), VARIANT_FEATURES)
            self._fixed["features"] = torch.from_numpy(scaled)
        self.window, self.base_model = examples.window, examples.base_model
        self.groups: list[str] = examples.names["group"].tolist()
        self.labels = self._fixed[balance_by].numpy()

    @staticmethod
    def fit_normalizer(examples: VariantExamples) -> Normalizer:
        """Learn the scale of the features from the training part."""
        return Normalizer.fit(variant_features(examples), VARIANT_FEATURES)

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, indices: Iterable[int]) -> Batch:
        """Return several examples as one batch; `hidden_ref`, `hidden_alt` only where the examples have them."""
        rows: npt.NDArray[np.int64] = np.fromiter(indices, dtype=np.int64)
        examples, where = self.examples, torch.from_numpy(rows)
        ref, alt = aligned_codes(examples, rows)
        base_ref, base_alt = base_channels(examples, rows, self._channels)
        ref_base, alt_base = changed_bases(examples, rows)
        change = base_alt[:, _PROBABILITIES] - base_ref[:, _PROBABILITIES]
        arrays = {
            "gap": gap_masks(examples, rows),
            "ref_base": ref_base,
            "alt_base": alt_base,
            "base_ref": base_ref,
            "base_alt": base_alt,
            "place": place_channels(examples, rows),
            "base_delta": np.ascontiguousarray(change.transpose(0, 2, 1)),
        }
        if examples.hidden is not None:
            arrays["hidden_ref"], arrays["hidden_alt"] = hidden_channels(examples, rows)
        made = {name: torch.from_numpy(array) for name, array in arrays.items()}
        made |= {"ref": one_hot(ref), "alt": one_hot(alt)}
        return made | {name: values[where] for name, values in self._fixed.items()}

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return {key: value[0] for key, value in self.batch([index % len(self)]).items()}

    def __getitems__(self, indices: list[int]) -> list[Batch]:
        """Return examples that a `DataLoader` asks for at once: made together, handed out one by one."""
        together = self.batch(indices)
        return [{key: value[number] for key, value in together.items()} for number in range(len(indices))]
