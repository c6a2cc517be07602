"""Training one ensemble member: resumable, bounded in time, chosen on validation."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agentic_spliceai.splice_engine.base_layer.channels_last import forward_channels_last, one_hot
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, Corpus, Locus
from agentic_spliceai.splice_engine.base_layer.training.metrics import Ranking
from agentic_spliceai.splice_engine.base_layer.training.predict import score_span
from agentic_spliceai.splice_engine.base_layer.training.split import TRAIN, VALIDATION
from agentic_spliceai.splice_engine.base_layer.training.windows import Counts, WindowPlan, gather, plan_windows
from agentic_spliceai.splice_engine.errors import SettingError

log = logging.getLogger(__name__)

SITE_PRIOR = 2e-4
"""Rough share of positions of a gene that are donors, and as many acceptors."""


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides what one member learns.

    Attributes
    ----------
    steps
        Optimiser steps planned. Where the time limit comes first, the decay of the learning rate starts early; the
        record names the step where it did.
    decay_fraction
        Share of the steps over which the learning rate falls linearly to zero; before, it is constant after warm-up.
    ema_decay
        Of the running mean of weights and batch-norm statistics, which is what is validated and shipped.
    settle_batches
        Batches over which the shipped weights' batch-norm statistics are measured anew at the end.
    """

    context: int = 400
    seed: int = 1
    width: int = 1000
    batch: int = 16
    empty_fraction: float = 0.15
    mask_fraction: float = 0.5
    steps: int = 14_000
    warmup: int = 300
    decay_fraction: float = 0.4
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    ema_decay: float = 0.999
    bn_momentum: float = 0.01
    clip_norm: float = 1.0
    settle_batches: int = 200
    autocast: bool = True
    negative_slope: float = 0.1
    batch_norm_eps: float = 1e-5


@dataclass(frozen=True)
class Limits:
    """How long to run and how often to write."""

    max_minutes: float = 45.0
    checkpoint_minutes: float = 3.0
    evaluate_minutes: float = 4.0


@dataclass
class _State:
    """What a checkpoint holds beside tensors."""

    step: int = 0
    epoch: int = 0
    batch_in_epoch: int = 0
    minutes: float = 0.0
    decay_from: int | None = None
    decay_steps: int = 0
    finished: bool = False


def build_network(settings: TrainSettings) -> SpliceNetwork:
    """Return a freshly initialised network."""
    torch.manual_seed(settings.seed)
    spec = NetworkSpec.for_context(
        settings.context, negative_slope=settings.negative_slope, batch_norm_eps=settings.batch_norm_eps
    )
    network = SpliceNetwork(spec)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = settings.bn_momentum
    assert network.final.bias is not None
    with torch.no_grad():
        # Start from the classes' rarity, so that the first steps are not spent on learning it.
        network.final.bias.copy_(torch.log(torch.tensor([SITE_PRIOR, SITE_PRIOR, 1 - 2 * SITE_PRIOR])))
    return network


def weighted_loss(logits: Tensor, labels: Tensor, weight: Tensor, sites_per_window: float) -> Tensor:
    """Return cross-entropy summed over positions, windows weighted, per expected splice site.

    Dividing by a constant, rather than by the batch's own weight, keeps the sum an unbiased estimate of the loss over
    all windows.

    Parameters
    ----------
    logits : float [B, 3, L]
    labels : int64 [B, L]
        `SpliceClass`, or `IGNORE`.
    weight : float [B]
        1 / probability that the window was sampled.
    """
    each = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none").sum(dim=1)
    return (each * weight).sum() / (sites_per_window * len(weight))


class Trainer:
    """One member's training.

    Parameters
    ----------
    corpus
        Training and validation loci.
    settings, limits
        What and how long.
    folder
        Receives `checkpoint.pt`, `best.pt` (the chosen weights) and `history.json`.
    hardware
        In general words, for the record.
    """

    def __init__(self, corpus: Corpus, settings: TrainSettings, limits: Limits, folder: Path, hardware: str) -> None:
        self.corpus, self.settings, self.limits, self.folder = corpus, settings, limits, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.hardware = hardware
        self.train_loci, self.validation_loci = corpus.of(TRAIN), corpus.of(VALIDATION)
        self.counts = Counts.of(corpus)
        self.network = build_network(settings)
        self.ema = copy.deepcopy(self.network)
        self.optimiser = torch.optim.AdamW(_groups(self.network, settings.weight_decay), lr=settings.learning_rate)
        self.state = _State()
        self.history: list[dict[str, float]] = []
        self.best = -1.0
        self.sites_per_window = _expected_sites(corpus, self.train_loci, self._plan(0))
        if (folder / "checkpoint.pt").exists():
            self._resume()

    def run(self) -> dict[str, object]:
        """Train until the plan or the time is spent; return the record that goes with the weights."""
        started, already = time.monotonic(), self.state.minutes
        last_save = last_eval = started
        recent: list[float] = []
        for plan, at in self._batches():
            if self._should_stop():
                break
            recent.append(self._step(plan, at))
            now = time.monotonic()
            self.state.minutes = already + (now - started) / 60
            self._maybe_decay()
            if self.state.step % 100 == 0:
                log.info("step %d, epoch %d, loss per site %.4f, %.1f min", self.state.step, self.state.epoch,
                         float(np.mean(recent[-100:])), self.state.minutes)  # fmt: skip
            if now - last_eval > 60 * self.limits.evaluate_minutes:
                self._evaluate(float(np.mean(recent[-500:])))
                last_eval = time.monotonic()
            if now - last_save > 60 * self.limits.checkpoint_minutes:
                self._save()
                last_save = now
        self.state.finished = self._planned_end()
        settle(self.ema, self.corpus, self._plan(10_000), self.settings)
        self._evaluate(float(np.mean(recent[-500:])) if recent else float("nan"))
        self.state.minutes = already + (time.monotonic() - started) / 60
        self._save()
        return self.record()

    def record(self) -> dict[str, object]:
        """Return settings, progress and validation history, without any path."""
        return {
            "settings": asdict(self.settings),
            "steps": self.state.step,
            "epochs": self.state.epoch,
            "decay_from": self.state.decay_from,
            "decay_steps": self.state.decay_steps,
            "finished": self.state.finished,
            "minutes": round(self.state.minutes, 1),
            "hardware": self.hardware,
            "validation": self.history,
        }

    def _plan(self, epoch: int) -> WindowPlan:
        s = self.settings
        rng = np.random.default_rng([s.seed, epoch])
        return plan_windows(
            self.corpus, self.train_loci, self.counts, rng,
            width=s.width, empty_fraction=s.empty_fraction, mask_fraction=s.mask_fraction,
        )  # fmt: skip

    def _batches(self) -> Iterator[tuple[WindowPlan, np.ndarray]]:
        while True:
            plan = self._plan(self.state.epoch)
            whole = len(plan) // self.settings.batch
            if not whole:
                raise SettingError("the training loci hold fewer windows than one batch.", "Use a smaller batch.")
            while self.state.batch_in_epoch < whole:
                begin = self.state.batch_in_epoch * self.settings.batch
                self.state.batch_in_epoch += 1
                yield plan, np.arange(begin, begin + self.settings.batch)
            self.state.epoch, self.state.batch_in_epoch = self.state.epoch + 1, 0

    def _step(self, plan: WindowPlan, rows: np.ndarray) -> float:
        some = plan.take(rows)
        codes, labels = gather(self.corpus, some, self.settings.context)
        self.network.train()
        logits = forward_channels_last(self.network, one_hot(codes), autocast=self.settings.autocast)
        target = torch.from_numpy(labels.astype(np.int64))
        loss = weighted_loss(logits, target, torch.from_numpy(some.weight), self.sites_per_window)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate()
        self.optimiser.step()
        self.state.step += 1
        self._average()
        return float(loss.detach())

    def _average(self) -> None:
        """Move the running mean; early on the mean of all steps so far, so that the start is forgotten."""
        keep = min(self.settings.ema_decay, self.state.step / (self.state.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.ema.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - keep)
                else:
                    mean.copy_(value)

    def _rate(self) -> float:
        """Return the share of the learning rate at this step."""
        if self.state.decay_from is not None:
            return max(0.0, 1 - (self.state.step - self.state.decay_from) / max(1, self.state.decay_steps))
        return min(1.0, (self.state.step + 1) / max(1, self.settings.warmup))

    def _maybe_decay(self) -> None:
        if self.state.decay_from is not None:
            return
        fraction = self.settings.decay_fraction
        left = self.limits.max_minutes - self.state.minutes
        if self.state.step >= (1 - fraction) * self.settings.steps:
            self.state.decay_from, self.state.decay_steps = self.state.step, self.settings.steps - self.state.step
        elif left <= fraction * self.limits.max_minutes:
            # A tenth of the time stays in reserve: other work on the machine may slow the rest.
            pace = self.state.step / self.state.minutes
            self.state.decay_from, self.state.decay_steps = self.state.step, max(1, int(0.9 * left * pace))

    def _planned_end(self) -> bool:
        s = self.state
        return s.decay_from is not None and s.step >= s.decay_from + s.decay_steps

    def _should_stop(self) -> bool:
        return self._planned_end() or self.state.minutes >= self.limits.max_minutes

    def _evaluate(self, loss: float) -> None:
        self.ema.eval()
        found = validate(self.ema, self.corpus, self.validation_loci)
        self.history.append(
            {"step": self.state.step, "minutes": round(self.state.minutes, 1), "train_loss": loss, **found}
        )
        score = (found["donor_pr_auc"] + found["acceptor_pr_auc"]) / 2
        log.info("validation at step %d: %s", self.state.step, json.dumps({k: round(v, 4) for k, v in found.items()}))
        if score > self.best:
            self.best = score
            _write(self.folder / "best.pt", {"weights": self.ema.state_dict(), "record": self.record()})
        text = json.dumps(self.record(), indent=1) + "\n"
        (self.folder / "history.json").write_text(text, encoding="utf-8")

    def _save(self) -> None:
        _write(
            self.folder / "checkpoint.pt",
            {
                "network": self.network.state_dict(),
                "ema": self.ema.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "state": asdict(self.state),
                "settings": asdict(self.settings),
                "history": self.history,
                "best": self.best,
            },
        )

    def _resume(self) -> None:
        saved = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        if saved["settings"] != asdict(self.settings):
            raise SettingError(
                f"the checkpoint in {self.folder.name} was made with other settings.",
                "Choose another --out, or the same settings.",
            )
        self.network.load_state_dict(saved["network"])
        self.ema.load_state_dict(saved["ema"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.state, self.history, self.best = _State(**saved["state"]), saved["history"], saved["best"]
        log.info("resumed at step %d", self.state.step)


def settle(network: SpliceNetwork, corpus: Corpus, plan: WindowPlan, settings: TrainSettings) -> None:
    """Measure the batch-norm statistics of averaged weights on training windows, and leave evaluation mode on."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
    network.train()
    with torch.no_grad():
        for i in range(min(settings.settle_batches, len(plan) // settings.batch)):
            for norm in norms:
                norm.momentum = 1 / (i + 1)
            rows = np.arange(i * settings.batch, (i + 1) * settings.batch)
            codes, _ = gather(corpus, plan.take(rows), settings.context)
            forward_channels_last(network, one_hot(codes), autocast=False)
    for norm in norms:
        norm.momentum = settings.bn_momentum
    network.eval()


def validate(network: SpliceNetwork, corpus: Corpus, loci: tuple[Locus, ...]) -> dict[str, float]:
    """Return top-k accuracy and average precision by class, and mean cross-entropy per site, over every position."""
    scores, labels = [], []
    for locus in loci:
        begin, end = locus.offset, locus.offset + locus.length
        known = corpus.labels[begin:end] != IGNORE
        scores.append(score_span([network], corpus, begin, end, autocast=True)[0][known])
        labels.append(corpus.labels[begin:end][known])
    found = {}
    for index, name in enumerate(("donor", "acceptor")):
        ranking = Ranking.of([p[:, index] for p in scores], [truth == index for truth in labels])
        found[f"{name}_topk"], found[f"{name}_pr_auc"] = ranking.measures()
    p, truth = np.concatenate(scores), np.concatenate(labels)
    right = np.take_along_axis(p, truth[:, None].astype(np.int64), axis=1)[:, 0].astype(np.float64)
    found["loss_per_site"] = float(-np.log(np.maximum(right, 1e-12)).sum() / max(1, int((truth < 2).sum())))
    return found


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay convolution kernels, and neither biases nor norms."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _expected_sites(corpus: Corpus, loci: tuple[Locus, ...], plan: WindowPlan) -> float:
    sites = sum(int((corpus.labels[x.offset : x.offset + x.length] < 2).sum()) for x in loci)
    return max(1, sites) / max(1, len(plan))


def _write(path: Path, content: dict[str, object]) -> None:
    """Write, then rename: a kill never leaves half a checkpoint."""
    beside = path.with_suffix(".tmp")
    torch.save(content, beside)
    beside.replace(path)
