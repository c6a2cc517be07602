"""Plots of an evaluation: the base model and the model together, as PNG or SVG.

Every function takes the models' scores (or what a result holds of them) by the model's name, the base model first, and
returns a `Plot`. The same input gives the same bytes. The numbers in a key are computed from what is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from agentic_spliceai.reporting.plot_canvas import DONOR, FAINT, INK, SIZE, SOFT, plain
from agentic_spliceai.reporting.svg import drawing_settings, figure_to_svg
from agentic_spliceai.splice_engine.base_layer.training.metrics import expected_calibration_error
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation import measures
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import ComparisonRow, Confusion, ReliabilityBin
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import measure_words

Floats = npt.NDArray[np.float64]
Scores = Mapping[str, npt.ArrayLike]

# The base model is grey and dashed; further ones are Okabe and Ito's colours with a dash pattern of their own.
_COLOURS = (SOFT, DONOR, "#009e73", "#cc79a7")
_DASHES: tuple[tuple[float, tuple[float, ...]] | str, ...] = ((0, (4, 2)), "-", (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
_MARKERS = ("s", "o", "^", "D")
_HEIGHT = 3.9
_MANY = 3000
_STEPS = 1000


@dataclass(frozen=True, eq=False)
class Plot:
    """A drawn figure, what a screen reader says of it, and its forms."""

    figure: Figure
    title: str
    description: str

    def svg(self, prefix: str = "plot-") -> str:
        """Return an `svg` element whose ids start with `prefix`."""
        with drawing_settings():
            return figure_to_svg(
                self.figure, prefix=prefix, title=self.title, description=self.description, tooltips={}
            )

    def png(self, dpi: int = 200) -> bytes:
        """Return a PNG; `dpi` is dots per inch."""
        buffer = io.BytesIO()
        with drawing_settings():
            self.figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: Path) -> Path:
        """Write the plot; the suffix, `.png` or `.svg`, says how.

        Raises
        ------
        SettingError
            If it is another suffix.
        """
        if path.suffix not in {".png", ".svg"}:
            raise SettingError(f"A plot cannot be written as {path.name!r}.", "End the name with .png or .svg.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.png() if path.suffix == ".png" else self.svg().encode())
        return path


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
    with _axes(title, 1) as (figure, (axes,)):
        parts = []
        for i, (name, column) in enumerate(columns.items()):
            precision, recall = measures.precision_recall_points(marks, column, counts)
            area = measures.pr_auc(marks, column, counts).value or 0.0
            parts.append(f"{name} (PR-AUC {area:.3f})")
            x, y = _thin(recall, precision)
            # From one score to the next recall falls at the precision of the first: the area is the PR-AUC.
            axes.step(x, y, where="post", **_line(i), label=plain(parts[-1]))
        axes.axhline(prevalence, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label=f"chance ({prevalence:.3g})")
        _unit_square(axes, "Recall (share of true found)", "Precision (share of calls that are true)")
        _key(figure, axes)
    return Plot(figure, title, _said(f"Precision over recall, prevalence {prevalence:.3g}", parts))


def plot_roc(truth: npt.ArrayLike, scores: Scores, *, title: str, weights: npt.ArrayLike | None = None) -> Plot:
    """Draw the true positive rate over the false positive rate, with ROC-AUC in the key.

    See `plot_precision_recall` for the parameters.
    """
    marks, columns, counts = _checked(truth, scores, weights)
    with _axes(title, 1) as (figure, (axes,)):
        parts = []
        for i, (name, column) in enumerate(columns.items()):
            false, true = measures.roc_points(marks, column, counts)
            area = measures.roc_auc(marks, column, counts).value or 0.0
            parts.append(f"{name} (ROC-AUC {area:.3f})")
            axes.plot(*_thin(false, true), **_line(i), label=plain(parts[-1]))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance")
        _unit_square(axes, "False positive rate", "True positive rate (share of true found)")
        _key(figure, axes)
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
    with _axes(title, 1, below=True) as (figure, (axes, below)):
        parts = []
        for i, (name, bins) in enumerate(curves.items()):
            error = expected_calibration_error(tuple(bins)) if bins else None
            parts.append(name if error is None else f"{name} (ECE {error:.3f})")
            points = [b.mean_score for b in bins], [b.site_fraction for b in bins]
            axes.plot(*points, **_line(i), marker=_MARKERS[i], markersize=4, label=plain(parts[-1]), clip_on=False)
            below.stairs(*_filled(bins), **_line(i))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="perfectly calibrated")
        _unit_square(axes, "", "Observed share of true")
        # Both panels are as wide as each other; the figure's size makes the upper one nearly square.
        axes.set_aspect("auto")
        _plain_axes(below)
        _counts(below.yaxis)
        below.set_ylim(bottom=0.7)
        below.set_xlabel("Predicted probability (mean of bin)", color=INK)
        below.set_ylabel("Rows in bin", color=INK)
        _key(figure, axes)
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
    with _axes(title, len(drawn)) as (figure, panels):
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
    with _axes(title, len(columns)) as (figure, panels):
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
            axes.set_title(_plain_lines(f"{name}\n{numbers}"), fontsize=SIZE + 0.5, color=INK)
            axes.set_xlim(-reach, reach)
            axes.set_ylim(-reach, reach)
            axes.set_aspect("equal")
            axes.set_xlabel(plain(f"True ({unit})"), color=INK)
            axes.set_ylabel(plain(f"Predicted ({unit})"), color=INK)
            _plain_axes(axes)
        if cells:
            most = max(2.0, *(float(np.max(np.asarray(drawn.get_array()))) for drawn in cells))
            for drawn in cells:
                drawn.set_norm(LogNorm(1, most))
            bar = figure.colorbar(cells[0], ax=panels, fraction=0.03, pad=0.02)
            bar.set_label("Variants in a cell", color=INK)
            bar.outline.set_visible(False)
            _counts(bar.ax.yaxis)
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
    with _axes(title, len(columns)) as (figure, panels):
        for axes, (name, values) in zip(panels, columns.items(), strict=True):
            low, high = float(values.min()), float(values.max())
            within = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
            edges = np.histogram_bin_edges(values, bins, range=within)
            for i, (kind, word) in enumerate(classes.items()):
                inside = values[label == kind]
                share = np.histogram(inside, edges)[0] / max(1, len(inside))
                text = plain(f"{word} (n = {len(inside):,})")
                axes.stairs(share, edges, label=text, color=_COLOURS[i], linestyle=_DASHES[i], linewidth=1.7)
            axes.set_yscale("log")
            axes.set_ylim(top=1.0)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_title(plain(name), fontsize=SIZE + 0.5, color=INK)
            axes.set_xlabel(plain(score[:1].upper() + score[1:]), color=INK)
            axes.set_ylabel("Share of the class in a bin", color=INK)
            _plain_axes(axes)
        _key(figure, panels[0])
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
                    [float(estimate.value or 0)], [line + shift], marker=_MARKERS[i], markersize=5, color=_COLOURS[i],
                    linestyle="none", label=label, zorder=3,
                )  # fmt: skip
                if estimate.low is not None and estimate.high is not None:
                    axes.hlines(line + shift, estimate.low, estimate.high, color=_COLOURS[i], linewidth=1.6)
        words = [
            f"{measure_words(row.measure)}, {row.of}{'' if row.subset == 'all' else f', {row.subset}'}\n"
            + (
                f"n = {row.base.n:,}"
                if row.base.positives is None
                else f"{row.base.positives:,} of {row.base.n:,} true"
            )
            for row in drawn
        ]
        axes.set_yticks(range(len(drawn)), [_plain_lines(text) for text in words])
        axes.set_ylim(len(drawn) - 0.5, -0.5)
        axes.set_xlabel("Value, 95 % interval over groups", color=INK)
        axes.set_title(plain(title), fontsize=SIZE + 1.5, fontweight="bold", color=INK, loc="left")
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        _plain_axes(axes)
        figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=SIZE, labelcolor=INK)
    parts = [f"{plain(measure_words(row.measure))} {row.base.value:.3f} and {row.model.value:.3f}" for row in drawn]
    return Plot(figure, title, _said(f"{names[0]} and {names[1]}", parts))


def _plain_lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.split("\n"))


@contextmanager
def _axes(title: str, panels: int, *, below: bool = False) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give axes side by side; `below` adds a low one under each."""
    with drawing_settings():
        height = _HEIGHT + (1.6 if below else 0.9)
        figure = Figure(figsize=(0.7 + 4.0 * panels, height), facecolor="white", layout="constrained")
        figure.suptitle(plain(title), fontsize=SIZE + 1.5, fontweight="bold", color=INK)
        ratios = (5, 1) if below else (1,)
        grid = figure.subplots(
            len(ratios), panels, height_ratios=ratios, squeeze=False, sharex="col" if below else False
        )
        yield figure, list(grid.ravel())


def _line(index: int) -> dict[str, Any]:
    return {"color": _COLOURS[index], "linestyle": _DASHES[index], "linewidth": 1.7}


def _plain_axes(axes: Axes) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(SOFT)
    axes.tick_params(labelsize=SIZE, labelcolor=INK, color=SOFT)


def _unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    axes.set_aspect("equal")
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    _plain_axes(axes)


def _key(figure: Figure, axes: Axes) -> None:
    """Put the key under the panels, where it hides nothing."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", fontsize=SIZE, labelcolor=INK, frameon=False,
        handlelength=2.6,
    )  # fmt: skip


def _counts(axis: Axis) -> None:
    """Make an axis of counts logarithmic, with numbers as people write them: mathematics is off for safety."""
    axis.axes.set_yscale("log")
    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_tick_params(labelsize=SIZE, labelcolor=INK, color=SOFT)


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
    if not 1 <= len(models) <= len(_COLOURS):
        raise SettingError(f"{len(models)} curves cannot be told apart.", f"Give 1 to {len(_COLOURS)}.")


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
