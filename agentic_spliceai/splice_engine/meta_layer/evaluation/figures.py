"""The measures in a form that is cheap to draw again: each for many draws of groups at once.

A bootstrap over groups needs every measure a thousand times. Here the work that does not depend on the draw (sorting,
sums by group) is done once; a draw is then a row of numbers, how often each group counts. `values` of a row of ones is
what `measures` returns, and of whole numbers what it returns for rows repeated so often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agentic_spliceai.splice_engine.base_layer.training.metrics import Ranking, bin_of
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import EDGES, Floats, Ints, Marks


@dataclass(frozen=True, eq=False)
class Rows:
    """To which group each row belongs, and how much it counts.

    Attributes
    ----------
    group : int64 [N]
        Number of the group, 0 to `groups` - 1.
    groups
        Number of groups that are drawn; some may have no row here.
    weights : float64 [N]
        None for 1.
    """

    group: Ints
    groups: int
    weights: Floats | None = None

    @property
    def counts(self) -> Floats:
        """Weight of every row, float64 [N]."""
        return np.ones(len(self.group)) if self.weights is None else self.weights

    @property
    def present(self) -> int:
        """Number of groups that have a row here."""
        return len(np.unique(self.group))

    def take(self, index: Ints) -> Rows:
        """Return some of the rows; groups keep their numbers."""
        return Rows(self.group[index], self.groups, None if self.weights is None else self.weights[index])


class Figures(Protocol):
    """Some measures of fixed rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each row of `values` is."""

    def values(self, times: Floats) -> Floats:
        """Return float64 [names, draws], NaN where undefined, for `times` [draws, groups]."""


@dataclass(frozen=True, eq=False)
class RankingFigures:
    """Top-k accuracy, average precision and area under the ROC curve."""

    ranking: Ranking
    at: tuple[int, ...]

    @classmethod
    def of(cls, truth: Marks, scores: Floats, rows: Rows, at: Sequence[int] = ()) -> RankingFigures:
        """Sort and count; `at` are the k besides the number of true rows."""
        return cls(Ranking.of_rows(scores, truth, rows.group, rows.groups, rows.weights), tuple(at))

    @property
    def names(self) -> tuple[str, ...]:
        """What each row of `values` is."""
        return ("top_k", "pr_auc", "roc_auc", *(f"top_{k}" for k in self.at))

    def values(self, times: Floats) -> Floats:
        """Return float64 [names, draws]."""
        return self.ranking.values(times, self.at)


Finish = Callable[[Floats], Sequence[Floats]]


@dataclass(frozen=True, eq=False)
class SumFigures:
    """Measures that follow from weighted sums over rows."""

    names: tuple[str, ...]
    sums: Floats
    finish: Finish

    @classmethod
    def of(cls, names: Sequence[str], columns: Sequence[np.ndarray], rows: Rows, finish: Finish) -> SumFigures:
        """Sum by group.

        Parameters
        ----------
        names
            What `finish` returns.
        columns : each [N]
            What is summed.
        finish
            From the sums of one draw or many, [columns, draws], to each figure, [draws].
        """
        counts = rows.counts
        sums = [np.bincount(rows.group, weights=column * counts, minlength=rows.groups) for column in columns]
        return cls(tuple(names), np.stack(sums, axis=1), finish)

    def values(self, times: Floats) -> Floats:
        """Return float64 [names, draws]."""
        return np.stack(list(self.finish((times @ self.sums).T)))


def share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def mean_figures(columns: dict[str, np.ndarray], rows: Rows) -> SumFigures:
    """Return means over rows: accuracy, hit rates, errors, the Brier score."""
    ones = np.ones(len(rows.group))
    return SumFigures.of(
        tuple(columns), [ones, *columns.values()], rows, lambda sums: [share(part, sums[0]) for part in sums[1:]]
    )


def call_figures(truth: Marks, scores: Floats, threshold: float, rows: Rows, suffix: str = "") -> SumFigures:
    """Return F1, precision, detection rate and false positive rate of calls at a threshold."""
    called = scores >= threshold

    def finish(sums: Floats) -> Sequence[Floats]:
        both, true, call, every = sums
        f1 = share(2 * both, np.where(true > 0, true + call, 0.0))
        return f1, share(both, call), share(both, true), share(call - both, every - true)

    names = [f"{name}{suffix}" for name in ("f1", "precision", "detection_rate", "false_positive_rate")]
    return SumFigures.of(names, [called & truth, truth, called, np.ones(len(truth))], rows, finish)


def calibration_figures(truth: Marks, probabilities: Floats, rows: Rows) -> SumFigures:
    """Return the expected calibration error."""
    bins = len(EDGES) - 1
    place = bin_of(probabilities, EDGES)
    inside = [place == i for i in range(bins)]
    columns = [*inside, *(mark * (probabilities - truth) for mark in inside)]
    return SumFigures.of(
        ["ece"], columns, rows, lambda sums: [share(np.abs(sums[bins:]).sum(axis=0), sums[:bins].sum(axis=0))]
    )


def pearson_figures(target: Floats, predicted: Floats, rows: Rows, name: str) -> SumFigures:
    """Return Pearson's correlation."""
    # Centred first: the sums of squares then do not lose the spread beside the mean.
    x, y = (values - np.average(values, weights=rows.weights) for values in (target, predicted))
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y]

    def finish(sums: Floats) -> Sequence[Floats]:
        return [_correlation(sums)]

    return SumFigures.of([name], columns, rows, finish)


def _correlation(sums: Floats) -> Floats:
    """Return the correlation from the sums of 1, x, y, xx, yy, xy."""
    total, x, y, xx, yy, xy = sums
    spread_x, spread_y, both = total * xx - x * x, total * yy - y * y, total * xy - x * y
    # A draw in which one of them is constant leaves only rounding.
    some = (spread_x > 1e-12 * total * xx) & (spread_y > 1e-12 * total * yy)
    scale = np.sqrt(np.where(some, spread_x, 1.0)) * np.sqrt(np.where(some, spread_y, 1.0))
    return np.where(some, np.clip(both / scale, -1, 1), np.nan)


@dataclass(frozen=True, eq=False)
class _Order:
    """Rows by rising value; `level` is a row's place among the distinct values, `ends` the last row of each."""

    order: Ints
    level: Ints
    ends: Ints

    @classmethod
    def of(cls, values: Floats) -> _Order:
        levels, level = np.unique(values, return_inverse=True)
        order = np.argsort(level, kind="stable")
        return cls(order, level, np.cumsum(np.bincount(level, minlength=len(levels))) - 1)

    def ranks(self, drawn: Floats) -> tuple[Floats, Floats]:
        """Return the rank of each distinct value less the mean rank, and the weighted sum of its square."""
        through = np.cumsum(drawn, axis=1)
        if len(self.ends) < len(self.order):
            through = through[:, self.ends]
        size = np.diff(through, axis=1, prepend=0.0)
        centred = through - size / 2 - through[:, -1:] / 2
        return centred, np.einsum("dn,dn,dn->d", size, centred, centred)


@dataclass(frozen=True, eq=False)
class SpearmanFigures:
    """Spearman's correlation, ranks made anew in each draw."""

    names: tuple[str, ...]
    rows: Rows
    target: _Order
    predicted: _Order

    @classmethod
    def of(cls, target: Floats, predicted: Floats, rows: Rows, name: str) -> SpearmanFigures:
        """Sort both."""
        return cls((name,), rows, _Order.of(target), _Order.of(predicted))

    def values(self, times: Floats) -> Floats:
        """Return float64 [1, draws]."""
        # Rows in the order of the prediction: only the target's ranks have to be looked up.
        order = self.predicted.order
        weights = self._drawn(times, order)
        y, spread_y = self.predicted.ranks(weights)
        x, spread_x = self.target.ranks(self._drawn(times, self.target.order))
        if y.shape[1] < len(order):
            y = y[:, self.predicted.level[order]]
        both = np.einsum("dn,dn,dn->d", weights, np.take(x, self.target.level[order], axis=1), y)
        total = weights.sum(axis=1)
        # What rounding leaves of the spread of one rank only.
        some = (spread_x > 1e-12 * total**3) & (spread_y > 1e-12 * total**3)
        scale = np.sqrt(np.where(some, spread_x, 1.0)) * np.sqrt(np.where(some, spread_y, 1.0))
        return np.where(some, np.clip(both / scale, -1, 1), np.nan)[None]

    def _drawn(self, times: Floats, order: Ints) -> Floats:
        return np.asarray(np.take(times, self.rows.group[order], axis=1) * self.rows.counts[order])


@dataclass(frozen=True, eq=False)
class FunctionFigures:
    """Any function of the rows' weights, called once a draw: slow, for measures that have no faster form."""

    name: str
    function: Callable[[Floats], float]
    rows: Rows

    @property
    def names(self) -> tuple[str, ...]:
        """The one name."""
        return (self.name,)

    def values(self, times: Floats) -> Floats:
        """Return float64 [1, draws]."""
        counts = self.rows.counts
        return np.array([[self.function(counts * row[self.rows.group]) for row in times]])
