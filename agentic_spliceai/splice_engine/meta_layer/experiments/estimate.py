"""How long an experiment takes, before it runs: from past runs where there are some, else from measured costs.

The cost model, processor time on one core of an x86 server (2.5 GHz), from two epochs of each model on the simulated
data set: seconds = start + base scoring + training + evaluation, where

- base scoring = sequences x members x (context + bases) x parameters x `_BASE_COST`;
- training = seeds x epochs x training variants x `TRAINING_COST[model]`, scaled by parameters to the model that was
  measured;
- evaluation = scores x test variants x draws x `_EVALUATION_COST`.

A GPU is taken to train and score `_GPU` times as fast: an assumption. Low: training stops early after little more than
its patience, and base scores are on disk. High: every epoch is trained, on a machine that others use too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.base_layer.registry import base_models
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import find_dataset
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask
from agentic_spliceai.splice_engine.meta_layer.extras import require

TRAINING_COST: Mapping[str, tuple[float, int]] = {
    "variant_aware": (2.4, 41_000),
    "splice_inducing": (9.1, 211_000),
    "validated_delta": (9.0, 214_000),
    "effect_type": (9.0, 212_000),
    "simple_cnn_delta": (17.1, 206_000),
    "delta": (17.1, 206_000),
    "delta_v2": (17.1, 206_000),
    "hyenadna_binary": (24.0, 495_000),
    "hyenadna_delta": (24.0, 495_000),
    "siamese_hyenadna": (48.0, 495_000),
}
"""Milliseconds a training variant and epoch, validation included, and the parameters of the model measured."""

_OTHER_COST = (20.0, 200_000)
_FIXED = 0.5
"""Milliseconds a variant and epoch that no smaller model gets below: making batches."""

_BASE_COST = 1.35e-11
"""Seconds a sequence, member, base and parameter."""

_PARAMETERS = ((80, 93_000), (400, 185_000), (2_000, 358_000), (10**9, 696_000))
"""Of a base model's member, by the context up to which it counts."""

_MEMBERS = {"small": 2}
"""Members, where they are not one a file."""

_EVALUATION_COST = {ExperimentTask.TRIAGE: 3.3e-8, ExperimentTask.DELTA: 1.4e-7}
"""Seconds a score, test variant and draw of the bootstrap."""

_START = 8.0
_BASES = 180
_TEST, _TRAIN = 0.28, 0.6
_GPU = 10.0
_BUSY = 3.0
"""How much longer than its processor time a run takes on a machine that is shared, at most."""


class SecondsEstimate(BaseModel):
    """How long an experiment takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float = Field(ge=0, description="Seconds, if all goes well.")
    expected: float = Field(ge=0, description="Seconds.")
    high: float = Field(ge=0, description="Seconds, at most, as far as one can tell.")
    basis: str = Field(description="What the estimate rests on.")


class PastRun(BaseModel):
    """An experiment that has run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ExperimentSpec
    device: str = Field(description="cpu, cuda or mps.")
    seconds: float = Field(gt=0)


def estimate_seconds(spec: ExperimentSpec, device: str = "auto", history: Iterable[PastRun] = ()) -> SecondsEstimate:
    """Estimate how long an experiment takes.

    Parameters
    ----------
    spec
        What will run.
    device
        `auto` counts as `cpu`, the slower guess.
    history
        Past runs; those of the same model, options, data set, base model and device are scaled to this one.

    Raises
    ------
    UnknownDatasetError, UnsupportedExperimentError, SettingError, RegistryError
        If the specification cannot run.
    """
    where = "cpu" if device == "auto" else device.partition(":")[0]
    parts = _cost(spec, where)
    past = [run for run in history if _alike(run, spec, where)]
    if past:
        # What a past run took over what the cost model says of it: the machine, and all that the model leaves out.
        ratios = sorted(run.seconds / _cost(run.spec, where).expected for run in past)
        middle = ratios[len(ratios) // 2]
        spread = 1.25 if len(past) > 2 else 1.5
        return SecondsEstimate(
            low=min(parts.low * ratios[0], parts.expected * middle / spread),
            expected=parts.expected * middle,
            high=max(parts.full * ratios[-1], parts.expected * middle) * spread,
            basis=f"{len(past)} past run{'s' * (len(past) > 1)} of {spec.model} on {spec.dataset} ({where}), scaled to "
            "these variants, seeds and epochs",
        )
    return SecondsEstimate(low=parts.low, expected=parts.expected * 1.2, high=parts.full * _BUSY, basis=parts.basis)


class _Cost(BaseModel):
    low: float
    expected: float
    full: float
    basis: str


def _cost(spec: ExperimentSpec, where: str) -> _Cost:
    require("lightning", purpose="planning an experiment that trains")
    from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import training_config

    parameters = _parameters(spec)
    training = training_config(spec, "auto")
    dataset = find_dataset(spec.dataset)
    variants = min(dataset.n, spec.max_variants or dataset.n)
    faster = 1.0 if where == "cpu" else _GPU
    known = spec.model in TRAINING_COST
    cost, measured = TRAINING_COST.get(spec.model, _OTHER_COST)
    each = max(_FIXED, cost * parameters / measured / faster) / 1000
    epoch = each * _TRAIN * variants * len(spec.seeds)
    base = _base_seconds(spec.base_model, variants) / faster
    # Each seed and the base model, then pairs: the mean of the seeds, and for triage up to three other scores.
    vectors = len(spec.seeds) + 1 + (8 if spec.task == ExperimentTask.TRIAGE else 2)
    evaluation = vectors * _TEST * variants * spec.draws * _EVALUATION_COST[spec.task]
    most = training.max_epochs
    least = min(most, training.patience + 1)
    typical = min(most, max(least, round(0.7 * most)))
    fixed = _START + evaluation
    machine = "one core" if where == "cpu" else f"{where}, assumed {_GPU:.0f} times as fast as one core"
    return _Cost(
        low=0.6 * (fixed + epoch * least),
        expected=fixed + base + epoch * typical,
        full=fixed + base + epoch * most,
        basis=(
            f"{variants:,} variants of {spec.dataset}, {len(spec.seeds)} seed{'s' * (len(spec.seeds) > 1)}, "
            f"{typical} of at most {most} epochs at {1000 * each:.1f} ms a variant ({machine}; "
            f"{'measured' if known else 'guessed'} for {spec.model}), {base:.0f} s of base scoring"
        ),
    )


def _base_seconds(name: str, variants: int) -> float:
    entries = base_models()
    entry = entries.get(name)
    # A model of the user's own registry is scored like the largest that ships.
    context, files = (10_000, 5) if entry is None else (entry.context, len(entry.files))
    parameters = next(count for limit, count in _PARAMETERS if context <= limit)
    return 1.1 * variants * _MEMBERS.get(name, files) * (context + _BASES) * parameters * _BASE_COST


def _parameters(spec: ExperimentSpec) -> int:
    """Build the model without its weights, and count; raises as `check_spec`."""
    from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import check_spec

    _, model = check_spec(spec.model_copy(update={"options": _without_weights(spec.options)}))
    return max(model.parameter_count, 1)


def _without_weights(value: Any) -> Any:
    """Return options that load nothing: an estimate downloads no weights."""
    if not isinstance(value, Mapping):
        return value
    plain = {key: _without_weights(one) for key, one in value.items()}
    return plain | {"pretrained": False} if "model_name" in plain or "pretrained" in plain else plain


def _alike(run: PastRun, spec: ExperimentSpec, where: str) -> bool:
    same = ("task", "dataset", "base_model", "model", "options")
    return run.device.partition(":")[0] == where and all(getattr(run.spec, n) == getattr(spec, n) for n in same)
