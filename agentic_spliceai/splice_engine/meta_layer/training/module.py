"""One model and its task as a LightningModule: steps, exact means over an epoch, optimizer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.training.losses import WeightedMean
from agentic_spliceai.splice_engine.meta_layer.training.optimization import (
    Schedule,
    lower_is_better,
    make_optimizer,
    parameter_groups,
    rescale,
)
from agentic_spliceai.splice_engine.meta_layer.training.predict import join_scores
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Batch, Criterion, Scores, Task


class RunningMeans:
    """Parts of the loss over all batches so far, each weighted as it was within its batch."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, parts: Mapping[str, WeightedMean]) -> None:
        """Take in a batch."""
        for name, (mean, weight) in parts.items():
            # On the device, for a copy to the CPU would make each step wait. MPS has no float64.
            kind = torch.float32 if mean.device.type == "mps" else torch.float64
            mean, weight = mean.detach().to(kind), weight.detach().to(kind)
            total, weights = self._sums.get(name, (torch.zeros_like(mean), torch.zeros_like(weight)))
            self._sums[name] = (total + mean * weight, weights + weight)

    def means(self, reduce: Callable[[Tensor], Tensor] | None = None) -> dict[str, WeightedMean]:
        """Return the mean of each part; `reduce` sums a tensor over processes."""
        found = {}
        for name, (total, weights) in self._sums.items():
            if reduce is not None:
                total, weights = reduce(total), reduce(weights)
            found[name] = WeightedMean(total / torch.where(weights > 0, weights, 1.0), weights)
        return found


class MetaLightningModule(LightningModule):
    """Trains a model of the meta-layer.

    Parameters
    ----------
    model, task, config
        What is trained, on what, how.
    seed
        Seed of the run.
    examples
        Training examples a process sees in an epoch.
    batches
        Training batches a process sees in an epoch.

    Attributes
    ----------
    epoch_metrics : dict
        `train_loss`, `val_loss`, parts of either, and the task's measures as `val_<name>`, of the last validation.
    """

    def __init__(
        self, model: MetaModule, task: Task, config: TrainingConfig, *, seed: int, examples: int, batches: int
    ) -> None:
        super().__init__()
        self.model, self.task, self.config, self.seed = model, task, config, seed
        self.criterion: Criterion = task.criterion(config, model)
        self.examples, self.batches = min(examples, batches * config.batch_size), batches
        self.schedule = Schedule(config, -(-batches // config.accumulate), lower_is_better=lower_is_better(config))
        self.epoch_metrics: dict[str, float] = {}
        self._training, self._validation = RunningMeans(), RunningMeans()
        self._scores: list[Scores] = []

    def configure_optimizers(self) -> Any:
        """Return AdamW and the schedule, stepped once an optimizer step."""
        groups = parameter_groups(self.model, self.config, self.criterion.parameters())
        optimizer, scheduler = make_optimizer(groups, self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @property
    def optimizer(self) -> torch.optim.AdamW:
        """The optimizer itself, without Lightning's wrapper."""
        return cast(torch.optim.AdamW, self.trainer.optimizers[0])

    @property
    def scheduler(self) -> LambdaLR:
        """The scheduler; its `last_epoch` is the number of optimizer steps so far."""
        return cast(LambdaLR, self.lr_schedulers())

    def on_train_epoch_start(self) -> None:
        """Set every random stream from seed, epoch and process.

        What dropout draws in an epoch is then a function of these three, so an interrupted run draws the same again.
        """
        seed_everything(self.seed, self.current_epoch, self.global_rank)
        self._training = RunningMeans()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, in proportion to its examples where several are accumulated."""
        parts = self.criterion.parts(self.model(*self.task.inputs(batch, self.model)), batch)
        self._training.add(parts)
        return self.criterion.combine(parts) * self.share(batch_idx)

    def share(self, batch_idx: int) -> float:
        """Examples in a batch over the mean of its accumulation window.

        Lightning divides each loss by `accumulate`, which is right only for full windows of full batches.
        """
        every, size = self.config.accumulate, self.config.batch_size
        start = batch_idx // every * every * size
        window = min(every * size, self.examples - start)
        return every * min(size, self.examples - batch_idx * size) / window

    def on_validation_epoch_start(self) -> None:
        """Begin with nothing."""
        self._validation, self._scores = RunningMeans(), []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take in a batch."""
        output = self.model(*self.task.inputs(batch, self.model))
        self._validation.add(self.criterion.parts(output, batch))
        self._scores.append(self.task.scores(output, batch))

    def on_validation_epoch_end(self) -> None:
        """Compute the epoch's metrics, and let the schedule see them.

        Raises
        ------
        TrainingDataError
            If a loss is not finite.
        SettingError
            If the monitored measure does not exist.
        """
        metrics = self._losses("train", self._training) | self._losses("val", self._validation)
        for name in ("train_loss", "val_loss"):
            if not np.isfinite(metrics[name]):
                raise TrainingDataError(
                    f"{name} is {metrics[name]} in epoch {self.current_epoch}.",
                    "Check inputs and targets for NaN, or take a lower learning rate.",
                )
        metrics |= {f"val_{name}": value for name, value in self.task.measures(self._gathered()).items()}
        if self.config.monitor not in metrics:
            raise SettingError(
                f"Nothing is called {self.config.monitor!r} on the validation data.",
                f"Monitor one of: {', '.join(metrics)}. A measure is left out where the labels are of one class only.",
            )
        self.epoch_metrics, self._scores = metrics, []
        if self.schedule.observe(metrics[self.config.monitor]):
            rescale(self.optimizer, self.scheduler)
        # For the progress bar. The values are of all processes already; sync_dist says so.
        shown = {name: metrics[name] for name in ("train_loss", "val_loss")}
        self.log_dict(shown, prog_bar=True, sync_dist=self.trainer.world_size > 1)

    def _losses(self, stage: str, means: RunningMeans) -> dict[str, float]:
        parts = means.means(None if self.trainer.world_size == 1 else self._sum_over_processes)
        # With learned weights of parts the sum would change though no part does, so they count alike here.
        losses = {f"{stage}_loss": float(self.criterion.combine(parts, fixed=True))}
        if len(parts) > 1:
            losses |= {f"{stage}_{name}_loss": float(mean) for name, (mean, _) in parts.items()}
        return losses

    def _sum_over_processes(self, value: Tensor) -> Tensor:
        total: Tensor = self.trainer.strategy.reduce(value, reduce_op="sum")
        return total

    def _gathered(self) -> Scores:
        """Return the scores of every process, joined."""
        scores = self._scores
        if self.trainer.world_size > 1:
            everyone: list[list[Scores]] = [[] for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(everyone, scores)
            scores = [one for some in everyone for one in some]
        return join_scores(scores)


def seed_everything(*key: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global random streams, on every device, from a tuple of integers."""
    first, second = np.random.SeedSequence(list(key)).generate_state(2, np.uint32)
    random.seed(int(first))
    # Data sets of others may draw from the global stream.
    np.random.seed(int(first))  # noqa: NPY002
    torch.manual_seed(int(first) << 31 | int(second) >> 1)
