"""The pictures of a study: what its tables say, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_spliceai.reporting.evaluation_plots import (
    plot_delta_scatter,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)
from agentic_spliceai.reporting.plot_charts import Plot
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import (
    ClassificationReport,
    EvaluationResult,
    TriageReport,
)


def write_plots(
    arrays: Mapping[str, npt.NDArray[np.generic]], results: Mapping[str, EvaluationResult], folder: Path
) -> tuple[Path, ...]:
    """Draw a study of sites or of variants as PNG files.

    Parameters
    ----------
    arrays
        `Study.arrays`.
    results
        Results by heading; the first one names the models and has the reliability curves.
    folder
        Where to write.
    """
    first = next(iter(results.values()))
    names = (first.base_model, first.model)
    plots: dict[str, Plot] = {}
    if "label" in arrays:
        for kind in (SpliceClass.DONOR, SpliceClass.ACCEPTOR):
            name = kind.name.lower()
            title = f"{name} sites, {first.split} genes"
            scores = dict(zip(names, (arrays["base"][:, kind], arrays["model"][:, kind]), strict=True))
            plots[f"precision-recall-{name}"] = plot_precision_recall(
                arrays["label"] == kind, scores, title=title, weights=arrays["weight"]
            )
            if isinstance(first.report, ClassificationReport):
                curves = (first.report.base_reliability[name], first.report.model_reliability[name])
                plots[f"reliability-{name}"] = plot_reliability(dict(zip(names, curves, strict=True)), title=title)
    else:
        known = ~np.isnan(arrays["altering"].astype(float))
        title = f"splice-altering variants, {first.split}"
        scores = dict(zip(names, (arrays["base"][known], arrays["model"][known]), strict=True))
        truth = arrays["altering"][known] == 1
        plots["precision-recall"] = plot_precision_recall(truth, scores, title=title)
        plots["roc"] = plot_roc(truth, scores, title=title)
        if isinstance(first.report, TriageReport) and first.report.model_reliability:
            plots["reliability"] = plot_reliability({first.model: first.report.model_reliability}, title=title)
        measured = ~np.isnan(arrays["psi"].astype(float))
        plots["inclusion"] = plot_delta_scatter(
            arrays["psi"][measured],
            {first.model: arrays["model_psi"][measured]},
            title=f"change of exon inclusion, {first.split}",
            unit="delta PSI",
        )
    return tuple(plot.save(folder / f"{name}.png") for name, plot in plots.items())
