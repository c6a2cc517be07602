"""Studies on one page: a line a study, read from the JSON files that the studies wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import ComparisonRow, Estimate, EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import measure_words

LINES = (
    ("pr_auc", "site"), ("top_100", "site"), ("ece", "donor"), ("ece", "acceptor"),
    ("roc_auc", "altering"), ("pr_auc", "altering"), ("pearson", "psi"),
)  # fmt: skip
"""Measures that a summary shows, where a result has them, and of what."""


def summarise(folders: Sequence[Path]) -> str:
    """Return a Markdown table of the studies in `folders`.

    Raises
    ------
    ResourceError
        If a folder holds no result, or a damaged one.
    """
    lines = [
        "| study | measure | of | base | model | difference (95 % interval) | n | positives |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for folder in folders:
        rows = [
            f"| [{folder.name}]({folder.name}/study.md), {heading} | {measure_words(row.measure)} | {row.of} | "
            f"{_value(row.base)} | {_value(row.model)} | {_difference(row)} | {row.model.n:,} | "
            f"{'' if row.model.positives is None else format(row.model.positives, ',')} |"
            for heading, row in _rows(folder)
        ]
        if not rows:
            raise ResourceError(f"{folder} holds no result of a study.", "Run the study with --out first.")
        lines += rows
    return "\n".join(lines) + "\n"


def _rows(folder: Path) -> Iterator[tuple[str, ComparisonRow]]:
    for path in sorted(folder.glob("*.json")):
        if path.name == "training.json":
            continue
        try:
            result = EvaluationResult.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ResourceError(f"{path} holds no result: {error}.", "Run the study again.") from error
        if len(result.seeds) > 1 or (not result.weighted and result.report.kind == "classification"):
            continue  # the mean over seeds and the kept rows alone are on the study's own page
        for measure, of in LINES:
            try:
                yield f"beside {result.base_model}", result.report.row(measure, of)
            except KeyError:
                continue


def _value(estimate: Estimate) -> str:
    return (
        "–" if estimate.value is None else f"{estimate.value:.3g}" if estimate.value < 0.01 else f"{estimate.value:.3f}"
    )


def _difference(row: ComparisonRow) -> str:
    d = row.difference
    if d.value is None or d.low is None or d.high is None:
        return "–"
    if d.value == d.low == d.high == 0:
        return "0 (0 to 0)"
    digits = 4 if max(abs(d.value), abs(d.low), abs(d.high)) >= 0.0005 else 6
    return f"{d.value:+.{digits}f} ({d.low:+.{digits}f} to {d.high:+.{digits}f})".replace("-", "−")
