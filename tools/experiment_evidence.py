"""The figures of recorded experiments, and comparisons of them, as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, JsonValue

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.evidence import is_name, shown_name, statement
from agentic_spliceai.reporting.experiment_summary import COMPARED, MEASURE_WORDS, difference_of

if TYPE_CHECKING:
    from agentic_spliceai.records.experiment_types import ExperimentRunDetail
    from agentic_spliceai.splice_engine.meta_layer.experiments.comparison import Comparison, Contrast
    from agentic_spliceai.splice_engine.meta_layer.experiments.result import Figure

_BASE = "the base model"


@dataclass(frozen=True)
class Difference:
    """What one run's measure is beside another's.

    Attributes
    ----------
    label, baseline
        The two; `baseline` None is the base model.
    measure, of
        What was measured: `pr_auc`, `altering`.
    value, low, high
        First minus second, with its interval; None where it cannot be measured.
    noise
        How far the measure scatters over seeds: below it a difference says nothing. None where it is not known.
    n, groups
        Rows, and exon groups that the interval was drawn over.
    distinguished
        Whether the interval leaves out zero and the difference exceeds the noise; None where that cannot be said.
    note
        Why it cannot, or what else one must know.
    higher_is_better
        False for errors, whose decrease is the better.
    """

    label: str
    baseline: str | None
    measure: str
    of: str
    value: float | None
    low: float | None
    high: float | None
    noise: float | None
    n: int
    groups: int | None
    distinguished: bool | None
    note: str = ""
    higher_is_better: bool = True


class _Maker:
    def __init__(self, source: str, created_at: AwareDatetime, digest: str | None) -> None:
        self._source, self._at, self._digest = source, created_at, digest

    def __call__(
        self,
        kind: EvidenceKind,
        subject: str,
        what: str,
        value: JsonValue,
        display: str,
        terms: Iterable[str] = (),
        unit: str = "",
    ) -> Evidence:
        return make_evidence(
            kind,
            statement(subject, what),
            value,
            words.shorten(words.clean(display), 300) or "(none)",
            source=self._source,
            created_at=self._at,
            unit=unit,
            terms=tuple(term for term in dict.fromkeys(terms) if is_name(term)),
            source_sha256=self._digest,
        )


def run_evidence(detail: ExperimentRunDetail, *, subject: str | None = None) -> tuple[Evidence, ...]:
    """Return what is recorded about one run of an experiment: model, data, figures with intervals, training, cost.

    Parameters
    ----------
    detail
        The run.
    subject
        How statements name it; by default its label. Give another where two runs share a label.
    """
    make = _Maker(f"experiment_run:{detail.id}", detail.finished_at or detail.started_at, detail.outcome_sha256)
    name = subject or detail.label
    return tuple({item.id: item for item in _run(detail, name, make)}.values())


def _run(detail: ExperimentRunDetail, name: str, make: _Maker) -> Iterator[Evidence]:
    yield make(EvidenceKind.METRIC, name, "run", name, shown_name(name), terms=(name, detail.label, detail.id))
    yield make(EvidenceKind.METRIC, name, "model", detail.model, shown_name(detail.model), terms=(detail.model,))
    base = detail.base_model
    yield make(EvidenceKind.METRIC, name, "base model", base, shown_name(base), terms=(base,))
    yield make(EvidenceKind.METRIC, name, "task", detail.task, shown_name(detail.task), terms=(detail.task,))
    data = detail.dataset
    yield make(EvidenceKind.DATASET, name, "data set", data, shown_name(data), terms=(data,))
    for use in detail.datasets:
        rows = f"{use.n:,} examples"
        yield make(EvidenceKind.DATASET, name, f"{use.role} examples", use.n, rows, unit="examples")
        if use.positives is not None:
            share = f"{use.positives:,} of {use.n:,}"
            yield make(EvidenceKind.DATASET, name, f"{use.role} examples, altering", use.positives, share)
    if any(use.synthetic for use in detail.datasets):
        yield make(EvidenceKind.DATASET, name, "origin of the data", "simulated", "simulated")
    for figure in detail.figures:
        yield from _figure(figure, name, make)
    yield from _training(detail, name, make)
    yield make(EvidenceKind.METRIC, name, "status of the run", detail.status.value, detail.status.value)
    if detail.error is not None:
        yield make(EvidenceKind.METRIC, name, "why it failed", detail.error.code, shown_name(detail.error.code))
    if detail.decision is not None:
        yield make(EvidenceKind.COMPARISON, name, "decision", detail.decision.value, detail.decision.value)


def _figure(figure: Figure, name: str, make: _Maker) -> Iterator[Evidence]:
    subset = "" if figure.subset == "all" else f", {figure.subset}"
    what = f"{figure.measure} of {figure.of}, {figure.subject}{subset}"
    difference = figure.subject == "difference"
    kind = EvidenceKind.COMPARISON if difference else EvidenceKind.FIGURE
    if figure.value is None:
        yield make(kind, name, what, None, "not measured")
        return
    yield make(kind, name, what, round(figure.value, 6), _number(figure.value, signed=difference))
    for end, value in (("low end", figure.low), ("high end", figure.high)):
        if value is not None:
            yield make(EvidenceKind.FIGURE, name, f"{what}, {end}", round(value, 6), _number(value, signed=difference))
    if figure.sd is not None:
        yield make(EvidenceKind.FIGURE, name, f"{what}, spread over seeds", round(figure.sd, 6), _number(figure.sd))
    measure = MEASURE_WORDS.get(figure.measure, figure.measure)
    terms = (measure, figure.measure)
    yield make(EvidenceKind.METRIC, name, f"{what}, measure", figure.measure, measure, terms=terms)
    yield make(EvidenceKind.FIGURE, name, f"{what}, rows", figure.n, f"{figure.n:,} variants", unit="variants")


def _training(detail: ExperimentRunDetail, name: str, make: _Maker) -> Iterator[Evidence]:
    count = len(detail.seeds)
    yield make(EvidenceKind.METRIC, name, "seeds", count, f"{count} seed{'s' if count != 1 else ''}")
    outcomes = detail.seed_outcomes
    if outcomes:
        early = sum(outcome.stopped_early for outcome in outcomes)
        share = f"{early} of {len(outcomes)} seeds"
        yield make(EvidenceKind.METRIC, name, "training stopped early", early, share)
    for outcome in outcomes:
        seed = f"seed {outcome.seed}"
        epochs, best = f"{outcome.epochs} epochs", f"epoch {outcome.best_epoch + 1}"
        yield make(EvidenceKind.METRIC, name, f"{seed}, epochs", outcome.epochs, epochs)
        yield make(EvidenceKind.METRIC, name, f"{seed}, best epoch", outcome.best_epoch + 1, best)
    if detail.result is not None:
        trainable = f"{detail.result.trainable:,}"
        yield make(EvidenceKind.METRIC, name, "trainable parameters", detail.result.trainable, trainable)
        for number, caveat in enumerate(detail.result.caveats, start=1):
            yield make(EvidenceKind.METRIC, name, f"caveat {number}", caveat, caveat)
    if detail.seconds is not None:
        yield make(EvidenceKind.JOB, name, "time", round(detail.seconds, 1), _time(detail.seconds), unit="s")
    yield make(EvidenceKind.COST, name, "cost", round(detail.cost_usd, 4), f"${detail.cost_usd:.2f}", unit="USD")


def comparison_evidence(
    comparison: Comparison, *, source: str, created_at: AwareDatetime, digest: str | None = None
) -> tuple[Evidence, ...]:
    """Return what a comparison of experiments found: each arm beside the base model, and beside the baseline."""
    differences = []
    for arm in comparison.arms:
        contrasts = (arm.against_baseline, arm.against_base_model)
        unique = {contrast.other: contrast for contrast in contrasts if contrast is not None}
        differences += [_contrast(arm.label, contrast, comparison) for contrast in unique.values()]
    differences += [_contrast(pair.label, pair.contrast, comparison) for pair in comparison.pairs]
    return difference_evidence(differences, source=source, created_at=created_at, digest=digest)


def _contrast(label: str, contrast: Contrast, comparison: Comparison) -> Difference:
    known = {arm.label for arm in comparison.arms}
    measured = contrast.difference is not None
    return Difference(
        label=label,
        baseline=contrast.other if contrast.other in known else None,
        measure=comparison.metric,
        of=f"the {comparison.part} part",
        value=contrast.difference,
        low=contrast.low,
        high=contrast.high,
        noise=contrast.noise_floor,
        n=comparison.n,
        groups=comparison.groups,
        distinguished=_distinguished(contrast),
        note="" if measured else contrast.reason,
        higher_is_better=comparison.higher_is_better,
    )


def _distinguished(contrast: Contrast) -> bool | None:
    """Whether the interval leaves out zero and the difference exceeds what seeds do; None where one is not known."""
    if contrast.difference is None or contrast.low is None or contrast.high is None:
        return None
    if contrast.low <= 0 <= contrast.high:
        return False
    return None if contrast.noise_floor is None else abs(contrast.difference) > contrast.noise_floor


def difference_evidence(
    differences: Iterable[Difference], *, source: str, created_at: AwareDatetime, digest: str | None = None
) -> tuple[Evidence, ...]:
    """Return comparisons as evidence.

    Parameters
    ----------
    differences
        Each of one run with another, or with the base model.
    source
        What compared them, such as `run:ID`.
    created_at
        When.
    digest
        Of what was compared, where there is one.
    """
    make = _Maker(source, created_at, digest)
    items: list[Evidence] = []
    for found in differences:
        items.extend(_difference(found, make))
    return tuple({item.id: item for item in items}.values())


def _difference(found: Difference, make: _Maker) -> Iterator[Evidence]:
    other = found.baseline or _BASE
    what = difference_of(found.measure, found.of, other)
    measure = MEASURE_WORDS.get(found.measure, found.measure)
    yield make(EvidenceKind.METRIC, COMPARED, "measure", found.measure, measure, terms=(measure, found.measure))
    name = found.label
    yield make(EvidenceKind.METRIC, name, "run", name, shown_name(name), terms=(name,))
    named = shown_name(other) if found.baseline else other
    yield make(EvidenceKind.METRIC, name, f"{what}, compared with", other, named, terms=(other,))
    # The check of texts reads a comparison's sign as better or worse, which of an error is the other way round.
    kind = EvidenceKind.COMPARISON if found.higher_is_better else EvidenceKind.FIGURE
    if found.value is None:
        yield make(kind, name, what, None, "not measured")
    else:
        yield make(kind, name, what, round(found.value, 6), _number(found.value, signed=True))
        for end, value in (("low end", found.low), ("high end", found.high)):
            if value is not None:
                yield make(EvidenceKind.FIGURE, name, f"{what}, {end}", round(value, 6), _number(value, signed=True))
    if found.noise is not None:
        yield make(
            EvidenceKind.FIGURE, name, f"{what}, noise of the seeds", round(found.noise, 6), _number(found.noise)
        )
    yield make(EvidenceKind.FIGURE, name, f"{what}, rows", found.n, f"{found.n:,} variants", unit="variants")
    if found.groups is not None:
        groups = f"{found.groups:,} exon groups"
        yield make(EvidenceKind.FIGURE, name, f"{what}, groups", found.groups, groups, unit="groups")
    verdict, shown = {
        True: ("stands_out", "stands out from the noise"),
        False: ("not_distinguished", "not told apart from the noise"),
        None: ("unknown", "not known to stand out from the noise"),
    }[found.distinguished]
    yield make(EvidenceKind.COMPARISON, name, f"{what}, verdict", verdict, shown)
    if found.note:
        yield make(EvidenceKind.METRIC, name, f"{what}, note", found.note, found.note)


def _number(value: float, *, signed: bool = False) -> str:
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("-", words.MINUS)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
