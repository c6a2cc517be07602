"""The field's words for what an experiment can be made of: what planners read requests with.

Names come from the registries of the science and of the backends, and are looked up when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from agentic_spliceai.splice_engine.errors import SpliceEngineError


@dataclass(frozen=True)
class Named:
    """Something that has a name here and other names among people.

    Attributes
    ----------
    name
        As specifications write it.
    phrases
        As people write it; case, hyphens and spaces do not matter.
    title
        As answers write it.
    """

    name: str
    phrases: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class ModelWords(Named):
    """A model of an experiment.

    Attributes
    ----------
    model, options
        Name and options of the specification; by default `name` without options.
    tasks
        What it can be trained for.
    slow
        Whether it wants a GPU.
    unfreezes
        Whether some of its layers were trained before and can be set free.
    option_names
        What this model calls the options `width` and `dropout`, where it calls them otherwise.
    """

    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("triage", "delta")
    slow: bool = False
    unfreezes: bool = False
    option_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetWords(Named):
    """A data set.

    Attributes
    ----------
    tasks
        What it has labels for; the first is meant where none is named.
    base_model
        Base model whose scores are taken where none is named.
    """

    tasks: tuple[str, ...] = ("triage", "delta")
    base_model: str = "small"


@dataclass(frozen=True)
class MetricWords(Named):
    """A measure, and the tasks that it can decide."""

    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackendWords(Named):
    """Somewhere to run; `paid` where it costs money, `ready` where it can be used now."""

    paid: bool = False
    ready: bool = True


@dataclass(frozen=True)
class Vocabulary:
    """Everything that a plan can name, and what is known to be elsewhere and not here."""

    models: tuple[ModelWords, ...]
    datasets: tuple[DatasetWords, ...]
    base_models: tuple[Named, ...]
    tasks: tuple[Named, ...]
    metrics: tuple[MetricWords, ...]
    backends: tuple[BackendWords, ...]
    foreign: Mapping[str, str] = field(default_factory=dict)

    def model(self, name: str) -> ModelWords:
        """Return a model by its name here; `KeyError` where there is none."""
        return {model.name: model for model in self.models}[name]

    def model_of(self, model: str, options: Mapping[str, Any]) -> ModelWords | None:
        """Return the words for a specification's model: the entry whose options it has, the most special first."""
        fitting = [
            words
            for words in self.models
            if (words.model or words.name) == model and all(options.get(k) == v for k, v in words.options.items())
        ]
        return max(fitting, key=lambda words: len(words.options), default=None)

    def dataset(self, name: str) -> DatasetWords:
        """Return a data set by its name here; `KeyError` where there is none."""
        return {dataset.name: dataset for dataset in self.datasets}[name]

    def metric(self, name: str) -> MetricWords:
        """Return a measure by its name here; `KeyError` where there is none."""
        return {metric.name: metric for metric in self.metrics}[name]

    def backend(self, name: str) -> BackendWords:
        """Return a backend by its name here; `KeyError` where there is none."""
        return {backend.name: backend for backend in self.backends}[name]


_TASKS = (
    Named(
        "triage",
        (
            "triage",
            "splice altering",
            "splice disrupting",
            "splice altering classification",
            "binary classification",
            "classification",
            "binary",
            "classify",
            "altering or not",
            "splice altering variants",
        ),
        "triage (does the variant alter splicing)",
    ),
    Named(
        "delta",
        (
            "delta",
            "delta psi",
            "dpsi",
            "psi",
            "inclusion",
            "change of inclusion",
            "delta prediction",
            "regression",
            "psi change",
            "exon inclusion",
            "delta regression",
            "quantitative",
        ),
        "change of inclusion (delta PSI)",
    ),
    Named(
        "sites",
        (
            "sites",
            "splice sites",
            "splice site",
            "canonical sites",
            "site prediction",
            "recalibration",
            "donor and acceptor",
        ),
        "splice sites",
    ),
)

_METRICS = (
    MetricWords(
        "pr_auc",
        ("pr auc", "prauc", "auprc", "average precision", "precision recall", "ap"),
        "PR-AUC",
        ("triage", "sites"),
    ),
    MetricWords("roc_auc", ("roc auc", "auroc", "rocauc", "auc", "roc"), "ROC-AUC", ("triage", "sites")),
    MetricWords("f1", ("f1", "f1 score", "f score"), "F1", ("triage", "sites")),
    MetricWords("top_k", ("top k", "top k accuracy", "topk"), "top-k accuracy", ("triage", "sites")),
    MetricWords(
        "ece", ("ece", "calibration error", "expected calibration error"), "calibration error", ("triage", "sites")
    ),
    MetricWords("pearson", ("pearson", "pearson r", "pearson correlation", "correlation"), "Pearson r", ("delta",)),
    MetricWords("spearman", ("spearman", "rank correlation", "spearman rho"), "Spearman rho", ("delta",)),
    MetricWords("mae", ("mae", "mean absolute error", "absolute error"), "mean absolute error", ("delta",)),
)

#: Title and other names of the models of experiments.
_MODEL_PHRASES: Mapping[str, tuple[str, ...]] = {
    "variant_aware": ("variant-aware model", "variant aware", "our model", "meta layer", "multimodal model"),
    "gated_cnn": ("gated CNN", "gated convolution", "gated convolutional network", "paired gated cnn", "gated conv"),
    "cnn": ("CNN", "simple cnn", "plain cnn", "convolutional network", "ungated cnn"),
    "hyenadna": ("HyenaDNA", "hyena", "hyenadna small", "hyenadna small 32k", "hyena dna"),
    "hyenadna_medium": ("HyenaDNA medium", "hyenadna medium 160k", "medium hyenadna"),
    "hyenadna_tiny": ("HyenaDNA tiny", "hyenadna tiny 1k", "tiny hyenadna"),
    "cross_attention": ("cross-attention fusion", "cross attention", "attention fusion"),
    "scores_only": ("scores only", "score features", "features only", "no sequence"),
    "sequence_only": ("sequence only", "no base scores"),
    "ensemble": ("CNN and HyenaDNA ensemble", "ensemble", "cnn hyenadna ensemble"),
}

#: Known to the field, not to this project: what to say where somebody asks for them.
_FOREIGN: Mapping[str, str] = {
    "enformer": "model",
    "borzoi": "model",
    "dnabert": "model",
    "dnabert 2": "model",
    "nucleotide transformer": "model",
    "evo": "model",
    "evo 2": "model",
    "caduceus": "model",
    "transformer": "model",
    "lstm": "model",
    "bert": "model",
    "xgboost": "model",
    "random forest": "model",
    "gradient boosting": "model",
    "logistic regression": "model",
    "mamba": "model",
    "gpn": "model",
    "splicebert": "model",
    "resnet": "model",
    "alphagenome": "model",
    "pangolin": "base model",
    "mmsplice": "base model",
    "spanr": "base model",
    "splicetransformer": "base model",
    "maxentscan": "base model",
    "cadd splice": "base model",
    "squirls": "base model",
    "splicevault": "base model",
    "gtex": "data set",
    "gnomad": "data set",
    "clinvar": "data set",
    "encode": "data set",
    "hgmd": "data set",
    "1000 genomes": "data set",
    "uk biobank": "data set",
    "cagi": "data set",
}


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the words for what this installation has."""
    return Vocabulary(
        models=_models(),
        datasets=_datasets(),
        base_models=_base_models(),
        tasks=_TASKS,
        metrics=_METRICS,
        backends=_backends(),
        foreign=_FOREIGN,
    )


def check_training(training: Mapping[str, Any]) -> None:
    """Check that these are fields of the training configuration with values that it takes.

    Raises
    ------
    SpliceEngineError
        Otherwise; its message names the first field.
    """
    from pydantic import ValidationError

    from agentic_spliceai.splice_engine.errors import SettingError
    from agentic_spliceai.splice_engine.meta_layer.config import TrainingConfig

    try:
        TrainingConfig(**training)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "training"
        raise SettingError(f"{name}: {first['msg'].lower()}.", "See TrainingConfig for the fields.") from None


def _models() -> tuple[ModelWords, ...]:
    return _BUILT_IN_MODELS


def _datasets() -> tuple[DatasetWords, ...]:
    return _BUILT_IN_DATASETS


def _base_models() -> tuple[Named, ...]:
    from agentic_spliceai.splice_engine.base_layer.registry import base_models

    spoken = {
        "small": ("small base model", "small model", "own base model", "bundled model", "base model small"),
        "spliceai": ("spliceai", "splice ai", "spliceai 10k"),
        "openspliceai": ("openspliceai", "open splice ai", "open spliceai", "openspliceai 10k", "openspliceai mane"),
    }
    return tuple(Named(name, spoken.get(name, (name,)), name) for name in base_models())


def _backends() -> tuple[BackendWords, ...]:
    return _BACKENDS


_BUILT_IN_MODELS: tuple[ModelWords, ...] = tuple(
    ModelWords(
        name,
        (name, *phrases),
        phrases[0],
        slow=name.startswith("hyenadna"),
        unfreezes=name.startswith("hyenadna"),
    )
    for name, phrases in _MODEL_PHRASES.items()
)

_BUILT_IN_DATASETS = (
    DatasetWords(
        "minigene", ("minigene", "mini gene", "simulated", "simulation", "toy data", "demo data"), "simulated minigene"
    ),
    DatasetWords("mfass", ("mfass",), "MFASS", base_model="openspliceai-400nt"),
    DatasetWords("vexseq", ("vex seq", "vexseq"), "Vex-seq", base_model="openspliceai-400nt"),
    DatasetWords("mutsplicedb", ("mutsplicedb", "mut splice db"), "MutSpliceDB", tasks=("triage",)),
    DatasetWords("splicevardb", ("splicevardb", "splice var db"), "SpliceVarDB", tasks=("triage",)),
)

_BACKENDS = (
    BackendWords(
        "local",
        (
            "local",
            "locally",
            "here",
            "this machine",
            "my machine",
            "this computer",
            "my laptop",
            "laptop",
            "own machine",
        ),
        "this machine",
    ),
    BackendWords("runpod", ("runpod", "run pod"), "RunPod", paid=True, ready=False),
)

__all__ = [
    "BackendWords",
    "DatasetWords",
    "MetricWords",
    "ModelWords",
    "Named",
    "SpliceEngineError",
    "Vocabulary",
    "check_training",
    "vocabulary",
]
