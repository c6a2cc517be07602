"""Plots of an evaluation: what is drawn is what was measured, both models are there, and bytes are stable."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from sklearn import metrics

from agentic_spliceai.reporting import evaluation_plots as p
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_triage
from agentic_spliceai.splice_engine.meta_layer.evaluation.measures import reliability_curve
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult, Threshold, TriageReport

N = 400
RNG = np.random.default_rng(0)
TRUTH = RNG.random(N) < 0.15
NOISE = RNG.normal(size=N)
SCORES = {"base": 1 / (1 + np.exp(2 - NOISE - TRUTH)), "meta": 1 / (1 + np.exp(2 - NOISE - 2 * TRUTH))}
DELTA = RNG.uniform(-0.8, 0.8, N)
DELTAS = {"base": DELTA * 0.5 + 0.3 * NOISE, "meta": DELTA + 0.1 * NOISE}


@cache
def result() -> EvaluationResult:
    threshold = Threshold(value=0.5, chosen_on="validation")
    return evaluate_triage(
        TRUTH,
        SCORES["meta"],
        np.arange(N) % 40,
        base_scores=SCORES["base"],
        subject=Subject("meta", "base", "test"),
        threshold=threshold,
        base_threshold=threshold,
        subgroups={"region": np.where(np.arange(N) % 2, "exonic", "intronic")},
        bootstrap=Bootstrap(draws=50),
    )


def report() -> TriageReport:
    found = result().report
    assert isinstance(found, TriageReport)
    return found


def confusion(title: str) -> p.Plot:
    return p.plot_confusion({"base": report().base_confusion, "meta": report().model_confusion}, title=title)


def comparison(title: str) -> p.Plot:
    return p.plot_comparison([x for x in report().rows if x.measure == "pr_auc"], ("base", "meta"), title=title)


PLOTS: dict[str, Callable[[str], p.Plot]] = {
    "precision_recall": lambda title: p.plot_precision_recall(TRUTH, SCORES, title=title),
    "roc": lambda title: p.plot_roc(TRUTH, SCORES, title=title),
    "reliability": lambda title: p.plot_reliability(
        {name: reliability_curve(TRUTH, scores) for name, scores in SCORES.items()}, title=title
    ),
    "confusion": confusion,
    "scatter": lambda title: p.plot_delta_scatter(DELTA, DELTAS, title=title, unit="change of PSI"),
    "histogram": lambda title: p.plot_score_histogram(
        TRUTH.astype(int), SCORES, classes={0: "normal", 1: "altering"}, title=title, score="probability"
    ),
    "comparison": comparison,
}
every_plot = pytest.mark.parametrize("name", PLOTS)


def curves(axes: Axes) -> list[Line2D]:
    return [line for line in axes.get_lines() if len(np.atleast_1d(line.get_xdata())) > 2]


def key(plot: p.Plot) -> list[str]:
    (legend,) = plot.figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_the_area_under_the_drawn_steps_is_the_pr_auc_of_the_key() -> None:
    plot = PLOTS["precision_recall"]("t")
    (axes,) = plot.figure.axes
    for line, (name, scores) in zip(curves(axes), SCORES.items(), strict=True):
        recall, precision = np.array(line.get_xdata()), np.array(line.get_ydata())
        assert line.get_drawstyle() == "steps-post"
        area = -np.sum(np.diff(recall) * precision[:-1])
        expected = metrics.average_precision_score(TRUTH, scores)
        assert area == pytest.approx(expected, abs=0.01)
        assert f"{name} (PR-AUC {expected:.3f})" in key(plot)


def test_chance_is_the_prevalence_also_where_rows_are_weighted() -> None:
    weights = np.where(TRUTH, 1.0, 10.0)
    for given, expected in ((None, TRUTH.mean()), (weights, TRUTH.sum() / weights.sum())):
        plot = p.plot_precision_recall(TRUTH, SCORES, title="t", weights=given)
        level = [line for line in plot.figure.axes[0].get_lines() if line not in curves(plot.figure.axes[0])]
        assert np.array(level[0].get_ydata()) == pytest.approx([expected, expected])
        assert f"chance ({expected:.3g})" in key(plot)


def test_the_area_under_the_drawn_roc_curve_is_that_of_the_key() -> None:
    plot = PLOTS["roc"]("t")
    for line, scores in zip(curves(plot.figure.axes[0]), SCORES.values(), strict=True):
        area = np.trapezoid(np.array(line.get_ydata()), np.array(line.get_xdata()))
        assert area == pytest.approx(metrics.roc_auc_score(TRUTH, scores), abs=0.005)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(60_000) < 0.3
    scores = rng.normal(size=60_000) + truth
    line = curves(p.plot_roc(truth, {"base": scores}, title="t").figure.axes[0])[0]
    x, y = np.array(line.get_xdata()), np.array(line.get_ydata())
    assert len(x) < 5000
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=0.002)


def test_reliability_shows_the_bins_of_the_result_and_their_rows() -> None:
    bins = report().model_reliability
    assert bins is not None
    axes, below = PLOTS["reliability"]("t").figure.axes
    line = curves(axes)[1]
    np.testing.assert_allclose(line.get_xdata(), [b.mean_score for b in bins])
    np.testing.assert_allclose(line.get_ydata(), [b.site_fraction for b in bins])
    steps = [patch for patch in below.patches if isinstance(patch, StepPatch)]
    assert [step.get_data().values.sum() for step in steps] == [N, N]


def test_an_empty_bin_between_others_is_drawn_empty() -> None:
    scores = np.array([0.01, 0.02, 0.99, 0.97])
    plot = p.plot_reliability({"base": reliability_curve(np.array([False, True, True, False]), scores)}, title="t")
    (step,) = plot.figure.axes[1].patches
    assert isinstance(step, StepPatch)
    assert step.get_data().values.tolist() == [2, 0, 2]


def test_confusion_shows_counts_and_shares_of_the_true_class() -> None:
    for axes, table in zip(
        PLOTS["confusion"]("t").figure.axes, (report().base_confusion, report().model_confusion), strict=True
    ):
        assert table is not None
        counts = np.array(table.counts)
        for text in axes.texts:
            column, row = (int(x) for x in text.get_position())
            count, share = text.get_text().split("\n")
            assert int(count.replace(",", "")) == counts[row, column]
            assert float(share.removesuffix(" %")) == pytest.approx(
                100 * counts[row, column] / counts[row].sum(), abs=0.06
            )


def test_a_model_without_confusion_is_left_out() -> None:
    plot = p.plot_confusion({"base": None, "meta": report().model_confusion}, title="t")
    assert [axes.get_title() for axes in plot.figure.axes] == ["meta"]
    with pytest.raises(SettingError):
        p.plot_confusion({"base": None}, title="t")


def test_both_models_scatter_on_the_same_axes() -> None:
    panels = PLOTS["scatter"]("t").figure.axes
    assert panels[0].get_xlim() == panels[1].get_xlim() == panels[0].get_ylim() == panels[1].get_ylim()
    for axes, (name, values) in zip(panels, DELTAS.items(), strict=True):
        (points,) = axes.collections
        np.testing.assert_allclose(points.get_offsets(), np.stack([DELTA, values], axis=1))
        assert axes.get_title() == f"{name}\nr = {np.corrcoef(DELTA, values)[0, 1]:.3f}, ρ = " + axes.get_title()[-5:]
        assert axes.get_xlabel() == "True (change of PSI)"


def test_many_variants_are_counted_in_cells_of_one_colour_scale() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 5000)
    left, right, bar = p.plot_delta_scatter(x, {"base": 0.1 * x, "meta": x}, title="t", unit="PSI").figure.axes
    cells = [axes.collections[0] for axes in (left, right)]
    assert [int(np.sum(cell.get_array())) for cell in cells] == [5000, 5000]
    assert cells[0].norm.vmax == cells[1].norm.vmax
    assert bar.get_ylabel() == "Variants in a cell"


def test_a_constant_prediction_has_no_correlation_and_says_so() -> None:
    plot = p.plot_delta_scatter(DELTA, {"base": np.zeros(N)}, title="t", unit="PSI")
    assert plot.figure.axes[0].get_title() == "base\nr = undefined, ρ = undefined"


def test_the_bins_of_a_class_hold_all_of_it() -> None:
    for axes in PLOTS["histogram"]("t").figure.axes:
        steps = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
        assert [step.get_data().values.sum() for step in steps] == [pytest.approx(1)] * 2
    assert key(PLOTS["histogram"]("t")) == [f"normal (n = {(~TRUTH).sum()})", f"altering (n = {TRUTH.sum()})"]


def test_comparison_shows_values_and_intervals_of_the_result() -> None:
    rows = [x for x in report().rows if x.measure == "pr_auc"]
    (axes,) = PLOTS["comparison"]("t").figure.axes
    dots = [float(np.asarray(line.get_xdata())[0]) for line in axes.get_lines()]
    assert dots == [x.value for row in rows for x in (row.base, row.model)]
    ends = [segments.get_segments()[0][:, 0].tolist() for segments in axes.collections]  # type: ignore[attr-defined]
    assert ends == [[x.low, x.high] for row in rows for x in (row.base, row.model)]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[1].startswith("PR-AUC, altering, region = exonic\n")
    with pytest.raises(SettingError, match="No row"):
        p.plot_comparison([], ("base", "meta"), title="t")


@every_plot
def test_same_input_same_bytes_whatever_the_users_settings(name: str) -> None:
    first = PLOTS[name]("Test")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        second = PLOTS[name]("Test")
        assert (first.svg(), first.png(80)) == (second.svg(), second.png(80))


@every_plot
def test_svg_names_its_ids_and_says_what_it_shows(name: str) -> None:
    root = ET.fromstring(PLOTS[name]("Splice <sites> & $x^2$").svg(prefix="a-"))
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-") for name in ids)
    texts = {element.get("id"): element.text or "" for element in root}
    assert texts["a-title"] == "Splice <sites> & $x^2$"
    assert "meta" in texts["a-desc"]


@every_plot
def test_every_axis_is_labelled_and_both_models_are_named(name: str) -> None:
    plot = PLOTS[name]("Test")
    words = [*(text for legend in plot.figure.legends for text in (x.get_text() for x in legend.get_texts()))]
    words += [axes.get_title() for axes in plot.figure.axes]
    for model in ("base", "meta"):
        assert any(model in word for word in words)
    for axes in plot.figure.axes:
        shared = name == "reliability" and axes is plot.figure.axes[0]
        assert axes.get_xlabel() or shared
        assert axes.get_ylabel() or name == "comparison"


def test_plots_are_files(tmp_path: Path) -> None:
    plot = PLOTS["roc"]("Test")
    assert plot.save(tmp_path / "new" / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in plot.save(tmp_path / "roc.svg").read_text()[:200]
    with pytest.raises(SettingError, match=r"roc\.pdf"):
        plot.save(tmp_path / "roc.pdf")


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="one class"):
        p.plot_roc(np.ones(N), SCORES, title="t")
    with pytest.raises(TrainingDataError, match="meta: shape"):
        p.plot_precision_recall(TRUTH, SCORES | {"meta": SCORES["meta"][:-1]}, title="t")
    with pytest.raises(TrainingDataError, match="1 are NaN"):
        p.plot_delta_scatter(DELTA, {"base": np.where(np.arange(N) == 0, np.nan, DELTA)}, title="t", unit="PSI")
    with pytest.raises(SettingError, match="5 curves"):
        p.plot_roc(TRUTH, {str(i): SCORES["meta"] for i in range(5)}, title="t")
