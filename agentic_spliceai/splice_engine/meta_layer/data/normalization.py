"""Features on one scale, with what was learned from training rows only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import CheckpointError, SchemaError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.schema import Transform, check_features, feature

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

LIMIT = 10.0
"""Normalised features are cut off here: one wild ratio must not move a whole layer."""

MIN_SPREAD = 0.2
"""Smallest divisor. A probability that is near 0 in all but one row of a hundred has a standard deviation of 0.06, and
dividing by it would put every site beyond `LIMIT`; this keeps what lies between -1 and 1 within +-5."""


@dataclass(frozen=True)
class Normalizer:
    """Transform, mean and spread of each feature.

    `signed_log` features (unbounded ratios) become sign(x) ln(1 + |x|) first. Then the mean is taken off, the standard
    deviation, or `MIN_SPREAD` where that is larger, is divided out, and the result is cut off at +-`LIMIT`. A constant
    column becomes 0.

    Attributes
    ----------
    names
        Features, in order.
    transforms
        One a feature.
    mean, std
        Mean and divisor, of the transformed training rows.
    """

    names: tuple[str, ...]
    transforms: tuple[Transform, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, features: Floats, names: Sequence[str]) -> Self:
        """Learn from training rows.

        Parameters
        ----------
        features : float [N, F]
            Raw features of the training part, and of no other.
        names
            Names of the F columns.

        Raises
        ------
        SchemaError
            If a column may not be a feature, or holds a value that is not finite.
        TrainingDataError
            If there is no row.
        """
        names = check_features(names)
        if not len(features):
            raise TrainingDataError("There is no training row to learn the scale of features from.", "Check the split.")
        transforms = tuple(feature(name).transform for name in names)
        mean, std = [], []
        for index, (name, transform) in enumerate(zip(names, transforms, strict=True)):
            values = _apply(transform, _finite(features[:, index], name))
            mean.append(float(values.mean()))
            std.append(max(float(values.std()), MIN_SPREAD))
        return cls(names, transforms, tuple(mean), tuple(std))

    def transform(self, features: Floats, names: Sequence[str] | None = None) -> npt.NDArray[np.float32]:
        """Normalise raw features, float [N, F].

        Parameters
        ----------
        names
            Names of the columns, compared with those learned where they are given.

        Raises
        ------
        SchemaError
            If the columns are others, or a value is not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.names):
            raise SchemaError(
                f"Features have shape {features.shape}, the normalisation knows {len(self.names)} columns.",
                "Load the columns that the model was trained with.",
            )
        if names is not None and tuple(names) != self.names:
            odd = next(f"{b!r} instead of {a!r}" for a, b in zip(self.names, names, strict=True) if a != b)
            raise SchemaError(f"Feature columns differ from those in training: {odd}.", "Load the same, in order.")
        out = np.empty(features.shape, dtype=np.float32)
        for index, (name, transform) in enumerate(zip(self.names, self.transforms, strict=True)):
            values = _apply(transform, _finite(features[:, index], name))
            out[:, index] = np.clip((values - self.mean[index]) / self.std[index], -LIMIT, LIMIT)
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return the normalisation as plain lists, for a checkpoint."""
        return {
            "names": list(self.names),
            "transforms": [str(transform) for transform in self.transforms],
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what `as_dict` returned.

        Raises
        ------
        CheckpointError
            If it is damaged.
        """
        try:
            made = cls(
                tuple(document["names"]),
                tuple(Transform(name) for name in document["transforms"]),
                tuple(float(value) for value in document["mean"]),
                tuple(float(value) for value in document["std"]),
            )
            sound = len({len(made.names), len(made.transforms), len(made.mean), len(made.std)}) == 1
            if not sound or not np.isfinite([*made.mean, *made.std]).all() or min(made.std, default=1.0) <= 0:
                raise ValueError("columns, means and spreads do not fit together")
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"The normalisation is damaged: {error}.", "Train the model again.") from error
        return made

    def to_json(self) -> str:
        """Return `as_dict` as JSON; numbers come back exactly."""
        return json.dumps(self.as_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` returned; errors as `from_dict`."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise CheckpointError(f"The normalisation is no JSON: {error}.", "Train the model again.") from error
        return cls.from_dict(document)

    @property
    def digest(self) -> str:
        """SHA-256 of names, transforms, means and spreads."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _finite(values: Floats, name: str) -> npt.NDArray[np.float64]:
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise SchemaError(f"Feature {name!r} is {wide[row]} in row {row}.", "Every feature is a finite number.")
    return wide


def _apply(transform: Transform, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if transform is Transform.SIGNED_LOG:
        logged: npt.NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
        return logged
    return values
