"""A summary of experiments written by rules: sentences whose every number and name is a reference to evidence."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.reporting.evidence import Facts
from agentic_spliceai.reporting.learning_evidence import summarise_learning

COMPARED = "the comparison"
MEASURE_WORDS = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "brier": "Brier",
}

#: Measures in the order in which a summary looks for one that was not named.
_PREFERRED = ("pr_auc", "roc_auc", "pearson", "average_precision", "spearman")


def difference_of(measure: str, of: str, other: str) -> str:
    """Return what evidence calls a difference: `difference in pr_auc of altering to the base model`."""
    return f"difference in {measure} of {of} to {other}"


def summarise_experiment(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Return the sentences of a summary of runs of experiments and of comparisons of them."""
    facts = Facts(evidence)
    named = facts.find(COMPARED, "measure")
    measure = str(named.value) if named is not None else None
    # What was asked about the course of training is answered before the runs are described.
    sentences = list(summarise_learning(facts))
    runs = facts.subjects("run")
    for name in runs:
        sentences += [_what(facts, name), _figure(facts, name, measure)]
    for name in runs:
        sentences += _differences(facts, name, named)
    for name in runs:
        sentences += [_training(facts, name), _spent(facts, name)]
    sentences += _simulated(facts, runs)
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))


def _ref(item: Evidence) -> str:
    return f"{{{item.id}}}"


def _one(facts: Facts, subject: str, what: str) -> str | None:
    item = facts.find(subject, what)
    return None if item is None else _ref(item)


def _what(facts: Facts, name: str) -> str:
    model, data = _one(facts, name, "model"), _one(facts, name, "data set")
    if model is None or data is None:
        return ""
    seeds, rows = _one(facts, name, "seeds"), _one(facts, name, "train examples")
    on = f"{rows} of {data}" if rows else data
    with_seeds = f" with {seeds}" if seeds else ""
    status = facts.find(name, "status of the run")
    if status is not None and status.value != "succeeded":
        reason = _one(facts, name, "why it failed")
        why = f": {reason}" if reason else ""
        return f"{_one(facts, name, 'run')} ({model} on {data}) has the status {_ref(status)}{why}."
    found = facts.find(name, "model")
    which = "" if found is not None and found.value == name else f" ({model})"
    return f"{_one(facts, name, 'run')}{which} was trained on {on}{with_seeds}."


def _figure(facts: Facts, name: str, measure: str | None) -> str:
    """Tell the model's figure beside the base model's on the same rows."""
    item = next(
        (
            found
            for wanted in ((measure,) if measure else _PREFERRED)
            for found in facts.starting(name, f"{wanted} of ")
            if found.statement.endswith(", model")
        ),
        None,
    )
    if item is None:
        return ""
    what = item.statement.rpartition(": ")[2]
    base = f"{what.removesuffix('model')}base"
    rows = _one(facts, name, f"{what}, rows")
    on = f"On {rows}, {_one(facts, name, 'run')}" if rows else f"{_one(facts, name, 'run')}"
    name_of = _one(facts, name, f"{what}, measure")
    reached = f"a {name_of} of {_ref(item)}" if name_of else _ref(item)
    told = f"{on} reached {reached}{_interval(facts, name, what)}"
    beside = _one(facts, name, base)
    if beside is not None:
        told += f"; the base model itself reached {beside}{_interval(facts, name, base)}"
    return f"{told}."


def _interval(facts: Facts, name: str, what: str) -> str:
    low, high = _one(facts, name, f"{what}, low end"), _one(facts, name, f"{what}, high end")
    return f" ({low} to {high})" if low and high else ""


def _differences(facts: Facts, name: str, measure: Evidence | None) -> list[str]:
    told = []
    for verdict in facts.starting(name, "difference in "):
        if not verdict.statement.endswith(", verdict"):
            continue
        what = verdict.statement.rpartition(": ")[2].removesuffix(", verdict")
        value, other = _one(facts, name, what), _one(facts, name, f"{what}, compared with")
        if value is None or other is None:
            continue
        kind = f" in {_ref(measure)}" if measure is not None else ""
        noise = _one(facts, name, f"{what}, noise of the seeds")
        floor = f", beside a noise of {noise}" if noise else ""
        told.append(
            f"The difference of {_one(facts, name, 'run')} to {other}{kind} is {value}{_interval(facts, name, what)}"
            f"{floor}: {_ref(verdict)}."
        )
        if note := _one(facts, name, f"{what}, note"):
            told.append(f"To this comparison belongs a note: {note}.")
    return told


def _training(facts: Facts, name: str) -> str:
    early = facts.find(name, "training stopped early")
    if early is None or not early.value:
        return ""
    return f"Training of {_one(facts, name, 'run')} stopped early for {_ref(early)}."


def _spent(facts: Facts, name: str) -> str:
    time, cost = _one(facts, name, "time"), _one(facts, name, "cost")
    return f"{_one(facts, name, 'run')} took {time} and cost {cost}." if time and cost else ""


def _simulated(facts: Facts, runs: Iterable[str]) -> list[str]:
    found = next((ref for name in runs if (ref := _one(facts, name, "origin of the data"))), None)
    return [f"The data are {found}: they say nothing about a human gene."] if found else []
