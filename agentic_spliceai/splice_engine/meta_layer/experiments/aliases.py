"""Models for experiments by the names that people use, with options that suit a start."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.meta_layer.experiments.errors import UnsupportedExperimentError
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentTask

TRIAGE, DELTA = ExperimentTask.TRIAGE, ExperimentTask.DELTA


class ModelChoice(BaseModel):
    """A model that an experiment can train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="Short name.")
    task: ExperimentTask
    model: str = Field(description="Name in `models.registry`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of its constructor.")
    training: dict[str, Any] = Field(default_factory=dict, description="Fields of TrainingConfig that suit it.")
    description: str = Field(description="One line.")
    words: tuple[str, ...] = Field(default=(), description="Other names, lower case.")


_SMALL_CNN = {"hidden_dim": 48, "n_layers": 4, "kernel_size": 11}
_HYENA = {"model_name": "hyenadna-tiny-1k-seqlen", "pretrained": False, "unfreeze_last": -1}
_AWARE = {"width": 24, "blocks": 3, "kernel_size": 5, "feature_width": 64, "dropout": 0.3}
_AWARE_TRAINING = {"batch_size": 128, "max_epochs": 15, "weight_decay": 0.05, "patience": 5}
_CNN_TRAINING = {"batch_size": 64, "max_epochs": 20, "patience": 5}

_CHOICES = (
    ModelChoice(
        name="variant_aware", task=TRIAGE, model="variant_aware", options=_AWARE, training=_AWARE_TRAINING,
        description="Both alleles, aligned, with the base model's outputs and scalar features",
        words=("variant aware", "variant-aware", "meta model", "meta-layer", "meta layer", "fusion model"),
    ),
    ModelChoice(
        name="variant_aware_sequence", task=TRIAGE, model="variant_aware", options={**_AWARE, "use_base": False},
        training=_AWARE_TRAINING,
        description="The variant-aware model without the base model's output by position",
        words=("variant aware without base", "without base scores"),
    ),
    ModelChoice(
        name="variant_aware_base", task=TRIAGE, model="variant_aware", options={**_AWARE, "use_sequence": False},
        training=_AWARE_TRAINING,
        description="The variant-aware model without the sequence itself",
        words=("variant aware without sequence", "base scores only"),
    ),
    ModelChoice(
        name="gated_cnn", task=TRIAGE, model="splice_inducing", options=_SMALL_CNN, training=_CNN_TRAINING,
        description="Gated CNN on the alternate sequence around the variant; sees no base model",
        words=("gated cnn", "cnn", "splice inducing", "splice-inducing", "binary cnn", "sequence cnn"),
    ),
    ModelChoice(
        name="gated_cnn_attention", task=TRIAGE, model="splice_inducing",
        options={**_SMALL_CNN, "variant": "attention"}, training=_CNN_TRAINING,
        description="Gated CNN in which the changed base looks at the positions around it",
        words=("gated cnn with attention", "attention cnn", "cross attention"),
    ),
    ModelChoice(
        name="hyenadna", task=TRIAGE, model="hyenadna_binary",
        options={"hidden_dim": 128, "encoder_options": _HYENA}, training={"batch_size": 32, "max_epochs": 10},
        description="HyenaDNA (tiny) from random weights with a head: sequence language model architecture",
        words=("hyena", "hyena dna", "language model", "dna language model"),
    ),
    ModelChoice(
        name="paired_cnn", task=TRIAGE, model="simple_cnn_delta", options=_SMALL_CNN, training=_CNN_TRAINING,
        description="Siamese gated CNN trained on the base model's deltas; ranks by the largest predicted delta",
        words=("siamese", "siamese cnn", "paired cnn", "paired"),
    ),
    ModelChoice(
        name="effect_type", task=TRIAGE, model="effect_type", options=_SMALL_CNN, training=_CNN_TRAINING,
        description="Classifier of the kind of effect; ranks by the probability of any effect",
        words=("effect type", "effect classifier"),
    ),
    ModelChoice(
        name="variant_aware", task=DELTA, model="variant_aware", options=_AWARE, training=_AWARE_TRAINING,
        description="Both alleles, aligned, with the base model's outputs; predicts the change of inclusion",
        words=("variant aware", "variant-aware", "meta model", "meta-layer", "meta layer", "fusion model"),
    ),
    ModelChoice(
        name="gated_cnn", task=DELTA, model="validated_delta", options=_SMALL_CNN, training=_CNN_TRAINING,
        description="Gated CNN on the alternate sequence, trained on validated deltas",
        words=("gated cnn", "cnn", "validated delta", "validated", "sequence cnn"),
    ),
    ModelChoice(
        name="gated_cnn_attention", task=DELTA, model="validated_delta",
        options={**_SMALL_CNN, "variant": "attention"}, training=_CNN_TRAINING,
        description="Gated CNN with attention around the variant, trained on validated deltas",
        words=("gated cnn with attention", "attention cnn", "cross attention"),
    ),
    ModelChoice(
        name="paired_cnn", task=DELTA, model="simple_cnn_delta", options=_SMALL_CNN, training=_CNN_TRAINING,
        description="Siamese gated CNN on both alleles, trained on the base model's deltas by position",
        words=("siamese", "siamese cnn", "paired cnn", "paired", "simple cnn"),
    ),
    ModelChoice(
        name="paired_quantile", task=DELTA, model="simple_cnn_delta",
        options={"hidden_dim": 64, "n_layers": 6, "kernel_size": 15},
        training={**_CNN_TRAINING, "loss": "quantile", "quantile": 0.9},
        description="The documents' siamese gated CNN with the quantile loss, tau 0.9",
        words=("paired quantile", "quantile", "quantile loss"),
    ),
    ModelChoice(
        name="hyenadna", task=DELTA, model="hyenadna_delta",
        options={"hidden_dim": 128, "encoder_options": _HYENA}, training={"batch_size": 32, "max_epochs": 10},
        description="HyenaDNA (tiny) from random weights with a delta head",
        words=("hyena", "hyena dna", "language model", "dna language model"),
    ),
)  # fmt: skip

MODEL_ALIASES: Mapping[tuple[ExperimentTask, str], ModelChoice] = {
    (choice.task, choice.name): choice for choice in _CHOICES
}
"""Models by task and name."""


def models_for(task: ExperimentTask) -> tuple[ModelChoice, ...]:
    """Return the models that can be trained for a task; none for `sites`, which `meta sites` trains."""
    return tuple(choice for choice in _CHOICES if choice.task == task)


def find_model(name: str, task: ExperimentTask) -> ModelChoice:
    """Return the model that people call `name`: by its name, another of its words, or its name in the registry.

    Raises
    ------
    UnsupportedExperimentError
        If there is none for this task; near names are in the advice.
    """
    wanted = _plain(name)
    choices = models_for(task)
    for choice in choices:
        if wanted in {_plain(choice.name), *map(_plain, choice.words)}:
            return choice
    for choice in choices:
        if wanted == _plain(choice.model):
            return choice
    known = {_plain(word): choice.name for choice in choices for word in (choice.name, *choice.words)}
    near = difflib.get_close_matches(wanted, known, n=1)
    names = ", ".join(choice.name for choice in choices) or "none; use agentic-spliceai meta sites"
    advice = f"Did you mean {known[near[0]]!r}? Known: {names}." if near else f"Known: {names}."
    raise UnsupportedExperimentError(f"no model for {task} is called {name!r}.", advice)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
