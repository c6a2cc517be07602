"""The metrics of an experiment while it runs: one JSON object a line, for all seeds together."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agentic_spliceai.splice_engine.errors import CheckpointError

METRICS_FILE = "metrics.jsonl"

TRAIN, VALIDATION = "train", "validation"


class Metric(NamedTuple):
    """One number.

    Attributes
    ----------
    step, epoch
        Optimizer steps so far; epoch from 0.
    seed
        Of the training run.
    split
        `train` or `validation`.
    name
        `loss`, `pr_auc`, `lr_head`, `step_loss` (of one step), `seconds` (of the epoch), ...
    value
        The number.
    """

    step: int
    epoch: int
    seed: int
    split: str
    name: str
    value: float


class MetricLike(Protocol):
    """What may stand for a `Metric`: those that a database gives back, too."""

    @property
    def epoch(self) -> int | None:
        """Epoch from 0."""
        ...

    @property
    def seed(self) -> int | None:
        """Of the training run."""
        ...

    @property
    def split(self) -> str:
        """`train` or `validation`."""
        ...

    @property
    def name(self) -> str:
        """What it is."""
        ...

    @property
    def value(self) -> float | None:
        """The number."""
        ...


class MetricsLog:
    """Appends to a metrics file, never a number twice.

    Training that was killed repeats its last epoch, with the same numbers: what the file has already is not written
    again, so a reader that follows the file sees each once.

    Parameters
    ----------
    path
        The file. A last line that a kill cut short is taken out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: set[tuple[int, int, int, str, str]] = set()
        if path.exists():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) != len(content):
                with path.open("r+b") as file:
                    file.truncate(len(whole))
            self._seen = {_key(metric) for metric in load_metrics(path)}

    def add(self, seed: int, line: Mapping[str, Any]) -> None:
        """Take a line of a training run's own metrics file."""
        new = [metric for metric in _metrics(seed, line) if _key(metric) not in self._seen]
        if not new:
            return
        at = datetime.now(UTC).isoformat()
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(metric._asdict() | {"at": at}) + "\n" for metric in new)
            file.flush()
            os.fsync(file.fileno())
        self._seen.update(map(_key, new))

    def catch_up(self, seed: int, path: Path) -> None:
        """Take the lines of a training run's own file that a kill kept from here."""
        # Loads Lightning, which those who only read the metrics of an experiment need not have.
        from agentic_spliceai.splice_engine.meta_layer.training.callbacks import read_metrics

        for line in read_metrics(path):
            self.add(seed, line)


def load_metrics(path: Path) -> tuple[Metric, ...]:
    """Read a metrics file; a last line that is cut short is left out.

    Raises
    ------
    CheckpointError
        If another line is damaged.
    """
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    try:
        return tuple(Metric(**{name: value[name] for name in Metric._fields}) for value in map(json.loads, lines))
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.", "Start the experiment again in another folder.") from None


def series(metrics: Iterable[MetricLike], *, seed: int, split: str, name: str) -> dict[int, float]:
    """Return one number by epoch."""
    return {
        m.epoch: m.value
        for m in metrics
        if (m.seed, m.split, m.name) == (seed, split, name) and m.epoch is not None and m.value is not None
    }


def _metrics(seed: int, line: Mapping[str, Any]) -> Iterator[Metric]:
    step, epoch = int(line["step"]), int(line["epoch"])
    if line["event"] == "step":
        yield Metric(step, epoch, seed, TRAIN, "step_loss", float(line["loss"]))
        return
    for name, value in line.items():
        if name == "lr":
            for group, rate in value.items():
                yield Metric(step, epoch, seed, TRAIN, f"lr_{group}", float(rate))
        elif name == "seconds":
            yield Metric(step, epoch, seed, TRAIN, "seconds", float(value))
        elif name.startswith("train_"):
            yield Metric(step, epoch, seed, TRAIN, name.removeprefix("train_"), float(value))
        elif name.startswith("val_") and math.isfinite(value):
            yield Metric(step, epoch, seed, VALIDATION, name.removeprefix("val_"), float(value))


def _key(metric: Metric) -> tuple[int, int, int, str, str]:
    return metric.step, metric.epoch, metric.seed, metric.split, metric.name
