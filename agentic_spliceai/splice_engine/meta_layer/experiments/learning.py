"""What the course of training says: when it was best, what stopping early changed, and how long it would have gone."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import TRAIN, VALIDATION, MetricLike, series


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SeedCourse(_Frozen):
    """How one seed's training went. Epochs count from 0."""

    seed: int
    epochs: int = Field(ge=1, description="Epochs that were trained.")
    best_epoch: int = Field(ge=0, description="With the best value of what is watched; the model that was kept.")
    best: float = Field(description="Value there.")
    last: float = Field(description="Value in the last epoch: that of the model without stopping early.")
    worsening: float = Field(description="How much worse the last is than the best; 0 where the last is the best.")
    epochs_after_best: int = Field(ge=0, description="Epochs that brought nothing better.")
    epochs_saved: int | None = Field(
        default=None, ge=0, description="Epochs up to the limit that were not trained; null where no limit is known."
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
    def helped(self) -> bool:
        """Whether the kept model was better on validation than the last one, for any seed."""
        return any(course.worsening > 0 for course in self.seeds)


def early_stopping_effect(
    metrics: Iterable[MetricLike], *, watched: str = "loss", max_epochs: int | None = None
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

    Raises
    ------
    TrainingDataError
        If there is no such measure.
    """
    metrics = tuple(metrics)
    lower = watched.endswith("loss")
    found = []
    for seed in sorted({metric.seed for metric in metrics if metric.seed is not None}):
        values = series(metrics, seed=seed, split=VALIDATION, name=watched)
        if values:
            found.append(_course(metrics, seed, values, lower, max_epochs))
    if not found:
        known = sorted({metric.name for metric in metrics if metric.split == VALIDATION})
        raise TrainingDataError(
            f"no seed has a validation {watched}.", f"Measures there are: {', '.join(known) or 'none'}."
        )
    return EarlyStopping(watched=watched, lower_is_better=lower, max_epochs=max_epochs, seeds=tuple(found))


def _course(
    metrics: tuple[MetricLike, ...], seed: int, values: dict[int, float], lower: bool, max_epochs: int | None
) -> SeedCourse:
    sign = 1.0 if lower else -1.0
    # The first of equals, as training keeps it: a later one must be strictly better.
    best_epoch = min(values, key=lambda epoch: (sign * values[epoch], epoch))
    last_epoch = max(values)
    training = series(metrics, seed=seed, split=TRAIN, name="loss")
    seconds = series(metrics, seed=seed, split=TRAIN, name="seconds")
    saved = None if max_epochs is None else max(0, max_epochs - last_epoch - 1)
    at_best, at_last = training.get(best_epoch), training.get(last_epoch)
    worsening = max(0.0, sign * (values[last_epoch] - values[best_epoch]))
    return SeedCourse(
        seed=seed,
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
