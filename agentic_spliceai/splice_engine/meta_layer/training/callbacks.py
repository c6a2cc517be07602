"""What happens around an epoch: layers are set free, the best is kept, metrics and the resume state are written."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch.optim import Optimizer

from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer.models.base import SequenceEncoder
from agentic_spliceai.splice_engine.meta_layer.training.module import MetaLightningModule
from agentic_spliceai.splice_engine.meta_layer.training.optimization import lower_is_better, unfreeze_plan

RESUME_FORMAT = 1
"""Version of the resume state."""


class UnfreezeSchedule(Callback):
    """Sets one more encoder block free at each of the epochs in `unfreeze_at`, from the last block on.

    The number of trainable blocks is a function of the epoch, so it needs no state.
    """

    def __init__(self) -> None:
        self._plans: list[tuple[SequenceEncoder, list[int]]] = []

    def prepare(self, module: MetaLightningModule) -> None:
        """Plan before the first epoch, while the model is as it was built; raises as `unfreeze_plan`."""
        config = module.config
        self._plans = [
            (encoder, unfreeze_plan(encoder, config.unfreeze_at, config.max_epochs))
            for encoder in module.model.encoder_modules()
        ]

    def on_train_epoch_start(self, trainer: Trainer, module: Any) -> None:
        """Set free what is due."""
        for encoder, plan in self._plans:
            encoder.unfreeze_last(plan[trainer.current_epoch])


class KeepBest(Callback):
    """Keeps the model of the best epoch, and stops when `patience` epochs in a row brought none better.

    Best and patience go by the same comparison, strictly better, so what is returned is what stopping was decided on.

    Parameters
    ----------
    save
        Writes the model; called at each new best with the epoch and its metrics.
    """

    def __init__(self, save: Callable[[int, dict[str, float]], None]) -> None:
        self._save = save
        self.best: float | None = None
        self.best_epoch, self.waited = -1, 0

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        """Stop at once where the interrupted run had already come to its end."""
        trainer.should_stop = trainer.should_stop or self.waited >= module.config.patience

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        """Compare the epoch with the best so far."""
        value = module.epoch_metrics[module.config.monitor]
        sign = 1.0 if lower_is_better(module.config) else -1.0
        if sign * value < (math.inf if self.best is None else sign * self.best):
            self.best, self.best_epoch, self.waited = value, trainer.current_epoch, 0
            if trainer.is_global_zero:
                self._save(trainer.current_epoch, dict(module.epoch_metrics))
        else:
            self.waited += 1
            trainer.should_stop = trainer.should_stop or self.waited >= module.config.patience

    def state_dict(self) -> dict[str, Any]:
        """Return best, its epoch, and the epochs since."""
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]


class MetricsWriter(Callback):
    """Appends one line an epoch, and one every `step_every` optimizer steps, to a JSON Lines file.

    Each line is on disk before training goes on, so a kill loses none. Lines of an epoch that has to be repeated are
    taken out by `rewind`, so that no epoch appears twice.

    Parameters
    ----------
    path
        The file. Lines have `event` (`epoch` or `step`), `epoch` from 0, `step` (optimizer steps so far); epochs have
        the metrics, `lr` by parameter group as used in the last step, and `seconds`; steps have `loss`.
    step_every
        0 for lines of epochs only.
    listen
        Hears of each line, after it is on disk.
    """

    def __init__(
        self, path: Path, step_every: int = 50, listen: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self.path, self.step_every, self.listen = path, step_every, listen
        self._started, self._rates, self._step = 0.0, dict[str, float](), 0

    def rewind(self, epochs: int) -> None:
        """Leave only whole lines of the first `epochs` epochs."""
        kept = [line for line in read_metrics(self.path) if line["epoch"] < epochs]
        part = self.path.with_suffix(".part")
        part.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        part.replace(self.path)

    def on_train_epoch_start(self, trainer: Trainer, module: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_before_optimizer_step(self, trainer: Trainer, module: Any, optimizer: Optimizer) -> None:
        """Note the rates that this step is made with."""
        self._rates = {group["name"]: float(group["lr"]) for group in optimizer.param_groups}

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Write a line where one is due."""
        step = module.scheduler.last_epoch
        due = self.step_every and step != self._step and step % self.step_every == 0
        if due and trainer.is_global_zero:
            loss = outputs["loss"].item() * module.config.accumulate / module.share(batch_idx)
            self._write({"event": "step", "epoch": trainer.current_epoch, "step": step, "loss": loss})
        self._step = step

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        """Write the epoch's line."""
        if trainer.is_global_zero:
            line = {"event": "epoch", "epoch": trainer.current_epoch, "step": module.scheduler.last_epoch}
            seconds = round(time.perf_counter() - self._started, 3)
            self._write(line | module.epoch_metrics | {"lr": self._rates, "seconds": seconds})

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if self.listen is not None:
            self.listen(line)


def read_metrics(path: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Return the lines of a metrics file; a last line that a kill cut short is left out.

    Raises
    ------
    CheckpointError
        If another line is damaged.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    try:
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is damaged: {error}.", "Start the run again with resume=False.") from error
    return [line for line in found if event is None or line["event"] == event]


class ResumeState(Callback):
    """Writes after each epoch everything that a run needs to go on as if it had not been interrupted.

    Weights, optimizer, schedule, loss scaler, and what `KeepBest` knows. Random streams and the order of examples are
    set from seed and epoch at the beginning of each epoch, so there is nothing of them to keep. The file is replaced
    in one step: a kill leaves the old or the new state, never half of one.

    Must be the last callback, so that the state has what the others did in the epoch.
    """

    def __init__(self, path: Path, keep_best: KeepBest) -> None:
        self.path, self.keep_best = path, keep_best
        self._state: dict[str, Any] | None = None

    def read(self) -> int:
        """Read the state, if there is one; returns the number of finished epochs.

        Raises
        ------
        CheckpointError
            If the file is damaged or of another version.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] != RESUME_FORMAT:
                raise CheckpointError(
                    f"{self.path} is of format {state['format']}, not {RESUME_FORMAT}.",
                    "Start the run again with resume=False.",
                )
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, UnpicklingError) as error:
            raise CheckpointError(
                f"{self.path} is damaged: {error}.", "Start the run again with resume=False."
            ) from error
        self._state = state
        self.keep_best.load_state_dict(state["keep_best"])
        epochs: int = state["epochs"]
        return epochs

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        """Put the state back, when model and optimizer are on their device."""
        if self._state is None:
            return
        module.load_state_dict(self._state["module"])
        module.optimizer.load_state_dict(self._state["optimizer"])
        module.scheduler.load_state_dict(self._state["schedule"])
        trainer.precision_plugin.load_state_dict(self._state["precision"])
        self._state = None

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        """Write the state."""
        if not trainer.is_global_zero:
            return
        part = self.path.with_suffix(".part")
        torch.save(
            {
                "format": RESUME_FORMAT,
                "epochs": trainer.current_epoch + 1,
                "module": module.state_dict(),
                "optimizer": module.optimizer.state_dict(),
                "schedule": module.scheduler.state_dict(),
                "precision": trainer.precision_plugin.state_dict(),
                "keep_best": self.keep_best.state_dict(),
            },
            part,
        )
        part.replace(self.path)
