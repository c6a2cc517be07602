"""The field's words for what an experiment can be made of: what planners read requests with.

Names come from the registries of the science and of the backends, and are looked up when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
class ModelSetting:
    """What a specification says where a model is named.

    Attributes
    ----------
    model, options, training
        Of the specification.
    description
        One line.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True)
class ModelWords(Named):
    """A model of an experiment.

    Attributes
    ----------
    settings
        By task that it can be trained for.
    slow
        Whether it wants a GPU.
    unfreezes
        Whether some of its layers were trained before and can be set free.
    """

    settings: Mapping[str, ModelSetting] = field(default_factory=dict)
    slow: bool = False
    unfreezes: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can be trained for."""
        return tuple(self.settings)


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

    def model_of(self, task: str, model: str, options: Mapping[str, Any]) -> ModelWords | None:
        """Return the words for a specification's model: the entry whose options it has, the most special first."""

        def fits(words: ModelWords) -> bool:
            setting = words.settings.get(task)
            return (
                setting is not None
                and setting.model == model
                and all(
                    options.get(name) == value for name, value in setting.options.items() if name != "encoder_options"
                )
            )

        return max(
            (words for words in self.models if fits(words)),
            key=lambda words: len(words.settings[task].options),
            default=None,
        )

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

#: Title and more names of models of experiments; what the table of the experiments calls them is known besides.
_MODEL_PHRASES: Mapping[str, tuple[str, ...]] = {
    "variant_aware": ("variant-aware model", "our model", "multimodal model"),
    "variant_aware_sequence": ("variant-aware model without base scores", "sequence only"),
    "variant_aware_base": ("variant-aware model without sequence", "scores only", "base scores only"),
    "gated_cnn": ("gated CNN", "gated convolution", "gated convolutional network", "convolutional network"),
    "gated_cnn_attention": ("gated CNN with attention", "cross attention", "attention fusion"),
    "hyenadna": ("HyenaDNA", "hyena", "hyena dna", "hyenadna tiny", "hyenadna tiny 1k"),
    "paired_cnn": ("paired CNN", "siamese cnn", "paired gated cnn"),
    "paired_quantile": ("paired CNN with quantile loss", "paired quantile"),
    "effect_type": ("effect-type classifier", "effect type"),
}

#: Words that a table may give a model, but that mean something else where no model is expected.
_NO_MODEL = frozenset({"quantile", "quantile loss", "paired", "language model"})

_DATASET_PHRASES: Mapping[str, tuple[str, ...]] = {
    "minigene": ("simulated minigene", "minigene", "mini gene", "simulated", "simulation", "toy data", "demo data"),
    "mfass": ("MFASS",),
    "vexseq": ("Vex-seq", "vexseq"),
    "mutsplicedb": ("MutSpliceDB", "mut splice db"),
    "splicevardb": ("SpliceVarDB", "splice var db"),
}

_OF_CONSTRUCTS = "openspliceai-400nt"
"""Base model whose context fits measured constructs; the simulated ones were made for the small one."""

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
        foreign=_foreign(),
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
    from agentic_spliceai.splice_engine.meta_layer.experiments.aliases import MODEL_ALIASES

    settings: dict[str, dict[str, ModelSetting]] = {}
    phrases: dict[str, dict[str, None]] = {}
    for (task, name), choice in MODEL_ALIASES.items():
        settings.setdefault(name, {})[task.value] = ModelSetting(
            choice.model, choice.options, choice.training, choice.description
        )
        known = phrases.setdefault(name, dict.fromkeys((*_MODEL_PHRASES.get(name, ()), name)))
        known.update(dict.fromkeys(word for word in choice.words if word not in _NO_MODEL))
    return tuple(
        ModelWords(
            name,
            tuple(phrases[name]),
            _MODEL_PHRASES.get(name, (name.replace("_", " "),))[0],
            settings=by_task,
            slow=name.startswith("hyena"),
            unfreezes=any("encoder_options" in setting.options for setting in by_task.values()),
        )
        for name, by_task in settings.items()
    )


def _datasets() -> tuple[DatasetWords, ...]:
    from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import DATASETS

    return tuple(
        DatasetWords(
            name,
            (*_DATASET_PHRASES.get(name, ()), name),
            _DATASET_PHRASES.get(name, (name,))[0],
            base_model="small" if entry.synthetic else _OF_CONSTRUCTS,
        )
        for name, entry in DATASETS.items()
    )


def _foreign() -> Mapping[str, str]:
    """Return what the field knows and this installation does not have."""
    here = {dataset.name for dataset in _datasets()}
    absent = {
        phrase: "data set" for name, phrases in _DATASET_PHRASES.items() if name not in here for phrase in phrases
    }
    return {**_FOREIGN, **absent}


def _base_models() -> tuple[Named, ...]:
    from agentic_spliceai.splice_engine.base_layer.registry import base_models

    spoken = {
        "small": ("small base model", "small model", "own base model", "bundled model", "base model small"),
        "spliceai": ("spliceai", "splice ai", "spliceai 10k"),
        "openspliceai": ("openspliceai", "open splice ai", "open spliceai", "openspliceai 10k", "openspliceai mane"),
    }
    return tuple(Named(name, spoken.get(name, (name,)), name) for name in base_models())


def _backends() -> tuple[BackendWords, ...]:
    from agentic_spliceai.compute.registry import backends
    from agentic_spliceai.settings import get_settings

    usable = backends(get_settings().jobs_dir)
    known = {words.name: replace(words, ready=words.name in usable) for words in _BACKENDS}
    # One that is registered and has no words here costs money until it is said that it does not.
    others = {name: BackendWords(name, (name,), name, paid=True) for name in usable if name not in known}
    return (*known.values(), *others.values())


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
    BackendWords("runpod", ("runpod", "run pod"), "RunPod", paid=True),
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
