"""Small experiments, plans and results for the tests of the records."""

from __future__ import annotations

from datetime import UTC, datetime

from agentic_spliceai.records.experiments import NewExperimentRun
from agentic_spliceai.records.plan import Arm, ExperimentPlan
from agentic_spliceai.splice_engine.meta_layer.experiments.result import (
    DatasetUse,
    ExperimentResult,
    Figure,
    LeftFile,
    SeedOutcome,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def new_spec(**changes: object) -> ExperimentSpec:
    values: dict[str, object] = {
        "name": "toy",
        "description": "A toy.",
        "task": ExperimentTask.TRIAGE,
        "dataset": "minigene",
        "model": "variant_aware",
        "training": {"learning_rate": 0.001, "weights": {"altering": 2.0}, "betas": [0.9, 0.999]},
        "seeds": (1, 2),
    }
    return ExperimentSpec.model_validate(values | changes)


def new_experiment_run(run_id: str = "abc123", **changes: object) -> NewExperimentRun:
    values: dict[str, object] = {
        "id": run_id,
        "experiment": "triage-minigene",
        "label": "gated",
        "spec": new_spec(),
        "hypothesis": "A gate helps.",
        "environment": {"python": "3.11"},
        "git_commit": "0" * 40,
        "git_dirty_sha256": "d" * 64,
        "started_at": NOON,
    }
    return NewExperimentRun.model_validate(values | changes)


def new_result(spec: ExperimentSpec | None = None, value: float = 0.8, **changes: object) -> ExperimentResult:
    values: dict[str, object] = {
        "name": "toy",
        "spec_digest": (spec or new_spec()).digest,
        "evaluator_digest": "e" * 64,
        "code_digest": "c" * 64,
        "base_model": "small",
        "datasets": (
            DatasetUse(name="minigene", role="train", digest="1" * 64, n=100, positives=40, synthetic=True),
            DatasetUse(name="minigene", role="test", digest="2" * 64, n=50, positives=20, source_sha256="3" * 64),
        ),
        "figures": (
            Figure(measure="pr_auc", of="altering", subject="base", value=0.5, low=0.4, high=0.6, n=50, positives=20),
            Figure(measure="pr_auc", of="altering", subject="model", value=value, low=0.7, high=0.9, sd=0.01, n=50),
            Figure(measure="pearson", of="psi", subject="model", value=None, n=1, reason="one row has no correlation"),
        ),
        "seeds": (
            SeedOutcome(seed=1, epochs=5, best_epoch=3, best=0.8, stopped_early=True, seconds=2.5),
            SeedOutcome(seed=2, epochs=6, best_epoch=5, best=0.7, stopped_early=False, seconds=3.0),
        ),
        "parameters": 1000,
        "trainable": 900,
        "device": "cpu",
        "seconds": 6.0,
        "files": (LeftFile(path="scores.npz", kind="scores", sha256="9" * 64, bytes=10),),
        "caveats": ("simulated",),
    }
    return ExperimentResult.model_validate(values | changes)


def new_plan(request: str = "compare gated CNN and HyenaDNA", **changes: object) -> ExperimentPlan:
    values: dict[str, object] = {
        "request": request,
        "planner": "offline",
        "hypothesis": "A gate helps.",
        "arms": (Arm(label="gated", spec=new_spec()), Arm(label="hyena", spec=new_spec(model="hyena"))),
        "baseline": "gated",
    }
    return ExperimentPlan.model_validate(values | changes)
