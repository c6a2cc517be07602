"""Intervals by drawing whole groups (genes, exon groups) again, and the paired difference of two models.

Positions of a gene and variants of an exon are not independent, so groups are what is drawn: as many as there are, with
replacement. Intervals are 95 % percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
Two models are compared on the same draws, which takes out what is common to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agentic_spliceai.splice_engine.base_layer.training.metrics import draw_genes
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.evaluation.figures import Figures
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import Floats

LEVEL = 0.95
_LEAST_DEFINED = 0.5
_CELLS = 2_000_000


@dataclass(frozen=True)
class Bootstrap:
    """How often groups are drawn.

    Attributes
    ----------
    draws
        Number of draws; fewer than 200 tell the ends of a 95 % interval poorly.
    seed
        Same seed, same intervals.
    """

    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or self.seed < 0:
            raise SettingError(f"{self.draws} draws with seed {self.seed} cannot be made.", "Take at least 1 and 0.")


def draw(families: Mapping[str, Sequence[Figures]], groups: int, plan: Bootstrap, rows: int) -> dict[str, Floats]:
    """Return every figure in every draw.

    Parameters
    ----------
    families
        Figures by a name of your own; all of them see the same draws.
    groups
        Number of groups.
    plan
        Number of draws, and seed.
    rows
        Number of rows, which sets how many draws are made at once and nothing else.

    Returns
    -------
    dict of float64 [draws]
        By `<family>/<figure>`; NaN where a draw does not define it.
    """
    at_once = min(64, max(1, _CELLS // max(rows, groups, 1)))
    found: dict[str, list[Floats]] = {}
    for times in draw_genes(groups, draws=plan.draws, seed=plan.seed, at_once=at_once):
        for family, members in families.items():
            for figures in members:
                for name, values in zip(figures.names, figures.values(times), strict=True):
                    found.setdefault(f"{family}/{name}", []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def interval(values: Floats) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the draws that are defined; None where most are not."""
    defined = values[~np.isnan(values)]
    if not len(defined) or len(defined) < _LEAST_DEFINED * len(values):
        return None
    low, high = np.percentile(defined, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """A difference, model minus base model, over the draws.

    Attributes
    ----------
    low, high
        95 % interval.
    better
        Share of draws in which the model is the better one; a tie is half.
    p
        Two-sided p-value of no difference: twice the smaller share of draws on one side of 0, at least 2 / (draws + 1).
    """

    low: float
    high: float
    better: float
    p: float


def paired(difference: Floats, *, higher_is_better: bool = True) -> Paired | None:
    """Summarise the differences of a figure, draw by draw; None where most draws do not define it."""
    bounds = interval(difference)
    if bounds is None:
        return None
    defined = difference[~np.isnan(difference)]
    more, less = int((defined > 0).sum()), int((defined < 0).sum())
    ties = len(defined) - more - less
    better = (more if higher_is_better else less) + ties / 2
    p = min(1.0, 2 * (1 + ties + min(more, less)) / (1 + len(defined)))
    return Paired(*bounds, better / len(defined), p)
