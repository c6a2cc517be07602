"""The course of training as evidence, and sentences about it: when it was best, what stopping early changed."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AwareDatetime

from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.reporting.evidence import Facts, is_name, shown_name, statement
from agentic_spliceai.splice_engine.meta_layer.experiments.learning import EarlyStopping, Ending, SeedCourse

_WATCHED = "what early stopping watched"
_ACTED = "seeds for which early stopping acted"
_BETTER = "seeds whose kept weights were better than the last"


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
    count = len(effect.seeds)
    of_seeds = f"of {count} seed{'s' if count != 1 else ''}"
    if effect.acted is not None:
        items.append(make(_ACTED, effect.acted, f"{effect.acted} {of_seeds}"))
    items.append(make(_BETTER, effect.kept_better, f"{effect.kept_better} {of_seeds}"))
    for course in effect.seeds:
        items += [make(f"seed {course.seed}, {what}", value, shown) for what, value, shown in _course(course)]
    return tuple({item.id: item for item in items}.values())


def _course(course: SeedCourse) -> Iterator[tuple[str, float | str, str]]:
    yield "name", course.seed, f"seed {course.seed}"
    yield "best epoch of the course", course.best_epoch + 1, f"epoch {course.best_epoch + 1}"
    yield "epochs of the course", course.epochs, f"{course.epochs} epochs"
    yield "best validation", round(course.best, 6), f"{course.best:.4f}"
    yield "last validation", round(course.last, 6), f"{course.last:.4f}"
    if course.ending is not Ending.UNKNOWN:
        yield "ending of training", course.ending.value, course.ending.value
    if course.epochs_saved:
        yield "epochs saved", course.epochs_saved, f"{course.epochs_saved} epochs"
    if course.train_at_best is not None and course.train_at_last is not None:
        yield "training loss at the best", round(course.train_at_best, 6), f"{course.train_at_best:.4f}"
        yield "training loss at the end", round(course.train_at_last, 6), f"{course.train_at_last:.4f}"
    if course.overfitting:
        yield "sign of overfitting", "overfitting", "overfitting"


def summarise_learning(facts: Facts) -> tuple[str, ...]:
    """Return sentences about the course of training, with references in the place of numbers and names.

    Those that say whether early stopping acted, and whether the kept weights were better, come first.
    """
    first: list[str] = []
    sentences: list[str] = []
    for name in facts.subjects(_WATCHED):
        watched, run = facts.find(name, _WATCHED), facts.find(name, "run")
        if watched is None or run is None:
            continue
        seeds = [item for item in facts.starting(name, "seed ") if item.statement.endswith(", name")]
        first += _acted(facts, name, f"{{{run.id}}}", [_seed(item) for item in seeds])
        for item in seeds:
            sentences += _sentences(facts, name, _seed(item), f"{{{run.id}}}", f"{{{watched.id}}}", f"{{{item.id}}}")
    return (*first, *sentences)


def _seed(item: Evidence) -> str:
    return item.statement.rpartition(": ")[2].removesuffix(", name")


def _acted(facts: Facts, name: str, run: str, seeds: list[str]) -> Iterator[str]:
    acted, better = facts.find(name, _ACTED), facts.find(name, _BETTER)
    endings = [facts.find(name, f"{seed}, ending of training") for seed in seeds]
    if acted is not None:
        did = "acted" if acted.value else "did not act"
        yield f"Early stopping {did} in {run}, counted by seeds: for {{{acted.id}}}."
    elif cut := next((item for item in endings if item is not None and item.value == Ending.CUT_OFF.value), None):
        yield f"Whether early stopping would have acted in {run} is not known: its training was {{{cut.id}}}."
    else:
        yield f"Whether early stopping acted in {run} is not recorded."
    if better is not None:
        best = "" if better.value else ", so that keeping the best epoch changed nothing"
        yield (
            f"In {run} the kept weights were better on validation than those of the last epoch for "
            f"{{{better.id}}}{best}."
        )


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
        overfitting = ref("sign of overfitting")
        sign = f", a sign of {overfitting}" if overfitting else ""
        yield f"{run}, {shown}: the training loss was {early} there and {late} at the end{sign}."
    ending = facts.find(name, f"{seed}, ending of training")
    if ending is None:
        return
    if ending.value == Ending.RAN_TO_LIMIT.value:
        yield f"{run}, {shown}: training {{{ending.id}}}; early stopping did not act."
    elif ending.value == Ending.CUT_OFF.value:
        yield f"{run}, {shown}: training was {{{ending.id}}}, as the run did not succeed."
    elif saved := ref("epochs saved"):
        yield f"{run}, {shown}: training {{{ending.id}}}, and {saved} up to the limit were not trained."
    else:
        yield f"{run}, {shown}: training {{{ending.id}}}."
