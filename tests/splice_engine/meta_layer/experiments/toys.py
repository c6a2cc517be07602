"""Specifications that train in seconds, and results made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import PartScores
from agentic_spliceai.splice_engine.meta_layer.experiments.result import DatasetUse, ExperimentResult
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask
from agentic_spliceai.splice_engine.resources import ResourceResolver

TINY = {"width": 8, "blocks": 1, "feature_width": 16, "dropout": 0.0}


def tiny_spec(**changes: Any) -> ExperimentSpec:
    """The variant-aware model, a few seconds on one core."""
    values: dict[str, Any] = {
        "name": "tiny",
        "task": ExperimentTask.TRIAGE,
        "dataset": "minigene",
        "model": "variant_aware",
        "options": TINY,
        "training": {"batch_size": 32, "max_epochs": 2, "learning_rate": 0.01},
        "seeds": (1, 2),
        "max_variants": 300,
        "draws": 100,
    }
    return ExperimentSpec.model_validate(values | changes)


def resolver(folder: Path, mirror: Path | None = None) -> ResourceResolver:
    """Finds what ships with the package; no downloads."""
    return ResourceResolver(folder, mirror=mirror, allow_download=False)


def hand_made_result(name: str = "made", *, data: str = "a", evaluator: str = "e") -> ExperimentResult:
    """A result without figures: what a comparison checks."""
    return ExperimentResult(
        name=name, spec_digest="s" * 64, evaluator_digest=evaluator * 64, code_digest="c" * 64, base_model="small 1",
        datasets=(DatasetUse(name="toy", role="test", digest=data * 64, n=40),), figures=(), seeds=(), parameters=1,
        trainable=1, device="cpu", seconds=1.0, files=(),
    )  # fmt: skip


def hand_made_scores(*models: list[float] | np.ndarray, base: list[float] | np.ndarray | None = None) -> PartScores:
    """20 groups of two rows, the first of each true; one model a seed, by default a base model that knows nothing."""
    truth = np.tile([1.0, 0.0], 20)
    return PartScores(
        truth=truth,
        group=np.repeat([f"g{number:02d}" for number in range(20)], 2),
        id=np.array([f"v{number:02d}" for number in range(40)]),
        base=np.full(40, 0.5) if base is None else np.asarray(base),
        model={seed: np.asarray(scores) for seed, scores in enumerate(models, start=1)},
    )


def right(share: float) -> np.ndarray:
    """Scores that put the true row of this share of the groups above every false one, and the others' below."""
    scores = np.tile([0.9, 0.5], 20)
    wrong = 2 * np.arange(round(20 * share), 20)
    scores[wrong] = 0.1
    return scores
