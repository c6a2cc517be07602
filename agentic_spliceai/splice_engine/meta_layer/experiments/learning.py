"""What the course of training says: when it was best, what stopping early changed, and how long it would have gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import TRAIN, VALIDATION, MetricLike, series
from agentic_spliceai.splice_engine.meta_layer.experiments.result import SeedOutcome


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Ending(StrEnum):
    """Why a seed's training ended where it did."""

    STOPPED_EARLY = "stopped early"
    RAN_TO_LIMIT = "ran to its limit"
    """Early stopping did not act."""
    CUT_OFF = "cut off"
    """The run did not succeed: what would have followed is not known."""
    UNKNOWN = "not known"


class SeedCourse(_Frozen):
    """How one seed's training went. Epochs count from 0."""

    seed: int
    ending: Ending = Field(default=Ending.UNKNOWN, description="Why it ended there.")
    epochs: int = Field(ge=1, description="Epochs that were trained.")
    best_epoch: int = Field(ge=0, description="With the best value of what is watched; the model that was kept.")
    best: float = Field(description="Value there.")
    last: float = Field(description="Value in the last epoch: that of the model without stopping early.")
    worsening: float = Field(description="How much worse the last is than the best; 0 where the last is the best.")
    epochs_after_best: int = Field(ge=0, description="Epochs that brought nothing better.")
    epochs_saved: int | None = Field(
        default=None,
        ge=0,
        description="Epochs up to the limit that were not trained; null unless it stopped early under a known limit.",
    )
    seconds_saved: float | None = Field(default=None, ge=0, description="Those, at the mean time of an epoch.")
    train_at_best: float | None = Field(default=None, description="The training loss at the best epoch.")
    train_at_last: float | None = Field(default=None, description="The training loss in the last epoch.")
    overfitting: bool = Field(
        description="Whether the training loss went on falling while what is watched got worse after its best."
    )


class EarlyStopping(_Frozen):
    """What keeping the best epoch and stopping early changed."""

    watched: str = Field(description="Validation measure: loss, pr_auc, ...")
    lower_is_better: bool
    max_epochs: int | None
    seeds: tuple[SeedCourse, ...] = Field(min_length=1)

    @property
    def acted(self) -> int | None:
        """For how many seeds training stopped early; None where that is not known of some."""
        known = (Ending.STOPPED_EARLY, Ending.RAN_TO_LIMIT)
        if any(course.ending not in known for course in self.seeds):
            return None
        return sum(course.ending is Ending.STOPPED_EARLY for course in self.seeds)

    @property
    def kept_better(self) -> int:
        """For how many seeds the kept weights were better on validation than those of the last epoch."""
        return sum(course.worsening > 0 for course in self.seeds)


def early_stopping_effect(
    metrics: Iterable[MetricLike],
    *,
    watched: str = "loss",
    max_epochs: int | None = None,
    outcomes: Iterable[SeedOutcome] | None = None,
) -> EarlyStopping:
    """Compare the best epoch with the last one, seed by seed, on validation.

    Parameters
    ----------
    metrics
        Of one experiment.
    watched
        Validation measure that decided: `loss` (lower is better), or another such as `pr_auc` (higher is better).
    max_epochs
        Limit that training had.
    outcomes
        How the training of each seed ended, of a run that has ended: one that is missing was cut off. By default that
        is not known.

    Raises
    ------
    TrainingDataError
        If there is no such measure.
    """
    metrics = tuple(metrics)
    lower = watched.endswith("loss")
    stopped = None if outcomes is None else {outcome.seed: outcome.stopped_early for outcome in outcomes}
    found = []
    for seed in sorted({metric.seed for metric in metrics if metric.seed is not None}):
        values = series(metrics, seed=seed, split=VALIDATION, name=watched)
        if values:
            found.append(_course(metrics, seed, values, lower, max_epochs, _ending(seed, stopped)))
    if not found:
        known = sorted({metric.name for metric in metrics if metric.split == VALIDATION})
        raise TrainingDataError(
            f"no seed has a validation {watched}.", f"Measures there are: {', '.join(known) or 'none'}."
        )
    return EarlyStopping(watched=watched, lower_is_better=lower, max_epochs=max_epochs, seeds=tuple(found))


def _ending(seed: int, stopped: Mapping[int, bool] | None) -> Ending:
    if stopped is None:
        return Ending.UNKNOWN
    if seed not in stopped:
        return Ending.CUT_OFF
    return Ending.STOPPED_EARLY if stopped[seed] else Ending.RAN_TO_LIMIT


def _course(
    metrics: tuple[MetricLike, ...],
    seed: int,
    values: dict[int, float],
    lower: bool,
    max_epochs: int | None,
    ending: Ending,
) -> SeedCourse:
    sign = 1.0 if lower else -1.0
    # The first of equals, as training keeps it: a later one must be strictly better.
    best_epoch = min(values, key=lambda epoch: (sign * values[epoch], epoch))
    last_epoch = max(values)
    training = series(metrics, seed=seed, split=TRAIN, name="loss")
    seconds = series(metrics, seed=seed, split=TRAIN, name="seconds")
    early = ending is Ending.STOPPED_EARLY
    saved = None if not early or max_epochs is None else max(0, max_epochs - last_epoch - 1)
    at_best, at_last = training.get(best_epoch), training.get(last_epoch)
    worsening = max(0.0, sign * (values[last_epoch] - values[best_epoch]))
    return SeedCourse(
        seed=seed,
        ending=ending,
        epochs=last_epoch + 1,
        best_epoch=best_epoch,
        best=values[best_epoch],
        last=values[last_epoch],
        worsening=worsening,
        epochs_after_best=last_epoch - best_epoch,
        epochs_saved=saved,
        seconds_saved=None if saved is None or not seconds else saved * sum(seconds.values()) / len(seconds),
        train_at_best=at_best,
        train_at_last=at_last,
        overfitting=worsening > 0 and at_best is not None and at_last is not None and at_last < at_best,
    )
