"""Trains a model, once for each seed, and picks up where a killed run stopped."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from torch import Tensor

from agentic_spliceai.splice_engine.errors import CheckpointError, SettingError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    code_digest,
    save_checkpoint,
    weights_digest,
)
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig, ModelConfig, TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.training.callbacks import (
    KeepBest,
    MetricsWriter,
    ResumeState,
    UnfreezeSchedule,
    read_metrics,
)
from agentic_spliceai.splice_engine.meta_layer.training.module import MetaLightningModule, seed_everything
from agentic_spliceai.splice_engine.meta_layer.training.results import SeedRun, TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.sampling import (
    EpochSampler,
    GroupedDataset,
    check_split,
    training_loader,
    validation_loader,
)
from agentic_spliceai.splice_engine.meta_layer.training.tasks import task_of

ModelSource = MetaModule | ModelConfig | Callable[[], MetaModule]

MetricsListener = Callable[[int, dict[str, Any]], None]
"""Hears of each line of a seed's `metrics.jsonl` as it is written: the seed, and the line."""

_AT_ONCE = 256
"""Examples that are fetched together when data are digested."""

# They change where or how fast a run goes, not what it is.
_FREE_TO_CHANGE = {"seeds", "accelerator", "workers"}


def train(
    model: ModelSource,
    train_data: GroupedDataset,
    validation_data: GroupedDataset,
    *,
    output_dir: Path,
    config: TrainingConfig,
    resume: bool = True,
    card: ModelCard | None = None,
    progress: bool = False,
    listen: MetricsListener | None = None,
) -> TrainingResult:
    """Train a model for each of `config.seeds`.

    Parameters
    ----------
    model
        A configuration or a function, which builds the model anew under each seed; or a model, of which each seed
        trains a copy, so that seeds differ in order and dropout but not in initial weights.
    train_data, validation_data
        Data sets that name the group of each example; see `GroupedDataset`. They may share no group. Validation
        decides when to stop and which epoch is best.
    output_dir
        Gets a folder `seed_<seed>` for each seed.
    config
        How to train.
    resume
        Go on with what `output_dir` holds, with the same result as without interruption, bit for bit on the same
        machine; a finished run is not repeated. Otherwise start afresh.
    card
        What the checkpoints are to say about features, normaliser, base model and data; what it leaves out is taken
        from the training data's attributes `normalizer`, `base_model`, `window` and `form`, where it has them.
    progress
        Show a progress bar, if standard error is a terminal.
    listen
        Hears of each line of metrics.

    Raises
    ------
    TrainingDataError
        If the data are empty or share a group, balanced classes are missing, or a loss is not finite.
    CheckpointError
        If `output_dir` holds a run of another model, configuration, data (sequences, features, labels, weights or
        groups) or code of models and data, or a damaged one.
    SettingError
        If an option does not fit the model, its task or the machine.

    Notes
    -----
    With `config.deterministic`, same seed, machine and versions give the same weights; an operation that has no
    deterministic form raises. The caller's random streams are left as they were.
    """
    check_split(train_data, validation_data)
    _check_machine(config)
    data_digest = examples_digest(train_data, validation_data)
    card = _filled(card or ModelCard(), train_data, data_digest)
    runs = []
    for seed in config.seeds:
        folder = output_dir / f"seed_{seed}"
        with _own_randomness(), _quiet():
            seed_everything(seed)
            fresh = _build(model)
            filled = card.model_copy(update={"seed": seed})
            # What a function or configuration builds follows from the seed; a given model may have any weights.
            start = weights_digest(model) if isinstance(model, MetaModule) else None
            run = _Run(fresh, train_data, validation_data, folder, config, seed, filled, start, data_digest)
            runs.append(run.result(resume=resume, progress=progress, listen=listen))
    return TrainingResult(config, tuple(runs))


class MetaTrainer:
    """Trains the model of a `MetaLayerConfig`.

    Parameters
    ----------
    config
        Model, training, and, unless `output_dir` is given, the folder: `config.checkpoints_dir`.
    output_dir
        Folder of the runs.
    progress
        Show a progress bar, if standard error is a terminal.
    """

    def __init__(self, config: MetaLayerConfig, *, output_dir: Path | None = None, progress: bool = False) -> None:
        self.config, self.output_dir, self.progress = config, output_dir or config.checkpoints_dir, progress

    def train(
        self,
        train_data: GroupedDataset,
        validation_data: GroupedDataset,
        *,
        model: ModelSource | None = None,
        resume: bool = True,
        card: ModelCard | None = None,
        listen: MetricsListener | None = None,
    ) -> TrainingResult:
        """Train; `model` takes the place of the configuration's. Otherwise as the function `train`."""
        card = (card or ModelCard()).model_copy(update={"config": self.config.model_dump(mode="json")})
        return train(
            model or self.config.model,
            train_data,
            validation_data,
            output_dir=self.output_dir,
            config=self.config.training,
            resume=resume,
            card=card,
            progress=self.progress,
            listen=listen,
        )


class _Run:
    """One seed."""

    def __init__(
        self,
        model: MetaModule,
        train_data: GroupedDataset,
        validation_data: GroupedDataset,
        folder: Path,
        config: TrainingConfig,
        seed: int,
        card: ModelCard,
        start: str | None,
        data_digest: str,
    ) -> None:
        self.model, self.folder, self.config, self.seed, self.card = model, folder, config, seed, card
        self.train_data, self.validation_data = train_data, validation_data
        self.task = task_of(model)
        self.identity = {
            "model": f"{type(model).__module__}:{type(model).__qualname__}",
            "options": repr(sorted(model.config.items())),
            "config": config.model_dump(mode="json", exclude=_FREE_TO_CHANGE),
            "seed": seed,
            "initial weights": start,
            "data": data_digest,
            "code": code_digest(),
            "inputs": card.model_dump(mode="json", include={"features", "normaliser", "base"}),
        }
        self.parameters, self.trainable = model.parameter_count, model.trainable_count

    def result(self, *, resume: bool, progress: bool, listen: MetricsListener | None = None) -> SeedRun:
        """Return the finished run, trained as far as it is not."""
        self._prepare(resume)
        done = self.folder / "result.json"
        if not done.exists():
            self._fit(progress, listen)
        stored = json.loads(done.read_text(encoding="utf-8"))
        history = tuple(read_metrics(self.folder / "metrics.jsonl", "epoch"))
        return SeedRun(**stored, folder=self.folder, history=history)

    def _prepare(self, resume: bool) -> None:
        """Make the folder, or make sure that it is this run's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if _rank():
            return
        note = self.folder / "run.json"
        for leftover in self.folder.glob("*.part"):
            leftover.unlink()
        if not resume:
            for name in ("run.json", "result.json", "resume.pt", "metrics.jsonl", "best.safetensors"):
                (self.folder / name).unlink(missing_ok=True)
        if note.exists():
            found = json.loads(note.read_text(encoding="utf-8"))
            other = [key for key, value in self.identity.items() if found.get(key) != value]
            if other:
                raise CheckpointError(
                    f"{self.folder} holds a run that differs in {', '.join(other)}.",
                    "Take another output folder, or start afresh with resume=False.",
                )
        else:
            _write(note, self.identity)

    def _fit(self, progress: bool, listen: MetricsListener | None) -> None:
        config = self.config
        cuda = config.accelerator in ("auto", "gpu") and torch.cuda.is_available()
        training = training_loader(self.train_data, config, self.task, self.seed, pin=cuda)
        validation = validation_loader(self.validation_data, config, pin=cuda)
        sampler = cast(EpochSampler, training.sampler)
        module = MetaLightningModule(
            self.model, self.task, config, seed=self.seed, examples=len(sampler), batches=len(training)
        )
        keep_best = KeepBest(self._save)
        heard = None if listen is None else partial(listen, self.seed)
        metrics = MetricsWriter(self.folder / "metrics.jsonl", listen=heard)
        state = ResumeState(self.folder / "resume.pt", keep_best)
        callbacks: list[Any] = [keep_best, metrics, state]
        if config.unfreeze_at:
            unfreeze = UnfreezeSchedule()
            unfreeze.prepare(module)
            callbacks.insert(0, unfreeze)
        epochs = state.read()
        if not _rank():
            metrics.rewind(epochs)
        trainer = _trainer(config, self.folder, callbacks, progress)
        # Epochs are counted from where the state left off; the rest of Lightning's bookkeeping starts anew.
        progressed: Any = trainer.fit_loop.epoch_progress.current
        progressed.processed = progressed.completed = epochs
        module.train()
        trainer.fit(module, training, validation)
        self._finish(keep_best)
        trainer.strategy.barrier()

    def _save(self, epoch: int, metrics: dict[str, float]) -> None:
        card = self.card.model_copy(update={"metrics": {"epoch": float(epoch), **metrics}})
        save_checkpoint(self.folder / "best.safetensors", CheckpointContent(self.model, card))

    def _finish(self, keep_best: KeepBest) -> None:
        if _rank():
            return
        history = read_metrics(self.folder / "metrics.jsonl", "epoch")
        _write(
            self.folder / "result.json",
            {
                "seed": self.seed,
                "best_epoch": keep_best.best_epoch,
                "best": keep_best.best,
                "epochs": len(history),
                "seconds": round(sum(line["seconds"] for line in history), 3),
                "stopped_early": keep_best.waited >= self.config.patience,
                "parameters": self.parameters,
                "trainable": self.trainable,
            },
        )
        # Large, and of no use any more.
        (self.folder / "resume.pt").unlink(missing_ok=True)


def _trainer(config: TrainingConfig, folder: Path, callbacks: list[Any], progress: bool) -> Trainer:
    if progress and sys.stderr.isatty():
        from lightning.pytorch.callbacks import RichProgressBar

        callbacks = [RichProgressBar(console_kwargs={"stderr": True}), *callbacks]
    return Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        # A task may leave an output without a label, and a frozen block without a gradient.
        strategy="auto" if config.devices == 1 else "ddp_find_unused_parameters_true",
        sync_batchnorm=config.devices > 1,
        # The samplers share an epoch out themselves, because Lightning's would not know of balancing.
        use_distributed_sampler=False,
        precision=config.precision,
        deterministic=config.deterministic,
        max_epochs=config.max_epochs,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.gradient_clip,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress and sys.stderr.isatty(),
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )


def _build(model: ModelSource) -> MetaModule:
    if isinstance(model, ModelConfig):
        return build_model(model.name, **model.options)
    return copy.deepcopy(model) if isinstance(model, MetaModule) else model()


def _check_machine(config: TrainingConfig) -> None:
    """Refuse what Lightning would answer with a warning, or in the middle of training.

    Raises
    ------
    SettingError
        If the machine lacks the accelerator or the devices, float16 is asked of a CPU, or layers are to be set free
        on several devices.
    """
    if config.accelerator != "auto" and not _available(config.accelerator):
        raise SettingError(f"This machine has no {config.accelerator}.", "Set accelerator to auto or cpu.")
    gpu = config.accelerator in ("auto", "gpu") and torch.cuda.is_available()
    if config.precision == "16-mixed" and not gpu:
        raise SettingError("Training with 16-mixed needs an NVIDIA GPU.", "Set precision to 32 or bf16-mixed.")
    if gpu and config.devices > torch.cuda.device_count():
        raise SettingError(
            f"{config.devices} devices are asked for, and there are {torch.cuda.device_count()}.", "Set devices lower."
        )
    if config.devices > 1 and config.unfreeze_at:
        # DistributedDataParallel decides at the start which parameters are exchanged.
        raise SettingError(
            "Layers cannot be set free during training on several devices.",
            "Set devices to 1, or leave out unfreeze_at.",
        )


def _rank() -> int:
    """Return which of several processes this is; known before there is a Trainer, from the environment."""
    rank: int = getattr(rank_zero_only, "rank", 0)
    return rank


def _available(accelerator: str) -> bool:
    names = {"gpu": ("cuda", "mps")}.get(accelerator, (accelerator,))
    return any(AcceleratorRegistry.get(name).is_available() for name in names)


def examples_digest(*parts: GroupedDataset) -> str:
    """Return the sha256 over every example of data sets: all that a model can see or learn from, and the groups.

    A data set with an attribute `digest` is taken at its word, and its examples are not read. Examples that are made
    at random are made with a fixed seed here, so that the same data have the same digest.
    """
    digest = hashlib.sha256()
    for data in parts:
        digest.update("\n".join(map(str, data.groups)).encode() + b"\0")
        own = getattr(data, "digest", None)
        if isinstance(own, str):
            digest.update(own.encode() + b"\0")
            continue
        with _own_randomness():
            seed_everything(0)
            for example in _examples(data):
                for key in sorted(example):
                    tensor = example[key].detach().cpu().contiguous()
                    digest.update(f"{key}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
                    digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _examples(data: GroupedDataset) -> Iterator[Mapping[str, Tensor]]:
    together = getattr(data, "__getitems__", None)
    for first in range(0, len(data), _AT_ONCE):
        indices = list(range(first, min(first + _AT_ONCE, len(data))))
        yield from together(indices) if together else (data[index] for index in indices)


def _filled(card: ModelCard, data: GroupedDataset, data_digest: str) -> ModelCard:
    """Return the card with what the training data know and it does not say."""
    known: dict[str, Any] = {"data_digest": data_digest, "window": getattr(data, "window", None)}
    known["sequence_form"] = getattr(data, "form", None)
    normalizer = getattr(data, "normalizer", None)
    if normalizer is not None and not card.features and card.normaliser is None:
        known |= {"features": tuple(normalizer.names), "normaliser": normalizer.as_dict()}
    made_by = getattr(data, "base_model", None)
    if made_by is not None:
        known["base"] = BaseProvenance(
            predictor=made_by["name"], version=made_by["version"], weights_sha256=tuple(made_by["weights_sha256"])
        )
    missing = {name: value for name, value in known.items() if not getattr(card, name)}
    return ModelCard.model_validate(card.model_dump() | missing)


def _write(path: Path, value: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave the caller's random streams and determinism as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global stream is what is kept
    strict, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's advice, which a library's user can do nothing with."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # How many processes load data is `config.workers`; the presets say why.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # A frozen encoder is kept in evaluation mode on purpose.
            warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode.*")
            # Training on the CPU of a machine with a GPU is `config.accelerator`.
            warnings.filterwarnings("ignore", message="GPU available but not used.*")
            # With float16 the loss scaler skips the first steps until its scale fits.
            warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler.step\(\)` before")
            # Lightning's own use of a name that PyTorch has since replaced.
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
