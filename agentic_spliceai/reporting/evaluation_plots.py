"""Plots of an evaluation: the base model and the model together, as PNG or SVG.

Every function takes the models' scores (or what a result holds of them) by the model's name, the base model first, and
returns a `Plot`. The same input gives the same bytes. The numbers in a key are computed from what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from agentic_spliceai.reporting.plot_canvas import DONOR, FAINT, INK, SIZE, plain
from agentic_spliceai.reporting.plot_charts import (
    COLOURS,
    DASHES,
    MARKERS,
    Plot,
    count_axis,
    line_style,
    panels_of,
    plain_axes,
    plain_lines,
    put_key,
    unit_square,
)
from agentic_spliceai.reporting.svg import drawing_settings
from agentic_spliceai.splice_engine.base_layer.training.metrics import expected_calibration_error
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation import measures
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import ComparisonRow, Confusion, ReliabilityBin
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import measure_words

Floats = npt.NDArray[np.float64]
Scores = Mapping[str, npt.ArrayLike]

_MANY = 3000
_STEPS = 1000


def plot_precision_recall(
    truth: npt.ArrayLike, scores: Scores, *, title: str, weights: npt.ArrayLike | None = None
) -> Plot:
    """Draw precision over recall, with PR-AUC in the key and a line at the prevalence, which is chance.

    Parameters
    ----------
    truth : [N]
        Whether a row is a true one.
    scores : each [N]
        By model, the base model first; at most four.
    title
        What is ranked, for example `donor sites, test chromosomes`.
    weights : [N]
        How many cases each row stands for.

    Raises
    ------
    TrainingDataError
        If no row is true, all are, or arrays do not fit each other.
    """
    marks, columns, counts = _checked(truth, scores, weights)
    prevalence = float(np.average(marks, weights=counts))
    with panels_of(title, 1) as (figure, (axes,)):
        parts = []
        for i, (name, column) in enumerate(columns.items()):
            precision, recall = measures.precision_recall_points(marks, column, counts)
            area = measures.pr_auc(marks, column, counts).value or 0.0
            parts.append(f"{name} (PR-AUC {area:.3f})")
            x, y = _thin(recall, precision)
            # From one score to the next recall falls at the precision of the first: the area is the PR-AUC.
            axes.step(x, y, where="post", **line_style(i), label=plain(parts[-1]))
        axes.axhline(prevalence, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label=f"chance ({prevalence:.3g})")
        unit_square(axes, "Recall (share of true found)", "Precision (share of calls that are true)")
        put_key(figure, axes)
    return Plot(figure, title, _said(f"Precision over recall, prevalence {prevalence:.3g}", parts))


def plot_roc(truth: npt.ArrayLike, scores: Scores, *, title: str, weights: npt.ArrayLike | None = None) -> Plot:
    """Draw the true positive rate over the false positive rate, with ROC-AUC in the key.

    See `plot_precision_recall` for the parameters.
    """
    marks, columns, counts = _checked(truth, scores, weights)
    with panels_of(title, 1) as (figure, (axes,)):
        parts = []
        for i, (name, column) in enumerate(columns.items()):
            false, true = measures.roc_points(marks, column, counts)
            area = measures.roc_auc(marks, column, counts).value or 0.0
            parts.append(f"{name} (ROC-AUC {area:.3f})")
            axes.plot(*_thin(false, true), **line_style(i), label=plain(parts[-1]))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance")
        unit_square(axes, "False positive rate", "True positive rate (share of true found)")
        put_key(figure, axes)
    return Plot(figure, title, _said("True positive rate over false positive rate", parts))


def plot_reliability(curves: Mapping[str, Sequence[ReliabilityBin]], *, title: str) -> Plot:
    """Draw the observed share of true rows over the predicted probability, and below it how many rows each bin has.

    Parameters
    ----------
    curves
        By model, the base model first, as a result's report holds them.
    title
        What is predicted.
    """
    _few(curves)
    with panels_of(title, 1, below=True) as (figure, (axes, below)):
        parts = []
        for i, (name, bins) in enumerate(curves.items()):
            error = expected_calibration_error(tuple(bins)) if bins else None
            shown = "" if error is None else f" (ECE {error:.3f})" if error >= 0.001 else f" (ECE {error:.1e})"
            parts.append(name + shown)
            points = [b.mean_score for b in bins], [b.site_fraction for b in bins]
            axes.plot(*points, **line_style(i), marker=MARKERS[i], markersize=4, label=plain(parts[-1]), clip_on=False)
            below.stairs(*_filled(bins), **line_style(i))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="perfectly calibrated")
        unit_square(axes, "", "Observed share of true")
        # Both panels are as wide as each other; the figure's size makes the upper one nearly square.
        axes.set_aspect("auto")
        plain_axes(below)
        count_axis(below.yaxis)
        below.set_ylim(bottom=0.7)
        below.set_xlabel("Predicted probability (mean of bin)", color=INK)
        below.set_ylabel("Rows in bin", color=INK)
        put_key(figure, axes)
    return Plot(figure, title, _said("Observed share of true over predicted probability", parts))


def plot_confusion(tables: Mapping[str, Confusion | None], *, title: str) -> Plot:
    """Draw confusion matrices side by side: counts, coloured by the share of their true class.

    Parameters
    ----------
    tables
        By model, the base model first; None (no threshold) is left out.
    title
        What is classified.
    """
    drawn = {name: table for name, table in tables.items() if table is not None}
    _few(drawn)
    with panels_of(title, len(drawn)) as (figure, panels):
        parts = []
        for axes, (name, table) in zip(panels, drawn.items(), strict=True):
            counts = np.array(table.counts)
            total = counts.sum(axis=1, keepdims=True)
            share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
            axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
            for (row, column), count in np.ndenumerate(counts):
                text = f"{count:,.0f}\n{100 * share[row, column]:.1f} %"
                colour = "white" if share[row, column] > 0.55 else INK
                axes.text(column, row, text, ha="center", va="center", fontsize=SIZE, color=colour, linespacing=1.4)
            ticks = range(len(table.classes))
            axes.set_xticks(ticks, [plain(c) for c in table.classes])
            axes.set_yticks(ticks, [plain(c) for c in table.classes], rotation=90, va="center")
            axes.set_xlabel("Predicted", color=INK)
            axes.set_ylabel("True", color=INK)
            axes.set_title(plain(name), fontsize=SIZE + 0.5, color=INK)
            axes.tick_params(length=0, labelsize=SIZE, labelcolor=INK)
            for spine in axes.spines.values():
                spine.set_visible(False)
            right = float(np.trace(counts) / counts.sum()) if counts.sum() else 0.0
            parts.append(f"{name} ({right:.1%} right)")
    return Plot(figure, title, _said("True class in rows, predicted class in columns", parts))


def plot_delta_scatter(target: npt.ArrayLike, predicted: Scores, *, title: str, unit: str) -> Plot:
    """Draw predicted over true changes, one panel a model on the same axes, with Pearson's and Spearman's correlation.

    Parameters
    ----------
    target : [N]
        True change.
    predicted : each [N]
        By model, the base model first.
    title
        What changes.
    unit
        Of both axes, for example `change of probability` or `change of PSI`.

    Raises
    ------
    TrainingDataError
        If arrays do not fit each other or hold NaN.
    """
    x = _numbers(target, "target", None)
    columns = {name: _numbers(values, name, len(x)) for name, values in predicted.items()}
    _few(columns)
    reach = 1.05 * max(float(np.abs(values).max(initial=0)) for values in (x, *columns.values())) or 1.0
    with panels_of(title, len(columns)) as (figure, panels):
        parts: list[str] = []
        cells: list[PolyCollection] = []
        for axes, (name, y) in zip(panels, columns.items(), strict=True):
            axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
            axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
            axes.plot([-reach, reach], [-reach, reach], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=3)
            if len(x) > _MANY:
                extent = (-reach, reach, -reach, reach)
                cells.append(axes.hexbin(x, y, gridsize=50, extent=extent, mincnt=1, cmap="cividis_r", zorder=2))
            else:
                axes.scatter(x, y, s=9, color=DONOR, alpha=0.45, linewidths=0, zorder=2)
            r, rho = measures.pearson(x, y).value, measures.spearman(x, y).value
            numbers = ", ".join(
                f"{sign} = {'undefined' if value is None else f'{value:.3f}'}" for sign, value in (("r", r), ("ρ", rho))
            )
            parts.append(f"{name} ({numbers})")
            axes.set_title(plain_lines(f"{name}\n{numbers}"), fontsize=SIZE + 0.5, color=INK)
            axes.set_xlim(-reach, reach)
            axes.set_ylim(-reach, reach)
            axes.set_aspect("equal")
            axes.set_xlabel(plain(f"True ({unit})"), color=INK)
            axes.set_ylabel(plain(f"Predicted ({unit})"), color=INK)
            plain_axes(axes)
        if cells:
            most = max(2.0, *(float(np.max(np.asarray(drawn.get_array()))) for drawn in cells))
            for drawn in cells:
                drawn.set_norm(LogNorm(1, most))
            bar = figure.colorbar(cells[0], ax=panels, fraction=0.03, pad=0.02)
            bar.set_label("Variants in a cell", color=INK)
            bar.outline.set_visible(False)
            count_axis(bar.ax.yaxis)
    return Plot(figure, title, _said(f"Predicted over true change of {len(x):,} variants", parts))


def plot_score_histogram(
    labels: npt.ArrayLike,
    scores: Scores,
    *,
    classes: Mapping[int, str],
    title: str,
    score: str = "score",
    bins: int = 30,
) -> Plot:
    """Draw how each class's scores are distributed, one panel a model.

    Parameters
    ----------
    labels : int [N]
        Class of each row.
    scores : each [N]
        By model, the base model first.
    classes
        Names of the classes to draw, by label; at most four.
    title
        What is scored.
    score
        Name of the score, with its unit.
    bins
        Number of bins.

    Raises
    ------
    TrainingDataError
        If arrays do not fit each other or hold NaN.
    """
    label = np.asarray(labels)
    columns = {name: _numbers(values, name, len(label)) for name, values in scores.items()}
    _few(columns)
    _few(classes)
    with panels_of(title, len(columns)) as (figure, panels):
        for axes, (name, values) in zip(panels, columns.items(), strict=True):
            low, high = float(values.min()), float(values.max())
            within = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
            edges = np.histogram_bin_edges(values, bins, range=within)
            for i, (kind, word) in enumerate(classes.items()):
                inside = values[label == kind]
                share = np.histogram(inside, edges)[0] / max(1, len(inside))
                text = plain(f"{word} (n = {len(inside):,})")
                axes.stairs(share, edges, label=text, color=COLOURS[i], linestyle=DASHES[i], linewidth=1.7)
            axes.set_yscale("log")
            axes.set_ylim(top=1.0)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_title(plain(name), fontsize=SIZE + 0.5, color=INK)
            axes.set_xlabel(plain(score[:1].upper() + score[1:]), color=INK)
            axes.set_ylabel("Share of the class in a bin", color=INK)
            plain_axes(axes)
        put_key(figure, panels[0])
    return Plot(figure, title, _said("Distribution of scores by class", list(columns)))


def plot_comparison(rows: Sequence[ComparisonRow], names: tuple[str, str], *, title: str) -> Plot:
    """Draw figures of base model and model with their 95 % intervals, one line a row of the result.

    Parameters
    ----------
    rows
        Rows whose measures share one axis, for example PR-AUC of every region; rows without a figure are left out.
    names
        Base model and model.
    title
        What is compared.

    Raises
    ------
    SettingError
        If no row has a figure.
    """
    drawn = [row for row in rows if row.base.value is not None and row.model.value is not None]
    if not drawn:
        raise SettingError("No row has a figure to draw.", "See the reasons in the result.")
    with drawing_settings():
        figure = Figure(figsize=(7.2, 1.3 + 0.42 * len(drawn)), facecolor="white", layout="constrained")
        axes = figure.add_subplot()
        for line, row in enumerate(drawn):
            for i, (estimate, shift) in enumerate(((row.base, -0.14), (row.model, 0.14))):
                label = plain(names[i]) if line == 0 else None
                axes.plot(
                    [float(estimate.value or 0)], [line + shift], marker=MARKERS[i], markersize=5, color=COLOURS[i],
                    linestyle="none", label=label, zorder=3,
                )  # fmt: skip
                if estimate.low is not None and estimate.high is not None:
                    axes.hlines(line + shift, estimate.low, estimate.high, color=COLOURS[i], linewidth=1.6)
        words = [
            f"{measure_words(row.measure)}, {row.of}{'' if row.subset == 'all' else f', {row.subset}'}\n"
            + (
                f"n = {row.base.n:,}"
                if row.base.positives is None
                else f"{row.base.positives:,} of {row.base.n:,} true"
            )
            for row in drawn
        ]
        axes.set_yticks(range(len(drawn)), [plain_lines(text) for text in words])
        axes.set_ylim(len(drawn) - 0.5, -0.5)
        axes.set_xlabel("Value, 95 % interval over groups", color=INK)
        axes.set_title(plain(title), fontsize=SIZE + 1.5, fontweight="bold", color=INK, loc="left")
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        plain_axes(axes)
        figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=SIZE, labelcolor=INK)
    parts = [f"{plain(measure_words(row.measure))} {row.base.value:.3f} and {row.model.value:.3f}" for row in drawn]
    return Plot(figure, title, _said(f"{names[0]} and {names[1]}", parts))


def _filled(bins: Sequence[ReliabilityBin]) -> tuple[list[float], list[float]]:
    """Return weights and edges of neighbouring bins, an empty one in each gap."""
    weights, edges = [], [bins[0].low if bins else 0.0]
    for b in bins:
        if b.low > edges[-1]:
            weights.append(0.0)
            edges.append(b.low)
        weights.append(b.weight)
        edges.append(b.high)
    return (weights, edges) if bins else ([0.0], [0.0, 1.0])


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the points of a curve that are a thousandth apart; the ends stay."""
    place = np.round(np.stack([x, y]) * _STEPS)
    kept = np.append(True, (np.diff(place, axis=1) != 0).any(axis=0))
    kept[-1] = True
    return x[kept], y[kept]


def _said(what: str, parts: Sequence[str]) -> str:
    return plain(f"{what}: {'; '.join(parts)}.")


def _few(models: Mapping[Any, object]) -> None:
    if not 1 <= len(models) <= len(COLOURS):
        raise SettingError(f"{len(models)} curves cannot be told apart.", f"Give 1 to {len(COLOURS)}.")


def _numbers(values: npt.ArrayLike, name: str, n: int | None) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or (n is not None and len(array) != n) or not np.isfinite(array).all():
        raise TrainingDataError(
            f"{plain(name)}: shape {array.shape}, of which {int((~np.isfinite(array)).sum())} are NaN or infinite.",
            "Give one finite number a row.",
        )
    return array


def _checked(
    truth: npt.ArrayLike, scores: Scores, weights: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.bool_], dict[str, Floats], Floats | None]:
    marks = _numbers(truth, "truth", None) > 0
    if marks.all() or not marks.any():
        raise TrainingDataError("Rows are of one class: there is no curve.", "Give true and false rows.")
    _few(scores)
    columns = {name: _numbers(values, name, len(marks)) for name, values in scores.items()}
    return marks, columns, None if weights is None else _numbers(weights, "weights", len(marks))
