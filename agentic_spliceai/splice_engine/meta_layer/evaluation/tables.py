"""A result as a Markdown table: base model, model and difference; every number comes from the result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from agentic_spliceai.splice_engine.meta_layer.evaluation.results import (
    ClassificationReport,
    ComparisonRow,
    Difference,
    Estimate,
    EvaluationResult,
    Threshold,
    TriageReport,
)

_HEADER = ("Measure", "Of", "Rows", "Model", "Value", "95 % interval", "n", "Positives", "Prevalence", "Groups")
_RIGHT = {4, 5, 6, 7, 8, 9}
_WORDS = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "top_k": "top-k accuracy, k = true rows",
    "f1": "F1",
    "ece": "ECE",
    "brier": "Brier score",
    "mse": "MSE",
    "mae": "MAE",
    "pearson": "Pearson r",
    "pearson_unsigned": "Pearson r, unsigned",
    "spearman": "Spearman rho",
    "spearman_unsigned": "Spearman rho, unsigned",
    "distance": "mean distance, nt",
}


def measure_words(measure: str) -> str:
    """Return the name of a measure as a reader knows it."""
    if measure in _WORDS:
        return _WORDS[measure]
    if measure.startswith("top_"):
        return f"top-k accuracy, k = {measure.removeprefix('top_')}"
    if measure.startswith("hit_within_"):
        return f"hit rate within {measure.removeprefix('hit_within_')} nt"
    name, _, threshold = measure.partition("_at_")
    plain = _WORDS.get(name, name.replace("_", " "))
    return f"{plain} at {threshold}" if threshold else plain


def to_markdown(
    result: EvaluationResult,
    *,
    measures: Collection[str] | None = None,
    of: Collection[str] | None = None,
    subsets: Collection[str] | None = None,
    digits: int = 3,
) -> str:
    """Return a result as Markdown: what was evaluated, then three lines for each measure.

    Parameters
    ----------
    result
        The result.
    measures, of, subsets
        Names to show; all by default.
    digits
        Decimal places. A figure that would round to 1 or 0 without being it keeps as many as it needs, up to six.
    """
    chosen = [
        row
        for row in result.report.rows
        if (measures is None or row.measure in measures)
        and (of is None or row.of in of)
        and (subsets is None or row.subset in subsets)
    ]
    lines = [_cells(line) for row in chosen for line in _lines(row, result, digits)]
    head = [_cells(_HEADER), _cells(["---:" if i in _RIGHT else "---" for i in range(len(_HEADER))])]
    return "\n".join([*_about(result), "", *head, *lines, "", *_notes(chosen), *_provenance(result)]) + "\n"


def _about(result: EvaluationResult) -> list[str]:
    report = result.report
    prevalence = getattr(report, "prevalence", None)
    if isinstance(prevalence, dict):
        shares = ", ".join(f"{name} {_share(value)}" for name, value in prevalence.items())
    else:
        shares = _share(prevalence)
    seeds = ", ".join(map(str, result.seeds)) or "not known"
    more = "; value: mean over seeds, sd in brackets" if len(result.seeds) > 1 else ""
    weighted = "rows weighted by what they stand for" if result.weighted else "every row counts once"
    lines = [
        f"**{_plain(result.model)}** beside its base model **{_plain(result.base_model)}** on {_plain(result.split)}",
        "",
        f"- Prevalence: {shares}; {weighted}.",
        f"- Training seeds: {seeds}{more}.",
        f"- Intervals: {result.draws:,} draws of whole groups ({_plain(result.group_unit)}), bootstrap seed "
        f"{result.bootstrap_seed}; difference: model minus base model on the same draws.",
        "- ↑ higher is better, ↓ lower is better.",
    ]
    return lines + [_threshold_line(*found) for found in _thresholds(report)]


def _thresholds(report: object) -> Iterator[tuple[str, Sequence[Threshold]]]:
    if isinstance(report, TriageReport) and report.base_threshold:
        yield "Model's threshold", report.thresholds
        yield "Base model's threshold", [report.base_threshold]
    if isinstance(report, ClassificationReport):
        for name, own in report.thresholds.items():
            yield f"Model's threshold for {name}", own
            yield f"Base model's threshold for {name}", [report.base_thresholds[name]]


def _threshold_line(name: str, thresholds: Sequence[Threshold]) -> str:
    values = ", ".join(dict.fromkeys(f"{threshold.value:.4g}" for threshold in thresholds))
    splits = ", ".join(dict.fromkeys(_plain(threshold.chosen_on) for threshold in thresholds))
    return f"- {name}: {values}, chosen on {splits}."


def _lines(row: ComparisonRow, result: EvaluationResult, digits: int) -> list[list[str]]:
    first = [f"{measure_words(row.measure)} {'↑' if row.higher_is_better else '↓'}", row.of, row.subset]
    counts = [
        f"{row.base.n:,}",
        "" if row.base.positives is None else f"{row.base.positives:,}",
        "" if row.prevalence is None else _share(row.prevalence),
        f"{row.base.groups:,}",
    ]
    named = ((result.base_model, row.base), (result.model, row.model))
    lines = [[*first, name, _value(x, digits), _interval(x, digits), *counts] for name, x in named]
    return [
        *lines,
        [*first, "difference", _value(row.difference, digits, signed=True), _test(row.difference, digits), *counts],
    ]


def _value(estimate: Estimate, digits: int, *, signed: bool = False) -> str:
    if estimate.value is None:
        return "–"
    text = _number(estimate.value, digits, signed=signed)
    return text if estimate.sd is None else f"{text} ({_number(estimate.sd, digits)})"


def _interval(estimate: Estimate, digits: int, *, signed: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return f"– ({estimate.reason})"
    return f"{_number(estimate.low, digits, signed=signed)} to {_number(estimate.high, digits, signed=signed)}"


def _test(difference: Difference, digits: int) -> str:
    text = _interval(difference, digits, signed=True)
    if difference.p is None or difference.better is None:
        return text
    return f"{text}; p = {difference.p:.2g}, better in {_share(difference.better)} of draws"


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    places = digits
    while places < 6 and value not in (-1.0, 0.0, 1.0) and float(f"{value:.{places}f}") in (-1.0, 0.0, 1.0):
        places += 1
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("+-")


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{100 * value:.3g} %"


def _notes(rows: Sequence[ComparisonRow]) -> list[str]:
    wide = [row for row in rows if row.measure.startswith("top_") and row.measure != "top_k"]
    if any(row.base.positives is not None and int(row.measure[4:]) > row.base.positives for row in wide):
        return ["With k above the number of true rows, top-k accuracy cannot reach 1.", ""]
    return []


def _provenance(result: EvaluationResult) -> list[str]:
    return [f"Data `{result.data_digest[:16]}`, evaluator `{result.evaluator_digest[:16]}`."]


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if set(cell) <= set('-:') else _plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Return text that stays in its cell and makes no markup."""
    text = " ".join(text.split())
    for mark in "\\`*_[]<|":
        text = text.replace(mark, f"\\{mark}")
    return text
