"""The course of training as evidence, and sentences about it: when it was best, what stopping early changed."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AwareDatetime

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.reporting.evidence import Facts, is_name, shown_name, statement
from agentic_spliceai.splice_engine.meta_layer.experiments.learning import EarlyStopping, SeedCourse

_WATCHED = "what early stopping watched"


def learning_evidence(
    name: str, effect: EarlyStopping, *, source: str, created_at: AwareDatetime
) -> tuple[Evidence, ...]:
    """Return the course of each seed's training as evidence.

    Parameters
    ----------
    name
        How statements call the run.
    effect
        Best epoch beside the last one, by seed.
    source, created_at
        `experiment_run:ID`, and when it ended.
    """

    def make(what: str, value: float | str, display: str, terms: tuple[str, ...] = ()) -> Evidence:
        allowed = tuple(term for term in terms if is_name(term))
        return make_evidence(
            EvidenceKind.METRIC,
            statement(name, what),
            value,
            display,
            source=source,
            created_at=created_at,
            terms=allowed,
        )

    items = [
        make("run", name, shown_name(name), (name,)),
        make(_WATCHED, effect.watched, f"validation {effect.watched}", (effect.watched,)),
    ]
    for course in effect.seeds:
        items += [make(f"seed {course.seed}, {what}", value, shown) for what, value, shown in _course(course)]
    return tuple({item.id: item for item in items}.values())


def _course(course: SeedCourse) -> Iterator[tuple[str, float | str, str]]:
    yield "name", course.seed, f"seed {course.seed}"
    yield "best epoch of the course", course.best_epoch + 1, f"epoch {course.best_epoch + 1}"
    yield "epochs of the course", course.epochs, f"{course.epochs} epochs"
    yield "best validation", round(course.best, 6), f"{course.best:.4f}"
    yield "last validation", round(course.last, 6), f"{course.last:.4f}"
    if course.epochs_saved:
        yield "epochs saved", course.epochs_saved, f"{course.epochs_saved} epochs"
    if course.train_at_best is not None and course.train_at_last is not None:
        yield "training loss at the best", round(course.train_at_best, 6), f"{course.train_at_best:.4f}"
        yield "training loss at the end", round(course.train_at_last, 6), f"{course.train_at_last:.4f}"
    state = "overfitting" if course.overfitting else "no overfitting"
    yield "sign of overfitting", state, state


def summarise_learning(facts: Facts) -> tuple[str, ...]:
    """Return sentences about the course of training, with references in the place of numbers and names."""
    sentences: list[str] = []
    for name in facts.subjects(_WATCHED):
        watched, run = facts.find(name, _WATCHED), facts.find(name, "run")
        if watched is None or run is None:
            continue
        for item in facts.starting(name, "seed "):
            if item.statement.endswith(", name"):
                seed = item.statement.rpartition(": ")[2].removesuffix(", name")
                sentences += _sentences(facts, name, seed, f"{{{run.id}}}", f"{{{watched.id}}}", f"{{{item.id}}}")
    return tuple(sentences)


def _sentences(facts: Facts, name: str, seed: str, run: str, watched: str, shown: str) -> Iterator[str]:
    def ref(what: str) -> str | None:
        item = facts.find(name, f"{seed}, {what}")
        return None if item is None else f"{{{item.id}}}"

    best, epochs = ref("best epoch of the course"), ref("epochs of the course")
    at_best, at_last = ref("best validation"), ref("last validation")
    yield (
        f"{run}, {shown}: the {watched} was best at {best} of {epochs}, {at_best}, beside {at_last} after the last: "
        "the kept weights are those of the best."
    )
    early, late = ref("training loss at the best"), ref("training loss at the end")
    if early and late:
        yield (
            f"{run}, {shown}: the training loss was {early} there and {late} at the end, a sign of "
            f"{ref('sign of overfitting')}."
        )
    if saved := ref("epochs saved"):
        yield f"{run}, {shown}: {saved} up to the limit were not trained."
